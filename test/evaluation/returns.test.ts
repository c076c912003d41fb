import { describe, expect, test } from 'vitest';
import { randomOfStream } from '../../src/evaluation/random.ts';
import { makeReturns } from '../../src/evaluation/returns.ts';

const pictures = ['apple', 'apple juice', 'kiwi', 'milk', 'shirt', 'hat', 'leek', 'onion'].map((label) => ({
  set: 'grocery',
  file: `/${label}.jpg`,
  label,
}));
const streams = Array.from({ length: 60 }, (_, stream) => makeReturns(pictures, randomOfStream(1, stream), stream));

describe('A stream with returning things', () => {
  test('shows three things without a gap, none twice in a row', () => {
    for (const { spans } of streams) {
      expect(new Set(spans.map(({ picture }) => picture.label)).size).toBe(3);
      spans.forEach(({ picture, startMs }, i) => {
        expect(startMs).toBe(i === 0 ? 0 : spans[i - 1]?.endMs);
        expect(picture).not.toBe(spans[i - 1]?.picture);
      });
    }
  });

  test('is asked how often each of them was shown, and one that never was', () => {
    const numbers = new Set<string>();
    for (const { spans, questions } of streams) {
      const times = questions.filter(({ task }) => task === 'times');
      expect(times).toHaveLength(4);
      expect(times.filter(({ expected }) => expected === '0')).toHaveLength(1);
      const shown = [...new Set(spans.map(({ picture }) => picture.label))].map((label) =>
        String(spans.filter(({ picture }) => picture.label === label).length),
      );
      expect(times.map(({ expected }) => expected).sort()).toEqual([...shown, '0'].sort());
      for (const { expected } of times) numbers.add(expected);
    }
    expect([...numbers].sort()).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  test('is asked when a thing left for the last time, if one returned and is gone', () => {
    const asked = streams.flatMap(({ spans, questions }) =>
      questions.filter(({ task }) => task === 'leftlast').map((question) => ({ spans, question })),
    );
    expect(asked.length).toBeGreaterThan(20);
    for (const { spans, question } of asked) {
      const mine = spans.filter(({ picture }) => question.text.includes(`the ${picture.label}`));
      expect(mine.length).toBeGreaterThan(1);
      expect(question.expected).toBe(String((mine.at(-1)?.endMs ?? 0) / 1_000));
      expect(mine.at(-1)).not.toBe(spans.at(-1));
    }
  });
});

test('No stream with returning things is made when there are too few names', () => {
  expect(makeReturns(pictures.slice(0, 3), randomOfStream(1, 0))).toEqual({ spans: [], questions: [] });
});
