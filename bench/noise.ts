/** Values of unit variance, for measurements in which only time and size matter. */
import type { KvCache } from '../src/model/kv-cache.ts';

export const NOISE = Float32Array.from(
  { length: 65_536 },
  (_, i) => Math.SQRT2 * Math.sin(i * 12.9898 + i * i * 0.001),
);

/** The interval of two frames a second. */
const FRAME_MS = 500;

/** Fills a range with repetitions of the block. */
export function fillWithNoise(target: Float32Array, from: number, to: number): void {
  for (let at = from; at < to; at += NOISE.length) target.set(NOISE.subarray(0, Math.min(NOISE.length, to - at)), at);
}

/** Appends one frame of noise. */
export function appendNoise(cache: KvCache): void {
  const { heads, headDim, tokensPerFrame } = cache.shape;
  const floats = tokensPerFrame * heads * headDim;
  const at = (cache.frames * 1_009) % (NOISE.length - floats);
  const noise = NOISE.subarray(at, at + floats);
  cache.append(cache.frames * FRAME_MS, noise, noise);
}

/** Appends frames until the cache holds at least `tokens` tokens. */
export function fillCache(cache: KvCache, tokens: number): void {
  while (cache.frames * cache.shape.tokensPerFrame < tokens) appendNoise(cache);
}
