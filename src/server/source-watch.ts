/**
 * Whether frames come from a stream's source: tells when it is away, back, or over. Each of these once, however often
 * the source is tried meanwhile, since whoever is told may be woken by it.
 */
import type { SourceState } from '../ingest/frame.ts';
import type { LiveStream, StreamStatus } from '../live/types.ts';

/**
 * A source that is away for less than this, ms, is not told of: cameras lose a connection for a moment. At the least
 * two of the intervals at which it is sampled, since the second frame shows that it is back.
 */
export const AWAY_AFTER_MS = 10_000;
/**
 * Frames must have come for so long, ms, before a source is back: some give one each time they are tried, and go again.
 */
export const BACK_AFTER_MS = 3_000;

/** What is told of a source: that it is away (`reconnecting`), back (`playing`), or gives no more. */
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
  /** Who begins to watch expects that frames come. */
  #told: 'reconnecting' | 'playing' = 'playing';
  /** Runs while the source is not as it was told. */
  #timer: NodeJS.Timeout | null = null;
  /**
   * Frames that had come when the source had played for long enough: the next one tells that it is back. Null until
   * then.
   */
  #framesThen: number | null = null;
  #closed = false;

  /** `tell` is called with the status that it speaks of; at once for a source that is over already. */
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

  /** Whether it tells no more: it was closed, or has told that no frame comes any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Tells no more. */
  close(): void {
    this.#closed = true;
    this.#forget();
    this.#unsubscribe();
  }

  #look(): void {
    const status = this.#stream.status();
    const { state } = status.sourceStatus;
    switch (state) {
      // It was never tried again: a camera is connected to for the first time, or nobody has pushed yet.
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
      // The stream was deleted, by whoever knows of it.
      case 'stopped':
        this.close();
    }
  }

  /** What is told already holds. */
  #forget(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#framesThen = null;
  }

  /** Tells it when it has lasted. */
  #wait(state: 'reconnecting' | 'playing', fps: number): void {
    const forMs = state === 'playing' ? this.#backAfterMs : Math.max(this.#awayAfterMs, 2_000 / fps);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const status = this.#stream.status();
      // It may have hung meanwhile, which is seen later.
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
