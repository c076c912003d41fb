import { describe, expect, test } from 'vitest';
import { askNamedDescriptions } from '../../src/evaluation/named-descriptions.ts';
import { PHRASINGS } from '../../src/evaluation/phrasings.ts';
import { randomOfStream } from '../../src/evaluation/random.ts';

const spans = ['apple', 'kiwi', 'milk', 'shirt'].map((label, i) => ({
  picture: { set: 'grocery', file: `/${label}.jpg`, label },
  startMs: i * 4000,
  endMs: (i + 1) * 4000,
}));

describe('Questions that ask to describe a thing', () => {
  test('are two for a stream, each asked while its thing is shown, and expect its name', () => {
    const asked = new Set<string>();
    for (let stream = 0; stream < 40; stream++) {
      const questions = askNamedDescriptions({ spans }, 20, randomOfStream(1, stream), stream);
      expect(new Set(questions.map(({ expected }) => expected)).size).toBe(2);
      for (const { task, text, asOfMs, expected, moment, chance } of questions) {
        const shown = spans.find(({ picture }) => picture.label === expected);
        expect(task).toBe('describenamed');
        expect(PHRASINGS.describe).toContain(text);
        expect(text).not.toMatch(/they|person/);
        expect(asOfMs).toBeGreaterThan(shown?.startMs ?? NaN);
        expect(asOfMs).toBeLessThan(shown?.endMs ?? NaN);
        expect(moment).toEqual({ set: 'grocery', startMs: shown?.startMs, endMs: asOfMs });
        expect(chance).toBe(1 / 20);
        asked.add(text);
      }
    }
    expect(asked.size).toBeGreaterThan(10);
  });

  test('are fewer when fewer things are shown', () => {
    expect(askNamedDescriptions({ spans: spans.slice(0, 1) }, 20, randomOfStream(1, 0))).toHaveLength(1);
  });
});
