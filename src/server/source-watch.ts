/**
 * Whether frames come from a stream's source: tells when it is away, back, or over. Each of these once, however often the source is tried
 * meanwhile, since whoever is told may be woken by it.
 */
import type { SourceState } from '../ingest/frame.ts';
import type { LiveStream, StreamStatus } from '../live/types.ts';

/** A source that is away for less than this, ms, is not told of: cameras lose a connection for a moment. */
export const AWAY_AFTER_MS = 10_000;
/** Frames must have come for so long, ms, before a source is back: some give one each time they are tried, and go again. */
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
  readonly #afterMs: Readonly<Record<'reconnecting' | 'playing', number>>;
  readonly #unsubscribe: () => void;
  /** Who begins to watch expects that frames come. */
  #told: 'reconnecting' | 'playing' = 'playing';
  /** Runs while the source is not as it was told. */
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  /** `tell` is called with the status that it speaks of; at once for a source that is over already. */
  constructor(
    stream: Pick<LiveStream, 'status' | 'onChange'>,
    tell: (state: ToldState, status: StreamStatus) => void,
    { awayAfterMs = AWAY_AFTER_MS, backAfterMs = BACK_AFTER_MS }: SourceWatchOptions = {},
  ) {
    this.#stream = stream;
    this.#tell = tell;
    this.#afterMs = { reconnecting: awayAfterMs, playing: backAfterMs };
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
    this.#wait(null);
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
        if (state === this.#told) this.#wait(null);
        else if (this.#timer === null) this.#wait(state);
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

  /** Tells it when it has lasted; null: what is told already holds. */
  #wait(state: 'reconnecting' | 'playing' | null): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (state === null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#told = state;
      this.#tell(state, this.#stream.status());
    }, this.#afterMs[state]).unref();
  }
}
