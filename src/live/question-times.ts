/**
 * Which streams a question reads, and which part of each, by its options and by its own words ("in the last five
 * minutes").
 */
import { YocoError } from '../errors.ts';
import {
  afterQuestion,
  askedAgo,
  askedClock,
  type AskedMoment,
  askedMoment,
  type AskedSpan,
  askedSpan,
  namedZones,
  namesTimeOfDay,
  withoutZones,
} from '../model/asked-span.ts';
import { withMeridiem } from '../model/bare-hours.ts';
import { plainTimes } from '../model/plain-times.ts';
import { atClock } from '../model/relative-time.ts';
import { clockText } from '../clock-text.ts';
import { dateAndTimeAt, ownTimeZone } from '../time-zone.ts';
import { lookBackMs, askingOfAll, commonTimes, kept, type Now, reachedBy, withoutTime } from './common-times.ts';
import { momentsAt } from './moments.ts';
import type { AskOptions, QuestionTimes, StreamStatus } from './types.ts';

/** How far before the oldest kept frame "10 minutes ago" may lie, as a share: nobody means it to the second. */
const ABOUT = 0.05;
/**
 * Look-back of a question that asks for the name of what was shown, ms: about one frame. It means that very moment;
 * just before, something else may have been shown.
 */
const NAMED_AT_MS = 500;
const ASKS_FOR_A_NAME =
  /\b(?:what(?:['’]s| (?:was|were|is|did|do|could|came|appeared))|(?:what|which) (?:thing|object|item)s?|(?:name|tell me|describe) (?:the|what))\b/i;
const ASKS_FOR_MORE =
  /\b(?:how|where|say|says|said|signs?|reads?|written|colou?rs?|left|right|top|bottom|middle|side|doing|happen(?:ed|ing)?)\b/i;

type Wanted = Pick<AskOptions, 'asOfMs' | 'asOfWallMs' | 'sinceMs' | 'sinceWallMs'>;

/** Which streams a question reads, and which part of each. */
export interface AskedParts<S> extends QuestionTimes {
  readonly streams: readonly S[];
  /** The whole question, with its times in words that the expressions know. */
  readonly whole: string;
}

type Asked = Wanted & Pick<AskOptions, 'anyOf'> & { readonly before?: string | undefined };

/**
 * `among`: the streams of the question; with `anyOf`, those that keep nothing of what it is about are left out.
 * `before`: the previous question of the conversation. Throws `invalid_request` for times on one stream's clock with
 * several streams, for another time zone, and for an hour that may be am or pm; the errors of `momentsAt` for
 * `asOfWallMs`; and `time_out_of_range` if the reading would begin after the question's moment, if nothing is kept of
 * the part that the question names, or if `withoutDate` returns an error.
 */
export function askedParts<S extends { status(): StreamStatus }>(
  said: string,
  { anyOf = false, before, ...wanted }: Asked,
  among: readonly S[],
  now: Now,
): AskedParts<S> {
  const asked = among.map((stream) => ({ stream, status: stream.status() }));
  const all = asked.map(({ status }) => status);
  const plain = plainQuestion(said, wanted, all, now);
  const whole = before === undefined ? plain : afterQuestion(plain, plainTimes(before));
  const clocks = anyOf ? reachedBy(whole, wanted.asOfWallMs, all, now) : all;
  const streams = asked.filter(({ status }) => clocks.includes(status)).map(({ stream }) => stream);
  return { streams, whole, ...questionTimes(whole, wanted, clocks, now) };
}

function questionTimes(question: string, wanted: Wanted, clocks: readonly StreamStatus[], now: Now): QuestionTimes {
  const undated = withoutDate(question, clocks);
  if (undated !== null) throw undated;
  checkClock('asOf', clocks, wanted.asOfMs, wanted.asOfWallMs);
  checkClock('since', clocks, wanted.sinceMs, wanted.sinceWallMs);
  const times = { moments: momentsOf(wanted, clocks), begins: beginsOf(wanted, clocks), question };
  const [only] = clocks;
  if (clocks.length === 1 && only !== undefined) return ofOne(times, only, now);
  if (clocks.some(({ lastMs }) => lastMs === null)) return times;
  return commonTimes(times, wanted.asOfWallMs, clocks, now);
}

function momentsOf({ asOfMs, asOfWallMs }: Wanted, clocks: readonly StreamStatus[]): readonly number[] | null {
  if (asOfWallMs !== undefined) return momentsAt(asOfWallMs, clocks, 'as_of');
  return asOfMs === undefined ? null : [asOfMs];
}

function beginsOf({ sinceMs, sinceWallMs }: Wanted, clocks: readonly StreamStatus[]): readonly number[] | null {
  if (sinceMs !== undefined) return [sinceMs];
  return sinceWallMs === undefined ? null : clocks.map(({ startedAtMs }) => sinceWallMs - startedAtMs);
}

/**
 * The error of a question that names a time of day although nobody said when a recording was made; null for any other.
 */
export function withoutDate(question: string, clocks: readonly StreamStatus[]): YocoError | null {
  const undated = clocks.find(({ wallTimes }) => wallTimes === 'unknown');
  if (undated === undefined) return null;
  // "After 15:35 UTC" names a time of day by its zone alone.
  if (!namesTimeOfDay(plainTimes(withoutZones(question, namedZones(question))))) return null;
  const which = clocks.length === 1 ? 'the recording' : `the recording "${undated.name}"`;
  const detail =
    `The question names a time of day, and when ${which} was made is not known: give source.recorded_at in the definition of a file ` +
    '(--recorded-at with watch of one file), the wall time of its first frame.';
  return new YocoError('time_out_of_range', { param: 'question', detail });
}

/**
 * The question with its times in words that the expressions know, in the service's zone. Throws the errors of
 * `inServiceZone`, and `invalid_request` for an hour that may be am or pm.
 */
function plainQuestion(
  question: string,
  { asOfMs, asOfWallMs }: Wanted,
  clocks: readonly StreamStatus[],
  now: Now,
): string {
  const { timeZone } = now;
  // Twice: the zone of "9 am UTC: ..." must go first, but that of "half past nine EST" is found only behind digits.
  const plain = inServiceZone(plainTimes(inServiceZone(question, timeZone)), timeZone);
  const known = clocks.filter(({ lastMs, wallTimes }) => lastMs !== null && wallTimes !== 'unknown');
  const [one] = known;
  if (one === undefined) return plain;
  const [fromMs, toMs] = kept(known);
  const asOf = asOfWallMs ?? (asOfMs === undefined ? undefined : one.startedAtMs + asOfMs);
  const asking = askingOfAll(asOf ?? toMs, asOf, known, now);
  const halves = withMeridiem(plain, { fromMs, nowMs: asking.nowMs, timeZone });
  if (halves.unsure === null) return halves.question;
  const detail = `"${halves.unsure}" may be ${halves.unsure} am or ${halves.unsure} pm: say which.`;
  throw new YocoError('invalid_request', { param: 'question', detail });
}

/** Names of the same zone. */
const UTC = /^(?:UTC|GMT|Z)$/;

/**
 * The question without the name of the service's zone. Throws `invalid_request` if it names another zone, since its
 * times would be taken for times in the service's.
 */
function inServiceZone(question: string, timeZone = ownTimeZone()): string {
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
function ofOne(
  times: QuestionTimes,
  { firstMs, lastMs, startedAtMs, wallTimes, frames }: StreamStatus,
  { nowMs, timeZone }: Now,
): QuestionTimes {
  if (firstMs === null || lastMs === null) return times;
  const { moments, begins, question } = times;
  const [momentMs = lastMs] = moments ?? [];
  const [beginMs = -Infinity] = begins ?? [];
  if (beginMs > momentMs) {
    const detail = `${beginMs / 1_000} s is after the moment of the question, ${momentMs / 1_000} s.`;
    throw new YocoError('time_out_of_range', { param: 'since', detail });
  }
  const momentWallMs = startedAtMs + momentMs;
  const asking = {
    momentMs,
    startedAtMs,
    // "Last night" of a recording is the one before its end. A file read faster than real time has its newest frame in
    // the future.
    nowMs: moments === null && wallTimes !== 'recorded' ? Math.max(nowMs, momentWallMs) : momentWallMs,
    timeZone,
  };
  const readable = { firstMs: Math.max(firstMs, beginMs), lastMs: momentMs };
  const isAll = readable.firstMs === firstMs && momentMs === lastMs;
  const notKept = (part: Pick<AskedSpan, 'sinceMs' | 'untilMs'>): YocoError => {
    const time = (): TimeText => timeText({ startedAtMs, wallTimes }, timeZone);
    const there = `${isAll ? 'the stream keeps' : 'it may look at'} ${rangeText(readable, time())}`;
    const detail = `The question is about what was shown ${partText(part, time())}; ${there}.`;
    return new YocoError('time_out_of_range', { param: 'question', detail });
  };
  const moment = askedMoment(question, asking);
  const span = moment === null ? askedSpan(question, asking) : null;
  const then = moment ?? (span === null ? (momentAgo(question, readable) ?? askedClock(question, momentMs)) : null);
  if (then !== null) {
    const { ms, beforeMs, afterMs } = then;
    if (ms + afterMs < readable.firstMs || ms - beforeMs > momentMs) throw notKept({ sinceMs: ms, untilMs: ms });
    const rest = withoutTime(then.start, then.end);
    // Nothing would be left to ask without the time.
    if (rest === null) return { ...times, question: `${then.start}${atClock(Math.max(0, ms))}${then.end}` };
    const isName = beforeMs === 0 && ASKS_FOR_A_NAME.test(question) && !ASKS_FOR_MORE.test(question);
    const aboutMs = Math.max(lookBackMs({ lastMs, frames }, isName ? NAMED_AT_MS : undefined), beforeMs);
    return {
      moments: [Math.min(momentMs, ms + afterMs)],
      begins: [Math.max(readable.firstMs, ms - aboutMs)],
      question: rest,
    };
  }
  if (span === null) return times;
  const from = Math.max(beginMs, span.sinceMs ?? -Infinity);
  const to = Math.min(momentMs, span.untilMs ?? Infinity);
  // An answer from everything that is kept would be about another time without saying so.
  if (to < Math.max(from, firstMs)) throw notKept(span);
  return {
    moments: span.untilMs === null ? moments : [to],
    begins: from === -Infinity ? begins : [from],
    question: span.question,
  };
}

/** "10 minutes ago", on the stream's clock; null if the question names no such moment, or another time as well. */
function momentAgo(
  question: string,
  { firstMs, lastMs }: { readonly firstMs: number; readonly lastMs: number },
): AskedMoment | null {
  const ago = askedAgo(question);
  if (ago === null || namesTimeOfDay(`${ago.start}${ago.end}`)) return null;
  const { backMs, ...around } = ago;
  const exactMs = lastMs - backMs;
  return { ms: exactMs >= firstMs - ABOUT * backMs ? Math.max(firstMs, exactMs) : exactMs, ...around };
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
function partText({ sinceMs, untilMs }: Pick<AskedSpan, 'sinceMs' | 'untilMs'>, time: TimeText): string {
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
