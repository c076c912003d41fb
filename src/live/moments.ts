/**
 * One instant on the clocks of several streams: each counts from its own start, and the wall clock is common to all.
 */
import { YocoError } from '../errors.ts';
import { noFrameError } from './no-frame.ts';
import type { StreamStatus } from './types.ts';

export type StreamClock = Pick<
  StreamStatus,
  'name' | 'firstMs' | 'lastMs' | 'startedAtMs' | 'frames' | 'lateFrames' | 'sourceStatus'
>;

/** Clocks of clients may run this far ahead of ours before a wall time counts as the future. */
export const CLOCK_SKEW_MS = 1_000;

/**
 * Wall time of the newest frame of all streams, ms since 1970. Throws `stream_empty` or `stream_ended`, naming the
 * first stream without a frame.
 */
export function newestWallMs(clocks: readonly StreamClock[]): number {
  return Math.max(...clocks.map((clock) => clock.startedAtMs + rangeOf(clock).lastMs));
}

/**
 * The wall time `wallMs` (ms since 1970) on each stream's own clock, ms since it began, but no later than its newest
 * frame. Throws `stream_empty`, `stream_ended`, or `time_out_of_range` naming the stream with its first and last time.
 */
export function momentsAt(wallMs: number, clocks: readonly StreamClock[], param: string, nowMs = Date.now()): number[] {
  const latest = Math.max(nowMs, newestWallMs(clocks));
  if (wallMs > latest + CLOCK_SKEW_MS) {
    const detail = `${iso(wallMs)} is in the future. ${clocks.map(describeKept).join(' ')}`;
    throw new YocoError('time_out_of_range', { param, detail });
  }
  return clocks.map((clock) => {
    const { lastMs } = rangeOf(clock);
    if (!reachesBackTo(wallMs, clock)) {
      const detail = `${iso(wallMs)} is before the first frame of "${clock.name}". ${describeKept(clock)}`;
      throw new YocoError('time_out_of_range', { param, detail });
    }
    return Math.min(Math.round(wallMs - clock.startedAtMs), lastMs);
  });
}

/**
 * Whether a stream keeps something of the instant `wallMs` or, if it stalled before, an earlier frame. False for an
 * instant before its first kept frame.
 */
export function reachesBackTo(
  wallMs: number,
  { firstMs, startedAtMs }: Pick<StreamStatus, 'firstMs' | 'startedAtMs'>,
): boolean {
  return firstMs !== null && Math.round(wallMs - startedAtMs) >= firstMs;
}

function rangeOf(clock: StreamClock): { firstMs: number; lastMs: number } {
  const { name, firstMs, lastMs } = clock;
  if (firstMs === null || lastMs === null) throw noFrameError(clock, { param: 'streams', detail: `It is "${name}".` });
  return { firstMs, lastMs };
}

function describeKept(clock: StreamClock): string {
  const { firstMs, lastMs } = rangeOf(clock);
  const [from, to] = [firstMs, lastMs].map((ms) => iso(clock.startedAtMs + ms));
  return `"${clock.name}" keeps ${firstMs / 1_000} s to ${lastMs / 1_000} s of its own time (${from ?? ''} to ${to ?? ''}).`;
}

function iso(wallMs: number): string {
  return new Date(Math.round(wallMs)).toISOString();
}
