/** Messages between the server process and the engine process. Times in ms since the stream began. */
import type { YocoError } from '../errors.ts';
import type { EvidenceSpan } from '../model/evidence.ts';
import type { DeviceName } from '../model/device/device.ts';
import type { Precision } from '../model/precision.ts';
import type { Turn } from '../model/question.ts';
import type { WallTimes } from '../model/snapshot-format.ts';
import type { EngineError } from './engine-error.ts';

/**
 * One stream of a question, the moment up to which it may be seen (null: its newest frame) and that from which on
 * (null: its oldest frame).
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
   * Asks what came or went, to which what was there when the reading begins is nothing new; else it is read from where
   * it came.
   */
  readonly ofChanges?: boolean;
  /** Earlier turns of the conversation, oldest first. */
  readonly turns: readonly Turn[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  /**
   * For benches, which compare answers of one length: it ends at `maxTokens` and not before, as with `ignore_eos` of
   * vLLM.
   */
  readonly endless?: boolean;
  /** Asked by no person: it finds a place only while half of them are free. */
  readonly unattended?: boolean;
}

/**
 * One stream that an answer read, the moment of the newest of its frames that the answer could see, and since when it
 * read; null: all that is kept.
 */
export interface SeenStream {
  readonly name: string;
  readonly asOfMs: number;
  readonly sinceMs: number | null;
}

export interface AnswerEnd {
  readonly text: string;
  readonly finish: 'stop' | 'length' | 'cancelled';
  /** The moment of the newest frame that the answer could see; of the latest, where several streams were asked. */
  readonly asOfMs: number;
  /** In the order of the question. */
  readonly streams: readonly SeenStream[];
  /** What became of the frames that were read, at worst. */
  readonly precision: Precision;
  /** Spans that the answer rests on, strongest first. */
  readonly evidence: readonly EvidenceSpan[];
  /**
   * The probability that the model gives to what it said, 0..1: of all tokens of the answer and its end, at temperature
   * 1; 0 where nothing was said.
   */
  readonly confidence: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Hears of an answer as it is written: in the engine, and of whoever asks on the server's side. */
export interface AnswerListener {
  delta(text: string): void;
  done(end: AnswerEnd): void;
  failed(error: YocoError): void;
}

export interface Appended {
  readonly firstMs: number;
  readonly lastMs: number;
  /** Frames taken in since the stream began, whatever became of them. */
  readonly frames: number;
  readonly cacheTokens: number;
  readonly cacheBytes: number;
  /** Kept frames that lie in int8 pages. */
  readonly sealedFrames: number;
  /** Frames that stand in the one before them, that were taken out of old pages, and that were dropped. */
  readonly mergedFrames: number;
  readonly thinnedFrames: number;
  readonly droppedFrames: number;
}

/** How a stream's frames are kept. */
export interface CacheLimits {
  readonly limitBytes: number;
  /**
   * A frame whose visual tokens differ from those of the last kept frame by less than this (the length of the
   * difference over that of the tokens) is merged into it; 0: never.
   */
  readonly mergeBelow: number;
}

/** What a snapshot keeps of a stream besides what the engine holds of it. */
export interface SnapshotFacts {
  readonly fps: number;
  /** Wall time of the stream's time 0, ms since 1970. */
  readonly startedAtMs: number;
  /** Default: `live`. */
  readonly wallTimes?: WallTimes | undefined;
}

/** A snapshot as its header tells of it. */
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
export interface Restored {
  readonly snapshot: SnapshotSummary;
  readonly appended: Appended;
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
  /** `file`: a path; the file's bytes never cross between the processes. */
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

/** Milliseconds that the engine spent in each part since it started, and what it did. */
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
  | { readonly type: 'appended'; readonly id: number; readonly result: Appended }
  | { readonly type: 'delta'; readonly id: number; readonly text: string }
  | { readonly type: 'done'; readonly id: number; readonly end: AnswerEnd }
  | { readonly type: 'snapshot_done'; readonly id: number; readonly summary: SnapshotSummary }
  | { readonly type: 'restored'; readonly id: number; readonly result: Restored }
  | { readonly type: 'failed'; readonly id: number; readonly error: EngineError }
  | { readonly type: 'pong'; readonly rssBytes: number; readonly times: EngineTimes };
