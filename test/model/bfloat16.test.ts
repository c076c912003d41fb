import { expect, test } from 'vitest';
import { bfloat16Above, fromBfloat16 } from '../../src/model/bfloat16.ts';
import { seededRandom } from '../../src/model/sampling.ts';

test('is never below the value, and hardly above it', () => {
  const random = seededRandom(7);
  for (let i = 0; i < 1_000; i++) {
    const value = Math.fround(10 ** (8 * random() - 6));
    const half = fromBfloat16(bfloat16Above(value));
    expect(half).toBeGreaterThanOrEqual(value);
    expect(half / value).toBeLessThanOrEqual(1 + 2 ** -7);
  }
});

test('is the value itself where that has no more digits', () => {
  for (const value of [1, 0.5, 1.5, 2 ** -126, 3 * 2 ** 100]) expect(fromBfloat16(bfloat16Above(value))).toBe(value);
});
