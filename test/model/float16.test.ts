import { expect, test } from 'vitest';
import { roundUpToFloat16, fromFloat16, fromFloat16s } from '../../src/model/float16.ts';
import { seededRandom } from '../../src/model/sampling.ts';

test('A 16-bit scale is never below its value, and above it by at most one part in 1,024', () => {
  const random = seededRandom(7);
  for (let i = 0; i < 1_000; i++) {
    const value = Math.fround(10 ** (8 * random() - 4));
    const half = fromFloat16(roundUpToFloat16(value));
    expect(half).toBeGreaterThanOrEqual(value);
    expect(half / value).toBeLessThanOrEqual(1 + 2 ** -10);
  }
});

test('A 16-bit scale is exact for values that fit its mantissa', () => {
  for (const value of [1, 0.5, 1.5, 2 ** -15, 3 * 2 ** 14]) expect(fromFloat16(roundUpToFloat16(value))).toBe(value);
});

test('16-bit scales decode alike one by one and in bulk', () => {
  const halves = Uint16Array.from([0.001, 1, 300], roundUpToFloat16);
  expect([...fromFloat16s(halves)]).toEqual(Array.from(halves, fromFloat16));
});

test('A 16-bit scale clamps values below its range, and rejects those above', () => {
  expect(fromFloat16(roundUpToFloat16(1e-9))).toBe(2 ** -15);
  expect(() => roundUpToFloat16(2 ** 17)).toThrow(RangeError);
});
