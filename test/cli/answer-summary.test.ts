import { describe, expect, test } from 'vitest';
import { summary } from '../../src/cli/answer-summary.ts';
import type { AnswerExtra } from '../../src/cli/realtime-client.ts';
import { ageText, wallText } from '../../src/cli/wall-text.ts';

const NOW = new Date(2030, 0, 31, 14, 2, 5);
/** A time of day in this machine's zone, as sent on the wire. */
const at = (hour: number, minute: number, second: number, day = 31): string =>
  new Date(2030, 0, day, hour, minute, second, 900).toISOString();

const ANSWER: AnswerExtra = {
  as_of: 102,
  as_of_time: at(14, 2, 3),
  since: null,
  streams: [{ name: 'yard', as_of: 102, as_of_time: at(14, 2, 3), since_time: null }],
  precision: 'full',
  confidence: 0.972,
  evidence: [{ stream: 'yard', start: 7.5, end: 13, peak: 8, weight: 0.7 }],
  latency_ms: { first_token: 80.4, total: 120 },
};

describe('The line under an answer', () => {
  test('shows the wall time and the stream time before the evidence', () => {
    expect(summary('a car', ANSWER, [], NOW)).toBe(
      'as of 14:02:03 (1:42); evidence 0:07-0:13; confidence 0.97; first word after 80 ms',
    );
  });

  test('shows the start of what was read, the age of an old newest frame, and reduced precision, in this order', () => {
    const [stream] = ANSWER.streams;
    const streams = stream === undefined ? [] : [{ ...stream, since_time: at(14, 1, 33) }];
    const text = summary(
      'a car',
      { ...ANSWER, since: 72, streams, precision: 'int8' },
      [{ stream: 'yard', ageMs: 3.9 * 3_600_000 }],
      NOW,
    );
    expect(text).toBe(
      'as of 14:02:03 (1:42), from 14:01:33 (1:12); newest frame 3 h old; evidence 0:07-0:13; precision int8; confidence 0.97; first word after 80 ms',
    );
  });

  test('marks a short answer of low confidence as a guess, but not a sentence', () => {
    expect(summary('a car', { ...ANSWER, confidence: 0.499 }, [], NOW)).toContain('; confidence 0.50, a guess; ');
    expect(summary('a car', { ...ANSWER, confidence: 0.5 }, [], NOW)).toContain('; confidence 0.50; ');
    const sentence = 'a man in a hat and a white shirt';
    expect(summary(sentence, { ...ANSWER, confidence: 0.4 }, [], NOW)).toContain('; confidence 0.40; ');
    expect(summary('', { ...ANSWER, confidence: 0 }, [], NOW)).toContain('; confidence 0.00; ');
  });

  test('includes the date when it is another day', () => {
    expect(summary('a car', { ...ANSWER, as_of_time: at(23, 59, 59, 30) }, [], NOW)).toMatch(
      /^as of 2030-01-30 23:59:59 \(/,
    );
  });

  test('for several streams shows only wall times, and names those with old frames', () => {
    const streams = ['front', 'yard'].map((name, i) => ({
      name,
      as_of: 102 + i,
      as_of_time: at(14, 2, 3 - i),
      since_time: at(14, 1, 33 - i),
    }));
    const old = [{ stream: 'yard', ageMs: 12_000 }];
    expect(summary('a car', { ...ANSWER, as_of: null, streams, evidence: [] }, old, NOW)).toBe(
      'as of 14:02:03, from 14:01:32; newest frame of yard 12 s old; confidence 0.97; first word after 80 ms',
    );
  });
});

test('A wall time includes its date only when that is not today’s', () => {
  expect(wallText(at(9, 5, 7), NOW)).toBe('09:05:07');
  expect(wallText(at(9, 5, 7, 30), NOW)).toBe('2030-01-30 09:05:07');
  expect(wallText(new Date(2029, 0, 31, 9, 5, 7).toISOString(), NOW)).toBe('2029-01-31 09:05:07');
});

test('A wall time is shown in the given zone', () => {
  const now = new Date('2030-01-31T12:00:00Z');
  expect(wallText('2030-01-31T10:00:00Z', now, 'Europe/Berlin')).toBe('11:00:00');
  expect(wallText('2030-01-30T23:30:00Z', now, 'Europe/Berlin')).toBe('00:30:00');
  expect(wallText('2030-01-30T23:30:00Z', now, 'UTC')).toBe('2030-01-30 23:30:00');
});

test.each([
  [0, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3_599_999, '59 min'],
  [3_600_000, '1 h'],
  [86_399_999, '23 h'],
  [200_000_000, '2 d'],
])('An age of %d ms is %s', (ms, text) => {
  expect(ageText(ms)).toBe(text);
});
