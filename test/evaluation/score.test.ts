import { describe, expect, test } from 'vitest';
import type { Task } from '../../src/evaluation/questions.ts';
import { difference, isRight, mean, rate, ratio, score, Scores, secondsOf } from '../../src/evaluation/score.ts';

describe('The time in an answer', () => {
  test.each([
    ['0:42', 42],
    ['at 1:02', 62],
    ['1:02:03', 3723],
    ['42 s', 42],
    ['after 4.5 seconds', 4.5],
    ['it appeared at 0:07.', 7],
    ['0', 0],
    ['never', null],
    ['', null],
  ])('%j is %j seconds', (text, seconds) => {
    expect(secondsOf(text)).toBe(seconds);
  });
});

describe('An answer', () => {
  test.each<[Task, string, string, boolean]>([
    ['now', 'granny smith', 'granny smith', true],
    ['now', 'granny smith', 'A Granny-Smith.', true],
    ['now', 'granny smith', 'the granny smith', true],
    ['now', 'granny smith', 'smith', false],
    ['now', 'granny smith', 'granny smith apple', false],
    ['now', 'granny smith', '', false],
    ['first', 'apple', 'an apple', true],
    ['before', 'apple', 'apple juice', false],
    ['seen', 'yes', 'yes', true],
    ['seen', 'yes', 'Yes, at 0:12', true],
    ['seen', 'yes', 'no', false],
    ['seen', 'no', ' no', true],
    ['seen', 'no', '', false],
    ['seen', 'no', 'nothing', false],
    ['seennow', 'yes', 'Yes.', true],
    ['seennow', 'no', 'yes', false],
    ['when', '12.5', '0:12', true],
    ['when', '12.5', '0:13', true],
    ['when', '12.5', '0:14', false],
    ['when', '0', '0:00', true],
    ['when', '0', '', false],
    ['when', '12', 'it was not shown', false],
    ['notshown', 'not shown', 'it was not shown', true],
    ['notshown', 'not shown', 'never', true],
    ['notshown', 'not shown', '0:12', false],
    ['notshown', 'not shown', 'nothing', false],
    ['describenamed', 't-shirt', 'a blue T-shirt.', true],
    ['describenamed', 'shirt', 'a blue t-shirt', false],
    ['describenamed', 'apple', 'a man with a pineapple', false],
    ['left', '18.5', '0:18', true],
    ['left', '18.5', 'it is still shown', false],
    ['duration', '6', 'for 7 seconds', true],
    ['duration', '6', '8 s', false],
    ['where', 'top left', 'top left', true],
    ['where', 'top left', 'left', false],
    ['howmany', '3', '3', true],
    ['repetitions', '3', '4', true],
    ['repetitions', '3', '5', false],
    ['different', '5', '5', true],
    ['different', '5', '15', false],
    ['changed', 'apple', 'an apple', true],
    ['changed', 'apple', 'nothing', false],
    ['changed', 'nothing', 'nothing', true],
    ['changed', 'nothing', 'Nothing has changed.', true],
    ['changed', 'nothing', 'apple', false],
    ['haschanged', 'yes', 'Yes.', true],
    ['haschanged', 'no', 'no', true],
    ['haschanged', 'no', 'nothing', false],
  ])('to %s that expects %j: %j is right: %s', (task, expected, answer, right) => {
    expect(isRight({ task, expected }, answer)).toBe(right);
  });
});

describe('A score', () => {
  test.each([
    [0, 0, 0],
    [1, 2, 0.5],
    [2, 3, 0.667],
    [10, 10, 1],
  ])('of %i right out of %i is %d and lies inside its interval', (correct, total, accuracy) => {
    const { interval, ...rest } = score({ correct, total });
    expect(rest).toEqual({ correct, total, accuracy });
    expect(interval[0]).toBeGreaterThanOrEqual(0);
    expect(interval[1]).toBeLessThanOrEqual(1);
    expect(interval[0]).toBeLessThanOrEqual(accuracy);
    expect(interval[1]).toBeGreaterThanOrEqual(accuracy);
  });

  test('has a Wilson interval', () => {
    expect(score({ correct: 8, total: 10 }).interval).toEqual([0.49, 0.943]);
    expect(score({ correct: 800, total: 1000 }).interval).toEqual([0.774, 0.824]);
  });

  test('is counted for each task and for several tasks together', () => {
    const scores = new Scores();
    scores.add('now', true);
    scores.add('now', false);
    scores.add('first', true);
    expect(scores.tasks).toMatchObject({
      now: { correct: 1, total: 2, accuracy: 0.5 },
      first: { correct: 1, total: 1, accuracy: 1 },
    });
    expect(scores.combined(['now', 'first'])).toMatchObject({ correct: 2, total: 3 });
    expect(scores.combined(['when'])).toMatchObject({ correct: 0, total: 0, accuracy: 0 });
  });
});

describe('A rate', () => {
  test('of nothing has the interval from 0 to 1', () => {
    expect(rate(0, 0)).toEqual({ count: 0, total: 0, share: 0, interval: [0, 1] });
  });
});

describe('A difference of two accuracies', () => {
  const tally = (correct: number, total: number) => ({ correct, total });

  test('has an interval around it (the example of Newcombe 1998: 56/70 minus 48/80)', () => {
    expect(difference(tally(56, 70), tally(48, 80))).toEqual({ difference: 0.2, interval: [0.052, 0.334] });
  });

  test('of equal accuracies is 0, with a wide interval for few questions', () => {
    const { difference: none, interval } = difference(tally(1, 2), tally(1, 2));
    expect(none).toBe(0);
    expect(interval[0]).toBeLessThan(-0.5);
    expect(interval[1]).toBeGreaterThan(0.5);
  });
});

describe('A ratio of two accuracies', () => {
  test('is one over the other, with its interval', () => {
    const half = ratio({ correct: 40, total: 100 }, { correct: 80, total: 100 });
    expect(half).toEqual({ ratio: 0.5, interval: [0.386, 0.648] });
  });

  test('is null without questions or with a divisor of 0, and 0 without an interval when nothing was right', () => {
    expect(ratio({ correct: 1, total: 2 }, { correct: 0, total: 2 })).toBeNull();
    expect(ratio({ correct: 0, total: 0 }, { correct: 1, total: 2 })).toBeNull();
    expect(ratio({ correct: 0, total: 2 }, { correct: 1, total: 2 })).toEqual({ ratio: 0, interval: null });
  });
});

describe('A mean', () => {
  test('has an interval from its standard error', () => {
    expect(mean([1, 2, 3, 4])).toEqual({ mean: 2.5, total: 4, interval: [1.235, 3.765] });
    expect(mean([])).toEqual({ mean: 0, total: 0, interval: [0, 0] });
  });
});
