/** One sampled picture at the size of the model. */
export interface Frame {
  /** Milliseconds since the stream began; never goes back within a stream. */
  readonly timeMs: number;
  /** RGB, row by row, `size * size * 3` bytes. */
  readonly rgb: Uint8Array;
  /** Wall time of its arrival, ms since 1970, where it is handed on only later. */
  readonly arrivedAtMs?: number;
}

export type SourceState = 'connecting' | 'playing' | 'reconnecting' | 'ended' | 'failed' | 'stopped';

export interface SourceStatus {
  readonly state: SourceState;
  /** Frames handed on, and frames dropped: they were not taken in time, or showed again what was shown already. */
  readonly frames: number;
  readonly dropped: number;
  readonly reconnects: number;
  /** The last error of the source, with its credentials redacted, or null. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Where the frames of one stream come from. `frames()` is read once. */
export interface FrameSource {
  /** Ends when the source ends or is stopped; throws a YocoError when the source has failed for good. */
  frames(): AsyncIterable<Frame>;
  readonly status: SourceStatus;
  /** Wall time of time 0, ms since 1970, where the source says it and not the clock of this machine. */
  readonly startedAtMs: number | undefined;
  /** Whether it is known by now that what comes was recorded: a file, or what has an end at its address. */
  readonly isRecording: boolean;
  /** Ends the source and every process that it started; resolves when they are gone. */
  stop(): Promise<void>;
}
