/** Random choices from one seed. */
import { seededRandom } from '../model/sampling.ts';

/** Draws from [0, 1). */
export type Random = () => number;

/**
 * Each stream has its own generator, so what it shows does not depend on the streams before it. `branch` selects
 * further generators of the same stream, for draws that must not shift those of the first.
 */
export function randomOfStream(seed: number, stream: number, branch = 0): Random {
  return seededRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b) ^ Math.imul(branch, 0xc2b2ae35));
}

export function pick<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** One of `items`, with a probability proportional to its weight (above 0). */
function pickWeighted<T>(items: readonly T[], weightOf: (item: T) => number, random: Random): T {
  const weights = items.map(weightOf);
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  const at = weights.findIndex((weight) => (left -= weight) < 0);
  // Rounding may leave a remainder: `at` is then -1, the last item.
  const item = items.at(at);
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** Draws without replacement: no item is drawn again before every item that fits has been drawn once. */
export class Draws<T> {
  readonly #items: readonly T[];
  readonly #random: Random;
  readonly #drawn = new Set<T>();

  constructor(items: readonly T[], random: Random) {
    this.#items = items;
    this.#random = random;
  }

  /** Draws an item for which `fits` holds. Throws a RangeError if there is none. */
  next(fits: (item: T) => boolean = () => true, weightOf: (item: T) => number = () => 1): T {
    const fitting = this.#items.filter(fits);
    const fresh = fitting.filter((item) => !this.#drawn.has(item));
    if (fresh.length === 0) for (const item of fitting) this.#drawn.delete(item);
    const item = pickWeighted(fresh.length > 0 ? fresh : fitting, weightOf, this.#random);
    this.#drawn.add(item);
    return item;
  }
}

export function shuffle<T>(items: readonly T[], random: Random): T[] {
  const order = items.map((item) => ({ item, at: random() }));
  return order.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
