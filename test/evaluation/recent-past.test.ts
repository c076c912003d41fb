import { describe, expect, test } from 'vitest';
import { askRecentPast } from '../../src/evaluation/recent-past.ts';
import type { Span } from '../../src/evaluation/playlist.ts';
import { randomOfStream } from '../../src/evaluation/random.ts';

/** Things shown one after the other, each for this many seconds. */
function shown(...seconds: number[]): { spans: Span[]; durationMs: number } {
  let endMs = 0;
  const spans = seconds.map((length, i) => {
    const startMs = endMs;
    endMs += length * 1000;
    return { picture: { set: 'many', file: `/${i}.jpg`, label: `thing ${i}` }, startMs, endMs };
  });
  return { spans, durationMs: endMs };
}

const SHORT = shown(4, 3, 5, 2, 4, 7, 5);
const LONG = shown(70, 20, 45, 100, 33, 12, 15);
const STREAMS = Array.from({ length: 100 }, (_, stream) => stream);
/** The first length of time in a text, in seconds. */
const secondsOf = (text: string): number => {
  const [, number, unit = ''] = /(?:(\d+|a) )?(second|minute)s?\b/.exec(text) ?? [];
  return (number === undefined || number === 'a' ? 1 : Number(number)) * (unit === 'minute' ? 60 : 1);
};
const askedOf = (playlist: ReturnType<typeof shown>) =>
  STREAMS.flatMap((stream) => askRecentPast(playlist, randomOfStream(1, stream, 3), stream));

describe.each([
  ['short', SHORT],
  ['long', LONG],
])('Questions about the recent past of a %s stream', (_, playlist) => {
  test('expect what was shown that long ago, never at the border of two things', () => {
    const asked = askedOf(playlist).filter(({ task }) => task === 'ago');
    expect(asked.length).toBeGreaterThan(STREAMS.length);
    expect(new Set(asked.map(({ expected }) => expected)).size).toBeGreaterThan(3);
    for (const { text, asOfMs, expected, moment } of asked) {
      const thenMs = asOfMs - secondsOf(text) * 1000;
      const span = playlist.spans.find(({ startMs, endMs }) => startMs + 500 <= thenMs && thenMs <= endMs - 500);
      expect(span?.picture.label, text).toBe(expected);
      expect(moment?.startMs).toBe(span?.startMs);
    }
  });

  test('ask a yes/no pair over the same time, both about things that were shown', () => {
    const asked = askedOf(playlist).filter(({ task }) => task === 'seenwithin');
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter(({ expected }) => expected === 'yes')).toHaveLength(asked.length / 2);
    for (const { text, asOfMs, expected } of asked) {
      const span = playlist.spans.find(({ picture }) => new RegExp(`\\b${picture.label}\\b`).test(text));
      const fromMs = asOfMs - secondsOf(/(?:last|past) (?:\d+ )?\w+/.exec(text)?.[0] ?? '') * 1000;
      expect((span?.endMs ?? NaN) > fromMs ? 'yes' : 'no', text).toBe(expected);
    }
  });
});

test('Questions about the part between two times are yes/no pairs about things that were shown', () => {
  const asked = askedOf(LONG).filter(({ task }) => task === 'seenbetween');
  expect(asked.length).toBeGreaterThan(STREAMS.length);
  expect(asked.filter(({ expected }) => expected === 'yes')).toHaveLength(asked.length / 2);
  for (const { text, expected } of asked) {
    const [, from = 0, to = 0] = (/between (\d+:\d\d) and (\d+:\d\d)\?$/.exec(text) ?? []).map((time) => {
      const [minutes = 0, seconds = 0] = time.split(':').map(Number);
      return (minutes * 60 + seconds) * 1000;
    });
    const span = LONG.spans.find(({ picture }) => new RegExp(`\\b${picture.label}\\b`).test(text));
    const inside = (span?.endMs ?? NaN) > from && (span?.startMs ?? NaN) < to;
    expect(inside ? 'yes' : 'no', text).toBe(expected);
  }
});

test.each([
  ['short', SHORT],
  ['long', LONG],
])(
  'Questions about the last part of a %s stream include the thing already shown when that part begins',
  (_, playlist) => {
    const asked = askedOf(playlist).filter(({ task }) => task === 'firstwithin' || task === 'differentwithin');
    expect(asked.length).toBeGreaterThan(STREAMS.length);
    for (const { task, text, asOfMs, expected } of asked) {
      const fromMs = asOfMs - secondsOf(/last (?:\d+ )?\w+/.exec(text)?.[0] ?? '') * 1000;
      const shown = playlist.spans.filter(({ startMs, endMs }) => endMs > fromMs && startMs < asOfMs);
      expect(shown[0]?.startMs).toBeLessThan(fromMs);
      expect(expected, text).toBe(task === 'firstwithin' ? shown[0]?.picture.label : String(shown.length));
    }
  },
);

test('A stream of a single thing gets no question whose answer could only be yes', () => {
  const asked = askedOf(shown(8));
  expect(asked.map(({ task }) => task)).not.toContain('seenwithin');
  expect(asked.map(({ task }) => task)).not.toContain('seenbetween');
});
