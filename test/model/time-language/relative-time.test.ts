import { expect, test } from 'vitest';
import { findOnlyAgo, rewriteAgo } from '../../../src/model/time-language/relative-time.ts';

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
  ['what was shown two and a half minutes ago?', 200_000, 'what was shown at 0:50?'],
  ['what was shown 2 and a half minutes ago?', 200_000, 'what was shown at 0:50?'],
  ['what was shown 2.75 minutes ago?', 200_000, 'what was shown at 0:35?'],
  ['what was shown twenty five seconds ago?', 200_000, 'what was shown at 2:55?'],
  ['what was shown forty-five seconds ago?', 200_000, 'what was shown at 2:35?'],
  ['what was shown 1/2 hour ago?', HOUR_MS, 'what was shown at 30:00?'],
  ['what was shown 1 1/2 hours ago?', 2 * HOUR_MS, 'what was shown at 30:00?'],
  ['what was shown ½ an hour ago?', HOUR_MS, 'what was shown at 30:00?'],
  ['what was shown 1½ hours ago?', 2 * HOUR_MS, 'what was shown at 30:00?'],
  ['what was shown 1,000 seconds ago?', HOUR_MS, 'what was shown at 43:20?'],
  ['was there one 5 seconds ago?', 200_000, 'was there one at 3:15?'],
  ['was the red one there 10 seconds ago?', 200_000, 'was the red one there at 3:10?'],
  ['what was shown a half minute ago?', 200_000, 'what was shown at 2:50?'],
  ['what was shown three-quarters of an hour ago?', HOUR_MS, 'what was shown at 15:00?'],
  ['what was shown approximately 10 seconds ago?', 200_000, 'what was shown at 3:10?'],
  ['what was shown a hundred seconds ago?', 200_000, 'what was shown at 1:40?'],
  ['what was shown a minute or so ago?', 200_000, 'what was shown at 2:20?'],
  ['what did camera 2 show 5 seconds ago?', 200_000, 'what did camera 2 show at 3:15?'],
  ['what was shown an hour ago?', 26 * HOUR_MS, 'what was shown at 1:00:00?'],
  ['what was shown 2 hours ago?', 3 * HOUR_MS, 'what was shown at 1:00:00?'],
])('%s, at %i ms, becomes a time on the stream’s clock', (question, momentMs, asked) => {
  expect(rewriteAgo(question, momentMs)).toBe(asked);
});

test.each([
  ['what was shown 5 minutes ago?', 60_000], // the stream had not begun
  ['how many seconds ago did the dog appear?', 60_000],
  ['have you seen a dog in the last 10 seconds?', 60_000],
  // With several numbers, the last one alone is not the length.
  ['what was shown between 10 and 5 seconds ago?', 60_000],
  ['what was shown 10 to 5 seconds ago?', 60_000],
  ['what was shown 5-10 seconds ago?', 60_000],
  ['what was shown 1:30 hours ago?', 100 * HOUR_MS],
  ['what was shown three hundred and five seconds ago?', 600_000],
  ['was that long ago?', 60_000],
  ['what was shown at 0:10?', 60_000],
])('%s stays as it is', (question, momentMs) => {
  expect(rewriteAgo(question, momentMs)).toBe(question);
});

test.each([
  ['10 minutes ago', 600_000, 0, 0],
  ['about ten minutes ago', 600_000, 60_000, 60_000],
  ['~10 minutes ago', 600_000, 60_000, 60_000],
  ['a few minutes ago', 300_000, 30_000, 30_000],
  ['an hour or so ago', HOUR_MS, 360_000, 360_000],
  ['an hour or two ago', HOUR_MS, 3_960_000, 360_000],
])('%s has the tolerance that its wording implies', (ago, backMs, beforeMs, afterMs) => {
  expect(findOnlyAgo(`was there a dog ${ago}?`)).toEqual({
    backMs,
    beforeMs,
    afterMs,
    textBefore: 'was there a dog ',
    textAfter: '?',
  });
});
