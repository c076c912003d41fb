import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLIP_QUESTIONS } from '../../src/evaluation/clip-questions.ts';
import { evaluateClips, isClipAnswerRight } from '../../src/evaluation/clips.ts';
import { Streams } from '../../src/live/live-service.ts';
import { TINY_BUNDLE } from '../support/golden.ts';

describe('An answer about a clip', () => {
  test('is right when it has one of the words, whole', () => {
    const question = { text: 'What is this?', accept: ['cockatoo', 'parrot'] };
    expect(isClipAnswerRight(question, 'Sulphur-crested cockatoo')).toBe(true);
    expect(isClipAnswerRight(question, 'a parrot.')).toBe(true);
    expect(isClipAnswerRight(question, 'parrots')).toBe(false);
    expect(isClipAnswerRight(question, '')).toBe(false);
  });

  test('for a time is right within two seconds', () => {
    const question = { text: 'When did it appear?', seconds: 8 };
    expect(['0:06', '0:10'].map((text) => isClipAnswerRight(question, text))).toEqual([true, true]);
    expect(['0:05', '0:11', 'it was not shown'].map((text) => isClipAnswerRight(question, text))).toEqual([
      false,
      false,
      false,
    ]);
  });
});

test('Each clip is asked ten questions, each for words or for a time', () => {
  for (const questions of Object.values(CLIP_QUESTIONS)) {
    expect(questions).toHaveLength(10);
    for (const { accept, seconds } of questions) expect((accept === undefined) === (seconds !== undefined)).toBe(true);
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

  test('without any of them is refused', async () => {
    await expect(evaluateClips(live, folder)).rejects.toMatchObject({ code: 'data_invalid', param: 'clips' });
  });

  test('is asked about those that are there, and nothing is left behind', async () => {
    await copyFile(new URL('../../streams/clips/demo.mp4', import.meta.url), path.join(folder, 'cockatoo.mp4'));
    const { score, clips } = await evaluateClips(live, folder);
    expect(Object.keys(clips)).toEqual(['cockatoo.mp4']);
    const answers = clips['cockatoo.mp4']?.answers ?? [];
    expect(answers.map(({ question }) => question)).toEqual(CLIP_QUESTIONS['cockatoo.mp4']?.map(({ text }) => text));
    expect(score).toMatchObject({ correct: answers.filter(({ right }) => right).length, total: 10 });
    expect(live.list()).toEqual([]);
  });
});
