/** The tiny bundle (seeded random weights, the same graphs as the real one), and pictures for it. */
import type { KvCache, KvView } from '../../src/model/kv-cache.ts';
import { emptyRows } from '../../src/model/kv-page.ts';
import type { Model } from '../../src/model/model.ts';
import { loadModel } from '../../src/model/model.ts';
import { seededRandom } from '../../src/model/sampling.ts';
import { TINY_BUNDLE } from './golden.ts';

export const loadTiny = (): Promise<Model> => loadModel(TINY_BUNDLE, { threads: 1 });

/** A picture of coarse random blocks, different for each number. */
export function picture(number: number, size = 224): Uint8Array {
  const random = seededRandom(number + 1);
  const blocks = Array.from({ length: 7 * 7 * 3 }, () => Math.floor(random() * 256));
  const rgb = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const block = (Math.floor((y * 7) / size) * 7 + Math.floor((x * 7) / size)) * 3;
      for (let c = 0; c < 3; c++) rgb[(y * size + x) * 3 + c] = blocks[block + c] ?? 0;
    }
  }
  return rgb;
}

/** The bytes of every key and value of the first `frames` frames that a cache holds, to compare bit by bit. */
export function bitsOf(cache: KvCache, frames = cache.frames): Buffer {
  const { keys, values } = rowsOf(cache, frames);
  return Buffer.concat([...keys, ...values].map((x) => Buffer.from(x.buffer, x.byteOffset, x.byteLength)));
}

/** Keys and values of the first `frames` frames, copied, for each head. */
export function rowsOf(cache: KvCache, frames = cache.frames): KvView {
  const tokens = frames * cache.shape.tokensPerFrame;
  const all = [{ first: 0, count: frames }];
  const rows = { ...emptyRows(cache.shape, tokens), tokens, ...cache.viewTimes(all) };
  cache.copyInto(all, rows, 0);
  return rows;
}
