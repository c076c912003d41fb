/** The next token from logits. */
export interface SamplingOptions {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Nucleus sampling: draws only from the most likely tokens whose probabilities add up to this; 1 keeps all. */
  readonly topP: number;
  /** Returns numbers in [0, 1). */
  readonly random: () => number;
}

/** A small seeded generator (mulberry32), so that a sampled answer can be reproduced. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Index of the largest logit; the first one of equals. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  let most = logits[0] ?? 0;
  for (let i = 1; i < logits.length; i++) {
    const value = logits[i] ?? 0;
    if (value > most) [best, most] = [i, value];
  }
  return best;
}

/** Natural logarithm of the probability of the token at `index`, at temperature 1. */
export function logProbability(logits: Float32Array, index: number): number {
  const own = logits[index] ?? -Infinity;
  const highest = logits[argmax(logits)] ?? own;
  let total = 0;
  for (const value of logits) if (value > highest - NEGLIGIBLE) total += Math.exp(value - highest);
  return own - highest - Math.log(total);
}
/**
 * Logits this far below the best are skipped: all such tokens together add less than a thousandth, and exponentiating
 * each would cost more than the rest of a step.
 */
const NEGLIGIBLE = 16;

export function sample(logits: Float32Array, options: SamplingOptions): number {
  const top = argmax(logits);
  if (options.temperature <= 0) return top;
  const highest = logits[top] ?? 0;
  const weights = Array.from(logits, (x, index) => ({ index, p: Math.exp((x - highest) / options.temperature) }));
  weights.sort((a, b) => b.p - a.p);
  const total = weights.reduce((sum, w) => sum + w.p, 0);
  let kept = 0;
  let mass = 0;
  while (kept < weights.length && (kept === 0 || mass < options.topP * total)) mass += weights[kept++]?.p ?? 0;
  let draw = options.random() * mass;
  for (const w of weights.slice(0, kept)) {
    draw -= w.p;
    if (draw <= 0) return w.index;
  }
  return top;
}
