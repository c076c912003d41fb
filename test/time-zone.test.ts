import { describe, expect, test } from 'vitest';
import { clockAt, instantAt, isTimeZone, processTimeZone } from '../src/time-zone.ts';

const at = (time: string): number => Date.parse(time);
/** A local clock time, as the instant at which a UTC clock shows the same. */
const clock = (time: string): number => Date.parse(`${time}Z`);

describe('The clocks of a time zone', () => {
  test.each([
    ['Europe/Berlin', '2026-01-15T12:00:00Z', '2026-01-15T13:00:00'],
    ['Europe/Berlin', '2026-07-15T12:00:00.250Z', '2026-07-15T14:00:00.250'],
    ['America/New_York', '2026-01-15T03:00:00Z', '2026-01-14T22:00:00'],
    ['Asia/Kolkata', '2026-01-15T12:00:00Z', '2026-01-15T17:30:00'],
    ['UTC', '2026-01-15T00:00:00Z', '2026-01-15T00:00:00'],
    ['Europe/Berlin', '1965-07-15T12:00:00.500Z', '1965-07-15T13:00:00.500'],
  ])('of %s at %s show %s, which converts back to the same instant', (zone, time, shown) => {
    expect(clockAt(at(time), zone)).toBe(clock(shown));
    expect(instantAt(clock(shown), zone)).toBe(at(time));
  });

  test.each([
    ['before they are set forward', '2026-03-29T01:59:00', '2026-03-29T00:59:00Z'],
    ['which they skip', '2026-03-29T02:30:00', '2026-03-29T01:30:00Z'],
    ['after it', '2026-03-29T03:00:00', '2026-03-29T01:00:00Z'],
    ['before they are set back', '2026-10-25T01:59:00', '2026-10-24T23:59:00Z'],
    ['which they show twice', '2026-10-25T02:30:00', '2026-10-25T00:30:00Z'],
    ['after both', '2026-10-25T03:00:00', '2026-10-25T02:00:00Z'],
  ])('give a time %s one instant: %s is %s', (_when, shown, time) => {
    expect(instantAt(clock(shown), 'Europe/Berlin')).toBe(at(time));
  });

  test('default to those of this machine', () => {
    const noon = new Date(2026, 6, 15, 12);
    expect(clockAt(noon.getTime())).toBe(Date.UTC(2026, 6, 15, 12));
    expect(instantAt(Date.UTC(2026, 6, 15, 12))).toBe(noon.getTime());
  });
});

test('Known names of time zones are accepted, others are not', () => {
  expect(['Europe/Berlin', 'UTC', processTimeZone()].map(isTimeZone)).toEqual([true, true, true]);
  expect(['Berlin', 'Europe/Atlantis', '', 'GMT+25', '12:00'].map(isTimeZone)).toEqual(Array(5).fill(false));
});
