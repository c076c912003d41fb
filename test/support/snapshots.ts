/**
 * Contents of snapshots without a model, of any size, for the tests of files; and the content of a scheduler's stream.
 */
import { createHash } from 'node:crypto';
import type { CapturedStream, Scheduler } from '../../src/engine/scheduler.ts';
import type { BundleConfig } from '../../src/model/bundle.ts';
import { KvCache } from '../../src/model/kv-cache.ts';
import { KvPage } from '../../src/model/kv-page.ts';
import { seededRandom } from '../../src/model/sampling.ts';
import type { StreamContent, StreamFacts } from '../../src/model/snapshot.ts';

export const FACTS: StreamFacts = {
  name: 'door',
  fps: 2,
  startedAtMs: Date.parse('2030-01-01T00:00:00Z'),
  limitBytes: 2 ** 24,
  mergeBelow: 0.01,
};

/** A cache of a model's shape. */
export function cacheFor(config: BundleConfig, limitBytes: number): KvCache {
  return new KvCache({ ...shapeOf(config), limitBytes });
}

export function shapeOf({ kvHeads: heads, headDim, tokensPerFrame }: BundleConfig) {
  return { heads, headDim, tokensPerFrame };
}

/** Appends frames `from` to `to`, half a second apart, of random keys and values. */
export function fill(cache: KvCache, from: number, to: number): void {
  const { heads, headDim, tokensPerFrame } = cache.shape;
  for (let frame = from; frame < to; frame++) {
    const random = seededRandom(frame + 1);
    const numbers = (): Float32Array =>
      Float32Array.from({ length: tokensPerFrame * heads * headDim }, () => random() * 2 - 1);
    cache.append(frame * 500, numbers(), numbers());
  }
}

/** The content of a cache, with a window and visual tokens of the model's sizes. */
export function contentFor(config: BundleConfig, cache: KvCache): StreamContent {
  const length = Math.min(config.window, 7);
  const size = config.selfLayers * length * config.selfKvHeads * config.headDim;
  return {
    cache: cache.content(),
    window: { keys: new Float32Array(size).fill(1.5), values: new Float32Array(size).fill(-2.5), length },
    kept: { tokens: new Float32Array(config.tokensPerFrame * config.width).fill(0.25), timeMs: 500 },
  };
}

/** What a stream holds now. */
export function capturedNow(scheduler: Scheduler, name: string): Promise<CapturedStream> {
  const { captured, take } = scheduler.capture(name);
  take();
  return captured;
}

/** A content with a checksum in place of each array: quick to compare, and independent of its memory. */
export function digestOf(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return `${value.byteLength} ${createHash('sha256').update(bytes).digest('hex')}`;
  }
  if (value instanceof KvPage) return `${value.frames} ${value.isThinned} ${String(digestOf(value.bytes))}`;
  if (Array.isArray(value)) return value.map(digestOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, digestOf(part)]));
}
