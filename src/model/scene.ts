/** Finds the frame that began the scene which a frame still shows. A reading of part of a stream starts there. */
import { MAX_STAND_MS } from './frame-times.ts';
import type { KvCache, KvView } from './kv-cache.ts';
import type { KvShape } from './kv-page.ts';

/** How many frames back the beginning of a scene is searched for. */
const MAX_SCENE_FRAMES = 240;
/**
 * Cosine from which two successive frames show the same scene. Nearly all frames of a still picture are above it, the
 * second one of each included; nearly all cuts are below.
 */
const MIN_SIMILARITY = 0.6;

/**
 * The first frame of the scene that `frame` shows: goes back while successive frames are alike by their whole-frame
 * keys. Returns `frame` itself if that frame is more than MAX_SCENE_FRAMES back, or no longer in full precision.
 */
export function sceneStart(cache: KvCache, frame: number): number {
  const oldest = Math.max(cache.sealedFrames, frame - MAX_SCENE_FRAMES);
  const view = frame < oldest ? null : cache.view({ first: oldest, count: frame - oldest + 1 });
  if (view === null) return frame;
  for (let at = frame; at > oldest; at--) {
    const away = (cache.times.at(at) ?? 0) - cache.times.endOf(at - 1) > MAX_STAND_MS;
    if (away || cosineSimilarity(view, cache.shape, at - oldest) < MIN_SIMILARITY) return at;
  }
  return oldest === 0 && cache.droppedFrames === 0 ? 0 : frame;
}

/** Cosine between the whole-frame keys of a frame and the one before it, over all heads. */
function cosineSimilarity({ keys }: KvView, { headDim, tokensPerFrame }: KvShape, frame: number): number {
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
