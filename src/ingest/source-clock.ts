/** Turns the times of ffmpeg, which begin anew at each connection and loop, into one time that never goes back. */

/** Times of a live source that jump by more than this against the arrival, ms, are taken from the arrival instead. */
export const LARGEST_JUMP_MS = 10_000;

/** A live source that is behind the arrival of its frames for so long, ms, has lost that time: after a mere delay it catches up. */
const LAG_WINDOW_MS = 60_000;

/** Where the clock of a stream stands that goes on from a snapshot. */
export interface ClockStart {
  /** The newest moment of the snapshot, ms since the stream began. */
  readonly lastMs: number;
  /** Wall time of the stream's time 0, ms since 1970. */
  readonly startedAtMs: number;
}

/**
 * Time of a source's first frame, whole ms: 0 for a new stream. A stream that goes on takes a live source's by the wall
 * clock, so that what comes after hours is hours later, and a recording's one step after its newest moment. It never
 * goes back, even where the wall clock did.
 * @param stepMs least time between the newest moment and the frame
 */
export function firstTimeMs(start: ClockStart | undefined, live: boolean, stepMs: number, wallMs = Date.now()): number {
  if (start === undefined) return 0;
  const next = Math.ceil(start.lastMs + stepMs);
  return live ? Math.max(next, Math.round(wallMs - start.startedAtMs)) : next;
}

export class SourceClock {
  #baseMs = 0;
  #firstPtsMs: number | null = null;
  #lastMs = -1;
  #lastPtsMs = 0;
  #startedAtMs: number | null = null;
  #lastArrivalMs = 0;
  #looped = false;
  /** Since this arrival, how far times were behind it at the least, ms. */
  #lagFromMs = 0;
  #leastLagMs = Infinity;

  /** The newest time given out, ms; null before the first frame. */
  get lastMs(): number | null {
    return this.#lastMs < 0 ? null : this.#lastMs;
  }

  /** The next frame begins a new connection: the clock goes on by arrival. */
  reconnect(): void {
    this.#firstPtsMs = null;
    this.#leastLagMs = Infinity;
  }

  /** The next frame begins a new round of a looped file, whose last round had `durationMs` (null: unknown). */
  loop(durationMs: number | null, frameMs: number): void {
    const last = this.#lastMs;
    this.#baseMs = Math.max(this.#baseMs + (durationMs ?? 0), last + frameMs);
    this.#lastPtsMs = 0;
    this.#firstPtsMs = null;
    this.#looped = true;
  }

  /**
   * Time of a frame, whole ms since the first frame of the source.
   * @param ptsMs time that ffmpeg gave it; null: it has none, and gets that of its arrival
   * @param arrivalMs a monotonic clock at its arrival
   * @param live whether jumps are to be judged by the arrival
   */
  timeOf(ptsMs: number | null, arrivalMs: number, live: boolean): number {
    this.#startedAtMs ??= arrivalMs;
    const arrived = arrivalMs - this.#startedAtMs;
    const pts = ptsMs ?? (this.#firstPtsMs === null ? 0 : this.#lastPtsMs + arrivalMs - this.#lastArrivalMs);
    if (this.#firstPtsMs === null) {
      if (!this.#looped) this.#baseMs = this.#lastMs < 0 ? 0 : Math.max(arrived, this.#lastMs + 1);
      this.#firstPtsMs = pts;
      this.#looped = false;
    } else if (live) {
      const step = pts - this.#lastPtsMs;
      const arrivalStep = arrivalMs - this.#lastArrivalMs;
      if (step < 0 || step > arrivalStep + LARGEST_JUMP_MS) {
        this.#baseMs = Math.max(arrived, this.#lastMs + 1);
        this.#firstPtsMs = pts;
        this.#leastLagMs = Infinity;
      }
      this.#makeUp(arrived, this.#baseMs + pts - this.#firstPtsMs);
    }
    this.#lastPtsMs = pts;
    this.#lastArrivalMs = arrivalMs;
    this.#lastMs = Math.max(this.#lastMs, Math.round(this.#baseMs + pts - this.#firstPtsMs));
    return this.#lastMs;
  }

  /** What a camera's slow clock, or a server that paused and went on as if it had not, has lost against the wall clock is added. */
  #makeUp(arrived: number, timeMs: number): void {
    if (this.#leastLagMs === Infinity) this.#lagFromMs = arrived;
    this.#leastLagMs = Math.min(this.#leastLagMs, arrived - timeMs);
    if (arrived - this.#lagFromMs < LAG_WINDOW_MS) return;
    if (this.#leastLagMs > LARGEST_JUMP_MS) this.#baseMs += this.#leastLagMs;
    this.#leastLagMs = Infinity;
  }
}
