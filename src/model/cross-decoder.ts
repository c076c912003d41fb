/** The half of the model that video never enters: reads a view of a cache for one new token of each question. */
import type { BundleConfig } from './bundle.ts';
import type { KvView } from './kv-cache.ts';
import type { InferenceSession, Tensor } from './onnxruntime.ts';
import { floats, integers, output } from './session.ts';

export interface CrossDecoderInput {
  /** `[width]`, from the self-decoder. */
  readonly hidden: Float32Array;
  /** The moment of the question, ms. */
  readonly momentMs: number;
  /** How many tokens of the view this question may see. */
  readonly visible: number;
  /** Number of tokens from which those were chosen; equal if nothing was left out. Sets how sharp attention is. */
  readonly context: number;
  /** K and V of the question's own segment, `[ownLength, kvHeads, headDim]`. */
  readonly ownK: Float32Array;
  readonly ownV: Float32Array;
  readonly ownLength: number;
  /** The counts of an earlier token of the answer, reused by this one; undefined: count anew. */
  readonly counted?: Float32Array | undefined;
}

export interface CrossDecoderOutput {
  /** Logits over the answer's tokens (`answerTokens` of the bundle). */
  readonly logits: Float32Array;
  /** Share of attention on each of the view's frames; the rest, up to 1, went to the segment itself. */
  readonly evidence: Float32Array;
  /** Queries of all layers, with which to ask an index: `[crossLayers, crossHeads, headDim + features of time]`. */
  readonly queries: Float32Array;
  /** What the tally counted of the thing asked for, `[COUNTS]`; the input's `counted` if that was given. */
  readonly counts: Float32Array;
}

/** Size of a tally's result: the number of tokens it found, and the seconds for which their frames had stood. */
export const COUNTS = 2;
/** Tells the graph to count anew. */
const ANEW = -1;

export class CrossDecoder {
  readonly #session: InferenceSession;
  readonly #config: BundleConfig;

  constructor(session: InferenceSession, config: BundleConfig) {
    this.#session = session;
    this.#config = config;
  }

  /** One read of `cache` serves all `inputs`. */
  async step(cache: KvView, inputs: readonly CrossDecoderInput[]): Promise<CrossDecoderOutput[]> {
    const c = this.#config;
    const count = inputs.length;
    const own = Math.max(...inputs.map((input) => input.ownLength));
    const hidden = new Float32Array(count * c.width);
    const ownSize = own * c.kvHeads * c.headDim;
    const ownK = new Float32Array(count * ownSize);
    const ownV = new Float32Array(count * ownSize);
    inputs.forEach((input, i) => {
      hidden.set(input.hidden, i * c.width);
      ownK.set(input.ownK, i * ownSize);
      ownV.set(input.ownV, i * ownSize);
    });
    const feeds: Record<string, Tensor> = {
      hidden: floats(hidden, [count, c.width]),
      times: integers(cache.times.map(Math.round)),
      since: integers(cache.since.map(Math.round)),
      stood: integers(cache.stood.map(Math.round)),
      ahead: integers(cache.ahead.map(Math.round)),
      moment: integers(inputs.map((input) => Math.round(input.momentMs))),
      visible: integers(inputs.map((input) => input.visible)),
      context: integers(inputs.map((input) => input.context)),
      own_k: floats(ownK, [count, own, c.kvHeads, c.headDim]),
      own_v: floats(ownV, [count, own, c.kvHeads, c.headDim]),
      own_length: integers(inputs.map((input) => input.ownLength)),
      counted: floats(countedOf(inputs), [count, COUNTS]),
    };
    cache.keys.forEach((keys, head) => (feeds[`k${head}`] = floats(keys, [cache.tokens, c.headDim])));
    cache.values.forEach((values, head) => (feeds[`v${head}`] = floats(values, [cache.tokens, c.headDim])));
    const results = await this.#session.run(feeds);
    const logits = output(results, 'logits');
    const evidence = output(results, 'evidence');
    const queries = output(results, 'queries');
    const counts = output(results, 'counts');
    const answers = c.answerTokens.length;
    const querySize = queries.length / count;
    const frames = cache.times.length;
    return inputs.map((_, i) => ({
      logits: logits.subarray(i * answers, (i + 1) * answers),
      evidence: evidence.subarray(i * frames, (i + 1) * frames),
      queries: queries.subarray(i * querySize, (i + 1) * querySize),
      counts: counts.subarray(i * COUNTS, (i + 1) * COUNTS),
    }));
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** The graphs' `counted` input, `[questions, COUNTS]`. */
export function countedOf(inputs: readonly Pick<CrossDecoderInput, 'counted'>[]): Float32Array {
  const all = new Float32Array(inputs.length * COUNTS).fill(ANEW);
  inputs.forEach(({ counted }, i) => {
    if (counted !== undefined) all.set(counted, i * COUNTS);
  });
  return all;
}
