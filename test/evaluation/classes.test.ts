import { describe, expect, test } from 'vitest';
import { kindOf, makeClasses } from '../../src/evaluation/classes.ts';
import { randomOfStream } from '../../src/evaluation/random.ts';

const NUMBERS = [
  2_106_662, // german shepherd
  2_124_075, // egyptian cat
  2_007_558, // flamingo
  1_443_537, // goldfish
  1_749_939, // green mamba
  2_134_084, // ice bear
  3_100_240, // convertible
  2_676_566, // acoustic guitar
  7_753_592, // banana
  4_548_280, // wall clock
  9_193_705, // alp: of no kind that is asked for
];
const PICTURES = NUMBERS.map((wordNet) => ({
  set: 'classes',
  file: `/${wordNet}.jpg`,
  label: `name ${wordNet}`,
  wordNet,
}));
const STREAMS = Array.from({ length: 100 }, (_, stream) => makeClasses(PICTURES, randomOfStream(1, stream), stream));

test('A class is of the kind in whose range of WordNet its id lies, or of none', () => {
  expect(NUMBERS.map(kindOf)).toEqual(
    ['dog', 'cat', 'bird', 'fish', 'snake', 'bear', 'vehicle', 'guitar', 'fruit', 'clock', undefined], //
  );
});

describe('A stream of kinds', () => {
  test('shows one picture of each of its kinds, and never what is of none', () => {
    for (const { spans } of STREAMS) {
      const kinds = spans.map(({ picture }) => kindOf(Number(picture.label.split(' ')[1])));
      expect(new Set(kinds).size).toBe(6);
      expect(kinds).not.toContain(undefined);
    }
  });

  test('is asked, as often with yes as with no, for what it showed and for what it did not', () => {
    for (const { spans, questions } of STREAMS) {
      const kindsUntil = (ms: number): string[] =>
        spans
          .filter(({ startMs }) => startMs < ms)
          .map(({ picture }) => kindOf(Number(picture.label.split(' ')[1])) ?? '');
      const ended = questions.filter(({ task }) => task === 'seenclass');
      expect(ended.map(({ expected }) => expected)).toEqual(['yes', 'yes', 'no', 'no']);
      for (const { text, expected, asOfMs } of ended) {
        expect(kindsUntil(asOfMs).some((kind) => text.includes(kind))).toBe(expected === 'yes');
      }
    }
  });

  test('is asked for what is there, and for what was there before and is not now', () => {
    for (const { spans, questions } of STREAMS) {
      const [there, gone] = questions.filter(({ task }) => task === 'seennowclass');
      const at = spans.find(({ startMs, endMs }) => startMs <= (there?.asOfMs ?? 0) && (there?.asOfMs ?? 0) < endMs);
      expect([there?.expected, gone?.expected]).toEqual(['yes', 'no']);
      expect(there?.moment).toMatchObject({ startMs: at?.startMs });
      expect(there?.text).toContain(kindOf(Number(at?.picture.label.split(' ')[1])));
      expect(gone?.asOfMs).toBe(there?.asOfMs);
      expect(gone?.text).not.toContain(kindOf(Number(at?.picture.label.split(' ')[1])));
    }
  });

  test('is none where the data has too few kinds', () => {
    expect(makeClasses(PICTURES.slice(0, 7), randomOfStream(1, 0))).toEqual({ spans: [], questions: [] });
  });
});
