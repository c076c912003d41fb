/** How an answer's tokens read caches, on the host or on a device. */
import type { CrossDecoderInput } from './cross-decoder.ts';
import type { FrameShares } from './evidence.ts';
import type { KvCache } from './kv-cache.ts';
import type { Precision } from './precision.ts';

/** Where the reading of a stream begins, ms on the stream's own clock; by default at the oldest kept frame. */
export interface ReadStart {
  /** Start of the part that is asked about: no frame counts as having stood before it. */
  readonly sinceMs: number;
  /**
   * Time of the first frame that is read: the one that began the scene at `sinceMs`, or `sinceMs` itself. Things are
   * counted by the frame that showed them first.
   */
  readonly sceneMs: number;
}

/** One stream of a question, which may read its first `frames` kept frames, from the frame that stood at `start` on. */
export interface KvSource {
  readonly cache: KvCache;
  readonly frames: number;
  readonly start?: ReadStart | undefined;
  /** The question's moment on this stream's own clock, ms; by default the question's own `momentMs`. */
  readonly momentMs?: number;
}

export type ReaderInput = Omit<CrossDecoderInput, 'visibleTokens' | 'contextTokens'> & {
  /** The queries of the answer's previous token. */
  readonly queries?: Float32Array | undefined;
};

/** One of several questions on one cache; it may read the first `frames` kept frames. */
export interface SharedReadInput {
  readonly frames: number;
  readonly input: ReaderInput;
}

/** What was read for one token of an answer. */
export interface Reading {
  /** Over the answer's tokens (`answerTokens` of the bundle). */
  readonly logits: Float32Array;
  /** The queries to the index for the next token: `[crossLayers, crossHeads, headDim + features of time]`. */
  readonly queries: Float32Array;
  /** What the tally counted of the thing asked for, `[COUNTS]`. */
  readonly counts: Float32Array;
  /** For each source the frames that were read, with their shares of attention. */
  readonly attention: readonly FrameShares[];
  /** The worst precision among the frames that were read. */
  readonly precision: Precision;
}

export interface Reader {
  /** Whether a question on these streams reads everything it may see. */
  readsAll(sources: readonly KvSource[]): boolean;
  /** One read of one cache from `start` on serves many questions; each sees its own number of `frames`. */
  readShared(cache: KvCache, inputs: readonly SharedReadInput[], start?: ReadStart): Promise<Reading[]>;
  /** Reads one token of one question on any number of streams. */
  read(sources: readonly KvSource[], input: ReaderInput): Promise<Reading>;
}

/** The place of the first kept frame that a source may read. */
export function firstFrameOf({ cache, frames, start }: KvSource): number {
  return start === undefined ? 0 : Math.min(cache.times.firstShownFrom(start.sceneMs), frames);
}

/** How many kept frames a source may read. */
export function readableFrames(source: KvSource): number {
  return source.frames - firstFrameOf(source);
}

/** The question's moment on a source's clock. */
export function momentOf(source: KvSource, input: Pick<ReaderInput, 'momentMs'>): number {
  return source.momentMs ?? input.momentMs;
}
