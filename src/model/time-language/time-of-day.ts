/**
 * "9 pm", "7:30 this morning", "yesterday": times of day as people say them, on the clocks of a time zone (default: the
 * process's). Results are wall times in ms since 1970.
 */
import { clockAt, instantAt } from '../../time-zone.ts';
import {
  DAY,
  DAY_HOURS,
  midnightBefore,
  MORNING_HOUR,
  NOON_HOUR,
  STANDALONE_DAY,
  WEEK_OR_MONTH,
  DAY_WITH_PERIOD,
  parseDay,
} from './day-phrases.ts';
import { MERIDIEM } from './time-phrases.ts';

const SECOND_MS = 1_000;
const HOUR_ALONE = '(?<![\\w:.,/])(?:[01]?\\d|2[0-4])';
const MINUTES = ':[0-5]\\d(?::[0-5]\\d)?';

/** `9 pm`, `7:30 am yesterday`, `22:00 last night`, `9 this morning`. */
export const TIME_OF_DAY = `${HOUR_ALONE}(?:(?:${MINUTES})?${MERIDIEM}(?: ${DAY}\\b)?|${MINUTES} ${DAY}\\b| ${DAY_WITH_PERIOD}\\b)`;

const HOUR = `${HOUR_ALONE}(?:${MINUTES})?`;
/** Without MERIDIEM or a day, a time with a colon is one on the stream's clock. */
const CLEAR_HOUR = `${HOUR_ALONE}(?:${MINUTES}(?:${MERIDIEM})?|${MERIDIEM})`;
/** "Yesterday after 5 pm", "this morning between 8:00 and 9:00". */
const DAY_FIRST = new RegExp(
  `\\b(${DAY}),? ((?:(?:at|around|about|after|before|since|until|till|up to) |(?:between|from) ${HOUR}(?:${MERIDIEM})? (?:and|to|until|till) )${CLEAR_HOUR})(?! ${DAY}\\b)`,
  'i',
);
/** "Yesterday evening at 8". */
const PARTED_DAY_FIRST = new RegExp(
  `\\b(${DAY_WITH_PERIOD}),? ((?:at|around|about|after|before|since|until|till|up to) \\d{1,2})(?![\\d:]|${MERIDIEM}| ${DAY}\\b)`,
  'i',
);
/** "Since yesterday at 5 pm", "between yesterday 5 pm and today 8 am". */
const DAY_INSIDE = new RegExp(
  `\\b((?<!\\bday )before|at|since|after|until|till|up to|from|between|and|to) (${DAY}),? (?:at )?(${CLEAR_HOUR})(?! ${DAY}\\b)`,
  'gi',
);
const NOON = /\b(at|around|about|after|before|since|until|till|up to|between|from|and|to) (noon|midnight)\b/gi;
const O_CLOCK = new RegExp(
  ` o['’]?clock\\b(?= ${DAY}\\b| in the )|(?<=\\b${DAY},? (?:at|around|about|after|before|since|until|till) \\d{1,2}) o['’]?clock\\b`,
  'gi',
);

const PARTS = new RegExp(
  `^(\\d{1,2})((?::\\d{2}){1,2})?(?: ?([ap])\\.?m\\.?| in the (morning|afternoon|evening))?(?: (${DAY}))?$`,
  'i',
);
const DAY_PHRASE = new RegExp(`^(?:${STANDALONE_DAY}|${DAY}|${WEEK_OR_MONTH})$`, 'i');
const WHOLE_TIME = new RegExp(`^(?:${TIME_OF_DAY})$`, 'i');

/** Tested before the expressions above, which take long to compile. */
const SAYS_A_TIME = /\d|\b(?:noon|midnight)\b/i;

/** The question with its times in the form of TIME_OF_DAY: in digits, each followed by its day. */
export function normaliseTimesOfDay(question: string): string {
  if (!SAYS_A_TIME.test(question)) return question;
  return question
    .replace(NOON, (_, word: string, time: string) => `${word} 12:00 ${time.toLowerCase() === 'noon' ? 'pm' : 'am'}`)
    .replace(O_CLOCK, ':00')
    .replace(DAY_INSIDE, '$1 $3 $2')
    .replace(DAY_FIRST, '$2 $1')
    .replace(PARTED_DAY_FIRST, '$2 $1');
}

export function isTimeOfDay(text: string): boolean {
  return WHOLE_TIME.test(text);
}

export function isDayPhrase(text: string): boolean {
  return DAY_PHRASE.test(text);
}

/** The start and end of a part of a day, for a question asked at `nowMs`; NaN if the date does not exist. */
export function dayRange(text: string, nowMs: number, zone?: string): readonly [fromMs: number, toMs: number] {
  const { midnight, hours } = parseDay(text, clockAt(nowMs, zone));
  return [instantAtHour(midnight, hours[0], zone), instantAtHour(midnight, hours[1], zone)];
}

/** The time of a match of TIME_OF_DAY, without a day the latest up to `nowMs`; NaN if the date does not exist. */
export function timeOfDay(text: string, nowMs: number, zone?: string): number {
  return latestTime(partsOf(text), nowMs, zone);
}

/** The start and end of the day named in a match of TIME_OF_DAY; null if it names none. */
export function dayRangeOfTime(
  text: string,
  nowMs: number,
  zone?: string,
): readonly [fromMs: number, toMs: number] | null {
  const { day } = partsOf(text);
  return day === undefined ? null : dayRange(day, nowMs, zone);
}

/**
 * The start and end of a range between two times of day. The one that says less takes what it lacks from the other:
 * "between 8:00 and 9:00 am", "between 8 am and 9 am yesterday". NaN if the date does not exist.
 */
export function timeOfDayRange(
  from: string,
  to: string,
  nowMs: number,
  zone?: string,
): readonly [fromMs: number, toMs: number] {
  const last = partsOf(to);
  const first = partsOf(from);
  const day = first.day ?? last.day;
  const half = first.half ?? last.half;
  const begin = { ...first, half, day };
  // "Between 11 and 1 pm": 11 is in the other half of the day.
  const isOtherHalf = first.half === undefined && last.half !== undefined && hoursOf(begin) > hoursOf({ ...last, day });
  const fromMs = latestTime(isOtherHalf ? { ...begin, half: half === 'p' ? 'a' : 'p' } : begin, nowMs, zone);
  if (Number.isNaN(fromMs)) return [NaN, NaN];
  if (last.day !== undefined && last.day !== day) return [fromMs, latestTime(last, nowMs, zone)];
  // The second time is the next one after the first: "between 10 pm and 2 am". Without a half of the day, it is the
  // next one in either: "between 5 pm and 6:30".
  const halves =
    first.half !== undefined && last.half === undefined && Number(last.hour) <= NOON_HOUR ? HALVES : [last.half];
  return [fromMs, Math.min(...halves.map((one) => nextInstantAt(hoursOf({ ...last, half: one, day }), fromMs, zone)))];
}

const HALVES = ['a', 'p'] as const;

interface Parts {
  readonly hour: string;
  readonly minutes: string;
  readonly half: 'a' | 'p' | undefined;
  readonly day: string | undefined;
}

function partsOf(text: string): Parts {
  const [, hour = '0', minutes = '', letter, part, day] = PARTS.exec(text) ?? [];
  const half =
    letter === undefined && part === undefined ? undefined : /^(?:a|morning)$/i.test(letter ?? part ?? '') ? 'a' : 'p';
  return { hour, minutes, half, day: day?.toLowerCase() };
}

function latestTime(parts: Parts, nowMs: number, zone: string | undefined): number {
  const now = clockAt(nowMs, zone);
  if (parts.day !== undefined) return instantAtHour(parseDay(parts.day, now).midnight, hoursOf(parts), zone);
  const then = instantAtHour(midnightBefore(now), hoursOf(parts), zone);
  return then <= nowMs ? then : instantAtHour(midnightBefore(now), hoursOf(parts) - DAY_HOURS, zone);
}

/**
 * Hours since the midnight that begins the day. The part of the day counts: "9:30" of an evening or an afternoon is
 * 21:30, and "2:00" of a night is the next morning's.
 */
function hoursOf({ hour, minutes, half, day }: Parts): number {
  const [begin, end] = day === undefined ? [0, DAY_HOURS] : parseDay(day, 0).hours;
  const said = Number(hour);
  const night = end > DAY_HOURS;
  const onClock = said % NOON_HOUR;
  let hours = said;
  if (half !== undefined) hours = onClock + (half === 'p' ? NOON_HOUR : 0);
  else if (night && said <= NOON_HOUR) hours = onClock >= MORNING_HOUR ? onClock + NOON_HOUR : onClock;
  else if (said < NOON_HOUR && begin >= NOON_HOUR) hours += NOON_HOUR;
  else if (said === NOON_HOUR && end === NOON_HOUR) hours = 0;
  return (night && hours < NOON_HOUR ? hours + DAY_HOURS : hours) + minutesOf(minutes) / 60;
}

/** `:30` or `:30:15`. */
function minutesOf(text: string): number {
  const [, minutes = '0', seconds = '0'] = text.split(':');
  return Number(minutes) + Number(seconds) / 60;
}

/** The first time at or after `fromMs` that is this many hours after a midnight. */
function nextInstantAt(hours: number, fromMs: number, zone: string | undefined): number {
  const midnight = midnightBefore(clockAt(fromMs, zone));
  const then = instantAtHour(midnight, hours % DAY_HOURS, zone);
  return then >= fromMs ? then : instantAtHour(midnight, (hours % DAY_HOURS) + DAY_HOURS, zone);
}

/**
 * The instant when clocks are this many hours after that midnight, also on days that are longer or shorter. `hours` may
 * be negative, or more than a day.
 */
function instantAtHour(midnight: number, hours: number, zone: string | undefined): number {
  const clock = midnight + Math.round(hours * 3_600) * SECOND_MS;
  return Number.isNaN(clock) ? NaN : instantAt(clock, zone);
}
