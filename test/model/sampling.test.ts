import { describe, expect, test } from 'vitest';
import { argmax, logProbability, sample, seededRandom } from '../../src/model/sampling.ts';

const logits = Float32Array.from([0, 2, 1, -1, 2]);

function draws(count: number, temperature: number, topP: number, seed = 1): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => sample(logits, { temperature, topP, random }));
}

describe('The next token', () => {
  test('is the most likely one when greedy, the first of several on a tie', () => {
    expect(argmax(logits)).toBe(1);
    expect(draws(20, 0, 1).every((token) => token === 1)).toBe(true);
  });

  test('draws no random number when greedy', () => {
    const random = (): number => {
      throw new Error('drawn');
    };
    expect(sample(logits, { temperature: 0, topP: 1, random })).toBe(1);
  });

  test('has its softmax probability, also among thousands of far less likely tokens', () => {
    const total = [...logits].reduce((sum, x) => sum + Math.exp(x), 0);
    expect(Math.exp(logProbability(logits, 1))).toBeCloseTo(Math.exp(2) / total, 6);
    expect(Math.exp(logProbability(logits, 3))).toBeCloseTo(Math.exp(-1) / total, 6);
    const many = new Float32Array(10_000).fill(-30);
    many[7] = 4;
    expect(Math.exp(logProbability(many, 7))).toBeCloseTo(1, 3);
  });

  test('is drawn as often as its probability says', () => {
    const counts = [0, 0, 0, 0, 0];
    for (const token of draws(20_000, 1, 1)) counts[token] = (counts[token] ?? 0) + 1;
    const weights = [...logits].map(Math.exp);
    const total = weights.reduce((a, b) => a + b, 0);
    counts.forEach((count, token) => {
      expect(count / 20_000).toBeCloseTo((weights[token] ?? 0) / total, 1.7);
    });
  });

  test('is more often a likely one at a low temperature', () => {
    const share = (temperature: number): number =>
      draws(5000, temperature, 1).filter((t) => t === 1 || t === 4).length / 5000;
    expect(share(0.2)).toBeGreaterThan(0.98);
    expect(share(2)).toBeLessThan(0.75);
  });

  test('is one of the most likely tokens that together reach topP', () => {
    expect(new Set(draws(2000, 1, 0.7))).toEqual(new Set([1, 4]));
    expect(new Set(draws(2000, 1, 0.9))).toEqual(new Set([1, 4, 2]));
    expect(new Set(draws(2000, 1, 1e-9))).toEqual(new Set([1]));
  });

  test('is reproducible by its seed', () => {
    expect(draws(50, 1, 1, 42)).toEqual(draws(50, 1, 1, 42));
    expect(draws(50, 1, 1, 42)).not.toEqual(draws(50, 1, 1, 43));
  });

  test('is drawn with uniform random numbers from [0, 1)', () => {
    const random = seededRandom(5);
    const numbers = Array.from({ length: 10_000 }, random);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(numbers.reduce((a, b) => a + b, 0) / 10_000).toBeCloseTo(0.5, 1);
  });
});
