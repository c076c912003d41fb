/** Moments of the wall clock, and how long ago they were, as a person is told them. */
import { dateAndTimeAt, isTimeZone } from '../time-zone.ts';

/** An RFC 3339 time by the clocks of a zone: `14:02:03`, with the date before it where that is not the one of `now`. */
export function wallText(time: string, now = new Date(), zone = ownZone()): string {
  const [date, clock] = dateAndTimeAt(Date.parse(time), zone);
  return date === dateAndTimeAt(now.getTime(), zone)[0] ? clock : `${date} ${clock}`;
}

/**
 * That of the service where it is a setting here too, as in the service's container, whose clock is UTC; else this
 * machine's.
 */
function ownZone(): string | undefined {
  const zone = process.env['YOCO_TIME_ZONE'];
  return zone !== undefined && isTimeZone(zone) ? zone : undefined;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** How old something is, in the largest unit that it fills: `12 s`, `4 min`, `3 h` or `2 d`. */
export function ageText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, length]) => ms >= length) ?? ['s', 1_000];
  return `${Math.floor(ms / unitMs)} ${unit}`;
}
