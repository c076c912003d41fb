/**
 * How people state durations and times of a stream: parts of regular expressions without groups, and their values in
 * ms.
 */

const SECONDS_OF = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
const ONES = { one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7, eight: 8, nine: 9 } as const;
const TENS = { twenty: 20, thirty: 30, forty: 40, fifty: 50, sixty: 60, seventy: 70, eighty: 80, ninety: 90 } as const;
const TEENS = {
  ...{ ten: 10, eleven: 11, twelve: 12, thirteen: 13, fourteen: 14, fifteen: 15 },
  ...{ sixteen: 16, seventeen: 17, eighteen: 18, nineteen: 19 },
} as const;
/** Numbers that people tend to write out. */
const WORDS: Readonly<Record<string, number>> = {
  ...{ a: 1, an: 1, half: 0.5, 'a half': 0.5, 'half a': 0.5, 'half an': 0.5, 'half of an': 0.5 },
  ...{ quarter: 0.25, 'a quarter': 0.25, 'a quarter of an': 0.25, 'quarter of an': 0.25 },
  ...{ 'three quarters of an': 0.75, 'three-quarters of an': 0.75 },
  ...{ 'a couple of': 2, 'couple of': 2, couple: 2, 'a couple': 2, 'a few': 5, few: 5 },
  ...{ hundred: 100, 'a hundred': 100, 'one hundred': 100 },
  ...{ ...ONES, ...TENS, ...TEENS },
};
const anyOf = (words: object): string => Object.keys(words).join('|');
const ONE_TO_NINE = anyOf(ONES);
const TEN_TO_NINETEEN = anyOf(TEENS);
const TWENTY_AND_MORE = anyOf(TENS);
/** "Five", "twenty five"; never just the "twenty" of "twenty-five". */
const NUMERAL =
  `(?:(?:${TWENTY_AND_MORE})(?:[- ](?:${ONE_TO_NINE})\\b|(?![- ](?:${ONE_TO_NINE})\\b))` +
  `|${TEN_TO_NINETEEN}|${ONE_TO_NINE})`;
const WORD = Object.keys(WORDS)
  .sort((a, b) => b.length - a.length)
  .join('|');
const AND_PART = '(?: and a (?:half|quarter))?';
const DIGITS = '(?:\\d{1,3}(?:,\\d{3})+|\\d{1,5}(?:\\.\\d{1,2})?)';
const FRACTION = '(?:(?:\\d{1,2} )?(?:1/2|1/4|3/4)|\\d{0,2} ?[½¼¾])(?: (?:of )?an)?';
/** Includes the space before the unit, which words need and digits may have. */
const NUMBER = `(?:(?:${FRACTION}|${DIGITS}${AND_PART}) ?|(?:${NUMERAL}|${WORD})${AND_PART} )`;
/** A whole number and the space after it: "2 ", "two ", "a ". */
export const COUNT = `(?:\\d{1,3}|a|${NUMERAL}) `;
const UNIT = '(?:s(?:ecs?|econds?)?|m(?:ins?|inutes?)?|h(?:rs?|ours?)?|d(?:ays?)?|weeks?)';
const QUANTITY = `${NUMBER}${UNIT}`;

/** Stands between two numbers that share the unit of the second. */
const JOINED = ' ?(?:to|or|and|and a|-|–) ?';
/**
 * Asserts that a number begins here and is not the tail of a larger one: fails at the "5 minutes" of "twenty-five
 * minutes" or of "10 to 5 minutes".
 */
export const NUMBER_START =
  `(?<![\\w.,:/½¼¾-])(?<!\\d${JOINED})` +
  `(?<!\\b(?:${TWENTY_AND_MORE}|${TEN_TO_NINETEEN}|${ONE_TO_NINE}|hundred|thousand|point)${JOINED})` +
  `(?<!\\b(?:${TWENTY_AND_MORE}|hundred|thousand|point) )` +
  `(?<!\\b(?:${TEN_TO_NINETEEN}|${ONE_TO_NINE}) (?=hundred\\b))`;

/** "10 seconds", "an hour and a half", "2 min 30 s". */
export const DURATION = `${QUANTITY}\\b${AND_PART}(?:,? (?:and )?${QUANTITY}\\b)?`;
/** "minute", "hour and a half": a unit without a number means one. */
export const BARE_UNIT = `${UNIT}\\b${AND_PART}`;
/** The first number of "between 10 and 5 minutes ago", which takes its unit from the second. */
export const BARE_NUMBER = `(?:\\d{1,3}|${NUMERAL})`;
/** "am", "p.m.", including the space before it. */
export const AM_PM = '(?: ?[ap](?:m\\b|\\.m\\.))';
/** Tells which half of the day an hour is in. */
export const MERIDIEM = `(?:${AM_PM}| in the (?:morning|afternoon|evening)\\b)`;
/** An hour of the day as a twelve-hour clock shows it. */
export const to12Hour = (hour: number): number => hour % 12 || 12;
/** Follows a whole hour; includes the space before it. */
export const O_CLOCK = " o['’]?clock\\b";
/** `1:42` or `1:02:03`, the form of times in answers. */
export const CLOCK = `\\d{1,3}:[0-5]\\d(?::[0-5]\\d)?(?![:\\d]|${MERIDIEM})`;

const EACH = new RegExp(`(?<!\\w)(${NUMBER})?(?=(s|m|h|d|w))${UNIT}\\b(${AND_PART})`, 'gi');
const FRACTIONS: Readonly<Record<string, number>> = {
  ...{ '1/2': 0.5, '1/4': 0.25, '3/4': 0.75, '½': 0.5, '¼': 0.25, '¾': 0.75 },
  ...{ half: 0.5, quarter: 0.25 },
};

/** The length in ms of a match of DURATION or BARE_UNIT, in any case. */
export function parseDurationMs(text: string): number {
  let ms = 0;
  for (const [, number = 'one', unit = '', part = ''] of text.matchAll(EACH)) {
    const count = parseNumberWords(number) + (FRACTIONS[part.replace(' and a ', '').toLowerCase()] ?? 0);
    ms += count * SECONDS_OF[unit.toLowerCase() as keyof typeof SECONDS_OF] * 1_000;
  }
  return ms;
}

const NUMBER_FIRST = new RegExp(`^${NUMBER}`, 'i');

/** Turns "5 minutes ago" into "10 minutes ago". */
export function withNumber(length: string, number: string): string {
  return length.replace(NUMBER_FIRST, `${number} `);
}

/** The value of a match of NUMBER or COUNT. */
export function parseNumberWords(text: string): number {
  const word = text.trim().toLowerCase();
  const [, whole, part = ''] = /^(.+) and a (half|quarter)$/.exec(word) ?? [];
  if (whole !== undefined) return parseNumberWords(whole) + (FRACTIONS[part] ?? 0);
  const [, ones, fraction] = /^(\d*) ?([13]\/[24]|[½¼¾])(?: (?:of )?an)?$/.exec(word) ?? [];
  if (fraction !== undefined) return Number(ones) + (FRACTIONS[fraction] ?? 0);
  const [tens = '', one] = word.split(/[- ]/);
  if (one !== undefined && tens in TENS) return parseNumberWords(tens) + parseNumberWords(one);
  return WORDS[word] ?? Number(word.replaceAll(',', ''));
}

/** The ms since the stream began of a match of CLOCK. */
export function parseClockMs(clock: string): number {
  return clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000;
}
