/** How people say lengths of time and times of a stream, as parts of regular expressions without groups, and what they come to in ms. */

const SECONDS_OF = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const NUMERALS = {
  ...{ one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7, eight: 8, nine: 9, ten: 10 },
  ...{ eleven: 11, twelve: 12, fifteen: 15, twenty: 20, thirty: 30, forty: 40, fifty: 50, sixty: 60 },
} as const;
/** Numbers that people rather write out. */
const WORDS: Readonly<Record<string, number>> = {
  ...{ a: 1, an: 1, half: 0.5, 'half a': 0.5, 'half an': 0.5, 'a quarter of an': 0.25 },
  ...{ 'a couple of': 2, 'couple of': 2, couple: 2, 'a few': 5, few: 5 },
  ...NUMERALS,
};
/** With the blank that a word needs before its unit, and digits may have. */
const NUMBER = `(?:\\d{1,5}(?:\\.\\d)? ?|(?:${Object.keys(WORDS)
  .sort((a, b) => b.length - a.length)
  .join('|')}) )`;
/** A whole number, with the blank behind it: "2 ", "two ", "a ". */
export const COUNT = `(?:\\d{1,3}|a|${Object.keys(NUMERALS).join('|')}) `;
const UNIT = '(?:s(?:ecs?|econds?)?|m(?:ins?|inutes?)?|h(?:rs?|ours?)?|d(?:ays?)?)';
const PART = `${NUMBER}${UNIT}`;
const HALF = '(?: and a half)?';

/** "10 seconds", "an hour and a half", "2 min 30 s". */
export const LENGTH = `${PART}\\b${HALF}(?:,? (?:and )?${PART}\\b)?`;
/** "minute", "hour and a half": one of it. */
export const ONE = `${UNIT}\\b${HALF}`;
/** `1:42` or `1:02:03`, as answers say times. */
export const CLOCK = '\\d{1,3}:[0-5]\\d(?::[0-5]\\d)?(?![:\\d])';

const EACH = new RegExp(`\\b(${NUMBER})?(?=(s|m|h|d))${UNIT}\\b( and a half)?`, 'gi');

/** ms of what LENGTH or ONE matches, in any case. */
export function lengthMs(text: string): number {
  let ms = 0;
  for (const [, number = 'one', unit = '', half] of text.matchAll(EACH)) {
    const count = countOf(number);
    ms += (count + (half === undefined ? 0 : 0.5)) * SECONDS_OF[unit.toLowerCase() as keyof typeof SECONDS_OF] * 1_000;
  }
  return ms;
}

/** The number that COUNT matches. */
export function countOf(text: string): number {
  const word = text.trim().toLowerCase();
  return WORDS[word] ?? Number(word);
}

/** ms since the stream began of what CLOCK matches. */
export function clockMs(clock: string): number {
  return clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000;
}
