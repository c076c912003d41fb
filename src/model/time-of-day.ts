/** "9 pm", "7:30 this morning", "yesterday": times of the day as people say them, by the clock and the time zone of this machine. Wall times in ms since 1970. */

/** Hours from the midnight before the moment of the question. */
const HOURS_OF: Readonly<Record<string, readonly [from: number, to: number]>> = {
  today: [0, 24],
  'this morning': [0, 12],
  'this afternoon': [12, 18],
  'this evening': [18, 24],
  tonight: [18, 24],
  'last night': [-6, 6],
  yesterday: [-24, 0],
};
const HALF_DAY = 12;
const DAYS = Object.keys(HOURS_OF).join('|');
/** Without one of these a time with a colon is one of the stream's clock. */
const MERIDIEM = ' ?[ap](?:m\\b|\\.m\\.)';

/** `9 pm`, `7:30 am yesterday`, `22:00 last night`. */
export const TIME_OF_DAY = `\\d{1,2}(?:(?::[0-5]\\d)?${MERIDIEM}(?: (?:${DAYS})\\b)?|:[0-5]\\d (?:${DAYS})\\b)`;
/** `today`, `this morning`. */
export const PART_OF_DAY = `(?:${DAYS})`;

const PARTS = new RegExp(`^(\\d{1,2})(?::(\\d{2}))?(?: ?([ap])\\.?m\\.?)?(?: (${DAYS}))?$`, 'i');

/** From when to when a part of a day is, for a question asked at `nowMs`. */
export function partOfDay(text: string, nowMs: number): readonly [fromMs: number, toMs: number] {
  const [from, to] = HOURS_OF[text.toLowerCase()] ?? [0, 24];
  return [atHour(nowMs, from), atHour(nowMs, to)];
}

/** When what TIME_OF_DAY matches was last, for a question asked at `nowMs`; with `fromMs` the first time from then on. */
export function timeOfDay(text: string, nowMs: number, fromMs?: number): number {
  const [, hours = '0', minutes = '0', half, day] = PARTS.exec(text) ?? [];
  const said = HOURS_OF[day?.toLowerCase() ?? ''];
  let hour = Number(hours);
  if (half !== undefined) hour = (hour % HALF_DAY) + (half.toLowerCase() === 'p' ? HALF_DAY : 0);
  else if (said !== undefined && hour < HALF_DAY && said[0] >= HALF_DAY) hour += HALF_DAY;
  const time = hour + Number(minutes) / 60;
  if (day !== undefined && said !== undefined) {
    // Of a night the hours of the evening are those of the day before.
    const earlier = said[0] < 0 && (said[1] <= 0 || time >= HALF_DAY);
    return atHour(nowMs, earlier ? time - 24 : time);
  }
  if (fromMs !== undefined) {
    const then = atHour(fromMs, time);
    return then >= fromMs ? then : atHour(fromMs, time + 24);
  }
  const then = atHour(nowMs, time);
  return then <= nowMs ? then : atHour(nowMs, time - 24);
}

/** So many hours, which may be negative or more than a day's, from the midnight before `nowMs`: on days that are longer or shorter, too. */
function atHour(nowMs: number, hours: number): number {
  const date = new Date(nowMs);
  date.setHours(0, Math.round(hours * 60), 0, 0);
  return date.getTime();
}

/** What the second of two times says and the first leaves out: "between 8:00 and 9:00 am". */
export function withEndOf(first: string, second: string): string {
  return `${first}${/[\d:]+(.*)/.exec(second)?.[1] ?? ''}`;
}
