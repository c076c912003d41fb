import { describe, expect, test } from 'vitest';
import { CAMERA_COUNT, makeCameras, STREAMS_PER_GROUP } from '../../src/evaluation/cameras.ts';
import type { LabelledPicture } from '../../src/evaluation/labels.ts';
import { seededRandom } from '../../src/model/sampling.ts';

const LABELS = ['apple', 'bread', 'carrot', 'dress', 'egg', 'fig', 'grape', 'hat', 'iris', 'jam'];
const pictures: LabelledPicture[] = LABELS.map((label) => ({ set: 'grocery', file: `/${label}.jpg`, label }));
/** The cameras of the group of streams with this number. */
const cameras = (group: number) => makeCameras(pictures, seededRandom(group), group * STREAMS_PER_GROUP);
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

describe('Several cameras', () => {
  test('are the same for the same seed', () => {
    expect(cameras(1)).toEqual(cameras(1));
    expect(cameras(1)).not.toEqual(cameras(2));
  });

  test('never show the same thing', () => {
    for (const seed of SEEDS) {
      const labels = cameras(seed).spans.flatMap((spans) => spans.map(({ picture }) => picture.label));
      expect(labels.length).toBe(2 * CAMERA_COUNT);
      expect(new Set(labels).size).toBe(labels.length);
    }
  });

  test('are asked which camera shows a thing, which one showed it, and what one camera shows', () => {
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

  test('are played after the first of every four streams', () => {
    const played = [0, 1, 2, 3, 4, 5].map((stream) => makeCameras(pictures, seededRandom(1), stream).spans.length > 0);
    expect(played).toEqual([true, false, false, false, true, false]);
  });

  test('are asked each task half in trained and half in held-out phrasings', () => {
    const questions = SEEDS.flatMap((group) => cameras(group).questions);
    for (const name of ['which', 'whichever', 'oncamera']) {
      const mine = questions.filter(({ task }) => task === name);
      expect(mine.filter(({ heldOut }) => heldOut).length * 2, name).toBe(mine.length);
    }
  });

  test('are not played when there are too few names', () => {
    expect(makeCameras(pictures.slice(0, 7), seededRandom(1))).toEqual({ spans: [], questions: [] });
  });
});
