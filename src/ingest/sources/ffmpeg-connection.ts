/** One connection of a source: what is known of one run of its ffmpeg, and forgotten with it. */
import type { FfmpegRun } from '../ffmpeg.ts';

/**
 * Why a run was ended before its time: it was silent for too long, its pictures need arrival times, or it turned out to
 * be a recording instead of a live source.
 */
export type EndReason = 'silent' | 'untimed' | 'recording';

export class FfmpegConnection {
  /** Whether ffmpeg has opened the input. */
  isOpen = false;
  /** Whether a picture waits for room in the queue and holds ffmpeg back. */
  isHeld = false;
  #run: FfmpegRun | null = null;
  #endReason: EndReason | null = null;
  #firstArrivedMs: number | null = null;
  #newestArrivedMs: number | null = null;

  /** Null before the run has begun and after it is over. */
  get run(): FfmpegRun | null {
    return this.#run;
  }

  get endReason(): EndReason | null {
    return this.#endReason;
  }

  get hasFrames(): boolean {
    return this.#firstArrivedMs !== null;
  }

  /** When the newest frame arrived, ms on the source's clock; null before the first. */
  get newestArrivedMs(): number | null {
    return this.#newestArrivedMs;
  }

  /** Time from the first to the newest frame, ms. */
  get playedForMs(): number {
    return (this.#newestArrivedMs ?? 0) - (this.#firstArrivedMs ?? 0);
  }

  begin(run: FfmpegRun): void {
    this.#run = run;
  }

  frameArrived(nowMs: number): void {
    this.#firstArrivedMs ??= nowMs;
    this.#newestArrivedMs = nowMs;
  }

  /** Ends the run, for a reason that its own outcome does not show; does nothing once it is over. */
  end(reason: EndReason): void {
    if (this.#run === null) return;
    this.#endReason ??= reason;
    void this.#run.stop();
  }

  /** The run is over. */
  finish(): void {
    this.#run = null;
  }
}
