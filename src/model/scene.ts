/** With which frame began what a frame still shows: what a reading of a part of a stream takes along. */
import { LONGEST_MS } from './frame-times.ts';
import type { KvCache, KvView } from './kv-cache.ts';
import type { KvShape } from './kv-page.ts';

/** How far back the beginning of a scene is looked for, frames. */
const SCENE_FRAMES = 240;
/**
 * Cosine from which on two frames in a row show the same: nearly all pictures that stand are above it, also the second
 * one of each, and nearly all cuts below.
 */
const ALIKE = 0.6;

/**
 * The frame with which began what `frame` still shows: back over frames that are like the one before them, by the keys
 * of their whole pictures. The same frame where that was more than SCENE_FRAMES ago, or is in full precision no more.
 */
export function sceneStart(cache: KvCache, frame: number): number {
  const oldest = Math.max(cache.sealedFrames, frame - SCENE_FRAMES);
  const view = frame < oldest ? null : cache.view({ first: oldest, count: frame - oldest + 1 });
  if (view === null) return frame;
  for (let at = frame; at > oldest; at--) {
    const away = (cache.times.at(at) ?? 0) - cache.times.endOf(at - 1) > LONGEST_MS;
    if (away || likeness(view, cache.shape, at - oldest) < ALIKE) return at;
  }
  return oldest === 0 && cache.droppedFrames === 0 ? 0 : frame;
}

/** Cosine of the keys of a whole picture and of the one before it, over all heads. */
function likeness({ keys }: KvView, { headDim, tokensPerFrame }: KvShape, frame: number): number {
  const second = (frame * tokensPerFrame + tokensPerFrame - 1) * headDim;
  const first = second - tokensPerFrame * headDim;
  let [both, left, right] = [0, 0, 0];
  for (const row of keys) {
    for (let i = 0; i < headDim; i++) {
      const [x, y] = [row[first + i] ?? 0, row[second + i] ?? 0];
      both += x * y;
      left += x * x;
      right += y * y;
    }
  }
  return both / Math.sqrt(left * right || 1);
}
