/** What a live stream offers to the server and the command line. Times in ms since the stream began. */
import type { AnswerEnd, EngineTimes, SnapshotSummary } from '../engine/protocol.ts';
import type { ErrorCode } from '../errors.ts';
import type { StandingQuestionDefinition } from '../ingest/definition.ts';
import type { SourceStatus } from '../ingest/frame.ts';
import type { PushOutcome } from '../ingest/sources/push-source.ts';
import type { WallTimes } from '../model/snapshot-format.ts';

export type { PushOutcome } from '../ingest/sources/push-source.ts';

/** Fields of a warning, for logs that have fields; its text says the same. */
export interface WarningFields {
  /** Name of the stream; absent if the warning concerns the whole service. */
  readonly stream?: string;
  /** Code of the error that it reports. */
  readonly code?: string;
}

/** Streams of a question: names, in the order in which it reads them, or all streams that have frames. */
export type WantedStreams = readonly string[] | 'all';

/** Which part of each stream a question is about, in ms on that stream's own clock. */
export interface QuestionTimes {
  /** Up to when each stream is read; null: its newest frame. */
  readonly moments: readonly number[] | null;
  /** From when on each stream is read; null: its oldest frame. A stalled camera may have nothing of that time. */
  readonly starts: readonly number[] | null;
  /** The question about that part. */
  readonly question: string;
}

export interface AskOptions {
  /** The question may look up to this moment; default: the newest frame. For a single stream only. */
  readonly asOfMs?: number;
  /** The same as wall time, ms since 1970: one instant in all streams. Not together with `asOfMs`. */
  readonly asOfWallMs?: number;
  /** The question is about this moment and what came after it; default: all that is kept. For a single stream only. */
  readonly sinceMs?: number;
  /** The same as wall time, ms since 1970: one instant in all streams. Not together with `sinceMs`. */
  readonly sinceWallMs?: number;
  /** Limit of answer tokens; default and maximum are the model's. */
  readonly maxTokens?: number;
  /** 0 (default) is greedy. */
  readonly temperature?: number;
  readonly topP?: number;
  /** Makes a sampled answer repeatable. */
  readonly seed?: number;
  /** Earlier turns, oldest first, instead of the conversation's own; each counts as asked at the question's moment. */
  readonly turns?: readonly PastTurn[];
  /**
   * Nobody named the streams, so those that keep nothing of what the question is about are left out. Default: the
   * conversation's setting.
   */
  readonly anyOf?: boolean;
  /** Not asked by a person: `too_many_questions` once half of the answer slots are taken, so that people find some. */
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

/** A sequence of turns: each question is asked with those before it, one at a time (else `response_in_progress`). */
export interface Conversation {
  /** The streams that it reads, in that order; they may be deleted by now. */
  readonly streams: readonly Pick<LiveStream, 'name' | 'status'>[];
  ask(question: string, options?: AskOptions): Answer;
}

export interface StreamStatus {
  readonly name: string;
  /** The description in its definition, or null. */
  readonly description: string | null;
  /** What the source is, with credentials redacted, e.g. `rtsp://***@10.0.0.7/live`. */
  readonly source: string;
  /** State of the source; `ended` or `failed` only once its last frames are in the cache. */
  readonly sourceStatus: SourceStatus;
  readonly fps: number;
  /** Times of the oldest kept and of the newest frame; null before the first frame. */
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
  /** Kept frames in int8 pages. */
  readonly int8Frames: number;
  /** Frames merged into the one before, thinned out of old pages, and dropped. */
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
  /** Questions of its definition that are asked for as long as the stream exists. */
  readonly standingQuestions: readonly StandingQuestionDefinition[];
  /** After how long without any change its picture counts as frozen, ms; null: never. */
  readonly frozenAfterMs: number | null;
  status(): StreamStatus;
  /** A fresh conversation about this stream; holds no resource until it is asked. */
  converse(): Conversation;
  /** Times of the kept pictures, which survive an engine restart; null if there are none. */
  pictures(): { readonly firstMs: number; readonly lastMs: number } | null;
  /**
   * The kept picture at or before `timeMs` (default: the newest). Throws `stream_empty`, `stream_ended` or
   * `time_out_of_range`.
   */
  thumbnail(timeMs?: number): Promise<Thumbnail>;
  /**
   * Takes a JPEG or PNG into a `push` stream. `time` is when it was taken, in ms since the stream began or as wall
   * time; by default when it arrived, `waitedMs` ago (default: 0). Throws `stream_not_pushable`, `image_undecodable`,
   * and `invalid_request` for an impossible time.
   */
  push(image: Uint8Array, time?: number | Date, waitedMs?: number): Promise<PushOutcome>;
  /** Calls `listener` after each frame taken in and each change of state; returns the function that unsubscribes it. */
  onChange(listener: () => void): () => void;
}

/** A snapshot in the operator's folder. */
export interface SnapshotInfo {
  /** Its name in the folder. */
  readonly file: string;
  readonly bytes: number;
  /** Null if `error` says why it cannot be read. */
  readonly summary: SnapshotSummary | null;
  readonly error: ErrorCode | null;
}

/** State of the engine. */
export interface EngineFigures {
  /** Number of engine losses; each one discards every cache. */
  readonly losses: number;
  readonly residentBytes: number;
  /** Since the engine process started: ms in each part of the model, frames and answer tokens. */
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
   * `definition` is unvalidated input (parsed JSON or YAML). Throws `definition_invalid`, `stream_exists`,
   * `stream_limit`, `source_forbidden`, `source_not_found`, `source_invalid` for a device where none can be read,
   * `forbidden`, `shutting_down`. With `restore` the stream continues from that snapshot, and name, sampling and memory
   * default to the snapshot's; throws `snapshots_off`, `snapshot_not_found`, `snapshot_damaged`,
   * `snapshot_unsupported`, `engine_unavailable`, `engine_restarted`. With `keep` it continues from its own file, if
   * that can be used; throws `snapshots_off`.
   */
  create(definition: unknown, origin: 'operator' | 'client'): Promise<LiveStream>;
  list(): readonly LiveStream[];
  /** Throws `stream_not_found`. */
  get(name: string): LiveStream;
  /**
   * A new conversation about several streams. Throws `invalid_request`, `stream_not_found`, `stream_empty` or
   * `too_many_streams` (see `chooseStreams`) with the field `param`, by default `streams`. With `asOfWallMs`, `"all"`
   * selects the streams that reach back to that instant.
   */
  converse(streams: WantedStreams, param?: string, asOfWallMs?: number): Conversation;
  /** Throws `stream_not_found`. Ends the source, frees the cache; answers in progress fail with `stream_deleted`. */
  delete(name: string): Promise<void>;
  /**
   * Writes a snapshot of a stream to the operator's folder, by default under a name made of the stream's and the time.
   * A snapshot of that name is replaced. Throws `stream_not_found`, `stream_deleted`, `stream_empty`, `stream_ended`,
   * `snapshots_off`, `snapshot_failed`, `invalid_request` for an unsuitable name, `engine_unavailable`,
   * `engine_restarted`.
   */
  snapshot(stream: string, file?: string): Promise<SnapshotInfo>;
  /** The snapshots in the operator's folder, newest first. Throws `snapshots_off`. */
  snapshots(): Promise<readonly SnapshotInfo[]>;
  /**
   * Removes a snapshot. Throws `snapshots_off`, `snapshot_not_found`, `snapshot_failed`, and `invalid_request` if the
   * name is not plain.
   */
  deleteSnapshot(file: string): Promise<void>;
  /** Whether the last attempt to write a stream with `keep` to its file failed; null: it has no `keep`. */
  isKeepFailing(name: string): boolean | null;
  close(): Promise<void>;
}
