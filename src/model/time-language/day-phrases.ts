/**
 * How people name days, parts of them, weeks and months ("yesterday evening", "on the 2nd", "last week"): parts of
 * regular expressions without groups, and the times that they cover. Hours count from the midnight that begins the day;
 * those from 24 on belong to the days after it. A clock's time is the ms since 1970 at which a UTC clock shows the
 * same.
 */
import { COUNT, parseNumberWords } from './time-phrases.ts';

/** A range of hours; `to` is after `from`. */
export type HourRange = readonly [from: number, to: number];

/** A day, by its midnight on the clock, and the hours from it that are meant: of a week or month, those of all days. */
export interface ParsedDay {
  readonly midnight: number;
  readonly hours: HourRange;
}

export const DAY_HOURS = 24;
/** Tonight ends at this hour. */
export const MORNING_HOUR = 6;
export const NOON_HOUR = 12;
const EVENING_HOUR = 18;

const HOUR_MS = 3_600_000;
const DAY_MS = DAY_HOURS * HOUR_MS;
const WEEK = 7;

const WHOLE_WEEK: HourRange = [0, WEEK * DAY_HOURS];
const WEEKEND: HourRange = [0, 2 * DAY_HOURS];
const WHOLE: HourRange = [0, DAY_HOURS];
const NIGHT: HourRange = [EVENING_HOUR, DAY_HOURS + MORNING_HOUR];
const HOURS_OF: Readonly<Record<string, HourRange>> = {
  morning: [0, NOON_HOUR],
  afternoon: [NOON_HOUR, EVENING_HOUR],
  evening: [EVENING_HOUR, DAY_HOURS],
  night: NIGHT,
};
export const DAY_PERIOD = `(?:${Object.keys(HOURS_OF).join('|')})`;
const OPTIONAL_PERIOD = `(?: (?:in the )?${DAY_PERIOD}| at night)?`;
export const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const WEEKDAY = `(?:${WEEKDAYS.join('|')})`;
const COUNTED = `${COUNT}days? ago`;
export const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MONTH =
  '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)';
const NTH = '\\d{1,2}(?:st|nd|rd|th)';
/** "The 2nd" may also be a floor. */
const NTH_ALONE = `the ${NTH}(?=\\W*$|[,;] | (?:at|after|before|since|until|till|up to|between|from|(?:in the )?${DAY_PERIOD})\\b)`;
const YEAR = '(?:,? (?:19|20)\\d\\d\\b(?!:))?';
const IN_MONTH = `(?:(?:the )?(?:${NTH}|\\d{1,2})(?: of)? ${MONTH}\\b|${MONTH} (?:${NTH}|\\d{1,2})(?!:|\\d| ?[ap]\\.?m))${YEAR}`;
/** `2026-11-29`, `November 29`, `29 November 2026`, `the 29th`. */
export const DATE = `(?:\\d{4}-\\d\\d-\\d\\d|${IN_MONTH}|${NTH_ALONE})`;
const DATED = `(?:${WEEKDAY},? )?${DATE}`;

/** Next to a time of day these are surely days. Longer ones come first. */
const DAYS = [
  'this (?:morning|afternoon|evening)',
  'tonight',
  'last night',
  `(?:the day before yesterday|yesterday)${OPTIONAL_PERIOD}`,
  'today',
  `${COUNTED}${OPTIONAL_PERIOD}`,
];
/** Alone, "tomorrow" is rather what a sign says than a time that is asked about. */
export const DAY = `(?:${[...DAYS, `tomorrow${OPTIONAL_PERIOD}`, `(?:on )?${DATED}${OPTIONAL_PERIOD}`, `(?:on |last |on last )?${WEEKDAY}${OPTIONAL_PERIOD}`].join('|')})`;
/** A day with its part, which tells the half of the day of a bare hour. */
export const DAY_WITH_PERIOD = `(?:this (?:morning|afternoon|evening)|tonight|last night|(?:the day before yesterday|yesterday|tomorrow|${COUNTED}|(?:on )?${DATED}|(?:on |last |on last )?${WEEKDAY})(?: (?:in the )?${DAY_PERIOD}| at night))`;
/** Weeks, weekends and months, which have no time of day. */
export const WEEK_OR_MONTH = '(?:(?:this|last) (?:week|month)|(?:this|last|the) weekend)\\b';
/** Without a day: the last one that has begun. */
const PERIOD_ALONE = `(?:in|during) the (?:morning|afternoon|evening)`;
/** Without a time, a weekday or a date needs more than its name: "is it Monday?" asks something else. */
const ALONE = [
  ...DAYS,
  `on ${DATED}${OPTIONAL_PERIOD}`,
  `(?:on |last |on last )${WEEKDAY}${OPTIONAL_PERIOD}`,
  `${WEEKDAY} ${DAY_PERIOD}`,
  'overnight',
  '(?:during|in|through|throughout) the night',
  '(?:this|last) (?:week(?:end)?|month)',
  '(?:at|on|over|during|through|throughout) (?:this|last|the) weekend',
  PERIOD_ALONE,
];
/** `today`, `yesterday evening`, `on Monday`; but not `yesterday's`. */
export const STANDALONE_DAY = `(?:${ALONE.join('|')})\\b(?!['’]s| (?:in the )?${DAY_PERIOD}\\b)`;

const OF_THE_WEEK = new RegExp(`^(?:on )?(?:last )?(${WEEKDAY})`);
const AGO = new RegExp(`^(${COUNT})days? ago\\b`);
const THE_NIGHT = /^(?:last night|overnight|(?:during|in|through|throughout) the night)$/;
const SAYS_WEEK = /\b(?:this|last|the) week(?:end)?$/;
const SAYS_MONTH = /\b(?:this|last) month$/;
const SAYS_PERIOD_ALONE = new RegExp(`^${PERIOD_ALONE}$`);
const ISO_DATE = /(\d{4})-(\d\d)-(\d\d)/;
const YEAR_SAID = / ((?:19|20)\d\d)\b/;
const DAY_OF_MONTH = /\b(\d{1,2})(?:st|nd|rd|th)?\b/;
const MONTH_SAID = new RegExp(`\\b(${MONTH})\\b`);
/** "Tonight" and "overnight" also end with "night". */
const PART_AT_END = new RegExp(`${DAY_PERIOD}$`);

/**
 * The day that a match of DAY means when the clock shows `nowClock`. Its midnight is NaN if the date does not exist. A
 * weekday means the last one before today: "on Monday" is said on other days. Without a day, a part of it is the last
 * one that has begun.
 */
export function parseDay(text: string, nowClock: number): ParsedDay {
  const day = text.toLowerCase();
  // After midnight, these still mean the day before.
  const late = day === 'tonight' || day === 'this evening' ? MORNING_HOUR * HOUR_MS : 0;
  const today = midnightBefore(nowClock - late);
  const [week] = SAYS_WEEK.exec(day) ?? [];
  if (week !== undefined) return parseWeek(week, today);
  const [month] = SAYS_MONTH.exec(day) ?? [];
  if (month !== undefined) return parseMonth(month, today);
  const hours = HOURS_OF[PART_AT_END.exec(day)?.[0] ?? ''] ?? WHOLE;
  if (SAYS_PERIOD_ALONE.test(day)) {
    const hasBegun = today + hours[0] * HOUR_MS <= nowClock;
    return { midnight: hasBegun ? today : today - DAY_MS, hours };
  }
  return { midnight: dateOf(day, today) ?? today - daysBack(day, today) * DAY_MS, hours };
}

/** Weeks begin on Monday (ISO 8601). "Last weekend" is one that is over. */
function parseWeek(week: string, today: number): ParsedDay {
  const isWeekend = week.endsWith('end');
  const first = WEEKDAYS.indexOf(isWeekend ? 'saturday' : 'monday');
  const hours = isWeekend ? WEEKEND : WHOLE_WEEK;
  const daysSince = (new Date(today).getUTCDay() - first + WEEK) % WEEK;
  const isOver = daysSince * DAY_HOURS >= hours[1];
  const weeksBack = week.startsWith('last') && !isOver ? 1 : 0;
  return { midnight: today - (daysSince + weeksBack * WEEK) * DAY_MS, hours };
}

function parseMonth(month: string, today: number): ParsedDay {
  const now = new Date(today);
  const [year, index] = [now.getUTCFullYear(), now.getUTCMonth() - (month.startsWith('last') ? 1 : 0)];
  const midnight = Date.UTC(year, index, 1);
  return { midnight, hours: [0, (Date.UTC(year, index + 1, 1) - midnight) / HOUR_MS] };
}

/** How many months back to look for a date without a month: the latest 31st is at most two months ago. */
const MONTHS_BACK = 2;
/** The same in years for a date without a year: the latest February 29th is at most eight years ago. */
const YEARS_BACK = 8;

/**
 * The midnight of a date; without a year or a month, that of the latest such date up to today. NaN if the date does not
 * exist; null if the day is not said as a date.
 */
function dateOf(day: string, today: number): number | null {
  const [iso, isoYear, isoMonth, isoDay] = ISO_DATE.exec(day) ?? [];
  if (iso !== undefined)
    return Number(isoMonth) < 1 ? NaN : midnightOf(Number(isoYear), Number(isoMonth) - 1, Number(isoDay));
  const [, inMonth] = AGO.test(day) ? [] : (DAY_OF_MONTH.exec(day) ?? []);
  if (inMonth === undefined) return null;
  const [now, date] = [new Date(today), Number(inMonth)];
  const said = MONTH_SAID.exec(day)?.[1];
  const last = (count: number, ago: (i: number) => number): number =>
    Array.from({ length: count + 1 }, (_, i) => ago(i)).find((midnight) => midnight <= today) ?? NaN;
  if (said === undefined) {
    return last(MONTHS_BACK, (months) => midnightOf(now.getUTCFullYear(), now.getUTCMonth() - months, date));
  }
  const month = MONTHS.indexOf(said.slice(0, 3));
  const year = YEAR_SAID.exec(day)?.[1];
  if (year !== undefined) return midnightOf(Number(year), month, date);
  return last(YEARS_BACK, (years) => midnightOf(now.getUTCFullYear() - years, month, date));
}

/** NaN if the month has no such day. `month` may be negative. */
function midnightOf(year: number, month: number, day: number): number {
  const midnight = Date.UTC(year, month, day);
  const first = new Date(Date.UTC(year, month, 1));
  const there = new Date(midnight);
  return month < MONTHS.length && there.getUTCMonth() === first.getUTCMonth() && there.getUTCDate() === day
    ? midnight
    : NaN;
}

function daysBack(day: string, today: number): number {
  if (day.startsWith('the day before yesterday')) return 2;
  if (day.startsWith('tomorrow')) return -1;
  if (day.startsWith('yesterday') || THE_NIGHT.test(day)) return 1;
  const [, count] = AGO.exec(day) ?? [];
  if (count !== undefined) return parseNumberWords(count);
  const [, weekday] = OF_THE_WEEK.exec(day) ?? [];
  if (weekday === undefined) return 0;
  return (new Date(today).getUTCDay() - WEEKDAYS.indexOf(weekday) + WEEK) % WEEK || WEEK;
}

/** The last midnight at or before a clock's time. */
export function midnightBefore(clock: number): number {
  return Math.floor(clock / DAY_MS) * DAY_MS;
}
