/**
 * "10 seconds ago" on the stream's clock. What was shown at 1:42 the model finds by the digits of that time; to take seconds from the
 * moment of the question, over minutes and hours, it has not learned, and here it is a subtraction.
 */
import { clockText } from '../clock-text.ts';

/** Of times the model knows the digits of a day (`clock_text` of the recipe). */
const DAY_MS = 86_400_000;
const SECONDS_OF = { s: 1, m: 60, h: 3_600 } as const;
/** Numbers that people rather write out. */
const WORDS: Readonly<Record<string, number>> = {
  ...{
    a: 1,
    an: 1,
    one: 1,
    'half a': 0.5,
    'half an': 0.5,
    'a couple of': 2,
    two: 2,
    three: 3,
    four: 4,
    five: 5,
    six: 6,
  },
  ...{ seven: 7, eight: 8, nine: 9, ten: 10, fifteen: 15, twenty: 20, thirty: 30, forty: 40, fifty: 50, sixty: 60 },
};
const NUMBER = `\\d{1,5}(?:\\.\\d)?|${Object.keys(WORDS)
  .sort((a, b) => b.length - a.length)
  .join('|')}`;
const UNIT = '(s|m|h)(?:ecs?|econds?|ins?|inutes?|rs?|ours?)?';
const AGO = new RegExp(
  `\\b(?:(?:about|around|roughly) )?(${NUMBER}) ?${UNIT}(?:,? (?:and )?(${NUMBER}) ?${UNIT})? ago\\b`,
  'gi',
);

/** A question asked at `momentMs` of the stream, ms: "what was shown 10 seconds ago?" at 0:42 is "what was shown at 0:32?". A time before the stream's beginning stays as it is said. */
export function onTheClock(question: string, momentMs: number): string {
  return question.replace(AGO, (said: string, ...parts: (string | undefined)[]) => {
    const [number = '', unit = '', more, moreUnit = ''] = parts;
    const ms = momentMs - msOf(number, unit) - (more === undefined ? 0 : msOf(more, moreUnit));
    return ms < 0 ? said : `at ${clockText(ms % DAY_MS)}`;
  });
}

function msOf(number: string, unit: string): number {
  const count = WORDS[number.toLowerCase()] ?? Number(number);
  return count * SECONDS_OF[unit.toLowerCase() as keyof typeof SECONDS_OF] * 1_000;
}
