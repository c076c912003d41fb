/** How people say lengths of time and times of a stream, as parts of regular expressions, and what they come to in ms. */

const SECONDS_OF = { s: 1, m: 60, h: 3_600 } as const;
/** Numbers that people rather write out. */
const WORDS: Readonly<Record<string, number>> = {
  ...{
    a: 1,
    an: 1,
    one: 1,
    half: 0.5,
    'half a': 0.5,
    'half an': 0.5,
    'a couple of': 2,
    'couple of': 2,
    two: 2,
    three: 3,
    four: 4,
    few: 5,
    five: 5,
    six: 6,
  },
  ...{ seven: 7, eight: 8, nine: 9, ten: 10, fifteen: 15, twenty: 20, thirty: 30, forty: 40, fifty: 50, sixty: 60 },
};

/** One group each: how many, and the first letter of the unit; `msOf` takes the two. */
export const NUMBER = `(\\d{1,5}(?:\\.\\d)?|${Object.keys(WORDS)
  .sort((a, b) => b.length - a.length)
  .join('|')})`;
export const UNIT = '(s|m|h)(?:ecs?|econds?|ins?|inutes?|rs?|ours?)?';
/** One group: `1:42` or `1:02:03`, as answers say times; `clockMs` takes it. */
export const CLOCK = '(\\d{1,3}:[0-5]\\d(?::[0-5]\\d)?)(?![:\\d])';

/** ms of so many of a unit, in any case. */
export function msOf(number: string, unit: string): number {
  const count = WORDS[number.toLowerCase()] ?? Number(number);
  return count * SECONDS_OF[unit.toLowerCase() as keyof typeof SECONDS_OF] * 1_000;
}

/** ms since the stream began. */
export function clockMs(clock: string): number {
  return clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000;
}
