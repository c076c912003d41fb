/** How an answer's tokens read caches, wherever those lie. */
import type { CrossDecoderInput } from './cross-decoder.ts';
import type { FrameShares } from './evidence.ts';
import type { KvCache } from './kv-cache.ts';
import type { Precision } from './precision.ts';

/** Where the reading of a stream begins, on its own clock, ms; by default with the oldest kept frame. */
export interface Begin {
  /** What is asked about begins here: no frame counts as one that was there before. */
  readonly sinceMs: number;
  /**
   * When the first frame is read: that with which began what was there at `sinceMs`, or `sinceMs`. A thing is counted
   * by the frame that showed it first.
   */
  readonly sceneMs: number;
}

/**
 * One stream of a question: of its first `frames` kept frames those may be read that stood at the beginning or came
 * later.
 */
export interface KvSource {
  readonly cache: KvCache;
  readonly frames: number;
  readonly begin?: Begin | undefined;
  /** The question's moment on this stream's own clock, ms; where it is not given, the clock is the question's. */
  readonly momentMs?: number;
}

export type ReaderInput = Omit<CrossDecoderInput, 'visible' | 'context'> & {
  /** Of the answer's token before this one. */
  readonly queries?: Float32Array | undefined;
};

/** One of several questions on one cache, which may read its first `frames` kept frames. */
export interface TogetherInput {
  readonly frames: number;
  readonly input: ReaderInput;
}

/** One token of an answer. */
export interface Reading {
  /** Over the answer's tokens (`answerTokens` of the bundle). */
  readonly logits: Float32Array;
  /** What an index is asked with for the next token: `[crossLayers, crossHeads, headDim + features of time]`. */
  readonly queries: Float32Array;
  /** What the tally counted of what is asked for, `[COUNTS]`. */
  readonly counts: Float32Array;
  /** For each source the frames that were read, with their shares of attention. */
  readonly looked: readonly FrameShares[];
  /** The worst that became of what was read. */
  readonly precision: Precision;
}

export interface Reader {
  /** Whether a question of these streams reads all that it may see. */
  readsAll(sources: readonly KvSource[]): boolean;
  /**
   * One read of one cache, whole from its beginning on, serves many questions; each sees its own number of `frames`.
   */
  readTogether(cache: KvCache, inputs: readonly TogetherInput[], begin?: Begin): Promise<Reading[]>;
  /** One token of one question on any number of streams. */
  read(sources: readonly KvSource[], input: ReaderInput): Promise<Reading>;
}

/** The number of the first kept frame that a source may read. */
export function firstFrameOf({ cache, frames, begin }: KvSource): number {
  return begin === undefined ? 0 : Math.min(cache.times.firstFrom(begin.sceneMs), frames);
}

/** How many kept frames a source may read. */
export function readableFrames(source: KvSource): number {
  return source.frames - firstFrameOf(source);
}

/** The question's moment on a source's clock. */
export function momentOf(source: KvSource, input: Pick<ReaderInput, 'momentMs'>): number {
  return source.momentMs ?? input.momentMs;
}
