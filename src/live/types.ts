/** What a live stream offers to the server and the command line. Times in ms since the stream began. */
import type { AnswerEnd, EngineTimes, SnapshotSummary } from '../engine/protocol.ts';
import type { ErrorCode } from '../errors.ts';
import type { StandingDefinition } from '../ingest/definition.ts';
import type { SourceStatus } from '../ingest/frame.ts';
import type { PushOutcome } from '../ingest/sources/push-source.ts';
import type { WallTimes } from '../model/snapshot-format.ts';

export type { PushOutcome } from '../ingest/sources/push-source.ts';

/** What a warning is about, for a log that has fields of its own for these; its text says it, too. */
export interface WarningFields {
  /** Name of the stream; none: it is about the whole service. */
  readonly stream?: string;
  /** Code of the error that it tells of. */
  readonly code?: string;
}

/** Streams of a question: names, in the order in which it reads them, or all that have frames. */
export type WantedStreams = readonly string[] | 'all';

/** Which part of each stream a question is about, in times on each one's own clock, ms. */
export interface QuestionTimes {
  /** Up to when each stream is read; null: its newest frame. */
  readonly moments: readonly number[] | null;
  /**
   * From when on each stream is read; null: its oldest frame. A camera that has stalled may have nothing of that time.
   */
  readonly begins: readonly number[] | null;
  /** What is asked of that. */
  readonly question: string;
}

export interface AskOptions {
  /** The question may look up to this moment; default: the newest frame. Only where one stream is asked. */
  readonly asOfMs?: number;
  /** The same as wall time, ms since 1970: one instant in all streams that are asked. Not beside `asOfMs`. */
  readonly asOfWallMs?: number;
  /**
   * The question is about this moment and what came after it; default: all that is kept. Only where one stream is
   * asked.
   */
  readonly sinceMs?: number;
  /** The same as wall time, ms since 1970: one instant in all streams that are asked. Not beside `sinceMs`. */
  readonly sinceWallMs?: number;
  /** Limit of answer tokens; default and maximum come from the limits of the service. */
  readonly maxTokens?: number;
  /** 0 (default) is greedy. */
  readonly temperature?: number;
  readonly topP?: number;
  /** Makes a sampled answer repeatable. */
  readonly seed?: number;
  /**
   * Earlier turns, oldest first, in the place of the conversation's own; each counts as asked at the question's moment.
   */
  readonly turns?: readonly PastTurn[];
  /**
   * Nobody named the streams: those that keep nothing of what the question is about are left out. Default: as the
   * conversation was begun.
   */
  readonly anyOf?: boolean;
  /**
   * Asked by no person: refused as `too_many_questions` while half of the places are taken, so that people find one.
   */
  readonly unattended?: boolean;
  /** Cancels between two tokens. */
  readonly signal?: AbortSignal;
}

/** A turn that the caller remembers. */
export interface PastTurn {
  readonly question: string;
  readonly answer: string;
}

/** How an answer ended; its evidence is empty when it was cancelled before its first token. */
export interface AnswerResult extends AnswerEnd {
  readonly firstTokenMs: number;
  readonly totalMs: number;
}

/**
 * An answer as it is written: iterate for the pieces of text; `result` resolves (or rejects with a YocoError) at the
 * end.
 */
export interface Answer extends AsyncIterable<string> {
  readonly result: Promise<AnswerResult>;
}

/**
 * A run of turns: each question goes with those before it. One question at a time (`response_in_progress` otherwise).
 */
export interface Conversation {
  /** The streams that it is about, in the order in which a question reads them; they may be deleted by now. */
  readonly streams: readonly Pick<LiveStream, 'name' | 'status'>[];
  ask(question: string, options?: AskOptions): Answer;
}

export interface StreamStatus {
  readonly name: string;
  /** What its definition says of it, or null. */
  readonly description: string | null;
  /** What the source is, with credentials redacted, e.g. `rtsp://***@10.0.0.7/live`. */
  readonly source: string;
  /** State of the source; `ended` or `failed` only once its last frames are in the cache. */
  readonly sourceStatus: SourceStatus;
  readonly fps: number;
  /** Time of the first frame that is kept and of the newest frame; null before the first frame. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
  /**
   * Time of the newest frame whose picture differs from the one before it at all; null before a frame came. It lags far
   * behind `lastMs` where a camera has frozen.
   */
  readonly pictureChangedMs: number | null;
  /** Wall time of time 0, ms since 1970. */
  readonly startedAtMs: number;
  readonly wallTimes: WallTimes;
  readonly frames: number;
  /** Frames that the engine could not take in time. */
  readonly lateFrames: number;
  readonly cacheTokens: number;
  readonly cacheBytes: number;
  readonly memoryLimitBytes: number;
  /** Kept frames that lie in int8 pages. */
  readonly int8Frames: number;
  /** Frames that stand in the one before them, that were taken out of old pages, and that were dropped. */
  readonly mergedFrames: number;
  readonly thinnedFrames: number;
  readonly droppedFrames: number;
}

export interface Thumbnail {
  readonly timeMs: number;
  /** JPEG of the picture that the model saw. */
  readonly jpeg: Buffer;
}

export interface LiveStream {
  readonly name: string;
  /** What its definition wants to be asked for as long as it is there. */
  readonly standingQuestions: readonly StandingDefinition[];
  status(): StreamStatus;
  /** A fresh conversation about this stream; holds no resource until it is asked. */
  converse(): Conversation;
  /**
   * Times of the kept pictures, which outlive the cache where the engine is started again; null where there is none.
   */
  pictures(): { readonly firstMs: number; readonly lastMs: number } | null;
  /**
   * The kept frame at or before `timeMs` (default: the newest). Throws `stream_empty`, `stream_ended` or
   * `time_out_of_range`.
   */
  thumbnail(timeMs?: number): Promise<Thumbnail>;
  /**
   * Takes a JPEG or PNG into a `push` stream; `time` is when it was taken, in ms since the stream began or by the wall
   * clock, and by default that of its arrival, which was `waitedMs` ago (default: 0). Throws `stream_not_pushable`,
   * `image_undecodable`, `invalid_request` for a time that none can have.
   */
  push(image: Uint8Array, time?: number | Date, waitedMs?: number): Promise<PushOutcome>;
  /** Calls back after each frame taken in and each change of state; returns the unsubscriber. */
  onChange(listener: () => void): () => void;
}

/** A snapshot in the operator's folder. */
export interface SnapshotInfo {
  /** Its name in the folder. */
  readonly file: string;
  readonly bytes: number;
  /** What it is of; null where `error` says why that cannot be told. */
  readonly summary: SnapshotSummary | null;
  readonly error: ErrorCode | null;
}

/** How the engine is. */
export interface EngineFigures {
  /** How often it was lost, and every cache with it. */
  readonly losses: number;
  readonly residentBytes: number;
  /** Since its process began: ms in each part of the model, frames and answer tokens. */
  readonly times: EngineTimes;
}

/** All streams of one service. */
export interface LiveService {
  readonly bundle: {
    readonly name: string;
    readonly parameters: number;
    readonly licence: string;
    /** How many streams one question may read. */
    readonly streamTags: number;
  };
  /** False until the engine has loaded the model, and while it restarts. */
  readonly ready: boolean;
  /** As of the engine's last heartbeat. */
  readonly engineFigures: EngineFigures;
  /**
   * `definition` is unvalidated input (parsed JSON or YAML); throws `definition_invalid`, `stream_exists`,
   * `stream_limit`, `source_forbidden`, `source_not_found`, `source_invalid` for a device where none can be read,
   * `forbidden`, `shutting_down`. With `restore` the stream goes on from that snapshot, and name, sampling and memory
   * are by default the snapshot's; throws `snapshots_off`, `snapshot_not_found`, `snapshot_damaged`,
   * `snapshot_unsupported`, `engine_unavailable`, `engine_restarted`. With `keep` it goes on from its own file, where
   * there is one that can be used; throws `snapshots_off`.
   */
  create(definition: unknown, origin: 'operator' | 'client'): Promise<LiveStream>;
  list(): readonly LiveStream[];
  /** Throws `stream_not_found`. */
  get(name: string): LiveStream;
  /**
   * A fresh conversation about several streams. Throws `invalid_request`, `stream_not_found` or `stream_empty` (see
   * `chooseStreams`) with the field `param`, by default `streams`. `asOfWallMs`: `"all"` are those that keep something
   * of the instant that is to be asked about.
   */
  converse(streams: WantedStreams, param?: string, asOfWallMs?: number): Conversation;
  /** Throws `stream_not_found`. Ends the source, frees the cache; answers in progress fail with `stream_deleted`. */
  delete(name: string): Promise<void>;
  /**
   * Writes what a stream holds now to the operator's folder, by default under a name made of the stream's and the time.
   * A snapshot of that name is replaced. Throws `stream_not_found`, `stream_empty`, `stream_ended`, `snapshots_off`,
   * `snapshot_failed`, `invalid_request` for another name, `engine_restarted`.
   */
  snapshot(stream: string, file?: string): Promise<SnapshotInfo>;
  /** The snapshots in the operator's folder, newest first. Throws `snapshots_off`. */
  snapshots(): Promise<readonly SnapshotInfo[]>;
  /**
   * Removes one of them. Throws `snapshots_off`, `snapshot_not_found`, `snapshot_failed`, `invalid_request` for what is
   * no plain name.
   */
  deleteSnapshot(file: string): Promise<void>;
  /** Whether what a stream with `keep` holds could not be written when that was tried last; null: it has no `keep`. */
  keepFails(name: string): boolean | null;
  close(): Promise<void>;
}
