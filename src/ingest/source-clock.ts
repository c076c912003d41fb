/** Turns the times of ffmpeg, which begin anew at each connection and loop, into one time that never goes back. */

/** Times of a live source that jump by more than this against the arrival, ms, are taken from the arrival instead. */
const LARGEST_JUMP_MS = 10_000;

/**
 * A recording in which nothing comes for longer, ms, has a time that is damaged, or was made up: the frame then comes
 * one step after the one before, as where times go back.
 */
const LONGEST_GAP_MS = 31_536_000_000;

/**
 * No stream is that old, ms, and dates this far from today can still be written: a single time that cannot would keep
 * the status of all streams from being told.
 */
export const LATEST_MS = 1e13;

/**
 * What a live source was behind, or ahead of, the arrival of its frames at the least for so long, ms, stands: after a
 * mere delay it catches up.
 */
const WINDOW_MS = 60_000;

/**
 * A live source may stay ahead of the arrival of its frames by so much, ms; to take back more its time runs slower by
 * this share.
 */
const LARGEST_LEAD_MS = 1_000;
const SLOWER = 0.1;

/**
 * A new connection shows no more than this again of what was shown already, ms: one to HLS begins three segments back.
 */
const LONGEST_REPLAY_MS = 60_000;

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
 * @param live whether it is shown as of now: of a live source, and of a file that is looped in real time
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
  /** Between the last two frames whose times were in order, ms. */
  #stepMs = 1;
  #startedAtMs: number | null = null;
  #lastArrivalMs = 0;
  /** The next frame begins a round of a file; `paced`: in real time. */
  #round: 'paced' | 'unpaced' | null = null;
  /** Time at which the round, or the connection, began. */
  #roundBaseMs = 0;
  /** Whether a new connection may show what was shown already, and whether this one does. */
  #mayReplay = false;
  #replays = false;
  /** How far back connections begin, and how much of that was taken back from the lead that it makes, ms. */
  #depthMs = 0;
  #takenBackMs = 0;
  /** Whole windows of the connection. */
  #windows = 0;
  /** Since this arrival, how far times were behind it and ahead of it at the least, ms. */
  #windowFromMs = 0;
  #leastLagMs = Infinity;
  #leastLeadMs = Infinity;
  /** The least lead of the last whole window, less what was taken back since, ms. */
  #leadMs = 0;

  /** The newest time given out, ms; null before the first frame. */
  get lastMs(): number | null {
    return this.#lastMs < 0 ? null : this.#lastMs;
  }

  /** The next frame begins a new connection, which `mayReplay` what was shown already: the clock goes on by arrival. */
  reconnect(mayReplay: boolean): void {
    this.#firstPtsMs = null;
    this.#mayReplay = mayReplay;
    this.#windows = 0;
    this.#forget();
  }

  /**
   * The next frame begins a new round of a looped file, whose last round had `durationMs` (null: unknown). It is never
   * earlier than its arrival where the file is played in real time (`paced`): to open it took time that the clock would
   * lose.
   */
  loop(durationMs: number | null, frameMs: number, paced: boolean): void {
    const last = this.#lastMs;
    const end = this.#roundBaseMs + (durationMs ?? 0);
    // The length of a file with a damaged time is damaged, too.
    this.#baseMs = end > last + LONGEST_GAP_MS ? last + frameMs : Math.max(end, last + frameMs);
    this.#lastPtsMs = 0;
    this.#firstPtsMs = null;
    this.#round = paced ? 'paced' : 'unpaced';
  }

  /** How far the round that begins is ahead of `nowMs`, ms: so long has one that is played in real time to wait. */
  aheadMs(nowMs: number): number {
    return this.#startedAtMs === null ? 0 : Math.max(0, this.#startedAtMs + this.#baseMs - nowMs);
  }

  /**
   * Time of a frame, whole ms since the first frame of the source; null where a new connection shows what was shown
   * already.
   * @param ptsMs time that ffmpeg gave it; null: it has none, and gets that of its arrival
   * @param arrivalMs a monotonic clock at its arrival
   * @param live whether jumps are to be judged by the arrival
   */
  timeOf(ptsMs: number | null, arrivalMs: number, live: boolean): number | null {
    this.#startedAtMs ??= arrivalMs;
    const arrived = arrivalMs - this.#startedAtMs;
    const pts = ptsMs ?? (this.#firstPtsMs === null ? 0 : this.#lastPtsMs + arrivalMs - this.#lastArrivalMs);
    if (this.#firstPtsMs === null) {
      this.#begin(arrived);
      this.#roundBaseMs = this.#baseMs;
      this.#firstPtsMs = pts;
    } else if (live) {
      const step = pts - this.#lastPtsMs;
      const arrivalStep = arrivalMs - this.#lastArrivalMs;
      if (step < 0 || step > arrivalStep + LARGEST_JUMP_MS) {
        this.#baseMs = Math.max(arrived, this.#lastMs + 1);
        this.#firstPtsMs = pts;
        this.#depthMs = this.#takenBackMs = 0;
        this.#forget();
      } else this.#takeBack(step);
      this.#makeUp(arrived, this.#baseMs + pts - this.#firstPtsMs);
    } else if (pts < this.#lastPtsMs - this.#stepMs || pts > this.#lastPtsMs + LONGEST_GAP_MS) {
      // Recordings that were put one after the other: the next one begins a step after the last picture.
      this.#baseMs = this.#lastMs + this.#stepMs;
      this.#firstPtsMs = pts;
    } else if (pts > this.#lastPtsMs) this.#stepMs = pts - this.#lastPtsMs;
    this.#lastPtsMs = pts;
    this.#lastArrivalMs = arrivalMs;
    const timeMs = Math.min(LATEST_MS, Math.round(this.#baseMs + (pts - this.#firstPtsMs)));
    this.#replays &&= timeMs <= this.#lastMs;
    if (this.#replays) return null;
    this.#lastMs = Math.max(this.#lastMs, timeMs);
    return this.#lastMs;
  }

  /** Sets the time of the first frame of the source, a connection or a round. */
  #begin(arrived: number): void {
    if (this.#round !== null) {
      if (this.#round === 'paced') this.#baseMs = Math.max(this.#baseMs, arrived);
      this.#round = null;
      return;
    }
    if (this.#lastMs < 0) return;
    const next = this.#lastMs + 1;
    this.#takenBackMs = this.#mayReplay ? Math.min(this.#takenBackMs, this.#depthMs) : 0;
    // It begins as far back as the one before it did, of which that much was taken back since.
    const begins = arrived - this.#takenBackMs;
    // Were it put behind a lead that stands, each connection would add what it loads at once.
    this.#replays = this.#mayReplay && next > begins && next - begins <= LONGEST_REPLAY_MS;
    this.#baseMs = this.#replays ? begins : Math.max(begins, next);
  }

  /** Nothing that was measured holds any more. */
  #forget(): void {
    this.#leastLagMs = Infinity;
    this.#leastLeadMs = Infinity;
    this.#leadMs = 0;
  }

  /**
   * Slowly, so that no frames come close together: what HLS loads at once when it begins, or what a camera's fast clock
   * adds.
   */
  #takeBack(stepMs: number): void {
    const slower = Math.min(stepMs * SLOWER, Math.max(0, this.#leadMs - LARGEST_LEAD_MS));
    this.#baseMs -= slower;
    this.#takenBackMs += slower;
    this.#leadMs -= slower;
    this.#leastLeadMs -= slower;
    this.#leastLagMs += slower;
  }

  /**
   * What a camera's slow clock, or a server that paused and went on as if it had not, has lost against the wall clock
   * is added.
   */
  #makeUp(arrived: number, timeMs: number): void {
    if (this.#leastLagMs === Infinity) this.#windowFromMs = arrived;
    this.#leastLagMs = Math.min(this.#leastLagMs, arrived - timeMs);
    this.#leastLeadMs = Math.min(this.#leastLeadMs, timeMs - arrived);
    if (arrived - this.#windowFromMs < WINDOW_MS) return;
    if (this.#leastLagMs > LARGEST_JUMP_MS) this.#baseMs += this.#leastLagMs;
    const leadMs = this.#leastLeadMs;
    // The first holds what is loaded at once, so the second tells; later ones hold what a camera's fast clock added.
    if (++this.#windows <= 2) this.#depthMs = Math.max(0, leadMs) + this.#takenBackMs;
    this.#forget();
    this.#leadMs = leadMs;
  }
}
