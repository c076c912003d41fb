import { expect, test } from 'vitest';
import { onTheClock } from '../../src/model/relative-time.ts';

const HOUR_MS = 3_600_000;

test.each([
  ['what was shown 10 seconds ago?', 42_000, 'what was shown at 0:32?'],
  ['10s ago, what did you see?', 42_500, 'at 0:32, what did you see?'],
  ['What did you see about 5 sec ago', 65_999, 'What did you see at 1:00'],
  ['what was there a minute ago?', 61_000, 'what was there at 0:01?'],
  ['what was there half a minute ago?', 61_000, 'what was there at 0:31?'],
  ['a couple of minutes ago, what was it?', 150_000, 'at 0:30, what was it?'],
  ['what was shown twenty min ago', 2 * HOUR_MS, 'what was shown at 1:40:00'],
  ['what was on screen 1 minute and 30 seconds ago?', 2 * HOUR_MS + 100_000, 'what was on screen at 2:00:10?'],
  ['what was shown an hour ago?', 26 * HOUR_MS, 'what was shown at 1:00:00?'],
  ['what was shown 2 hours ago?', 3 * HOUR_MS, 'what was shown at 1:00:00?'],
])('%s, at %i ms, is a time of the clock', (question, momentMs, asked) => {
  expect(onTheClock(question, momentMs)).toBe(asked);
});

test.each([
  ['what was shown 5 minutes ago?', 60_000], // the stream had not begun
  ['how many seconds ago did the dog appear?', 60_000],
  ['have you seen a dog in the last 10 seconds?', 60_000],
  ['was that long ago?', 60_000],
  ['what was shown at 0:10?', 60_000],
])('%s stays as it is', (question, momentMs) => {
  expect(onTheClock(question, momentMs)).toBe(question);
});
