/** The streams that the engine holds: each with its cache, its place in the self-decoder, and the frames that wait. */
import { YocoError } from '../errors.ts';
import type { IntakeStream } from '../model/intake.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { KeptFrame } from '../model/snapshot.ts';
import type { Appended } from './protocol.ts';

export interface EngineStream {
  readonly name: string;
  readonly cache: KvCache;
  readonly intake: IntakeStream;
  readonly frames: FrameJob[];
  readonly mergeBelow: number;
  /** Visual tokens of the last frame that was kept, and its time. */
  kept: KeptFrame | undefined;
}

export interface FrameJob {
  readonly timeMs: number;
  readonly rgb: Uint8Array;
  /** When it came, ms of `performance.now`. */
  readonly arrivedMs: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: YocoError) => void;
}

export class EngineStreams {
  readonly #byName = new Map<string, EngineStream>();
  /** In the order in which their turn comes; the one served last goes to the end. */
  #turn: EngineStream[] = [];

  get(name: string): EngineStream | undefined {
    return this.#byName.get(name);
  }

  /** Throws `stream_exists`. */
  checkFree(name: string): void {
    if (this.#byName.has(name)) throw new YocoError('stream_exists', { param: 'name' });
  }

  add(stream: EngineStream): void {
    this.#byName.set(stream.name, stream);
    this.#turn.push(stream);
  }

  /** Returns the stream that had this name. */
  delete(name: string): EngineStream | undefined {
    const stream = this.#byName.get(name);
    this.#byName.delete(name);
    this.#turn = this.#turn.filter((other) => other !== stream);
    return stream;
  }

  /** Those with frames that wait, in turn. */
  withFrames(): EngineStream[] {
    return this.#turn.filter((stream) => stream.frames.length > 0);
  }

  /** The turn of this one comes last now. */
  served(stream: EngineStream): void {
    const others = this.#turn.filter((other) => other !== stream);
    if (others.length < this.#turn.length) this.#turn = [...others, stream];
  }
}

/** What a stream holds, the newest of it from `lastMs`. */
export function sizesOf(cache: KvCache, lastMs: number): Appended {
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
