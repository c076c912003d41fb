/**
 * "9 pm", "7:30 this morning", "yesterday": times of day as people say them, by the clocks of a time zone (default:
 * that of the process). Wall times in ms since 1970.
 */
import { clockAt, instantAt } from '../time-zone.ts';
import {
  DAY,
  DAY_HOURS,
  midnightBefore,
  MORNING_HOUR,
  NOON_HOUR,
  PART_OF_DAY,
  PARTED_DAY,
  saidDay,
} from './said-day.ts';
import { MERIDIEM } from './said-time.ts';

const SECOND_MS = 1_000;
const HOUR_ALONE = '(?<![\\w:.,/])(?:[01]?\\d|2[0-4])';
const MINUTES = ':[0-5]\\d(?::[0-5]\\d)?';

/** `9 pm`, `7:30 am yesterday`, `22:00 last night`, `9 this morning`. */
export const TIME_OF_DAY = `${HOUR_ALONE}(?:(?:${MINUTES})?${MERIDIEM}(?: ${DAY}\\b)?|${MINUTES} ${DAY}\\b| ${PARTED_DAY}\\b)`;

const HOUR = `${HOUR_ALONE}(?:${MINUTES})?`;
/** Without MERIDIEM or a day a time with a colon is one of the stream's clock. */
const CLEAR_HOUR = `${HOUR_ALONE}(?:${MINUTES}(?:${MERIDIEM})?|${MERIDIEM})`;
/** "Yesterday after 5 pm", "this morning between 8:00 and 9:00". */
const DAY_FIRST = new RegExp(
  `\\b(${DAY}),? ((?:(?:at|around|about|after|before|since|until|till|up to) |(?:between|from) ${HOUR}(?:${MERIDIEM})? (?:and|to|until|till) )${CLEAR_HOUR})(?! ${DAY}\\b)`,
  'i',
);
/** "Yesterday evening at 8". */
const PARTED_DAY_FIRST = new RegExp(
  `\\b(${PARTED_DAY}),? ((?:at|around|about|after|before|since|until|till|up to) \\d{1,2})(?![\\d:]|${MERIDIEM}| ${DAY}\\b)`,
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
const PART = new RegExp(`^(?:${PART_OF_DAY}|${DAY})$`, 'i');
const WHOLE = new RegExp(`^(?:${TIME_OF_DAY})$`, 'i');

/** Before the expressions above, which take long to compile. */
const SAYS_A_TIME = /\d|\b(?:noon|midnight)\b/i;

/** The same question with its times as TIME_OF_DAY has them: in digits, each with its day behind it. */
export function dayBehindTime(question: string): string {
  if (!SAYS_A_TIME.test(question)) return question;
  return question
    .replace(NOON, (_, word: string, time: string) => `${word} 12:00 ${time.toLowerCase() === 'noon' ? 'pm' : 'am'}`)
    .replace(O_CLOCK, ':00')
    .replace(DAY_INSIDE, '$1 $3 $2')
    .replace(DAY_FIRST, '$2 $1')
    .replace(PARTED_DAY_FIRST, '$2 $1');
}

export function isTimeOfDay(text: string): boolean {
  return WHOLE.test(text);
}

export function isPartOfDay(text: string): boolean {
  return PART.test(text);
}

/** From when to when a part of a day is, for a question asked at `nowMs`; NaN of a date that there is not. */
export function partOfDay(text: string, nowMs: number, zone?: string): readonly [fromMs: number, toMs: number] {
  const { midnight, hours } = saidDay(text, clockAt(nowMs, zone));
  return [atHour(midnight, hours[0], zone), atHour(midnight, hours[1], zone)];
}

/** When what TIME_OF_DAY matches was last, for a question asked at `nowMs`; NaN on a date that there is not. */
export function timeOfDay(text: string, nowMs: number, zone?: string): number {
  return lastTime(partsOf(text), nowMs, zone);
}

/** From when to when the day is that stands beside the time in what TIME_OF_DAY matches; null where none does. */
export function dayBesideTime(
  text: string,
  nowMs: number,
  zone?: string,
): readonly [fromMs: number, toMs: number] | null {
  const { day } = partsOf(text);
  return day === undefined ? null : partOfDay(day, nowMs, zone);
}

/**
 * From one time of day to another, of which the one that says less takes over what the other says: "between 8:00
 * and 9:00 am", "between 8 am and 9 am yesterday"; NaN on a date that there is not.
 */
export function timesOfDay(
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
  // "Between 11 and 1 pm": the first of them is in the other half of the day.
  const turned = first.half === undefined && last.half !== undefined && hoursOf(begin) > hoursOf({ ...last, day });
  const fromMs = lastTime(turned ? { ...begin, half: half === 'p' ? 'a' : 'p' } : begin, nowMs, zone);
  if (Number.isNaN(fromMs)) return [NaN, NaN];
  if (last.day !== undefined && last.day !== day) return [fromMs, lastTime(last, nowMs, zone)];
  // "Between 10 pm and 2 am": the second is the next one after the first, and so it is of "between 5 pm and 6:30", in
  // either half of the day.
  const halves =
    first.half !== undefined && last.half === undefined && Number(last.hour) <= NOON_HOUR ? HALVES : [last.half];
  return [fromMs, Math.min(...halves.map((one) => nextAt(hoursOf({ ...last, half: one, day }), fromMs, zone)))];
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

function lastTime(parts: Parts, nowMs: number, zone: string | undefined): number {
  const now = clockAt(nowMs, zone);
  if (parts.day !== undefined) return atHour(saidDay(parts.day, now).midnight, hoursOf(parts), zone);
  const then = atHour(midnightBefore(now), hoursOf(parts), zone);
  return then <= nowMs ? then : atHour(midnightBefore(now), hoursOf(parts) - DAY_HOURS, zone);
}

/**
 * Hours since the midnight of their day, with their part. Of an evening or an afternoon "9:30" is 21:30; of a night
 * "2:00" is the next morning's.
 */
function hoursOf({ hour, minutes, half, day }: Parts): number {
  const [begin, end] = day === undefined ? [0, DAY_HOURS] : saidDay(day, 0).hours;
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

/** The first time from `fromMs` on that it is so many hours since midnight. */
function nextAt(hours: number, fromMs: number, zone: string | undefined): number {
  const midnight = midnightBefore(clockAt(fromMs, zone));
  const then = atHour(midnight, hours % DAY_HOURS, zone);
  return then >= fromMs ? then : atHour(midnight, (hours % DAY_HOURS) + DAY_HOURS, zone);
}

/**
 * When clocks are so many hours, which may be negative or more than a day's, after that midnight: on days that are
 * longer or shorter, too.
 */
function atHour(midnight: number, hours: number, zone: string | undefined): number {
  const clock = midnight + Math.round(hours * 3_600) * SECOND_MS;
  return Number.isNaN(clock) ? NaN : instantAt(clock, zone);
}
