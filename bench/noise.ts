/** Numbers of unit variance, where only how long something takes is looked at. */
import type { KvCache } from '../src/model/kv-cache.ts';

export const NOISE = Float32Array.from(
  { length: 65_536 },
  (_, i) => Math.SQRT2 * Math.sin(i * 12.9898 + i * i * 0.001),
);

/** Half a second, as of two frames a second. */
const FRAME_MS = 500;

/** Repeats a block of them; the values are not looked at. */
export function fill(target: Float32Array, from: number, to: number): void {
  for (let at = from; at < to; at += NOISE.length) target.set(NOISE.subarray(0, Math.min(NOISE.length, to - at)), at);
}

/** Appends one frame. */
export function appendNoise(cache: KvCache): void {
  const { heads, headDim, tokensPerFrame } = cache.shape;
  const floats = tokensPerFrame * heads * headDim;
  const at = (cache.frames * 1_009) % (NOISE.length - floats);
  const noise = NOISE.subarray(at, at + floats);
  cache.append(cache.frames * FRAME_MS, noise, noise);
}

/** Appends frames until there are so many tokens. */
export function fillCache(cache: KvCache, tokens: number): void {
  while (cache.frames * cache.shape.tokensPerFrame < tokens) appendNoise(cache);
}
