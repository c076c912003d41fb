/** Choices from one seed. */
import { seededRandom } from '../model/sampling.ts';

/** Draws from [0, 1). */
export type Random = () => number;

/**
 * Each stream has a generator of its own: what it shows does not depend on the streams before it. `branch`: further ones of the
 * same stream, for what must not shift the draws of the first.
 */
export function randomOfStream(seed: number, stream: number, branch = 0): Random {
  return seededRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b) ^ Math.imul(branch, 0xc2b2ae35));
}

export function pick<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

export function shuffle<T>(items: readonly T[], random: Random): T[] {
  const order = items.map((item) => ({ item, at: random() }));
  return order.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
