import { describe, expect, test } from 'vitest';
import { type BoardPictures, makeBoards, PLACES } from '../../src/evaluation/boards.ts';
import { COLOURS } from '../../src/evaluation/paint.ts';
import type { EvaluationQuestion } from '../../src/evaluation/questions.ts';
import { seededRandom } from '../../src/model/sampling.ts';

const named = (set: string, label: string) => ({ set, file: `/${set}/${label}.png`, label });
const pictures: BoardPictures = {
  cutOuts: ['clown face', 'rabbit', 'scissors'].map((label) => named('emoji', label)),
  scenes: [{ set: 'flickr', file: '/flickr/1.png', captions: ['a dog runs', 'a dog is running'] }],
  exercises: [{ start: named('exercises', 'push up'), end: { ...named('exercises', 'push up'), file: '/up.png' } }],
};
const boards = (seed: number) => makeBoards(pictures, seededRandom(seed), seed);
const SEEDS = Array.from({ length: 100 }, (_, seed) => seed);

describe('Boards', () => {
  test('are the same for the same seed', () => {
    expect(boards(1)).toEqual(boards(1));
    expect(boards(1)).not.toEqual(boards(2));
  });

  test('ask where the only cut-out is, and expect the cell that holds it', () => {
    const places = new Set<string>();
    for (const seed of SEEDS) {
      const { spans, questions } = boards(seed);
      for (const { text, expected, asOfMs } of questions.filter(({ task }) => task === 'where')) {
        const span = spans.find(({ startMs, endMs }) => startMs <= asOfMs && asOfMs < endMs);
        expect(text).toContain(`the ${span?.picture.label ?? ''}`);
        const [thing, ...more] = span?.board?.things ?? [];
        expect(more).toEqual([]);
        const { x, y } = thing ?? { x: NaN, y: NaN };
        expect(PLACES[Math.floor(y * 3) * 3 + Math.floor(x * 3)]).toBe(expected);
        places.add(expected);
      }
    }
    expect([...places].sort()).toEqual([...PLACES].sort());
  });

  test('ask for the number of copies of a cut-out, one to five that never touch', () => {
    const counts = new Set<string>();
    for (const seed of SEEDS) {
      const { spans, questions } = boards(seed);
      for (const { expected, asOfMs } of questions.filter(({ task }) => task === 'howmany')) {
        const things = spans.find(({ startMs, endMs }) => startMs <= asOfMs && asOfMs < endMs)?.board?.things ?? [];
        expect(String(things.length)).toBe(expected);
        things.forEach((a, i) => {
          for (const b of things.slice(i + 1)) {
            const apart = Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y));
            expect(apart).toBeGreaterThan((a.size + b.size) / 2);
          }
        });
        counts.add(expected);
      }
    }
    expect([...counts].sort()).toEqual(['1', '2', '3', '4', '5']);
  });

  test('ask for the colour that a cut-out was painted in, in every colour', () => {
    const colours = new Set<string>();
    for (const seed of SEEDS) {
      const { spans, questions } = boards(seed);
      for (const { expected, asOfMs } of questions.filter(({ task }) => task === 'colour')) {
        const { paint, background } =
          spans.find(({ startMs, endMs }) => startMs <= asOfMs && asOfMs < endMs)?.board ?? {};
        expect(paint).toBe(expected);
        if (paint === 'white') expect(background).not.toMatch(/^#[c-f]/);
        colours.add(expected);
      }
    }
    expect([...colours].sort()).toEqual(Object.keys(COLOURS).sort());
  });

  test('repeat an exercise, start and end pose, as often as expected', () => {
    for (const seed of SEEDS.slice(0, 20)) {
      const { spans, questions } = boards(seed);
      const [asked] = questions.filter(({ task }) => task === 'repetitions');
      const poses = spans.filter(({ picture }) => picture.set === 'exercises').map(({ picture }) => picture.file);
      expect(poses.filter((file) => file === '/up.png')).toHaveLength(Number(asked?.expected));
      expect(poses).toHaveLength(2 * Number(asked?.expected));
    }
  });

  test('ask for a description of a scene, with all its captions', () => {
    const [asked] = boards(1).questions.filter(({ task }) => task === 'describe');
    expect(asked?.captions).toEqual(['a dog runs', 'a dog is running']);
  });

  test('are asked about while shown, and follow each other without a gap', () => {
    for (const seed of SEEDS.slice(0, 20)) {
      const { spans, questions, durationMs } = boards(seed);
      spans.forEach(({ startMs }, i) => {
        expect(startMs).toBe(spans[i - 1]?.endMs ?? 0);
      });
      expect(durationMs).toBe(spans.at(-1)?.endMs);
      for (const { asOfMs, moment } of questions) expect(moment?.endMs).toBe(asOfMs);
    }
  });

  test('ask only the tasks that they have pictures for', () => {
    const tasks = (only: Partial<BoardPictures>): EvaluationQuestion['task'][] =>
      makeBoards({ cutOuts: [], scenes: [], exercises: [], ...only }, seededRandom(1)).questions.map(
        ({ task }) => task,
      );
    expect(tasks({})).toEqual([]);
    expect(new Set(tasks({ scenes: pictures.scenes }))).toEqual(new Set(['describe']));
    expect(new Set(tasks({ cutOuts: pictures.cutOuts }))).toEqual(new Set(['where', 'howmany', 'colour']));
  });
});
