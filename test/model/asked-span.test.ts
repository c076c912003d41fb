import { describe, expect, test } from 'vitest';
import { askedSpan } from '../../src/model/asked-span.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = 2 * HOUR_MS + 1_000;

describe('A question that says how far back it looks', () => {
  test.each([
    ['have you seen a dog in the last 10 seconds?', 10_000, 'have you seen a dog?'],
    ['was there a car within the last minute', 60_000, 'was there a car'],
    ['Did anyone come by in the past half an hour?', HOUR_MS / 2, 'Did anyone come by?'],
    ['what was shown first over the last couple of minutes?', 120_000, 'what was shown first?'],
    ['in the last 5 min, was there a cup?', 300_000, 'was there a cup?'],
    [
      'how many different things were there in the last two hours?',
      2 * HOUR_MS,
      'how many different things were there?',
    ],
    ['what happened during these last 90s', 90_000, 'what happened'],
    ['any dog last 20 seconds?', 20_000, 'any dog?'],
    ['has anything changed in the last few minutes?', 300_000, 'has anything changed in the last few minutes?'],
    ['in the past minute, anything new?', 60_000, 'in the past minute, anything new?'],
  ])('%s is about the last %i ms: %s', (asked, ms, question) => {
    expect(askedSpan(asked, NOW_MS)).toEqual({ sinceMs: NOW_MS - ms, untilMs: null, question });
  });

  test.each([
    ['was there a dog in the first minute?', 60_000, 'was there a dog?'],
    ['how many different things were there in the first 20 seconds', 20_000, 'how many different things were there'],
  ])('%s is about the first %i ms: %s', (asked, ms, question) => {
    expect(askedSpan(asked, NOW_MS)).toEqual({ sinceMs: null, untilMs: ms, question });
  });
});

describe('A question that names times of the clock', () => {
  test.each([
    ['was there a dog between 1:00 and 2:30?', 60_000, 150_000, 'was there a dog?'],
    ['Between 0:05 and 1:02:03, did you see a cat?', 5_000, 3_723_000, 'did you see a cat?'],
    ['did you see a cat from 0:10 to 0:20', 10_000, 20_000, 'did you see a cat'],
    ['have you seen a dog since 1:42?', 102_000, null, 'have you seen a dog?'],
    ['has anyone been there since 10 minutes ago?', NOW_MS - 600_000, null, 'has anyone been there?'],
    ['was there a car between 2 minutes ago and 1 minute ago?', NOW_MS - 120_000, NOW_MS - 60_000, 'was there a car?'],
    ['was there a dog after 1:42?', 102_000, null, 'was there a dog?'],
    ['was there a dog before 1:42?', null, 102_000, 'was there a dog?'],
    ['how many different things were there until 0:30?', null, 30_000, 'how many different things were there?'],
  ])('%s is about %s ms to %s ms: %s', (asked, sinceMs, untilMs, question) => {
    expect(askedSpan(asked, NOW_MS)).toEqual({ sinceMs, untilMs, question });
  });
});

test.each([
  'what was shown 10 seconds ago?',
  'what was the last thing you saw?',
  'is this the last one?',
  'what was in the last frame?',
  'when was the dog last there?',
  'what was the first minute like?',
  'what was shown before 1:42?',
  'what came after 0:10?',
  'what was shown at 1:42?',
  'was there a dog before the cat?',
  'is it a last-minute change?',
  'was there a dog after 9:00:00?', // later than the question
  'was there a dog between 0:20 and 0:10?',
])('%s is about all that was shown', (question) => {
  expect(askedSpan(question, NOW_MS)).toEqual({ sinceMs: null, untilMs: null, question });
});
