import { describe, expect, test } from 'vitest';
import { askGroups, askScenes, groupsOf } from '../../src/evaluation/kinds.ts';
import type { LabelledPicture } from '../../src/evaluation/labels.ts';
import type { EvaluationQuestion } from '../../src/evaluation/questions.ts';
import { randomOfStream } from '../../src/evaluation/random.ts';

const picture = (label: string, group?: string): LabelledPicture => ({
  set: 'shop',
  file: `/${label}.jpg`,
  label,
  ...(group === undefined ? {} : { group }),
});

const PICTURES = [
  picture('granny smith', 'apple'),
  picture('royal gala', 'apple'),
  picture('bravo apple juice', 'juice'),
  picture('arla milk', 'milk'),
  picture('kiwi', 'kiwi'),
  picture('conference', 'pear'),
  picture('shirt'),
];
const GROUPS = groupsOf(PICTURES);
const STREAMS = Array.from({ length: 100 }, (_, stream) => stream);

/** These things in order, five seconds each. */
function shown(...labels: string[]): Parameters<typeof askGroups>[0] {
  const spans = labels.map((label, i) => {
    const found = PICTURES.find((one) => one.label === label);
    if (found === undefined) throw new RangeError(label);
    return { picture: found, startMs: i * 5_000, endMs: (i + 1) * 5_000 };
  });
  return { spans, durationMs: labels.length * 5_000 };
}

const questions = (playlist: Parameters<typeof askGroups>[0]): EvaluationQuestion[] =>
  STREAMS.flatMap((stream) => [...askGroups(playlist, GROUPS, randomOfStream(1, stream), stream)]);

describe('Questions about a kind of thing', () => {
  test('are, for each stream, a yes for a kind that is shown and a no for one that is not', () => {
    const asked = questions(shown('granny smith', 'kiwi', 'shirt'));
    expect(asked).toHaveLength(2 * STREAMS.length);
    for (const { task, expected, text } of asked) {
      expect(task).toBe('seenkind');
      expect(text.includes('apple')).toBe(expected === 'yes');
    }
    expect(asked.filter(({ expected }) => expected === 'yes')).toHaveLength(STREAMS.length);
  });

  test('use an article only for countable words', () => {
    const texts = questions(shown('granny smith', 'kiwi')).map(({ text }) => text);
    expect(texts.some((text) => text.includes('an apple'))).toBe(true);
    expect(texts.some((text) => text.includes('a pear'))).toBe(true);
    expect(texts.filter((text) => /\ban? (milk|juice)/.test(text))).toEqual([]);
  });

  test('never expect no for a word contained in the name of something shown', () => {
    const absent = questions(shown('bravo apple juice', 'kiwi')).filter(({ expected }) => expected === 'no');
    for (const { text } of absent) expect(text).toMatch(/milk|pear/);
  });

  test('have a moment only if the kind was shown exactly once', () => {
    const yes = (playlist: Parameters<typeof askGroups>[0]): unknown[] =>
      questions(playlist)
        .filter(({ expected }) => expected === 'yes')
        .map(({ moment }) => moment);
    const once = new Set(yes(shown('kiwi', 'granny smith', 'shirt')).map((moment) => JSON.stringify(moment)));
    expect([...once]).toEqual([JSON.stringify({ set: 'shop', startMs: 5_000, endMs: 10_000 })]);
    expect(new Set(yes(shown('granny smith', 'royal gala')))).toEqual(new Set([null]));
  });

  test('are not asked when no shown thing has a group beyond its name, or when all groups are shown', () => {
    expect(questions(shown('kiwi', 'shirt'))).toEqual([]);
    expect(askGroups(shown('granny smith'), ['apple'], randomOfStream(1, 0))).toEqual([]);
  });
});

describe('Questions about people and dogs', () => {
  const described = (...captions: string[]): EvaluationQuestion => ({
    task: 'describe',
    text: '',
    asOfMs: 2_400,
    expected: captions[0] ?? '',
    moment: { set: 'scenes', startMs: 0, endMs: 2_400 },
    heldOut: false,
    chance: 0,
    captions,
  });
  const asked = (question: EvaluationQuestion): [boolean, string][] =>
    askScenes([question], randomOfStream(1, 0)).map(({ text, expected }) => [text.includes('person'), expected]);

  test('expect what several captions say', () => {
    const scene = described('Two men walk.', 'People on a road', 'a road', 'Men, walking', 'A boy');
    expect(asked(scene)).toEqual([
      [true, 'yes'],
      [false, 'no'],
    ]);
    expect(asked(described('A dog runs.', 'The puppy plays', 'grass'))).toEqual([
      [true, 'no'],
      [false, 'yes'],
    ]);
  });

  test('are not asked about what only one caption says', () => {
    expect(asked(described('A man and a dog', 'A dog', 'A dog runs'))).toEqual([[false, 'yes']]);
  });

  test('are asked only about scenes', () => {
    const { captions, ...other } = described('A man');
    expect(captions).toHaveLength(1);
    expect(askScenes([other], randomOfStream(1, 0))).toEqual([]);
  });
});
