/**
 * "10 seconds ago" on the stream's clock. What was shown at 1:42 the model finds by the digits of that time; to take
 * seconds from the moment of the question, over minutes and hours, it has not learned, and here it is a subtraction.
 */
import { clockText } from '../clock-text.ts';
import { LENGTH, lengthMs, UNCUT } from './said-time.ts';

/** Of times the model knows the digits of a day (`clock_text` of the recipe). */
export const CLOCK_DAY_MS = 86_400_000;
/** "A minute or so ago", "a minute or two ago". */
const OR_SO = '(?: or (?:so|two))?';
const AGO = new RegExp(`(?:\\b(?:about|around|roughly|some) )?${UNCUT}(${LENGTH})${OR_SO} ago\\b`, 'gi');

/**
 * A question asked at `momentMs` of the stream, ms: "what was shown 10 seconds ago?" at 0:42 is "what was shown at
 * 0:32?". A time before the stream's beginning stays as it is said.
 */
export function onTheClock(question: string, momentMs: number): string {
  return question.replace(AGO, (said: string, length: string) => {
    const ms = momentMs - lengthMs(length);
    return ms < 0 ? said : atClock(ms);
  });
}

/** "at 0:32", as the model finds what was shown then. */
export function atClock(ms: number): string {
  return `at ${clockText(ms % CLOCK_DAY_MS)}`;
}

/**
 * The only "10 minutes ago" of a question: how long that is, ms, and the question around it; null where there is none,
 * or several.
 */
export function agoOf(
  question: string,
): { readonly backMs: number; readonly start: string; readonly end: string } | null {
  const [only, ...others] = question.matchAll(AGO);
  if (only === undefined || others.length > 0) return null;
  const [said, length = ''] = only;
  const end = only.index + said.length;
  return { backMs: lengthMs(length), start: question.slice(0, only.index), end: question.slice(end) };
}
