import { describe, expect, test } from 'vitest';
import type { Task } from '../../src/evaluation/playlist.ts';
import { isRight, score, Scores, secondsOf } from '../../src/evaluation/score.ts';

describe('A time in an answer', () => {
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
  ])('%j is %j s', (text, seconds) => {
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
    ['different', '5', '5', true],
    ['different', '5', '15', false],
  ])('to %s, where %j is right: %j is %s', (task, expected, answer, right) => {
    expect(isRight({ task, expected }, answer)).toBe(right);
  });
});

describe('A score', () => {
  test.each([
    [0, 0, 0],
    [1, 2, 0.5],
    [2, 3, 0.667],
    [10, 10, 1],
  ])('of %i right of %i is %d, inside its interval', (correct, total, accuracy) => {
    const { interval, ...rest } = score({ correct, total });
    expect(rest).toEqual({ correct, total, accuracy });
    expect(interval[0]).toBeGreaterThanOrEqual(0);
    expect(interval[1]).toBeLessThanOrEqual(1);
    expect(interval[0]).toBeLessThanOrEqual(accuracy);
    expect(interval[1]).toBeGreaterThanOrEqual(accuracy);
  });

  test('has the interval of Wilson', () => {
    expect(score({ correct: 8, total: 10 }).interval).toEqual([0.49, 0.943]);
    expect(score({ correct: 800, total: 1000 }).interval).toEqual([0.774, 0.824]);
  });

  test('is counted for each task, and for several together', () => {
    const scores = new Scores();
    scores.add('now', true);
    scores.add('now', false);
    scores.add('first', true);
    expect(scores.tasks).toMatchObject({
      now: { correct: 1, total: 2, accuracy: 0.5 },
      first: { correct: 1, total: 1, accuracy: 1 },
    });
    expect(scores.together(['now', 'first'])).toMatchObject({ correct: 2, total: 3 });
    expect(scores.together(['when'])).toMatchObject({ correct: 0, total: 0, accuracy: 0 });
  });
});
