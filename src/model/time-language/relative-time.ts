/**
 * "10 seconds ago" on the stream's clock. The model finds what was shown at 1:42 by the digits of that time. It has not
 * learned to subtract seconds from the question's moment across minutes and hours, so that is done here.
 */
import { clockText } from '../../clock-text.ts';
import { DURATION, parseDurationMs, NUMBER_START } from './time-phrases.ts';

/** The model knows a time by its digits within a day (`clock_text` of the recipe). */
export const CLOCK_DAY_MS = 86_400_000;
/** Not meant to the second: "about 10 minutes ago", "a few minutes ago", "an hour or so ago". */
const ROUGHLY =
  '(?:\\b(?<!\\b(?:how|what) )(?:about|around|roughly|approximately|approx\\.?|some|nearly|almost|maybe) |~ ?)';
const FEW = /\b(?:few|couple)\b/i;
const ROUGH_SHARE = 0.1;
const AGO = new RegExp(`(${ROUGHLY})?${NUMBER_START}(${DURATION})( or (?:so|two))? ago\\b`, 'gi');
/** Tested before the expression above, which takes long to compile. */
const SAYS_AGO = /\bago\b/i;

/**
 * Rewrites a question asked at `momentMs` on the stream's clock: "what was shown 10 seconds ago?" at 0:42 becomes "what
 * was shown at 0:32?". A time before the stream's beginning stays as it is.
 */
export function rewriteAgo(question: string, momentMs: number): string {
  if (!SAYS_AGO.test(question)) return question;
  return question.replace(AGO, (said: string, _roughly: unknown, length: string) => {
    const ms = momentMs - parseDurationMs(length);
    return ms < 0 ? said : atClock(ms);
  });
}

/** "at 0:32": the words by which the model finds what was shown then. */
export function atClock(ms: number): string {
  return `at ${clockText(ms % CLOCK_DAY_MS)}`;
}

export interface AgoPhrase {
  /** How long ago, ms, and how much earlier or later it may have been. */
  readonly backMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
  /** The text before and after it. */
  readonly textBefore: string;
  readonly textAfter: string;
}

/** The only "10 minutes ago" of a question; null if there is none, or more than one. */
export function findOnlyAgo(question: string): AgoPhrase | null {
  if (!SAYS_AGO.test(question)) return null;
  const [only, ...others] = question.matchAll(AGO);
  if (only === undefined || others.length > 0) return null;
  const [said, roughly, length = '', more] = only;
  const backMs = parseDurationMs(length);
  const roughMs = roughly !== undefined || more !== undefined || FEW.test(length) ? ROUGH_SHARE * backMs : 0;
  // "A minute or two ago."
  const beforeMs = more === ' or two' ? backMs + roughMs : roughMs;
  const end = only.index + said.length;
  return {
    backMs,
    beforeMs,
    afterMs: roughMs,
    textBefore: question.slice(0, only.index),
    textAfter: question.slice(end),
  };
}
