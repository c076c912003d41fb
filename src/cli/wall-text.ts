/** Wall times and ages, as text for a person. */
import { dateAndTimeAt, isTimeZone } from '../time-zone.ts';

/** An RFC 3339 time on the clock of a zone: `14:02:03`, preceded by the date if that is not the date of `now`. */
export function wallText(time: string, now = new Date(), zone = ownZone()): string {
  const [date, clock] = dateAndTimeAt(Date.parse(time), zone);
  return date === dateAndTimeAt(now.getTime(), zone)[0] ? clock : `${date} ${clock}`;
}

/** The service's zone if it is set here too, as in the service's container, whose clock is UTC; else this machine's. */
function ownZone(): string | undefined {
  const zone = process.env['YOCO_TIME_ZONE'];
  return zone !== undefined && isTimeZone(zone) ? zone : undefined;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** An age in the largest unit that it fills: `12 s`, `4 min`, `3 h` or `2 d`. */
export function ageText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, length]) => ms >= length) ?? ['s', 1_000];
  return `${Math.floor(ms / unitMs)} ${unit}`;
}
