/**
 * Times on the wire: seconds since the stream began (also written as in answers, `1:42`), `-30s` before its newest
 * frame, or wall time (RFC 3339).
 */
import { YocoError } from '../errors.ts';
import { MAX_TIME_MS } from '../ingest/source-clock.ts';
import { CLOCK_SKEW_MS, momentsAt, newestWallMs, type StreamClock } from '../live/moments.ts';
import { noFrameError } from '../live/no-frame.ts';
import type { AskOptions } from '../live/types.ts';
import { parseWallTime } from '../rfc3339.ts';

/** A moment as a client may write it. */
export type WireTime = number | string;

type WireTimeKind = 'seconds' | 'before' | 'wall';

type Clock = Omit<StreamClock, 'name'>;

/** Error text for a malformed time. */
export const TIME_FORMS =
  'must be seconds since the stream began (12.5, or "1:42"), a time before the newest frame ("-30s"), ' +
  'or a wall time with its zone ("2030-01-31T12:00:00Z")';

const SECONDS = /^\d+(\.\d+)?$/;
/** Minutes and seconds, or hours, minutes and seconds. */
const CLOCK = /^(?:(\d+):(?=[0-5]\d:))?(\d+):([0-5]\d(?:\.\d+)?)$/;
const BEFORE_NOW = /^-(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/**
 * The moment that a client means, ms since the stream began, never later than the newest frame. Throws
 * `invalid_request` for a malformed time, `stream_empty`, `stream_ended`, or `time_out_of_range`, naming the first and
 * last time. `kept`: what the clock's times are of; of most frames of a long stream no picture is kept.
 */
export function momentMs(
  time: WireTime,
  clock: Clock,
  param: string,
  nowMs = Date.now(),
  kept: 'frame' | 'picture' = 'frame',
): number {
  const { firstMs, lastMs, startedAtMs } = clock;
  const form = parseTime(time, param);
  if (firstMs === null || lastMs === null) throw noFrameError(clock, { param: 'stream' });
  const ms =
    form.kind === 'seconds' ? form.ms : form.kind === 'before' ? lastMs - form.ms : Math.round(form.ms - startedAtMs);
  const latest = Math.max(lastMs, nowMs - startedAtMs) + CLOCK_SKEW_MS;
  if (ms < firstMs || ms > latest) {
    throw new YocoError('time_out_of_range', {
      param,
      detail:
        `${inItsForm(ms, form.kind, startedAtMs)} is ${ms < firstMs ? `before the first ${kept}` : 'in the future'}; ` +
        `the stream keeps ${kept === 'picture' ? 'pictures of ' : ''}${seconds(firstMs)} s to ${seconds(lastMs)} s ` +
        `(${wallTime(firstMs, startedAtMs)} to ${wallTime(lastMs, startedAtMs)}).`,
    });
  }
  return Math.min(ms, lastMs);
}

/**
 * The moment that a client means in the asked streams. One stream: on its own clock. Several: one instant, where `-30s`
 * counts from the newest frame of them all and seconds since the start are refused. Throws what `momentMs` throws; an
 * error about one of several streams names it.
 */
export function asOfOptions(
  time: WireTime,
  clocks: readonly StreamClock[],
  param: string,
  nowMs = Date.now(),
): Pick<AskOptions, 'asOfMs' | 'asOfWallMs'> {
  const [only] = clocks;
  if (clocks.length === 1 && only !== undefined) return { asOfMs: momentMs(time, only, param, nowMs) };
  return asOfInstant(instantMs(time, clocks, param), clocks, param, nowMs);
}

/** The same for an instant, ms since 1970, in one stream or several. Throws what `momentsAt` throws. */
export function asOfInstant(
  asOfWallMs: number,
  clocks: readonly StreamClock[],
  param: string,
  nowMs = Date.now(),
): Pick<AskOptions, 'asOfWallMs'> {
  momentsAt(asOfWallMs, clocks, param, nowMs);
  return { asOfWallMs };
}

/**
 * The instant that a client means in several streams, ms since 1970; `-30s` counts from the newest frame of them all.
 * Throws `invalid_request` for a malformed time or for seconds since the start, `stream_empty` or `stream_ended`.
 */
export function instantMs(time: WireTime, clocks: readonly StreamClock[], param: string): number {
  const form = parseTime(time, param);
  if (form.kind === 'seconds') throw secondsNeedOneStreamError(param, clocks.length);
  return form.kind === 'wall' ? form.ms : newestWallMs(clocks) - form.ms;
}

/**
 * The time from which on a client wants streams to be read, on one stream's clock or as an instant in several. `-5m`
 * counts back from the question's moment, which is `moment` or the newest frame. A time before the oldest kept frame
 * means from that frame on. Throws `invalid_request` for a malformed time or for seconds since the start in several
 * streams, `stream_empty`, `stream_ended`, or `time_out_of_range` for a time after the moment.
 */
export function sinceOptions(
  time: WireTime,
  moment: Pick<AskOptions, 'asOfMs' | 'asOfWallMs'>,
  clocks: readonly StreamClock[],
  param: string,
): Pick<AskOptions, 'sinceMs' | 'sinceWallMs'> {
  const form = parseTime(time, param);
  const [only] = clocks;
  if (clocks.length === 1 && only !== undefined) {
    const { lastMs, startedAtMs } = only;
    if (lastMs === null) throw noFrameError(only, { param: 'stream' });
    const { asOfWallMs, asOfMs = asOfWallMs === undefined ? lastMs : asOfWallMs - startedAtMs } = moment;
    const ms =
      form.kind === 'seconds' ? form.ms : form.kind === 'before' ? asOfMs - form.ms : Math.round(form.ms - startedAtMs);
    if (ms > asOfMs) {
      const inForm = (moment: number): string => inItsForm(moment, form.kind, startedAtMs);
      throw sinceAfterMomentError(param, inForm(ms), inForm(asOfMs));
    }
    return { sinceMs: Math.max(0, ms) };
  }
  const asOfWallMs = moment.asOfWallMs ?? newestWallMs(clocks);
  if (form.kind === 'seconds') throw secondsNeedOneStreamError(param, clocks.length);
  const sinceWallMs = form.kind === 'wall' ? form.ms : asOfWallMs - form.ms;
  if (sinceWallMs > asOfWallMs) throw sinceAfterMomentError(param, wallTime(sinceWallMs, 0), wallTime(asOfWallMs, 0));
  return { sinceWallMs };
}

function sinceAfterMomentError(param: string, since: string, moment: string): YocoError {
  const detail = `${param}: ${since} is after the moment of the question, ${moment}.`;
  return new YocoError('time_out_of_range', { param, detail });
}

function secondsNeedOneStreamError(param: string, streamCount: number): YocoError {
  return new YocoError('invalid_request', {
    param,
    detail:
      `${param}: seconds are counted from the beginning of one stream, and ${streamCount} are asked; expected a ` +
      'time before the newest frame ("-30s") or a wall time ("2030-01-31T12:00:00Z").',
  });
}

/** Throws `invalid_request` for a malformed time. */
export function checkTime(time: WireTime, param: string): void {
  parseTime(time, param);
}

/**
 * When a pushed frame was taken: ms since the stream began, or its wall time. Throws `invalid_request` for any other
 * form.
 */
export function frameTime(time: WireTime, param: string): number | Date {
  const ms = sinceBeginningMs(time);
  if (ms !== null) return ms;
  const wallMs = typeof time === 'string' ? parseWallTime(time) : null;
  if (wallMs !== null) return new Date(wallMs);
  const detail = `${param} must be seconds since the stream began (12.5), or a wall time with its zone ("2030-01-31T12:00:00Z").`;
  throw new YocoError('invalid_request', { param, detail });
}

/** ms to the seconds of the wire, rounded to 1 ms. */
export function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}

/** A stream's time as RFC 3339 in UTC. */
export function wallTime(ms: number, startedAtMs: number): string {
  return new Date(Math.round(startedAtMs + ms)).toISOString();
}

/** A moment of a stream for an error message, as wall time if it was asked for so. */
function inItsForm(ms: number, kind: WireTimeKind, startedAtMs: number): string {
  return kind === 'wall' ? wallTime(ms, startedAtMs) : `${seconds(ms)} s`;
}

/** Null if the time is not in seconds. */
function sinceBeginningMs(time: WireTime): number | null {
  if (typeof time === 'string' && !SECONDS.test(time)) return null;
  const ms = Number(time) * 1_000;
  return ms >= 0 && ms < MAX_TIME_MS ? Math.round(ms) : null;
}

function parseTime(time: WireTime, param: string): { kind: WireTimeKind; ms: number } {
  const sinceBeginning = sinceBeginningMs(time);
  if (sinceBeginning !== null) return { kind: 'seconds', ms: sinceBeginning };
  if (typeof time === 'string') {
    const [onClock, hours = '0', minutes = '', rest = ''] = CLOCK.exec(time) ?? [];
    const clockMs = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(rest)) * 1_000;
    if (onClock !== undefined && clockMs < MAX_TIME_MS) return { kind: 'seconds', ms: Math.round(clockMs) };
    const before = BEFORE_NOW.exec(time);
    const ms = before === null ? NaN : Number(before[1]) * UNIT_MS[before[2] as keyof typeof UNIT_MS];
    if (ms < MAX_TIME_MS) return { kind: 'before', ms: Math.round(ms) };
    const wall = parseWallTime(time);
    if (wall !== null) return { kind: 'wall', ms: wall };
  }
  throw new YocoError('invalid_request', { param, detail: `${param} ${TIME_FORMS}.` });
}
