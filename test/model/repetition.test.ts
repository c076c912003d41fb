/** Answers that begin again. */
import { expect, test } from 'vitest';
import { repeatedTail, saysItTwice } from '../../src/model/repetition.ts';

test('An answer that says its words again is noticed when the second time is complete', () => {
  expect(saysItTwice([4, 7], () => 'espresso')).toBe(false);
  expect(saysItTwice([4, 7, 4], () => 'espresso es')).toBe(false);
  expect(saysItTwice([4, 7, 4, 7], () => 'espresso espresso')).toBe(true);
  expect(saysItTwice([4, 4], () => 'no no')).toBe(true);
  expect(saysItTwice([4, 7, 5, 4], () => 'a man in a')).toBe(false);
});

test('A number may have a digit twice', () => {
  expect(saysItTwice([3, 3], () => '11')).toBe(false);
  expect(saysItTwice([3, 9, 3, 9], () => '1:1:')).toBe(false);
});

test('What may become a second time is known from its first token on', () => {
  expect(repeatedTail([])).toBe(0);
  expect(repeatedTail([4])).toBe(0);
  expect(repeatedTail([4, 7])).toBe(0);
  expect(repeatedTail([4, 7, 4])).toBe(1);
  expect(repeatedTail([4, 7, 5, 4, 7])).toBe(2);
  expect(repeatedTail([4, 7, 5, 4, 8])).toBe(0);
});
