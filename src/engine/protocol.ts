/** Messages between the server process and the engine process. Times are in ms since the stream began. */
import type { YocoError } from '../errors.ts';
import type { EvidenceSpan } from '../model/evidence.ts';
import type { DeviceName } from '../model/device/device.ts';
import type { Precision } from '../model/precision.ts';
import type { Turn } from '../model/question.ts';
import type { WallTimes } from '../model/snapshot-format.ts';
import type { EngineError } from './engine-error.ts';

/**
 * One stream of a question. It is seen up to `asOfMs` (null: its newest frame) and from `sinceMs` on (null: its oldest
 * frame).
 */
export interface AskedStream {
  readonly name: string;
  readonly asOfMs: number | null;
  readonly sinceMs: number | null;
}

export interface AskRequest {
  readonly streams: readonly AskedStream[];
  readonly question: string;
  /**
   * The question asks what changed, so whatever was there when the reading begins is not new. Otherwise the reading
   * goes back to the start of the scene.
   */
  readonly asksForChange?: boolean;
  /** Earlier turns of the conversation, oldest first. */
  readonly turns: readonly Turn[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  /**
   * For benches that compare answers of equal length: the answer ends exactly at `maxTokens`, like `ignore_eos` of
   * vLLM.
   */
  readonly ignoreEndToken?: boolean;
  /** Not asked by a person: refused while half of the answer slots are taken. */
  readonly unattended?: boolean;
}

/**
 * A stream that an answer read: the time of the newest frame it could see, and when the reading began (null: at the
 * oldest kept frame).
 */
export interface SeenStream {
  readonly name: string;
  readonly asOfMs: number;
  readonly sinceMs: number | null;
}

export interface AnswerEnd {
  readonly text: string;
  readonly finish: 'stop' | 'length' | 'cancelled';
  /** Time of the newest frame that the answer could see; the latest over all streams of the question. */
  readonly asOfMs: number;
  /** In the order of the question. */
  readonly streams: readonly SeenStream[];
  /** The worst precision of the frames that were read. */
  readonly precision: Precision;
  /** Spans that support the answer, strongest first. */
  readonly evidence: readonly EvidenceSpan[];
  /**
   * Probability that the model gives to the whole answer, 0..1: of all its tokens and its end, at temperature 1. 0 for
   * an empty answer.
   */
  readonly confidence: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Receives an answer as it is written, both in the engine and in the server. */
export interface AnswerListener {
  delta(text: string): void;
  done(end: AnswerEnd): void;
  failed(error: YocoError): void;
}

export interface StreamSizes {
  readonly firstMs: number;
  readonly lastMs: number;
  /** Frames taken in since the stream began, including those merged, thinned or dropped since. */
  readonly frames: number;
  readonly cacheTokens: number;
  readonly cacheBytes: number;
  /** Kept frames that lie in int8 pages. */
  readonly sealedFrames: number;
  /** Frames merged into the one before, thinned out of old pages, and dropped. */
  readonly mergedFrames: number;
  readonly thinnedFrames: number;
  readonly droppedFrames: number;
}

/** How a stream's frames are kept. */
export interface CacheLimits {
  readonly limitBytes: number;
  /**
   * A frame is merged into the last kept frame if their visual tokens differ by less than this: the norm of the
   * difference over the norm of the kept frame's tokens. 0: never.
   */
  readonly mergeBelow: number;
}

/** What a snapshot records of a stream besides the engine's own state. */
export interface SnapshotFacts {
  readonly fps: number;
  /** Wall time of the stream's time 0, ms since 1970. */
  readonly startedAtMs: number;
  /** Default: `live`. */
  readonly wallTimes?: WallTimes | undefined;
}

/** A snapshot as described by its header. */
export interface SnapshotSummary {
  /** Size of the file. */
  readonly bytes: number;
  readonly createdAtMs: number;
  readonly bundle: string;
  readonly stream: string;
  readonly fps: number;
  readonly startedAtMs: number;
  readonly wallTimes?: WallTimes | undefined;
  readonly limitBytes: number;
  readonly mergeBelow: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Frames taken in since the stream began. */
  readonly frames: number;
}

/** A stream that was opened from a snapshot. */
export interface RestoredStream {
  readonly snapshot: SnapshotSummary;
  readonly sizes: StreamSizes;
}

export interface EngineLoad {
  readonly bundle: string;
  readonly threads: number | null;
  readonly device: DeviceName;
  /** Bytes of caches on a device; null: the model's default. */
  readonly deviceBytes: number | null;
  readonly maxAnswers: number;
}

export type ToEngine =
  | ({ readonly type: 'load' } & EngineLoad)
  | ({ readonly type: 'open'; readonly stream: string } & CacheLimits)
  | { readonly type: 'close'; readonly stream: string }
  /** `file` is a path: the file's bytes never cross between the processes. */
  | ({ readonly type: 'snapshot'; readonly id: number; readonly stream: string; readonly file: string } & SnapshotFacts)
  | ({ readonly type: 'restore'; readonly id: number; readonly stream: string; readonly file: string } & CacheLimits)
  | {
      readonly type: 'frame';
      readonly id: number;
      readonly stream: string;
      readonly timeMs: number;
      readonly rgb: Uint8Array;
    }
  | { readonly type: 'ask'; readonly id: number; readonly request: AskRequest }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'ping' }
  | { readonly type: 'stop' };

export interface LoadedBundle {
  readonly name: string;
  readonly parameters: number;
  readonly licence: string;
  readonly imageSize: number;
  readonly maxAnswerTokens: number;
  /** How many streams one question may read. */
  readonly streamTags: number;
}

/** Milliseconds spent in each part of the model since the engine started, and the work done. */
export interface EngineTimes {
  readonly vision: number;
  readonly selfDecoder: number;
  readonly crossDecoder: number;
  readonly frames: number;
  readonly answerTokens: number;
}

export const NO_TIMES: EngineTimes = { vision: 0, selfDecoder: 0, crossDecoder: 0, frames: 0, answerTokens: 0 };

export type FromEngine =
  | { readonly type: 'progress'; readonly share: number }
  | { readonly type: 'loaded'; readonly bundle: LoadedBundle }
  | { readonly type: 'load_failed'; readonly error: EngineError }
  | { readonly type: 'appended'; readonly id: number; readonly result: StreamSizes }
  | { readonly type: 'delta'; readonly id: number; readonly text: string }
  | { readonly type: 'done'; readonly id: number; readonly end: AnswerEnd }
  | { readonly type: 'snapshot_done'; readonly id: number; readonly summary: SnapshotSummary }
  | { readonly type: 'restored'; readonly id: number; readonly result: RestoredStream }
  | { readonly type: 'failed'; readonly id: number; readonly error: EngineError }
  | { readonly type: 'pong'; readonly rssBytes: number; readonly times: EngineTimes };
