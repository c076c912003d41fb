/** The wall times of one source: when the stream's time 0 was, and what kind of times they are. */
import type { SourceDefinition } from '../ingest/definition.ts';
import type { Frame } from '../ingest/frame.ts';
import type { WallTimes } from '../model/snapshot-format.ts';

/**
 * If the wall clock moves against the monotonic clock by more than this, ms, it is not drift: the clock was set, or the
 * machine slept.
 */
const WALL_CLOCK_STEP_MS = 1_000;

/** What a source continues from: a snapshot, or the previous source. */
export interface PreviousClock {
  readonly startedAtMs: number;
  /** Default: `live`. */
  readonly wallTimes?: WallTimes | undefined;
}

export class WallClock {
  readonly wallTimes: WallTimes;
  #startedAtMs: number | undefined;
  /** How far the wall clock was ahead of the monotonic clock when it set time 0. */
  #aheadMs: number | undefined;

  constructor(source: SourceDefinition, previous?: PreviousClock) {
    this.wallTimes = wallTimesOf(source, previous?.wallTimes);
    this.#startedAtMs = previous?.startedAtMs;
  }

  /** Wall time of time 0 by this machine's clock, ms since 1970, once it is known. */
  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  /**
   * Sets time 0 by the first frame; on a stream that continues, only to an earlier time. Moves it when the wall clock
   * is set later, so that all wall times follow the new clock, and returns the change, ms; otherwise 0. The times of a
   * recording do not depend on this clock.
   */
  observe({ timeMs, arrivedAtMs = Date.now() }: Pick<Frame, 'timeMs' | 'arrivedAtMs'>): number {
    if (this.wallTimes === 'recorded') return 0;
    const aheadMs = Date.now() - performance.now();
    const beganAtMs = arrivedAtMs - timeMs;
    this.#startedAtMs ??= beganAtMs;
    // After a snapshot of a file read faster than real time, all live frames would be in the future.
    if (this.#aheadMs === undefined) this.#startedAtMs = Math.min(this.#startedAtMs, beganAtMs);
    this.#aheadMs ??= aheadMs;
    const changeMs = Math.round(aheadMs - this.#aheadMs);
    if (Math.abs(changeMs) <= WALL_CLOCK_STEP_MS) return 0;
    this.#aheadMs = aheadMs;
    this.#startedAtMs += changeMs;
    return changeMs;
  }
}

/**
 * `previous`: the kind of wall times that the source continues from. A camera's are live in any case. Other sources
 * keep `unknown`; after `recorded` they are live, except for pushed pictures.
 */
function wallTimesOf(source: SourceDefinition, previous: WallTimes = 'live'): WallTimes {
  // A file read as fast as possible shows nothing at its own time, even if it loops.
  const isRecording = 'file' in source && (!source.loop || source.pace === 'fastest');
  if (isRecording) return source.recorded_at === undefined ? 'unknown' : 'recorded';
  if (isCamera(source)) return 'live';
  return previous === 'recorded' && !('push' in source) ? 'live' : previous;
}

/** Whether a source surely shows the present; an HTTP address may be a recording. */
function isCamera(source: SourceDefinition): boolean {
  return 'device' in source || ('url' in source && (source.live === true || /^rtsps?:/i.test(source.url)));
}
