import { describe, expect, test } from 'vitest';
import type { LabelledPicture } from '../../src/evaluation/labels.ts';
import { makePlaylist, type Playlist, type Span } from '../../src/evaluation/playlist.ts';
import type { EvaluationQuestion } from '../../src/evaluation/questions.ts';
import { seededRandom } from '../../src/model/sampling.ts';

const LABELS = [
  ...['apple', 'apple juice', 'orange', 'orange juice', 'milk', 'sour milk', 'plum', 'pear', 'kiwi', 'avocado', 'leek'],
  ...['hat', 'red hat', 't-shirt', 'dress', 'shoes'],
];
const pictures: LabelledPicture[] = LABELS.flatMap((label, i) =>
  [1, 2].map((n) => ({ set: i < 11 ? 'grocery' : 'clothing', file: `/${label} ${n}.jpg`, label })),
);

const playlist = (seed: number, seconds = 30): Playlist => makePlaylist(pictures, seconds, seededRandom(seed), seed);

/** The right answer, derived independently from the spans and the text of the question. */
function rightAnswer({ text, task }: EvaluationQuestion, spans: readonly Span[], asOfMs: number): string {
  const seen = spans.filter(({ startMs }) => startMs <= asOfMs);
  const labels = seen.map(({ picture }) => picture.label);
  const named = LABELS.filter((label) => new RegExp(`\\b(a|an|the) ${label}\\b(?! juice)`).test(text))
    .sort((a, b) => b.length - a.length)
    .at(0);
  const i = named === undefined ? -1 : labels.indexOf(named);
  const shown = (index: number): string => labels[index] ?? 'nothing';
  switch (task) {
    case 'now':
    case 'last':
      return shown(labels.length - 1);
    case 'first':
      return shown(0);
    case 'seen':
      return i >= 0 ? 'yes' : 'no';
    case 'before':
      return shown(i - 1);
    case 'after':
      return shown(i + 1);
    case 'at': {
      const [, minutes, seconds] = /(\d+):(\d\d)/.exec(text) ?? [];
      const ms = (Number(minutes) * 60 + Number(seconds)) * 1000;
      return shown(seen.findIndex(({ startMs, endMs }) => startMs <= ms && ms < endMs));
    }
    case 'seennow':
      return i === labels.length - 1 ? 'yes' : 'no';
    case 'left':
      return String((seen[i]?.endMs ?? NaN) / 1000);
    case 'duration':
      return String(((seen[i]?.endMs ?? NaN) - (seen[i]?.startMs ?? NaN)) / 1000);
    case 'when':
      return i < 0 ? 'not shown' : String((seen[i]?.startMs ?? NaN) / 1000);
    case 'notshown':
      return i < 0 ? 'not shown' : 'shown';
    case 'different':
      return String(new Set(labels).size);
    default:
      throw new Error(`a playlist does not ask ${task}`);
  }
}

describe('A playlist', () => {
  test('is reproducible by its seed', () => {
    expect(playlist(1)).toEqual(playlist(1));
    expect(playlist(1)).not.toEqual(playlist(2));
  });

  test.each([10, 30, 60])('of %i s shows different things one after the other without a gap', (seconds) => {
    for (let seed = 0; seed < 50; seed++) {
      const { spans, durationMs } = playlist(seed, seconds);
      expect(spans.length).toBeGreaterThanOrEqual(2);
      expect(new Set(spans.map(({ picture }) => picture.label)).size).toBe(spans.length);
      spans.forEach(({ startMs, endMs }, i) => {
        expect(startMs).toBe(spans[i - 1]?.endMs ?? 0);
        expect(endMs - startMs).toBeGreaterThanOrEqual(2000);
        expect(startMs % 500).toBe(0);
      });
      expect(durationMs).toBe(spans.at(-1)?.endMs);
      expect(Math.abs(durationMs - seconds * 1000)).toBeLessThan(seconds * 500);
    }
  });

  test('shows things of each set equally often, however many names the set has', () => {
    const sets = Array.from({ length: 200 }, (_, seed) => playlist(seed, 10).spans.map(({ picture }) => picture.set));
    const clothing = sets.flat().filter((set) => set === 'clothing').length / sets.flat().length;
    expect(clothing).toBeGreaterThan(0.42);
    expect(clothing).toBeLessThan(0.58);
  });

  test('expects the right answer to every question', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { spans, questions } = playlist(seed);
      for (const question of questions) {
        expect(rightAnswer(question, spans, question.asOfMs), `seed ${seed}: ${question.text}`).toBe(question.expected);
      }
    }
  });

  test('expects one answer to the same question at the same moment', () => {
    for (let seed = 0; seed < 200; seed++) {
      const expected = new Map<string, string>();
      for (const { text, asOfMs, expected: answer, task } of playlist(seed).questions) {
        if (task === 'notshown') continue;
        const key = `${text} ${asOfMs}`;
        expect(expected.get(key) ?? answer).toBe(answer);
        expected.set(key, answer);
      }
    }
  });

  test('asks within the video and away from cuts, and records when the answer was shown', () => {
    for (let seed = 0; seed < 100; seed++) {
      const { spans, questions, durationMs } = playlist(seed);
      for (const { asOfMs, moment } of questions) {
        expect(asOfMs).toBeLessThan(durationMs);
        for (const { startMs } of spans.slice(1)) expect(Math.abs(asOfMs - startMs)).toBeGreaterThanOrEqual(500);
        if (moment === null) continue;
        expect(moment.endMs).toBeGreaterThan(moment.startMs);
        expect(moment.endMs).toBeLessThanOrEqual(asOfMs);
      }
    }
  });

  test('asks every task, and expects yes and no equally often', () => {
    const questions = Array.from({ length: 50 }, (_, seed) => playlist(seed).questions).flat();
    for (const name of ['seen', 'seennow']) {
      const answers = questions.filter(({ task }) => task === name).map(({ expected }) => expected);
      expect(answers.filter((answer) => answer === 'yes').length * 2).toBe(answers.length);
    }
    expect([...new Set(questions.map(({ task }) => task))].sort()).toEqual([
      ...['after', 'at', 'before', 'different', 'duration', 'first', 'last', 'left', 'notshown', 'now'],
      ...['seen', 'seennow', 'when'],
    ]);
  });

  test('asks each task equally often in trained and held-out phrasings', () => {
    const questions = Array.from({ length: 100 }, (_, seed) => playlist(seed).questions).flat();
    for (const name of ['now', 'seen', 'first', 'before', 'at', 'left', 'notshown']) {
      const held = questions.filter(({ task }) => task === name).map(({ heldOut }) => heldOut);
      expect(held.filter(Boolean).length / held.length, name).toBeCloseTo(0.5, 1);
    }
  });

  test('marks questions about things that are never shown, to which yes is a hallucination', () => {
    for (let seed = 0; seed < 50; seed++) {
      const { spans, questions } = playlist(seed);
      const shown = (text: string): boolean => spans.some(({ picture }) => text.includes(` ${picture.label}`));
      const noes = questions.filter(({ expected }) => expected === 'no');
      expect(noes.some(({ absent }) => absent === true)).toBe(true);
      // The other questions that expect no ask about a thing that was shown before and is gone.
      for (const { task, text, absent } of noes)
        if (absent !== true) expect([task, shown(text)]).toEqual(['seennow', true]);
      expect(questions.filter(({ expected, absent }) => expected !== 'no' && absent === true)).toEqual([]);
    }
  });

  test('records the chance of a random answer: one of all names, of those shown, or of yes and no', () => {
    const { spans, questions } = playlist(3);
    const chance = (name: string): number | undefined => questions.find(({ task }) => task === name)?.chance;
    expect(chance('now')).toBe(1 / LABELS.length);
    expect(chance('first')).toBe(1 / spans.length);
    expect(chance('before')).toBe(1 / (spans.length - 1));
    expect(chance('seen')).toBe(0.5);
    for (const { chance: each } of questions) expect(each > 0 && each <= 1).toBe(true);
  });

  test('asks more questions about a longer stream', () => {
    const many = Array.from({ length: 90 }, (_, i) => ({ set: 'many', file: `/${i}.jpg`, label: `thing ${i}` }));
    const count = (seconds: number, name: string): number =>
      makePlaylist(many, seconds, seededRandom(1)).questions.filter(({ task }) => task === name).length;
    expect([count(30, 'before'), count(300, 'before')]).toEqual([1, 5]);
    expect(count(300, 'now')).toBeGreaterThan(30);
  });

  test('asks no fact twice in one task while others remain', () => {
    const many = Array.from({ length: 90 }, (_, i) => ({ set: 'many', file: `/${i}.jpg`, label: `thing ${i}` }));
    for (let seed = 0; seed < 50; seed++) {
      const { questions } = makePlaylist(many, 300, seededRandom(seed), seed);
      for (const name of ['seen', 'seennow', 'before', 'after', 'at', 'when', 'left', 'duration', 'notshown']) {
        // For `seen` and `seennow`, a yes and a no about the same thing are different facts.
        for (const group of [['yes'], ['no'], undefined]) {
          const mine = questions.filter(({ task, expected, absent }) => {
            const inGroup = group === undefined ? !['yes', 'no'].includes(expected) : group.includes(expected);
            return task === name && inGroup && !(name === 'seennow' && expected === 'no' && absent !== true);
          });
          const facts = mine.map(({ text }) => /thing \d+|\d+:\d\d/.exec(text)?.[0]);
          expect(new Set(facts).size, `${name} of seed ${seed}`).toBe(facts.length);
        }
      }
    }
  });

  test('asks for durations so varied that no constant answer is right for half of them', () => {
    const many = Array.from({ length: 90 }, (_, i) => ({ set: 'many', file: `/${i}.jpg`, label: `thing ${i}` }));
    const bestConstant = (seconds: number): number => {
      const streams = Array.from({ length: 200 }, (_, seed) => makePlaylist(many, seconds, seededRandom(seed), seed));
      const asked = streams.flatMap(({ questions }) => questions.filter(({ task }) => task === 'duration'));
      const lengths = asked.map(({ expected }) => Number(expected));
      const right = lengths.map((length) => lengths.filter((x) => x >= length && x <= length + 2).length);
      return Math.max(...right) / lengths.length;
    };
    expect(bestConstant(30)).toBeLessThan(0.47);
    expect(bestConstant(120)).toBeLessThan(0.47);
  });

  test('never asks about an absent thing whose name contains that of one shown', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { spans, questions } = playlist(seed);
      for (const { task, absent, text } of questions) {
        if (absent !== true && task !== 'notshown') continue;
        for (const { picture } of spans) {
          const asked = text.replace(/\?$/, '').split(' ');
          expect(
            picture.label.split(' ').every((word) => asked.includes(word)),
            `${text} / ${picture.label}`,
          ).toBe(false);
        }
      }
    }
  });

  test('made of few things asks nothing about absent ones', () => {
    const few = pictures.filter(({ label }) => ['plum', 'pear', 'kiwi', 'hat', 'leek'].includes(label));
    for (let seed = 0; seed < 20; seed++) {
      const { spans, questions } = makePlaylist(few, 60, seededRandom(seed));
      expect(spans).toHaveLength(5);
      expect(questions.filter(({ task, absent }) => task === 'notshown' || absent === true)).toEqual([]);
      expect(questions.filter(({ task }) => task === 'seen')).toEqual([]);
    }
  });
});
