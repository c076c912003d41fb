/**
 * Clock times in a time zone. Zones are named as in the IANA database ("Europe/Berlin"), which Node includes; undefined
 * is the process's zone. A clock time is the ms since 1970 at which a UTC clock shows the same.
 */

const DAY_MS = 86_400_000;

/** Cached: a service has one zone, and making a format takes longer than using it. */
let cached: { readonly zone: string; readonly format: Intl.DateTimeFormat } | undefined;

/** Describes what is expected, for errors. */
export const EXPECTED_TIME_ZONE = 'the name of a time zone, such as Europe/Berlin or UTC';

export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** Name of the process's time zone. */
export function processTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** The zone's clock time at an instant, ms since 1970. */
export function clockAt(ms: number, zone?: string): number {
  return ms + offsetMs(ms, zone);
}

/** The zone's clock time to the second, as text: `2026-01-15`, `13:00:00`. */
export function dateAndTimeAt(ms: number, zone?: string): readonly [date: string, time: string] {
  const [date = '', time = ''] = new Date(clockAt(ms, zone)).toISOString().slice(0, 19).split('T');
  return [date, time];
}

/**
 * The instant at which the zone's clocks show `clockMs`. If there are two, because clocks are set back, it is the
 * first. A time that is skipped is as long after the change as it would have been without it (2:30 is 3:30).
 */
export function instantAt(clockMs: number, zone?: string): number {
  const [before, after] = [clockMs - offsetMs(clockMs - DAY_MS, zone), clockMs - offsetMs(clockMs + DAY_MS, zone)];
  return clockAt(before, zone) !== clockMs && clockAt(after, zone) === clockMs ? after : before;
}

/** How far the zone's clocks are ahead of UTC, ms. */
function offsetMs(ms: number, zone: string | undefined): number {
  if (zone === undefined) return -new Date(ms).getTimezoneOffset() * 60_000;
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatOf(zone).formatToParts(ms)) parts[type] = Number(value);
  const { year = 0, month = 1, day, hour, minute, second } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1_000) * 1_000;
}

/** Throws RangeError for an unknown zone. */
function formatOf(zone: string): Intl.DateTimeFormat {
  if (cached?.zone !== zone) {
    const number = 'numeric';
    const fields = { year: number, month: number, day: number, hour: number, minute: number, second: number } as const;
    cached = { zone, format: new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', ...fields }) };
  }
  return cached.format;
}
