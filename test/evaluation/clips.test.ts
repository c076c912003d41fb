import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLIP_QUESTIONS, type ClipQuestion } from '../../src/evaluation/clip-questions.ts';
import { bestConstantCount, evaluateClips, isClipAnswerRight } from '../../src/evaluation/clips.ts';
import { Streams } from '../../src/live/live-service.ts';
import { TINY_BUNDLE } from '../support/golden.ts';

describe('An answer about a clip', () => {
  test.each([
    ['Sulphur-crested cockatoo', true],
    ['a parrot.', true],
    ['parrots', false],
    ['no parrot', false],
    ['it is not a parrot', false],
    ['parrot cage', false],
    ['', false],
  ])('that must name a cockatoo or a parrot: %j is right: %s', (answer, right) => {
    expect(isClipAnswerRight({ kind: 'name', accept: ['cockatoo', 'parrot'] }, answer)).toBe(right);
  });

  test.each([
    ['2', true],
    ['two', true],
    ['Two cars.', true],
    ['2 minutes', false],
    ['12', false],
    ['2 or 3', false],
  ])('that must count two cars: %j is right: %s', (answer, right) => {
    expect(isClipAnswerRight({ kind: 'number', accept: ['2', 'two', 'two cars'] }, answer)).toBe(right);
  });

  test.each([
    ['yes', true],
    ['Yes, at the window', true],
    ['yesterday', false],
    ['no, yes', false],
  ])('that must be yes: %j is right: %s', (answer, right) => {
    expect(isClipAnswerRight({ kind: 'yesno', accept: ['yes'] }, answer)).toBe(right);
  });

  test.each([
    ['a plant stands in a room', true],
    ['a plantation', false],
    ['a room without a plant', false],
  ])('that must mention a plant: %j is right: %s', (answer, right) => {
    expect(isClipAnswerRight({ kind: 'sentence', accept: ['plant'] }, answer)).toBe(right);
  });

  test('that is a time is right within two seconds', () => {
    const question = { kind: 'time', accept: [], seconds: 8 } as const;
    expect(['0:06', '0:10'].map((text) => isClipAnswerRight(question, text))).toEqual([true, true]);
    expect(['0:05', '0:11', 'it was not shown'].map((text) => isClipAnswerRight(question, text))).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('The baseline that knows only the questions', () => {
  const question = (kind: ClipQuestion['kind'], accept: readonly string[], seconds?: number): ClipQuestion => {
    return { kind, text: '', accept, ...(seconds === undefined ? {} : { seconds }) };
  };

  test('counts, for each kind of question, the best single answer', () => {
    const yesNo = [question('yesno', ['yes']), question('yesno', ['no']), question('yesno', ['no'])];
    expect(bestConstantCount(yesNo)).toBe(2);
    const names = [question('name', ['car', 'vehicle']), question('name', ['vehicle']), question('name', ['apple'])];
    expect(bestConstantCount(names)).toBe(2);
    const times = [4, 8, 20].map((seconds) => question('time', [], seconds));
    expect(bestConstantCount(times)).toBe(2);
    expect(bestConstantCount([...yesNo, ...names, ...times])).toBe(6);
  });

  test('gets less than 60% of the real questions right', () => {
    const all = Object.values(CLIP_QUESTIONS).flat();
    expect(bestConstantCount(all)).toBeLessThan(all.length * 0.6);
  });
});

test('Each clip has ten questions, and each question accepts its own answers', () => {
  for (const questions of Object.values(CLIP_QUESTIONS)) {
    expect(questions).toHaveLength(10);
    for (const question of questions) {
      const { kind, accept, seconds } = question;
      expect([accept.length > 0, seconds !== undefined]).toEqual(kind === 'time' ? [false, true] : [true, false]);
      for (const answer of accept) expect(isClipAnswerRight(question, answer), answer).toBe(true);
    }
  }
});

describe('A folder of clips', () => {
  let folder: string;
  let live: Streams;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'yoco-clips-'));
    live = await Streams.start({ engine: { bundle: TINY_BUNDLE, threads: 1 } });
  });
  afterAll(async () => {
    await live.close();
    await rm(folder, { recursive: true });
  });

  test('without any known clip is rejected', async () => {
    await expect(evaluateClips(live, folder)).rejects.toMatchObject({ code: 'data_invalid', param: 'clips' });
  });

  test('is evaluated on the clips that exist, and leaves no stream behind', async () => {
    await copyFile(new URL('../../streams/clips/demo.mp4', import.meta.url), path.join(folder, 'cockatoo.mp4'));
    const { score, baseline, confidence, clips } = await evaluateClips(live, folder);
    expect(Object.keys(clips)).toEqual(['cockatoo.mp4']);
    const answers = clips['cockatoo.mp4']?.answers ?? [];
    expect(answers.map(({ question }) => question)).toEqual(CLIP_QUESTIONS['cockatoo.mp4']?.map(({ text }) => text));
    expect(score).toMatchObject({ correct: answers.filter(({ right }) => right).length, total: 10 });
    const sure = answers.filter((answer) => answer.confidence >= 0.5);
    expect(confidence.atLeast['0.5']).toMatchObject({ total: sure.length });
    expect(baseline).toMatchObject({ correct: bestConstantCount(CLIP_QUESTIONS['cockatoo.mp4'] ?? []), total: 10 });
    expect(live.list()).toEqual([]);
  });
});
