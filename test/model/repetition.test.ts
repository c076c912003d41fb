/** Answers that repeat themselves. */
import { expect, test } from 'vitest';
import { repeatedTailLength, isExactRepeat } from '../../src/model/repetition.ts';

test('An answer that repeats its words is detected once the repetition is complete', () => {
  expect(isExactRepeat([4, 7], () => 'espresso')).toBe(false);
  expect(isExactRepeat([4, 7, 4], () => 'espresso es')).toBe(false);
  expect(isExactRepeat([4, 7, 4, 7], () => 'espresso espresso')).toBe(true);
  expect(isExactRepeat([4, 4], () => 'no no')).toBe(true);
  expect(isExactRepeat([4, 7, 5, 4], () => 'a man in a')).toBe(false);
});

test('A number may repeat a digit', () => {
  expect(isExactRepeat([3, 3], () => '11')).toBe(false);
  expect(isExactRepeat([3, 9, 3, 9], () => '1:1:')).toBe(false);
});

test('A possible repetition is known from its first token on', () => {
  expect(repeatedTailLength([])).toBe(0);
  expect(repeatedTailLength([4])).toBe(0);
  expect(repeatedTailLength([4, 7])).toBe(0);
  expect(repeatedTailLength([4, 7, 4])).toBe(1);
  expect(repeatedTailLength([4, 7, 5, 4, 7])).toBe(2);
  expect(repeatedTailLength([4, 7, 5, 4, 8])).toBe(0);
});
