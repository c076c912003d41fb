/**
 * Of which part of a stream a question says that it is about: "in the last five minutes", "between 1:00 and 2:00". To tell within a
 * time from ever the model has not learned; here only what was shown then is read.
 */
import { CLOCK, clockMs, msOf, NUMBER, UNIT } from './said-time.ts';

/** A part of a stream, ms of its clock; null: from its beginning, up to the question's moment. */
export interface AskedSpan {
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** The question without that, which the reading holds then: "was there a dog?" */
  readonly question: string;
}

const LENGTH = `${NUMBER} ?${UNIT}`;
const IN = '(?:in|within|over|during|for|from|of|since)(?: the| these| those)?';
/** "in the last minute", and with a number also "last 5 minutes". */
const LAST = fromEnd('(?:last|past|previous)');
const FIRST = fromEnd('first');
/** In the words of `haschanged` of the recipe. */
const ASKS_FOR_A_CHANGE = /\b(?:chang\w*|anything new|something new|something else)\b/i;
/** A time of the clock, or so long ago. */
const TIME = `(?:${CLOCK}|${LENGTH} ago\\b)`;
const BETWEEN = new RegExp(`,? ?\\b(?:between|from) ${TIME} (?:and|to|until|till) ${TIME},?`, 'i');
const SINCE = new RegExp(`,? ?\\bsince ${TIME},?`, 'i');
const AFTER = new RegExp(`,? ?\\bafter ${TIME},?`, 'i');
const BEFORE = new RegExp(`,? ?\\b(?:before|until|till|up to) ${TIME},?`, 'i');
/** "What was there before 1:00?" asks for what came next to that time. */
const ASKS_FOR_A_THING = /^\W*(?:what|which|who|name|tell)\b/i;

function fromEnd(which: string): RegExp {
  return new RegExp(`,? ?\\b(?:(?:${IN} )?${which} ${LENGTH}|${IN} ${which} ${UNIT})\\b,?`, 'i');
}

/** For a question asked at `momentMs` of the stream. A part that has ended before it begins, or begins after the moment, is none. */
export function askedSpan(question: string, momentMs: number): AskedSpan {
  const all = { sinceMs: null, untilMs: null, question };
  const found = onClock(question, momentMs) ?? fromAnEnd(question, momentMs) ?? all;
  const { sinceMs, untilMs } = found;
  return (sinceMs ?? 0) < Math.min(untilMs ?? Infinity, momentMs) ? found : all;
}

/** How far back from its moment a question says that it looks, ms, and the question without that; null where it does not say. */
export function looksBack(question: string): { readonly backMs: number; readonly question: string } | null {
  const last = LAST.exec(question);
  return last === null ? null : { backMs: lengthOf(last), question: without(question, last) };
}

function fromAnEnd(question: string, momentMs: number): AskedSpan | null {
  const last = looksBack(question);
  if (last !== null) return { sinceMs: momentMs - last.backMs, untilMs: null, question: last.question };
  const first = FIRST.exec(question);
  return first === null ? null : { sinceMs: null, untilMs: lengthOf(first), question: without(question, first) };
}

/** Of a match of LAST or FIRST: with a number, or one of its unit. */
function lengthOf([, number, unit, alone = '']: RegExpExecArray): number {
  return number === undefined || unit === undefined ? msOf('one', alone) : msOf(number, unit);
}

function onClock(question: string, momentMs: number): AskedSpan | null {
  const timeOf = ([clock, number = '', unit = '']: readonly (string | undefined)[]): number =>
    clock === undefined ? momentMs - msOf(number, unit) : clockMs(clock);
  const between = BETWEEN.exec(question);
  if (between !== null) {
    const [sinceMs, untilMs] = [timeOf(between.slice(1)), timeOf(between.slice(4))];
    return { sinceMs, untilMs, question: without(question, between) };
  }
  const since = SINCE.exec(question) ?? (ASKS_FOR_A_THING.test(question) ? null : AFTER.exec(question));
  if (since !== null) return { sinceMs: timeOf(since.slice(1)), untilMs: null, question: without(question, since) };
  const before = ASKS_FOR_A_THING.test(question) ? null : BEFORE.exec(question);
  if (before === null) return null;
  return { sinceMs: null, untilMs: timeOf(before.slice(1)), question: without(question, before) };
}

/** A question without what `match` found in it: the reading holds that. Whether anything has changed was never asked without a time. */
function without(question: string, match: RegExpExecArray): string {
  if (ASKS_FOR_A_CHANGE.test(question)) return question;
  const [start, end] = [question.slice(0, match.index), question.slice(match.index + match[0].length)];
  const rest = `${start}${end}`.trim();
  return /\w/.test(rest) ? rest : question;
}
