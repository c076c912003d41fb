/**
 * Which part of several streams a question is about, as instants; each stream's clock shows a different time at an
 * instant. Times on a stream's own clock ("between 1:00 and 2:00") mean nothing for several streams, and stay in the
 * question.
 */
import { YocoError } from '../errors.ts';
import {
  findAgo,
  type QuestionMoment,
  findMoment,
  type QuestionSpan,
  type TimeContext,
  findLookBack,
  findSharedSpan,
} from '../model/time-language/question-span.ts';
import { dateAndTimeAt } from '../time-zone.ts';
import { momentsAt, newestWallMs, reachesBackTo } from './moments.ts';
import type { QuestionTimes, StreamStatus } from './types.ts';

/** Look-back before an instant, ms: long enough for what was shown then, too short for much of what came before. */
const MIN_LOOK_BACK_MS = 3_000;
/** For a stream with few frames: this many mean pauses, and no more than this: a camera may have been away. */
const SLOW_PAUSES = 1.5;
const SLOW_MOST_MS = 1_800_000;

/** Look-back before an instant for one stream, ms: far enough that a frame is included. */
export function lookBackMs(
  { lastMs, frames }: Pick<StreamStatus, 'lastMs' | 'frames'>,
  leastMs = MIN_LOOK_BACK_MS,
): number {
  const pauseMs = (lastMs ?? 0) / Math.max(1, frames);
  return pauseMs <= leastMs ? leastMs : Math.max(leastMs, Math.min(SLOW_MOST_MS, SLOW_PAUSES * pauseMs));
}

const WHICH_STREAM =
  /\b(?:which|what|where) (?:of (?:the|these|my|all) )?(?:cameras?|streams?|videos?|recordings?|feeds?|ones?)\b|^\W*where\b/i;

/** When and where a question is asked. */
export interface AskContext {
  /** ms since 1970. */
  readonly nowMs: number;
  /** Time zone of times of day in the question; undefined: the process's. */
  readonly timeZone: string | undefined;
}

/**
 * Narrows `times`, which the question's options allow, to the part that its words name. `asOfWallMs` is the question's
 * moment, by default the newest frame of all streams. Throws `time_out_of_range` if `times` begin after the moment, if
 * a stream began after the part, if the part begins after the moment or ends before `times` begin, and as `momentsAt`
 * does.
 */
export function commonTimes(
  times: QuestionTimes,
  asOfWallMs: number | undefined,
  clocks: readonly StreamStatus[],
  { nowMs, timeZone }: AskContext,
): QuestionTimes {
  const { question, starts } = times;
  const momentMs = asOfWallMs ?? newestWallMs(clocks);
  const [first] = clocks;
  // All starts are the same instant.
  const startMs = (first?.startedAtMs ?? 0) + (starts?.[0] ?? -Infinity);
  if (startMs > momentMs) throw sinceAfterMomentError(wallText(startMs, timeZone), wallText(momentMs, timeZone));
  const startsAtInstant = (
    wallMs: number,
    lookBackMsOf: (clock: StreamStatus) => number = () => 0,
  ): readonly number[] =>
    clocks.map((clock, i) => Math.max(starts?.[i] ?? -Infinity, wallMs - clock.startedAtMs - lookBackMsOf(clock)));
  const notReadableError = (part: Pick<QuestionSpan, 'sinceMs' | 'untilMs'>): YocoError => {
    const [keptFromMs] = keptRange(clocks);
    const who = asOfWallMs === undefined && startMs <= keptFromMs ? 'these streams keep' : 'it may look at';
    return notKeptError(part, who, [Math.max(keptFromMs, startMs), momentMs], timeZone);
  };
  const momentsAtInstant = (wallMs: number): readonly number[] => momentsAt(wallMs, clocks, 'question', nowMs);

  const last = findLookBack(question);
  // Counted back from one instant: what a stalled camera showed before it stalled was not in the last minute.
  if (last !== null) return { ...times, starts: startsAtInstant(momentMs - last.backMs), question: last.question };

  const context = timeContextOfAll(momentMs, asOfWallMs, clocks, { nowMs, timeZone });
  const span = findSharedSpan(question, context);
  if (span !== null) {
    const { sinceMs, untilMs } = span;
    checkReached(span, clocks, timeZone);
    if ((sinceMs !== null && sinceMs > momentMs) || (untilMs !== null && untilMs < startMs))
      throw notReadableError(span);
    return {
      moments: untilMs === null || untilMs >= momentMs ? times.moments : momentsAtInstant(untilMs),
      starts: sinceMs === null ? starts : startsAtInstant(sinceMs),
      question: span.question,
    };
  }

  const namedMoment = momentOf(question, context);
  const rest = namedMoment === null ? null : withoutTime(namedMoment.textBefore, namedMoment.textAfter);
  if (namedMoment === null || rest === null) return times;
  checkReached({ sinceMs: namedMoment.ms, untilMs: namedMoment.ms }, clocks, timeZone);
  const { ms, beforeMs, afterMs } = namedMoment;
  if (ms - beforeMs > momentMs || ms + afterMs < startMs) throw notReadableError({ sinceMs: ms, untilMs: ms });
  return {
    moments: momentsAtInstant(Math.min(momentMs, ms + afterMs)),
    starts: startsAtInstant(ms, (clock) => Math.max(lookBackMs(clock), beforeMs)),
    question: rest,
  };
}

/**
 * The streams that reach back to the part that a question names in instants: "which camera showed a dog yesterday?" is
 * not about a stream that began later. All of them if none does, or if only one does and the question asks which: the
 * error then says why there is no answer.
 */
export function streamsReaching(
  question: string,
  asOfWallMs: number | undefined,
  clocks: readonly StreamStatus[],
  { nowMs, timeZone }: AskContext,
): readonly StreamStatus[] {
  if (clocks.length < 2 || clocks.some(({ lastMs }) => lastMs === null)) return clocks;
  const momentMs = asOfWallMs ?? newestWallMs(clocks);
  const context = timeContextOfAll(momentMs, asOfWallMs, clocks, { nowMs, timeZone });
  const span = findSharedSpan(question, context);
  const moment = span === null && findLookBack(question) === null ? momentOf(question, context) : null;
  const untilMs = span?.untilMs ?? moment?.ms ?? null;
  const reached = clocks.filter((clock) => untilMs === null || reachesBackTo(untilMs, clock));
  // "Which camera" is no question about a single stream; the error then says which had not begun.
  const isEnough = reached.length > 1 || (reached.length === 1 && !WHICH_STREAM.test(question));
  return isEnough ? reached : clocks;
}

/** The `TimeContext` of several streams: its clock starts in 1970, so that its times are wall times. */
export function timeContextOfAll(
  momentMs: number,
  asOfWallMs: number | undefined,
  clocks: readonly StreamStatus[],
  { nowMs, timeZone }: AskContext,
): TimeContext {
  const recorded = asOfWallMs !== undefined || clocks.every(({ wallTimes }) => wallTimes === 'recorded');
  return { momentMs, startedAtMs: 0, nowMs: recorded ? momentMs : Math.max(nowMs, momentMs), timeZone };
}

/** The instant that a question names: "at 9 am", "10 minutes ago". */
function momentOf(question: string, context: TimeContext): QuestionMoment | null {
  const ago = findAgo(question);
  return findMoment(question, context) ?? (ago === null ? null : { ...ago, ms: context.momentMs - ago.backMs });
}

/** Throws `time_out_of_range` if a stream began after the part; the error says which streams can be asked. */
function checkReached(
  part: Pick<QuestionSpan, 'sinceMs' | 'untilMs'>,
  clocks: readonly StreamStatus[],
  timeZone: string | undefined,
): void {
  const { untilMs } = part;
  const lacking = clocks.find((clock) => untilMs !== null && !reachesBackTo(untilMs, clock));
  if (lacking === undefined) return;
  const reached = clocks.filter((clock) => untilMs === null || reachesBackTo(untilMs, clock));
  const names = reached.map(({ name }) => `"${name}"`).join(', ');
  const others = names === '' ? '' : ` Ask without those that began later: of ${names}.`;
  throw notKeptError(part, `"${lacking.name}" keeps`, keptRange([lacking]), timeZone, others);
}

/** Matches what is left of "Dog 9 am?", but not of "what at 9 am?". */
const IS_A_THING = /^\W*(?!(?:and|what|how|then|now|also|same|who|where|when|anything)\b)[a-z]{3,}\W*$/i;

/** The question without the time between `start` and `end`; null if it asks nothing any more. */
export function withoutTime(start: string, end: string): string | null {
  const rest = `${start.trimEnd()}${end}`.trim();
  return /\w+\W+\w+/.test(rest) || IS_A_THING.test(rest) ? rest.replace(/^[,\s]+/, '').replace(/ ?\(\s*\)/, '') : null;
}

/** The earliest and latest wall time of which any of the streams keeps something, ms since 1970. */
export function keptRange(clocks: readonly StreamStatus[]): readonly [fromMs: number, toMs: number] {
  const first = clocks.map(({ startedAtMs, firstMs }) => startedAtMs + (firstMs ?? 0));
  return [Math.min(...first), newestWallMs(clocks)];
}

/** `start` and `moment`: when the reading would begin, and the question's moment. */
export function sinceAfterMomentError(start: string, moment: string): YocoError {
  const detail = `${start} is after the moment of the question, ${moment}.`;
  return new YocoError('time_out_of_range', { param: 'since', detail });
}

const wallText = (wallMs: number, timeZone: string | undefined): string => dateAndTimeAt(wallMs, timeZone).join(' ');

function notKeptError(
  { sinceMs, untilMs }: Pick<QuestionSpan, 'sinceMs' | 'untilMs'>,
  who: string,
  [fromMs, toMs]: readonly [fromMs: number, toMs: number],
  timeZone: string | undefined,
  hint = '',
): YocoError {
  const text = (ms: number): string => wallText(ms, timeZone);
  const isMoment = sinceMs !== null && sinceMs === untilMs;
  const from = sinceMs === null ? '' : ` ${isMoment ? 'at' : 'from'} ${text(sinceMs)}${untilMs === null ? ' on' : ''}`;
  const to = untilMs === null || isMoment ? '' : `${sinceMs === null ? ' up' : ''} to ${text(untilMs)}`;
  const detail = `The question is about what was shown${from}${to}; ${who} ${text(fromMs)} to ${text(toMs)}.${hint}`;
  return new YocoError('time_out_of_range', { param: 'question', detail });
}
