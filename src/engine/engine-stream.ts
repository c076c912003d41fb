/** The streams that the engine holds, each with its cache, its self-decoder window and its queued frames. */
import { YocoError } from '../errors.ts';
import type { IntakeStream } from '../model/intake.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { KeptFrame } from '../model/snapshot.ts';
import type { StreamSizes } from './protocol.ts';

export interface EngineStream {
  readonly name: string;
  readonly cache: KvCache;
  readonly intake: IntakeStream;
  readonly queuedFrames: FrameJob[];
  readonly mergeBelow: number;
  /** Visual tokens and time of the last frame that was kept. */
  kept: KeptFrame | undefined;
}

export interface FrameJob {
  readonly timeMs: number;
  readonly rgb: Uint8Array;
  /** Arrival time, in ms of `performance.now`. */
  readonly arrivedMs: number;
  readonly resolve: (sizes: StreamSizes) => void;
  readonly reject: (error: YocoError) => void;
}

export class EngineStreams {
  readonly #byName = new Map<string, EngineStream>();
  /** In order of their turns; the stream served last goes to the end. */
  #turnOrder: EngineStream[] = [];

  get(name: string): EngineStream | undefined {
    return this.#byName.get(name);
  }

  /** Throws `stream_exists`. */
  checkFree(name: string): void {
    if (this.#byName.has(name)) throw new YocoError('stream_exists', { param: 'name' });
  }

  add(stream: EngineStream): void {
    this.#byName.set(stream.name, stream);
    this.#turnOrder.push(stream);
  }

  /** Returns the stream that had this name, if any. */
  delete(name: string): EngineStream | undefined {
    const stream = this.#byName.get(name);
    this.#byName.delete(name);
    this.#turnOrder = this.#turnOrder.filter((other) => other !== stream);
    return stream;
  }

  /** Streams with queued frames, in order of their turns. */
  withFrames(): EngineStream[] {
    return this.#turnOrder.filter((stream) => stream.queuedFrames.length > 0);
  }

  /** Moves a stream to the end of the turn order. */
  moveToEnd(stream: EngineStream): void {
    const others = this.#turnOrder.filter((other) => other !== stream);
    if (others.length < this.#turnOrder.length) this.#turnOrder = [...others, stream];
  }
}

/** Counts and sizes of a stream's cache; `lastMs` is its newest moment. */
export function sizesOf(cache: KvCache, lastMs: number): StreamSizes {
  const { frames, mergedFrames, thinnedFrames, droppedFrames, sealedFrames } = cache;
  return {
    firstMs: cache.times.at(0) ?? lastMs,
    lastMs,
    frames: frames + mergedFrames + thinnedFrames + droppedFrames,
    cacheTokens: frames * cache.shape.tokensPerFrame,
    cacheBytes: cache.bytes,
    sealedFrames,
    mergedFrames,
    thinnedFrames,
    droppedFrames,
  };
}
