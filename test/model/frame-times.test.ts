/** When the frames of a stream were shown. */
import { expect, test } from 'vitest';
import { FrameTimes, MAX_STAND_MS } from '../../src/model/frame-times.ts';

const HALF = 500;

function every(count: number, ms = HALF): FrameTimes {
  const times = new FrameTimes();
  for (let i = 0; i < count; i++) times.append(i * ms);
  return times;
}

test('Frame times keep a day of frames to the millisecond', () => {
  const times = every(172_800);
  expect([times.length, times.at(0), times.at(100_000), times.newest]).toEqual([
    172_800,
    0,
    100_000 * HALF,
    172_799 * HALF,
  ]);
  expect([times.at(172_800), times.endOf(172_800), times.at(-1)]).toEqual([undefined, 0, undefined]);
  expect(times.slice(4_094, 4_098)).toEqual([4_094, 4_095, 4_096, 4_097].map((frame) => frame * HALF));
  expect(times.slice(172_799, 172_900)).toEqual([172_799 * HALF]);
  expect([times.countUpTo(-1), times.countUpTo(HALF), times.countUpTo(1e9)]).toEqual([0, 2, 172_800]);
});

test('Frames before a time are counted exactly, however late it is', () => {
  for (const beginMs of [0, 1e13]) {
    const times = new FrameTimes();
    for (const ms of [0, 1, 1, 2]) times.append(beginMs + ms);
    expect([0, 1, 2, 3].map((ms) => times.countBefore(beginMs + ms))).toEqual([0, 1, 3, 4]);
  }
  expect(new FrameTimes().countBefore(0)).toBe(0);
});

test('Truncating or thinning returns new frame times, and leaves the old ones unchanged', () => {
  const times = every(6);
  times.extend(2_900);
  const later = times.sliceFrom(2);
  const thin = times.thin(2, [true, false, true]);
  expect(later.slice()).toEqual([1_000, 1_500, 2_000, 2_500]);
  expect(later.endOf(3)).toBe(2_900);
  expect(thin.slice()).toEqual([0, 500, 1_000, 2_000, 2_500]);
  expect(thin.endOf(2)).toBe(1_500);
  later.append(3_000);
  thin.extend(9_000);
  expect([times.slice(), times.endOf(5)]).toEqual([[0, 500, 1_000, 1_500, 2_000, 2_500], 2_900]);
});

test('A copy of frame times is independent of its original', () => {
  const times = every(3);
  const { times: shown, ends } = times.content();
  const other = FrameTimes.from(shown, ends);
  times.append(1_500);
  shown.fill(7);
  expect(other.slice()).toEqual([0, 500, 1_000]);
  expect(other.durationOf(2)).toBe(MAX_STAND_MS);
});

test('A frame before the newest, or before the last one merged into it, is rejected', () => {
  const times = every(3);
  times.extend(1_400);
  for (const late of [999, 1_399])
    expect(() => {
      times.append(late);
    }).toThrow(RangeError);
  expect(() => {
    times.extend(1_399);
  }).toThrow(RangeError);
  expect(() => {
    new FrameTimes().extend(0);
  }).toThrow(RangeError);
  expect(times.length).toBe(3);
});
