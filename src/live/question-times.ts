/**
 * Which streams a question reads, and which part of each, by its options and by its own words ("in the last five
 * minutes").
 */
import { YocoError } from '../errors.ts';
import {
  resolveFollowUp,
  findAgo,
  findClockTime,
  type QuestionMoment,
  findMoment,
  type QuestionSpan,
  findSpan,
  namedZones,
  namesTimeOfDay,
  withoutZones,
} from '../model/time-language/question-span.ts';
import { withMeridiem } from '../model/time-language/bare-hours.ts';
import { normaliseTimes } from '../model/time-language/normalise-times.ts';
import { atClock } from '../model/time-language/relative-time.ts';
import { clockText } from '../clock-text.ts';
import { dateAndTimeAt, processTimeZone } from '../time-zone.ts';
import {
  type AskContext,
  commonTimes,
  keptRange,
  lookBackMs,
  sinceAfterMomentError,
  streamsReaching,
  timeContextOfAll,
  withoutTime,
} from './common-times.ts';
import { momentsAt } from './moments.ts';
import type { AskOptions, QuestionTimes, StreamStatus } from './types.ts';

/** How far before the oldest kept frame "10 minutes ago" may lie, as a share: nobody means it to the second. */
const AGO_TOLERANCE = 0.05;
/**
 * Look-back of a question that asks for the name of what was shown, ms: about one frame. It means that very moment;
 * just before, something else may have been shown.
 */
const NAME_LOOK_BACK_MS = 500;
const ASKS_FOR_A_NAME =
  /\b(?:what(?:['’]s| (?:was|were|is|did|do|could|came|appeared))|(?:what|which) (?:thing|object|item)s?|(?:name|tell me|describe) (?:the|what))\b/i;
const ASKS_FOR_MORE =
  /\b(?:how|where|say|says|said|signs?|reads?|written|colou?rs?|left|right|top|bottom|middle|side|doing|happen(?:ed|ing)?)\b/i;

type RequestedTimes = Pick<AskOptions, 'asOfMs' | 'asOfWallMs' | 'sinceMs' | 'sinceWallMs'>;

/** Which streams a question reads, and which part of each. */
export interface AskedParts<S> extends QuestionTimes {
  readonly streams: readonly S[];
  /** The whole question, with its times in words that the expressions know. */
  readonly fullQuestion: string;
}

type QuestionOptions = RequestedTimes & Pick<AskOptions, 'anyOf'> & { readonly previousQuestion?: string | undefined };

/**
 * `candidates`: the streams of the question; with `anyOf`, those that keep nothing of what it is about are left out.
 * `previousQuestion`: the previous question of the conversation. Throws `invalid_request` for times on one stream's
 * clock with several streams, for another time zone, and for an hour that may be am or pm; the errors of `momentsAt`
 * for `asOfWallMs`; and `time_out_of_range` if the reading would begin after the question's moment, if nothing is kept
 * of the part that the question names, or if `undatedError` returns an error.
 */
export function askedParts<S extends { status(): StreamStatus }>(
  question: string,
  { anyOf = false, previousQuestion, ...requested }: QuestionOptions,
  candidates: readonly S[],
  context: AskContext,
): AskedParts<S> {
  const asked = candidates.map((stream) => ({ stream, status: stream.status() }));
  const all = asked.map(({ status }) => status);
  const plain = plainQuestion(question, requested, all, context);
  const fullQuestion =
    previousQuestion === undefined ? plain : resolveFollowUp(plain, normaliseTimes(previousQuestion));
  const clocks = anyOf ? streamsReaching(fullQuestion, requested.asOfWallMs, all, context) : all;
  const streams = asked.filter(({ status }) => clocks.includes(status)).map(({ stream }) => stream);
  return { streams, fullQuestion, ...questionTimes(fullQuestion, requested, clocks, context) };
}

function questionTimes(
  question: string,
  requested: RequestedTimes,
  clocks: readonly StreamStatus[],
  context: AskContext,
): QuestionTimes {
  const undated = undatedError(question, clocks);
  if (undated !== null) throw undated;
  checkClock('asOf', clocks, requested.asOfMs, requested.asOfWallMs);
  checkClock('since', clocks, requested.sinceMs, requested.sinceWallMs);
  const times = { moments: momentsOf(requested, clocks), starts: startsOf(requested, clocks), question };
  const [only] = clocks;
  if (clocks.length === 1 && only !== undefined) return singleStreamTimes(times, only, context);
  if (clocks.some(({ lastMs }) => lastMs === null)) return times;
  return commonTimes(times, requested.asOfWallMs, clocks, context);
}

function momentsOf({ asOfMs, asOfWallMs }: RequestedTimes, clocks: readonly StreamStatus[]): readonly number[] | null {
  if (asOfWallMs !== undefined) return momentsAt(asOfWallMs, clocks, 'as_of');
  return asOfMs === undefined ? null : [asOfMs];
}

function startsOf({ sinceMs, sinceWallMs }: RequestedTimes, clocks: readonly StreamStatus[]): readonly number[] | null {
  if (sinceMs !== undefined) return [sinceMs];
  return sinceWallMs === undefined ? null : clocks.map(({ startedAtMs }) => sinceWallMs - startedAtMs);
}

/**
 * The error of a question that names a time of day although nobody said when a recording was made; null for any other.
 */
export function undatedError(question: string, clocks: readonly StreamStatus[]): YocoError | null {
  const undated = clocks.find(({ wallTimes }) => wallTimes === 'unknown');
  if (undated === undefined) return null;
  // "After 15:35 UTC" names a time of day by its zone alone.
  if (!namesTimeOfDay(normaliseTimes(withoutZones(question, namedZones(question))))) return null;
  const which = clocks.length === 1 ? 'the recording' : `the recording "${undated.name}"`;
  const detail =
    `The question names a time of day, and when ${which} was made is not known: give source.recorded_at in the definition of a file ` +
    '(--recorded-at with watch of one file), the wall time of its first frame.';
  return new YocoError('time_out_of_range', { param: 'question', detail });
}

/**
 * The question with its times in words that the expressions know, in the service's zone. Throws the errors of
 * `withoutServiceZone`, and `invalid_request` for an hour that may be am or pm.
 */
function plainQuestion(
  question: string,
  { asOfMs, asOfWallMs }: RequestedTimes,
  clocks: readonly StreamStatus[],
  context: AskContext,
): string {
  const { timeZone } = context;
  // Twice: the zone of "9 am UTC: ..." must go first, but that of "half past nine EST" is found only behind digits.
  const plain = withoutServiceZone(normaliseTimes(withoutServiceZone(question, timeZone)), timeZone);
  const known = clocks.filter(({ lastMs, wallTimes }) => lastMs !== null && wallTimes !== 'unknown');
  const [one] = known;
  if (one === undefined) return plain;
  const [fromMs, toMs] = keptRange(known);
  const asOf = asOfWallMs ?? (asOfMs === undefined ? undefined : one.startedAtMs + asOfMs);
  const now = timeContextOfAll(asOf ?? toMs, asOf, known, context);
  const halves = withMeridiem(plain, { fromMs, nowMs: now.nowMs, timeZone });
  if (halves.ambiguousHour === null) return halves.question;
  const detail = `"${halves.ambiguousHour}" may be ${halves.ambiguousHour} am or ${halves.ambiguousHour} pm: say which.`;
  throw new YocoError('invalid_request', { param: 'question', detail });
}

/** Names of the same zone. */
const UTC = /^(?:UTC|GMT|Z)$/;

/**
 * The question without the name of the service's zone. Throws `invalid_request` if it names another zone, since its
 * times would be taken for times in the service's.
 */
function withoutServiceZone(question: string, timeZone = processTimeZone()): string {
  const zones = namedZones(question);
  const other = zones.find((zone) => !(UTC.test(zone) && isUtc(timeZone)));
  if (other === undefined) return withoutZones(question, zones);
  const detail =
    `Times of day in a question are those of the service's time zone, ${timeZone}, and "${other}" is not: give them in ` +
    'that zone, with am or pm or a day ("3:35 pm"), or in full as as_of and since.';
  throw new YocoError('invalid_request', { param: 'question', detail });
}

const isUtc = (timeZone: string): boolean => UTC.test(timeZone.replace(/^Etc\//, ''));

/** A question about one stream may also name times of the stream's clock, or times of day. */
function singleStreamTimes(
  times: QuestionTimes,
  { firstMs, lastMs, startedAtMs, wallTimes, frames }: StreamStatus,
  { nowMs, timeZone }: AskContext,
): QuestionTimes {
  if (firstMs === null || lastMs === null) return times;
  const { moments, starts, question } = times;
  const [momentMs = lastMs] = moments ?? [];
  const [startMs = -Infinity] = starts ?? [];
  if (startMs > momentMs) throw sinceAfterMomentError(`${startMs / 1_000} s`, `${momentMs / 1_000} s`);
  const momentWallMs = startedAtMs + momentMs;
  const timeContext = {
    momentMs,
    startedAtMs,
    // "Last night" of a recording is the one before its end. A file read faster than real time has its newest frame in
    // the future.
    nowMs: moments === null && wallTimes !== 'recorded' ? Math.max(nowMs, momentWallMs) : momentWallMs,
    timeZone,
  };
  const readable = { firstMs: Math.max(firstMs, startMs), lastMs: momentMs };
  const isAll = readable.firstMs === firstMs && momentMs === lastMs;
  const notKeptError = (part: Pick<QuestionSpan, 'sinceMs' | 'untilMs'>): YocoError => {
    const time = (): TimeText => timeText({ startedAtMs, wallTimes }, timeZone);
    const there = `${isAll ? 'the stream keeps' : 'it may look at'} ${rangeText(readable, time())}`;
    const detail = `The question is about what was shown ${partText(part, time())}; ${there}.`;
    return new YocoError('time_out_of_range', { param: 'question', detail });
  };
  const moment = findMoment(question, timeContext);
  const span = moment === null ? findSpan(question, timeContext) : null;
  const namedMoment =
    moment ?? (span === null ? (momentAgo(question, readable) ?? findClockTime(question, momentMs)) : null);
  if (namedMoment !== null) {
    const { ms, beforeMs, afterMs } = namedMoment;
    if (ms + afterMs < readable.firstMs || ms - beforeMs > momentMs) throw notKeptError({ sinceMs: ms, untilMs: ms });
    const rest = withoutTime(namedMoment.textBefore, namedMoment.textAfter);
    // Nothing would be left to ask without the time.
    if (rest === null)
      return { ...times, question: `${namedMoment.textBefore}${atClock(Math.max(0, ms))}${namedMoment.textAfter}` };
    const isName = beforeMs === 0 && ASKS_FOR_A_NAME.test(question) && !ASKS_FOR_MORE.test(question);
    const aboutMs = Math.max(lookBackMs({ lastMs, frames }, isName ? NAME_LOOK_BACK_MS : undefined), beforeMs);
    return {
      moments: [Math.min(momentMs, ms + afterMs)],
      starts: [Math.max(readable.firstMs, ms - aboutMs)],
      question: rest,
    };
  }
  if (span === null) return times;
  const from = Math.max(startMs, span.sinceMs ?? -Infinity);
  const to = Math.min(momentMs, span.untilMs ?? Infinity);
  // An answer from everything that is kept would be about another time without saying so.
  if (to < Math.max(from, firstMs)) throw notKeptError(span);
  return {
    moments: span.untilMs === null ? moments : [to],
    starts: from === -Infinity ? starts : [from],
    question: span.question,
  };
}

/** "10 minutes ago", on the stream's clock; null if the question names no such moment, or another time as well. */
function momentAgo(
  question: string,
  { firstMs, lastMs }: { readonly firstMs: number; readonly lastMs: number },
): QuestionMoment | null {
  const ago = findAgo(question);
  if (ago === null || namesTimeOfDay(`${ago.textBefore}${ago.textAfter}`)) return null;
  const { backMs, ...around } = ago;
  const exactMs = lastMs - backMs;
  return { ms: exactMs >= firstMs - AGO_TOLERANCE * backMs ? Math.max(firstMs, exactMs) : exactMs, ...around };
}

/** Formats a time of a stream, ms since it began, for an error. */
type TimeText = (ms: number) => string;

/**
 * `0:42 (2030-01-31 12:00:42)`: the stream's clock, and the zone's clock if it is known. The date is given with the
 * first time and whenever it changes. Times before the stream began have no time on its clock.
 */
function timeText(
  { startedAtMs, wallTimes }: Pick<StreamStatus, 'startedAtMs' | 'wallTimes'>,
  timeZone: string | undefined,
): TimeText {
  if (wallTimes === 'unknown') return (ms) => (ms < 0 ? `${clockText(-ms)} before its beginning` : clockText(ms));
  let dateBefore: string | undefined;
  return (ms) => {
    const [date, time] = dateAndTimeAt(startedAtMs + ms, timeZone);
    const wall = date === dateBefore ? time : `${date} ${time}`;
    dateBefore = date;
    return ms < 0 ? wall : `${clockText(ms)} (${wall})`;
  };
}

function rangeText({ firstMs, lastMs }: { readonly firstMs: number; readonly lastMs: number }, time: TimeText): string {
  return `${time(firstMs)} to ${time(lastMs)}`;
}

/** The part that a question is about: a range, or one moment. */
function partText({ sinceMs, untilMs }: Pick<QuestionSpan, 'sinceMs' | 'untilMs'>, time: TimeText): string {
  if (sinceMs === null) return untilMs === null ? 'at any time' : `up to ${time(untilMs)}`;
  if (untilMs === null) return `from ${time(sinceMs)} on`;
  if (sinceMs === untilMs) return `at ${time(sinceMs)}`;
  return `from ${rangeText({ firstMs: sinceMs, lastMs: untilMs }, time)}`;
}

/** Throws `invalid_request` if a time on a stream's own clock is given for several streams, or beside a wall time. */
function checkClock(name: 'asOf' | 'since', clocks: readonly unknown[], ms?: number, wallMs?: number): void {
  if (ms === undefined || (clocks.length === 1 && wallMs === undefined)) return;
  const detail = `${name}Ms is for one stream, each counts from its own start; give ${name}WallMs alone.`;
  throw new YocoError('invalid_request', { param: `${name}Ms`, detail });
}
