/** The wall times of what one source shows: when the stream's time 0 was, and what these times are. */
import type { SourceDefinition } from '../ingest/definition.ts';
import type { Frame } from '../ingest/frame.ts';
import type { WallTimes } from '../model/snapshot-format.ts';

/**
 * A change of the wall clock against the monotonic one by more than this, ms, is no drift: it was set, or the machine
 * slept.
 */
const WALL_CLOCK_STEP_MS = 1_000;

/** What a source goes on from: a snapshot, or the source before it. */
export interface Before {
  readonly startedAtMs: number;
  /** Default: `live`. */
  readonly wallTimes?: WallTimes | undefined;
}

export class WallClock {
  readonly wallTimes: WallTimes;
  #startedAtMs: number | undefined;
  /** By how much the wall clock was ahead of the monotonic one when time 0 was set by it. */
  #aheadMs: number | undefined;

  constructor(source: SourceDefinition, before?: Before) {
    this.wallTimes = wallTimesOf(source, before?.wallTimes);
    this.#startedAtMs = before?.startedAtMs;
  }

  /** Wall time of time 0 by this machine's clock, ms since 1970, once it is known. */
  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  /**
   * Sets when time 0 was, by the first frame (of a stream that goes on only to an earlier time), and moves it where the
   * wall clock is set later: all wall times are then by the new one. Returns by how much, ms; 0 where it was not set. A
   * recording's are not by this clock.
   */
  frameCame({ timeMs, arrivedAtMs = Date.now() }: Pick<Frame, 'timeMs' | 'arrivedAtMs'>): number {
    if (this.wallTimes === 'recorded') return 0;
    const aheadMs = Date.now() - performance.now();
    const beganAtMs = arrivedAtMs - timeMs;
    this.#startedAtMs ??= beganAtMs;
    // After a snapshot of what was read faster than it plays all that comes live would be in the future.
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
 * `before`: of what it goes on from. A camera that goes on from a recording is of now; what else goes on from one of no
 * date has none.
 */
function wallTimesOf(source: SourceDefinition, before: WallTimes = 'live'): WallTimes {
  // What is read as fast as it can be shows nothing at its time, also over and over.
  const once = 'file' in source && (!source.loop || source.pace === 'fastest');
  if (once) return source.recorded_at === undefined ? 'unknown' : 'recorded';
  if (isCamera(source)) return 'live';
  return before === 'recorded' && !('push' in source) ? 'live' : before;
}

/** Whether a source surely shows what is there now; an address of HTTP may be a recording. */
function isCamera(source: SourceDefinition): boolean {
  return 'device' in source || ('url' in source && (source.live === true || /^rtsps?:/i.test(source.url)));
}
