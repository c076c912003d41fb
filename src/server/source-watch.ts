/**
 * Watches a stream's source and reports when it is away, back or over. Each change is reported once, however often the
 * source reconnects meanwhile, since the report may wake somebody up.
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

/** Reported state of a source: away (`reconnecting`), back (`playing`), or over. */
export type ToldState = Extract<SourceState, 'reconnecting' | 'playing' | 'ended' | 'failed'>;

export interface SourceWatchOptions {
  /** Default: `AWAY_AFTER_MS`. */
  readonly awayAfterMs?: number;
  /** Default: `BACK_AFTER_MS`. */
  readonly backAfterMs?: number;
}

export class SourceWatch {
  readonly #stream: Pick<LiveStream, 'status' | 'onChange'>;
  readonly #tell: (state: ToldState, status: StreamStatus) => void;
  readonly #awayAfterMs: number;
  readonly #backAfterMs: number;
  readonly #unsubscribe: () => void;
  /** The last reported state; at first frames are expected. */
  #told: 'reconnecting' | 'playing' = 'playing';
  /** Runs while the source's state differs from the reported one. */
  #timer: NodeJS.Timeout | null = null;
  /** Frame count when the source had played for long enough; the next frame shows that it is back. Null until then. */
  #framesThen: number | null = null;
  #closed = false;

  /**
   * `tell` gets the reported state and the status that shows it; for a source that is already over it is called at
   * once.
   */
  constructor(
    stream: Pick<LiveStream, 'status' | 'onChange'>,
    tell: (state: ToldState, status: StreamStatus) => void,
    { awayAfterMs = AWAY_AFTER_MS, backAfterMs = BACK_AFTER_MS }: SourceWatchOptions = {},
  ) {
    this.#stream = stream;
    this.#tell = tell;
    this.#awayAfterMs = awayAfterMs;
    this.#backAfterMs = backAfterMs;
    this.#unsubscribe = stream.onChange(() => {
      this.#look();
    });
    this.#look();
  }

  /** Whether nothing more is reported: the watch was closed, or the source is over or stopped. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Stops reporting. */
  close(): void {
    this.#closed = true;
    this.#forget();
    this.#unsubscribe();
  }

  #look(): void {
    const status = this.#stream.status();
    const { state } = status.sourceStatus;
    switch (state) {
      // No outage: the first connection to a camera, or a stream to which nobody has pushed yet.
      case 'connecting':
        return;
      case 'playing':
      case 'reconnecting':
        if (state === this.#told) this.#forget();
        else if (this.#framesThen !== null) this.#tellOnceItIsBack(status, this.#framesThen);
        else if (this.#timer === null) this.#wait(state, status.fps);
        return;
      case 'ended':
      case 'failed':
        this.close();
        this.#tell(state, status);
        return;
      // The stream was deleted: whoever did so knows.
      case 'stopped':
        this.close();
    }
  }

  /** Drops a pending report: the reported state holds again. */
  #forget(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#framesThen = null;
  }

  /** Reports `state` once it has lasted long enough. */
  #wait(state: 'reconnecting' | 'playing', fps: number): void {
    const forMs = state === 'playing' ? this.#backAfterMs : Math.max(this.#awayAfterMs, 2_000 / fps);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const status = this.#stream.status();
      // The source may have hung meanwhile, which shows only later: one more frame must come.
      if (state === 'playing') this.#framesThen = status.sourceStatus.frames;
      else this.#become(state, status);
    }, forMs).unref();
  }

  #tellOnceItIsBack(status: StreamStatus, framesThen: number): void {
    if (status.sourceStatus.frames === framesThen) return;
    this.#framesThen = null;
    this.#become('playing', status);
  }

  #become(state: 'reconnecting' | 'playing', status: StreamStatus): void {
    this.#told = state;
    this.#tell(state, status);
  }
}
