import { describe, expect, test } from 'vitest';
import { KvCache } from '../../src/model/kv-cache.ts';
import { sceneStart } from '../../src/model/scene.ts';

const SHAPE = { heads: 2, headDim: 8, tokensPerFrame: 2 };
const FLOATS = SHAPE.heads * SHAPE.headDim * SHAPE.tokensPerFrame;
const FRAME_BYTES = 2 * FLOATS * Float32Array.BYTES_PER_ELEMENT;

/**
 * A cache with the memory of `limitFrames` frames in full precision that has seen these pictures. Two frames of one
 * picture differ a little.
 */
function cacheOf(pictures: readonly number[], limitFrames = 1_000): KvCache {
  const cache = new KvCache({ ...SHAPE, limitBytes: limitFrames * FRAME_BYTES });
  pictures.forEach((picture, frame) => {
    const k = Float32Array.from(
      { length: FLOATS },
      (_, at) => (at % SHAPE.headDim === picture ? 1 : 0) + 0.1 * Math.sin(frame + at),
    );
    cache.append(frame * 500, k, k);
  });
  return cache;
}

describe('The scene of a frame', () => {
  test('begins with the first of a run of similar frames', () => {
    const pictures = [0, 0, 0, 1, 1, 1, 1, 2];
    const cache = cacheOf(pictures);
    expect(pictures.map((_, frame) => sceneStart(cache, frame))).toEqual([0, 0, 0, 3, 3, 3, 3, 7]);
  });

  test('begins anew after the camera was away, even if it shows the same', () => {
    const cache = cacheOf([0, 0, 0]);
    const evening = 8 * 3_600_000;
    for (let i = 0; i < 2; i++) {
      const k = Float32Array.from({ length: FLOATS }, (_, at) => (at % SHAPE.headDim === 0 ? 1 : 0));
      cache.append(evening + i * 500, k, k);
    }
    expect([2, 3, 4].map((frame) => sceneStart(cache, frame))).toEqual([0, 3, 3]);
  });

  test('begins with the frame itself if it started more than 240 frames earlier', () => {
    const still = cacheOf(new Array<number>(400).fill(0));
    expect([sceneStart(still, 240), sceneStart(still, 241)]).toEqual([0, 241]);
  });

  test('begins with the frame itself if its start is no longer in full precision', () => {
    const cache = cacheOf(new Array<number>(400).fill(0), 200);
    const { sealedFrames } = cache;
    expect(sealedFrames).toBeGreaterThan(0);
    expect([sealedFrames - 1, sealedFrames].map((frame) => sceneStart(cache, frame))).toEqual([
      sealedFrames - 1,
      sealedFrames,
    ]);
  });
});
