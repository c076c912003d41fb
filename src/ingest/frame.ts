/** One sampled picture at the model's input size. */
export interface Frame {
  /** Milliseconds since the stream began; never goes back within a stream. */
  readonly timeMs: number;
  /** RGB, row by row, `size * size * 3` bytes. */
  readonly rgb: Uint8Array;
  /** Wall time of arrival, ms since 1970, if the frame is delivered only later. */
  readonly arrivedAtMs?: number;
}

export type SourceState = 'connecting' | 'playing' | 'reconnecting' | 'ended' | 'failed' | 'stopped';

export interface SourceStatus {
  readonly state: SourceState;
  /** Frames delivered, and frames dropped because they were not taken in time or repeated what was already shown. */
  readonly frames: number;
  readonly dropped: number;
  readonly reconnects: number;
  /** The last error of the source, with its credentials redacted, or null. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Supplies the frames of one stream. `frames()` can be read only once. */
export interface FrameSource {
  /** Ends when the source ends or is stopped; throws a YocoError when the source has failed for good. */
  frames(): AsyncIterable<Frame>;
  readonly status: SourceStatus;
  /** Wall time of time 0, ms since 1970, if the source states it; otherwise this machine's clock decides. */
  readonly startedAtMs: number | undefined;
  /** Whether the source is known by now to be a recording: a file, or an address whose content has an end. */
  readonly isRecording: boolean;
  /** Ends the source and every process it started; resolves when they are gone. */
  stop(): Promise<void>;
}
