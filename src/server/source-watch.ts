/**
 * Watches a stream's source and reports when it is away, back, frozen or over. Each change is reported once, however
 * often the source reconnects meanwhile, since the report may wake somebody up.
 */
import type { SourceState } from '../ingest/frame.ts';
import type { LiveStream, StreamStatus } from '../live/types.ts';

/**
 * Shorter outages, ms, are not reported: cameras lose a connection for a moment. The wait is at least two sampling
 * intervals, since only the second frame shows that the source is back.
 */
export const AWAY_AFTER_MS = 10_000;
/** A source must play for this long, ms, to count as back: some give one frame at each attempt and fail again. */
export const BACK_AFTER_MS = 3_000;

/** A source that may go on: away, sending frames, or sending the same picture for longer than its stream allows. */
type OpenState = 'reconnecting' | 'playing' | 'frozen';
/** Reported state of a source: away (`reconnecting`), back (`playing`), frozen, or over. */
export type ReportedState = OpenState | Extract<SourceState, 'ended' | 'failed'>;

type WatchedStream = Pick<LiveStream, 'status' | 'onChange' | 'frozenAfterMs'>;

export interface SourceWatchOptions {
  /** Default: `AWAY_AFTER_MS`. */
  readonly awayAfterMs?: number;
  /** Default: `BACK_AFTER_MS`. */
  readonly backAfterMs?: number;
}

export class SourceWatch {
  readonly #stream: WatchedStream;
  readonly #report: (state: ReportedState, status: StreamStatus) => void;
  readonly #awayAfterMs: number;
  readonly #backAfterMs: number;
  readonly #unsubscribe: () => void;
  /** The last reported state; at first frames are expected. */
  #reported: OpenState = 'playing';
  /** Runs while the source's state differs from the reported one. */
  #timer: NodeJS.Timeout | null = null;
  /** Frame count when the source had played for long enough; the next frame shows that it is back. Null until then. */
  #baselineFrames: number | null = null;
  #closed = false;

  /**
   * `report` gets the reported state and the status that shows it; for a source that is already over it is called at
   * once.
   */
  constructor(
    stream: WatchedStream,
    report: (state: ReportedState, status: StreamStatus) => void,
    { awayAfterMs = AWAY_AFTER_MS, backAfterMs = BACK_AFTER_MS }: SourceWatchOptions = {},
  ) {
    this.#stream = stream;
    this.#report = report;
    this.#awayAfterMs = awayAfterMs;
    this.#backAfterMs = backAfterMs;
    this.#unsubscribe = stream.onChange(() => {
      this.#check();
    });
    this.#check();
  }

  /** Whether nothing more is reported: the watch was closed, or the source is over or stopped. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Stops reporting. */
  close(): void {
    this.#closed = true;
    this.#cancelPending();
    this.#unsubscribe();
  }

  #check(): void {
    const status = this.#stream.status();
    const { state } = status.sourceStatus;
    switch (state) {
      // No outage: the first connection to a camera, or a stream to which nobody has pushed yet.
      case 'connecting':
        return;
      case 'playing':
      case 'reconnecting':
        if ((state === 'reconnecting') === (this.#reported === 'reconnecting')) {
          this.#cancelPending();
          if (state === 'playing') this.#checkPicture(status);
        } else if (this.#baselineFrames !== null) this.#reportIfBack(status, this.#baselineFrames);
        else if (this.#timer === null) this.#scheduleReport(state, status.fps);
        return;
      case 'ended':
      case 'failed':
        this.close();
        this.#report(state, status);
        return;
      // The stream was deleted: whoever did so knows.
      case 'stopped':
        this.close();
    }
  }

  /** Drops a pending report: the reported state holds again. */
  #cancelPending(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#baselineFrames = null;
  }

  /** Reports `state` once it has lasted long enough. */
  #scheduleReport(state: 'reconnecting' | 'playing', fps: number): void {
    const delayMs = state === 'playing' ? this.#backAfterMs : Math.max(this.#awayAfterMs, 2_000 / fps);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const status = this.#stream.status();
      // The source may have hung meanwhile, which shows only later: one more frame must come.
      if (state === 'playing') this.#baselineFrames = status.sourceStatus.frames;
      else this.#setReported(state, status);
    }, delayMs).unref();
  }

  #reportIfBack(status: StreamStatus, baselineFrames: number): void {
    if (status.sourceStatus.frames === baselineFrames) return;
    this.#baselineFrames = null;
    this.#setReported('playing', status);
  }

  /** Whoever watches for a frozen picture waits for long, so a change in either direction is reported at once. */
  #checkPicture(status: StreamStatus): void {
    const isFrozen = isPictureFrozen(status, this.#stream.frozenAfterMs);
    if (isFrozen !== (this.#reported === 'frozen')) this.#setReported(isFrozen ? 'frozen' : 'playing', status);
  }

  #setReported(state: OpenState, status: StreamStatus): void {
    this.#reported = state;
    this.#report(state, status);
  }
}

function isPictureFrozen({ lastMs, pictureChangedMs }: StreamStatus, afterMs: number | null): boolean {
  return afterMs !== null && lastMs !== null && pictureChangedMs !== null && lastMs - pictureChangedMs >= afterMs;
}
