import { describe, expect, test } from 'vitest';
import { CAMERAS, makeCameras } from '../../src/evaluation/cameras.ts';
import type { LabelledPicture } from '../../src/evaluation/labels.ts';
import { seededRandom } from '../../src/model/sampling.ts';

const LABELS = ['apple', 'bread', 'carrot', 'dress', 'egg', 'fig', 'grape', 'hat', 'iris', 'jam'];
const pictures: LabelledPicture[] = LABELS.map((label) => ({ set: 'grocery', file: `/${label}.jpg`, label }));
const cameras = (seed: number) => makeCameras(pictures, seededRandom(seed), seed);
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

describe('Several cameras', () => {
  test('are the same for the same seed', () => {
    expect(cameras(1)).toEqual(cameras(1));
    expect(cameras(1)).not.toEqual(cameras(2));
  });

  test('never show the same thing', () => {
    for (const seed of SEEDS) {
      const labels = cameras(seed).spans.flatMap((spans) => spans.map(({ picture }) => picture.label));
      expect(labels.length).toBe(2 * CAMERAS);
      expect(new Set(labels).size).toBe(labels.length);
    }
  });

  test('are asked which of them shows a thing, which one showed it, and what one of them shows', () => {
    for (const seed of SEEDS) {
      const { spans, questions } = cameras(seed);
      const shown = spans.map((mine) => mine.map(({ picture }) => picture.label));
      expect(new Set(questions.map(({ task }) => task))).toEqual(new Set(['which', 'whichever', 'oncamera']));
      for (const { task, text, expected } of questions) {
        const named = LABELS.find((label) => text.includes(`the ${label}`));
        const number = Number(/camera (\d)/.exec(task === 'oncamera' ? text : expected)?.[1]);
        const [past, now] = shown[number - 1] ?? [];
        expect([named, expected]).toEqual(
          {
            which: [now, `camera ${number}`],
            whichever: [past, `camera ${number}`],
            oncamera: [undefined, now],
          }[task as 'which' | 'whichever' | 'oncamera'],
        );
      }
    }
  });

  test('are not asked about where there are too few names', () => {
    expect(makeCameras(pictures.slice(0, 7), seededRandom(1))).toEqual({ spans: [], questions: [] });
  });
});
