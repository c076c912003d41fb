import { describe, expect, test } from 'vitest';
import { groupedInterval } from '../../src/evaluation/bootstrap.ts';
import { rate, type Tally } from '../../src/evaluation/score.ts';

const groups = (count: number, of: (i: number) => Tally): Tally[] => Array.from({ length: count }, (_, i) => of(i));
const width = ([low, high]: readonly [number, number]): number => high - low;

describe('The bootstrap interval over groups of questions', () => {
  test('is close to the Wilson interval when every question is its own group', () => {
    const [low, high] = groupedInterval(groups(200, (i) => ({ correct: i % 4 === 0 ? 0 : 1, total: 1 }))) ?? [0, 0];
    const [expectedLow, expectedHigh] = rate(150, 200).interval;
    expect(Math.abs(low - expectedLow)).toBeLessThan(0.02);
    expect(Math.abs(high - expectedHigh)).toBeLessThan(0.02);
  });

  test('is wider when groups are right or wrong as a whole, and narrower when all groups are alike', () => {
    const whole = groupedInterval(groups(20, (i) => ({ correct: i % 4 === 0 ? 0 : 10, total: 10 }))) ?? [0, 0];
    const alike = groupedInterval(groups(20, (i) => ({ correct: i % 2 === 0 ? 7 : 8, total: 10 }))) ?? [0, 0];
    const independent = rate(150, 200).interval;
    expect(width(whole)).toBeGreaterThan(2 * width(independent));
    expect(width(alike)).toBeLessThan(width(independent));
    for (const [low, high] of [whole, alike]) expect([low < 0.75, high > 0.75]).toEqual([true, true]);
  });

  test('weights a group by its number of questions', () => {
    const [low, high] = groupedInterval([
      ...groups(50, () => ({ correct: 0, total: 1 })),
      { correct: 950, total: 950 },
    ]) ?? [0, 0];
    expect([low, high > 0.95]).toEqual([0, true]);
  });

  test('is deterministic, and null with fewer than two groups that were asked', () => {
    const some = groups(9, (i) => ({ correct: i, total: 9 }));
    expect(groupedInterval(some)).toEqual(groupedInterval(some));
    expect(groupedInterval([{ correct: 3, total: 4 }])).toBeNull();
    expect(groupedInterval(groups(5, (i) => ({ correct: 0, total: i === 0 ? 1 : 0 })))).toBeNull();
    expect(groupedInterval([])).toBeNull();
  });
});
