/** "9 pm", "7:30 this morning", "yesterday": times of the day as people say them, by the clocks of a time zone (default: that of the process). Wall times in ms since 1970. */
import { clockAt, instantAt } from '../time-zone.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Until this hour it is still tonight. */
const MORNING = 6;
const NOON = 12;
const EVENING = 18;
const DAY = 24;
/** Hours from the midnight before. */
const HOURS_OF: Readonly<Record<string, readonly [from: number, to: number]>> = {
  today: [0, DAY],
  'this morning': [0, NOON],
  'this afternoon': [NOON, EVENING],
  'this evening': [EVENING, DAY],
  tonight: [EVENING, DAY + MORNING],
  'last night': [EVENING - DAY, MORNING],
  yesterday: [-DAY, 0],
};
const DAYS = Object.keys(HOURS_OF).join('|');
/** Without one of these a time with a colon is one of the stream's clock. */
const MERIDIEM = ' ?[ap](?:m\\b|\\.m\\.)';

/** `9 pm`, `7:30 am yesterday`, `22:00 last night`. */
export const TIME_OF_DAY = `\\d{1,2}(?:(?::[0-5]\\d)?${MERIDIEM}(?: (?:${DAYS})\\b)?|:[0-5]\\d (?:${DAYS})\\b)`;
/** `today`, `this morning`; but not `yesterday's`, nor `yesterday evening`. */
export const PART_OF_DAY = `(?:${DAYS})\\b(?!['’]s| (?:morning|afternoon|evening|night)\\b)`;

const HOUR = '\\d{1,2}(?::[0-5]\\d)?';
const CLEAR_HOUR = `\\d{1,2}(?::[0-5]\\d(?:${MERIDIEM})?|${MERIDIEM})`;
/** "Yesterday after 5 pm", "this morning between 8:00 and 9:00". */
const DAY_FIRST = new RegExp(
  `\\b(${DAYS}),? ((?:(?:at|after|before|since|until|till|up to) |(?:between|from) ${HOUR}(?:${MERIDIEM})? (?:and|to|until|till) )${CLEAR_HOUR})(?! (?:${DAYS})\\b)`,
  'i',
);

const PARTS = new RegExp(`^(\\d{1,2})(:\\d{2})?(?: ?([ap])\\.?m\\.?)?(?: (${DAYS}))?$`, 'i');
const WHOLE = new RegExp(`^(?:${TIME_OF_DAY})$`, 'i');

/** The same question with its day behind the time that it is the day of, where TIME_OF_DAY has it. */
export function dayBehindTime(question: string): string {
  return question.replace(DAY_FIRST, '$2 $1');
}

export function isTimeOfDay(text: string): boolean {
  return WHOLE.test(text);
}

export function isPartOfDay(text: string): boolean {
  return Object.hasOwn(HOURS_OF, text.toLowerCase());
}

/** From when to when a part of a day is, for a question asked at `nowMs`. */
export function partOfDay(text: string, nowMs: number, zone?: string): readonly [fromMs: number, toMs: number] {
  const day = text.toLowerCase();
  const [from, to] = HOURS_OF[day] ?? [0, DAY];
  const midnight = midnightOf(day, nowMs, zone);
  return [atHour(midnight, from, zone), atHour(midnight, to, zone)];
}

/** When what TIME_OF_DAY matches was last, for a question asked at `nowMs`. */
export function timeOfDay(text: string, nowMs: number, zone?: string): number {
  return lastTime(partsOf(text), nowMs, zone);
}

/** From one time of the day to another, of which the one that says less takes over what the other says: "between 8:00 and 9:00 am", "between 8 am and 9 am yesterday". */
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
  if (last.day !== undefined && last.day !== day) return [fromMs, lastTime(last, nowMs, zone)];
  // "Between 10 pm and 2 am": the second is the next one after the first.
  return [fromMs, nextAt(hoursOf({ ...last, day }), fromMs, zone)];
}

interface Parts {
  readonly hour: string;
  readonly minutes: string;
  readonly half: 'a' | 'p' | undefined;
  readonly day: string | undefined;
}

function partsOf(text: string): Parts {
  const [, hour = '0', minutes = '', half, day] = PARTS.exec(text) ?? [];
  return { hour, minutes, half: half?.toLowerCase() as Parts['half'], day: day?.toLowerCase() };
}

function lastTime(parts: Parts, nowMs: number, zone: string | undefined): number {
  const { day } = parts;
  const hours = hoursOf(parts);
  const midnight = midnightOf(day, nowMs, zone);
  if (day !== undefined) {
    const evening = hours >= NOON;
    if (day === 'yesterday' || (day === 'last night' && evening)) return atHour(midnight, hours - DAY, zone);
    return atHour(midnight, day === 'tonight' && hours < MORNING ? hours + DAY : hours, zone);
  }
  const then = atHour(midnight, hours, zone);
  return then <= nowMs ? then : atHour(midnight, hours - DAY, zone);
}

/** Hours since midnight, with their part. */
function hoursOf({ hour, minutes, half, day }: Parts): number {
  let hours = Number(hour);
  if (half !== undefined) hours = (hours % NOON) + (half === 'p' ? NOON : 0);
  else if (day === 'last night') hours = hours === NOON ? 0 : hours < NOON && hours >= MORNING ? hours + NOON : hours;
  else if (
    day !== undefined &&
    hours < NOON &&
    (HOURS_OF[day]?.[0] ?? 0) >= NOON &&
    !(day === 'tonight' && hours < MORNING)
  ) {
    hours += NOON;
  }
  return hours + Number(minutes.slice(1)) / 60;
}

/** The midnight, on the zone's clocks, from which hours count: after midnight "tonight" and "this evening" are still those of the day before. */
function midnightOf(day: string | undefined, nowMs: number, zone: string | undefined): number {
  const back = day === 'tonight' || day === 'this evening' ? MORNING * HOUR_MS : 0;
  return Math.floor((clockAt(nowMs, zone) - back) / DAY_MS) * DAY_MS;
}

/** The first time from `fromMs` on that it is so many hours since midnight. */
function nextAt(hours: number, fromMs: number, zone: string | undefined): number {
  const midnight = midnightOf(undefined, fromMs, zone);
  const then = atHour(midnight, hours, zone);
  return then >= fromMs ? then : atHour(midnight, hours + DAY, zone);
}

/** When clocks are so many hours, which may be negative or more than a day's, after that midnight: on days that are longer or shorter, too. */
function atHour(midnight: number, hours: number, zone: string | undefined): number {
  return instantAt(midnight + Math.round(hours * 60) * MINUTE_MS, zone);
}
