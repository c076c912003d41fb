/** Moments of the wall clock, and how long ago they were, as a person is told them. */

const two = (n: number): string => String(n).padStart(2, '0');

const dateText = (date: Date): string => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** An RFC 3339 time by this machine's zone: `14:02:03`, with the date before it where that is not the one of `now`. */
export function wallText(time: string, now = new Date()): string {
  const date = new Date(time);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return dateText(date) === dateText(now) ? clock : `${dateText(date)} ${clock}`;
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
