/**
 * What the clocks of a time zone show. Zones have their names in the database of the IANA ("Europe/Berlin"), which Node
 * brings along; undefined is the zone of the process. A clock's time is the ms since 1970 at which a clock of UTC shows
 * the same.
 */

const DAY_MS = 86_400_000;

/** A service has one zone, and a format takes longer to make than to use. */
let last: { readonly zone: string; readonly format: Intl.DateTimeFormat } | undefined;

/** What is expected where another text is no zone. */
export const A_TIME_ZONE = 'the name of a time zone, such as Europe/Berlin or UTC';

export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** The name of the zone of this process. */
export function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** What the zone's clocks show at an instant, ms since 1970. */
export function clockAt(ms: number, zone?: string): number {
  return ms + offsetMs(ms, zone);
}

/** What they show to the second, as it is written: `2026-01-15`, `13:00:00`. */
export function dateAndTimeAt(ms: number, zone?: string): readonly [date: string, time: string] {
  const [date = '', time = ''] = new Date(clockAt(ms, zone)).toISOString().slice(0, 19).split('T');
  return [date, time];
}

/**
 * The instant at which the zone's clocks show that. If there are two, since clocks are set back, it is the first; a
 * time that they skip is as long after the change as it would have been without (2:30 is 3:30).
 */
export function instantAt(clockMs: number, zone?: string): number {
  const [before, after] = [clockMs - offsetMs(clockMs - DAY_MS, zone), clockMs - offsetMs(clockMs + DAY_MS, zone)];
  return clockAt(before, zone) !== clockMs && clockAt(after, zone) === clockMs ? after : before;
}

/** How far the zone's clocks are ahead of those of UTC. */
function offsetMs(ms: number, zone: string | undefined): number {
  if (zone === undefined) return -new Date(ms).getTimezoneOffset() * 60_000;
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatOf(zone).formatToParts(ms)) parts[type] = Number(value);
  const { year = 0, month = 1, day, hour, minute, second } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1_000) * 1_000;
}

/** Throws a RangeError where there is no such zone. */
function formatOf(zone: string): Intl.DateTimeFormat {
  if (last?.zone !== zone) {
    const number = 'numeric';
    const fields = { year: number, month: number, day: number, hour: number, minute: number, second: number } as const;
    last = { zone, format: new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', ...fields }) };
  }
  return last.format;
}
