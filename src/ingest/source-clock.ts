/** Maps ffmpeg's timestamps, which restart at each connection and loop, to one time that never goes back. */

/**
 * A live source's timestamps that jump ahead of the arrivals, or stay behind them, by more than this, ms, are realigned
 * with the arrivals.
 */
const MAX_JUMP_MS = 10_000;

/**
 * A longer gap in a recording, ms, means that a timestamp is damaged or made up. The frame then comes one step after
 * the previous one, as when timestamps go back.
 */
const MAX_GAP_MS = 31_536_000_000;

/**
 * Latest stream time, ms. No stream is that old, and dates this far from today can still be formatted; a single time
 * that cannot would break the status of all streams.
 */
export const MAX_TIME_MS = 1e13;

/**
 * A lag or lead against the arrivals that a live source never falls below for this long, ms, is permanent: after a mere
 * delay it catches up.
 */
const WINDOW_MS = 60_000;

/**
 * A live source may stay ahead of its arrivals by this much, ms. A larger lead is reduced by slowing its time by
 * `SLOWDOWN`.
 */
const MAX_LEAD_MS = 1_000;
const SLOWDOWN = 0.1;

/** A new connection replays at most this much of what was already shown, ms: one to HLS begins three segments back. */
const MAX_REPLAY_MS = 60_000;

/** Where the clock of a resumed stream stands. */
export interface ClockStart {
  /** The newest moment of the snapshot, ms since the stream began. */
  readonly lastMs: number;
  /** Wall time of the stream's time 0, ms since 1970. */
  readonly startedAtMs: number;
}

/**
 * Time of a source's first frame, whole ms: 0 for a new stream. A resumed stream places a live source by the wall
 * clock, so that frames that come hours later are hours later, and a recording one step after the stream's newest
 * moment. The time never goes back, even if the wall clock did.
 * @param live whether the source shows the present: a live source, or a file looped in real time
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
  /** Between the last two frames whose timestamps were in order, ms. */
  #stepMs = 1;
  #startedAtMs: number | null = null;
  #lastArrivalMs = 0;
  /** The next frame begins a round of a looped file; `paced`: in real time. */
  #pendingRound: 'paced' | 'unpaced' | null = null;
  /** Time at which the round or connection began. */
  #roundBaseMs = 0;
  /** Whether a new connection may replay what was already shown, and whether this one does. */
  #mayReplay = false;
  #isReplaying = false;
  /** How far back connections begin, and how much of the resulting lead was taken back, ms. */
  #initialLeadMs = 0;
  #correctedLeadMs = 0;
  /** Complete windows on this connection. */
  #windows = 0;
  /** Start of the window, and the least lag and lead of timestamps against arrivals since then, ms. */
  #windowStartMs = 0;
  #minLagMs = Infinity;
  #minLeadMs = Infinity;
  /** The least lead of the last complete window, minus what was taken back since, ms. */
  #leadMs = 0;

  /** The newest time returned, ms; null before the first frame. */
  get lastMs(): number | null {
    return this.#lastMs < 0 ? null : this.#lastMs;
  }

  /**
   * The next frame begins a new connection; the clock continues by arrival. `mayReplay`: it may repeat what was already
   * shown.
   */
  reconnect(mayReplay: boolean): void {
    this.#firstPtsMs = null;
    this.#mayReplay = mayReplay;
    this.#windows = 0;
    this.#resetMeasurements();
  }

  /**
   * The next frame begins a new round of a looped file, whose last round lasted `durationMs` (null: unknown). When the
   * file is played in real time (`paced`), the frame is never placed before its arrival: opening the file takes time,
   * which the clock would otherwise lose.
   */
  loop(durationMs: number | null, frameMs: number, paced: boolean): void {
    const last = this.#lastMs;
    const end = this.#roundBaseMs + (durationMs ?? 0);
    // A file with a damaged timestamp has a damaged duration, too.
    this.#baseMs = end > last + MAX_GAP_MS ? last + frameMs : Math.max(end, last + frameMs);
    this.#lastPtsMs = 0;
    this.#firstPtsMs = null;
    this.#pendingRound = paced ? 'paced' : 'unpaced';
  }

  /** How far the next round is ahead of `nowMs`, ms: the time to wait before playing it in real time. */
  aheadMs(nowMs: number): number {
    return this.#startedAtMs === null ? 0 : Math.max(0, this.#startedAtMs + this.#baseMs - nowMs);
  }

  /**
   * Time of a frame, whole ms since the first frame of the source; null when a new connection repeats what was already
   * shown.
   * @param ptsMs ffmpeg's timestamp; null: it has none, and the frame's arrival counts
   * @param arrivalMs a monotonic clock at its arrival
   * @param live whether jumps are judged by the arrival
   */
  timeOf(ptsMs: number | null, arrivalMs: number, live: boolean): number | null {
    this.#startedAtMs ??= arrivalMs;
    const arrived = arrivalMs - this.#startedAtMs;
    const pts = ptsMs ?? (this.#firstPtsMs === null ? 0 : this.#lastPtsMs + arrivalMs - this.#lastArrivalMs);
    if (this.#firstPtsMs === null) {
      this.#placeFirstFrame(arrived);
      this.#roundBaseMs = this.#baseMs;
      this.#firstPtsMs = pts;
    } else if (live) {
      const step = pts - this.#lastPtsMs;
      const arrivalStep = arrivalMs - this.#lastArrivalMs;
      if (step < 0 || step > arrivalStep + MAX_JUMP_MS) {
        this.#baseMs = Math.max(arrived, this.#lastMs + 1);
        this.#firstPtsMs = pts;
        this.#initialLeadMs = this.#correctedLeadMs = 0;
        this.#resetMeasurements();
      } else this.#reduceLead(step);
      this.#correctLag(arrived, this.#baseMs + pts - this.#firstPtsMs);
    } else if (pts < this.#lastPtsMs - this.#stepMs || pts > this.#lastPtsMs + MAX_GAP_MS) {
      // Concatenated recordings: the next one begins one step after the last picture.
      this.#baseMs = this.#lastMs + this.#stepMs;
      this.#firstPtsMs = pts;
    } else if (pts > this.#lastPtsMs) this.#stepMs = pts - this.#lastPtsMs;
    this.#lastPtsMs = pts;
    this.#lastArrivalMs = arrivalMs;
    const timeMs = Math.min(MAX_TIME_MS, Math.round(this.#baseMs + (pts - this.#firstPtsMs)));
    this.#isReplaying &&= timeMs <= this.#lastMs;
    if (this.#isReplaying) return null;
    this.#lastMs = Math.max(this.#lastMs, timeMs);
    return this.#lastMs;
  }

  /** Sets the time of the first frame of the source, a connection or a round. */
  #placeFirstFrame(arrived: number): void {
    if (this.#pendingRound !== null) {
      if (this.#pendingRound === 'paced') this.#baseMs = Math.max(this.#baseMs, arrived);
      this.#pendingRound = null;
      return;
    }
    if (this.#lastMs < 0) return;
    const next = this.#lastMs + 1;
    this.#correctedLeadMs = this.#mayReplay ? Math.min(this.#correctedLeadMs, this.#initialLeadMs) : 0;
    // The connection begins as far back as the previous one did; what has been taken back of that lead is subtracted.
    const startMs = arrived - this.#correctedLeadMs;
    // If it were placed after the remaining lead instead, every connection would add its initial burst to the lead.
    this.#isReplaying = this.#mayReplay && next > startMs && next - startMs <= MAX_REPLAY_MS;
    this.#baseMs = this.#isReplaying ? startMs : Math.max(startMs, next);
  }

  /** Discards all measurements. */
  #resetMeasurements(): void {
    this.#minLagMs = Infinity;
    this.#minLeadMs = Infinity;
    this.#leadMs = 0;
  }

  /**
   * Reduces the lead slowly, so that frames do not bunch up. A lead comes from the burst with which HLS begins, or from
   * a camera's fast clock.
   */
  #reduceLead(stepMs: number): void {
    const reductionMs = Math.min(stepMs * SLOWDOWN, Math.max(0, this.#leadMs - MAX_LEAD_MS));
    this.#baseMs -= reductionMs;
    this.#correctedLeadMs += reductionMs;
    this.#leadMs -= reductionMs;
    this.#minLeadMs -= reductionMs;
    this.#minLagMs += reductionMs;
  }

  /**
   * Adds the time lost against the wall clock by a camera's slow clock, or by a server that paused and resumed as if it
   * had not.
   */
  #correctLag(arrived: number, timeMs: number): void {
    if (this.#minLagMs === Infinity) this.#windowStartMs = arrived;
    this.#minLagMs = Math.min(this.#minLagMs, arrived - timeMs);
    this.#minLeadMs = Math.min(this.#minLeadMs, timeMs - arrived);
    if (arrived - this.#windowStartMs < WINDOW_MS) return;
    if (this.#minLagMs > MAX_JUMP_MS) this.#baseMs += this.#minLagMs;
    const leadMs = this.#minLeadMs;
    // The first window includes the initial burst, so the second decides; later ones include what a camera's fast clock
    // added.
    if (++this.#windows <= 2) this.#initialLeadMs = Math.max(0, leadMs) + this.#correctedLeadMs;
    this.#resetMeasurements();
    this.#leadMs = leadMs;
  }
}
