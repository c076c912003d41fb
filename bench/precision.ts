/**
 * What int8 pages change: greedy answers to the same questions on the same ten minutes of video, in full precision and
 * sealed. Reports the share of answers that are the same token for token, of first tokens and of all tokens.
 */
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { PAGE_FRAMES } from '../src/model/kv-cache.ts';
import { loadModel } from '../src/model/model.ts';
import { seededRandom } from '../src/model/sampling.ts';
import { greedyAnswer } from './greedy-answer.ts';
import { readPhotographs, type Scene, sceneTokens, appendScenes } from './haystack.ts';
import { round } from './machine.ts';
import type { BenchOptions } from './options.ts';

const FPS = 2;
const SCENE_FRAMES = 10;
const LIMIT_BYTES = 2 ** 29;
/** Frames kept in full precision: so few that nearly all are sealed. */
const FULL_PRECISION_FRAMES = 2 * PAGE_FRAMES;

export async function precision(options: BenchOptions): Promise<Record<string, unknown>> {
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const photographs = await readPhotographs();
    const tokens = await sceneTokens(model, photographs);
    const random = seededRandom(1);
    const classes = [...tokens.keys()];
    const frames = (options.quick ? 60 : 600) * FPS;
    const scenes = Array.from({ length: frames / SCENE_FRAMES }, (): Scene => {
      return { class: classes[Math.floor(random() * classes.length)] ?? '', frames: SCENE_FRAMES };
    });
    const full = model.newCache(LIMIT_BYTES);
    const sealed = model.newCache(LIMIT_BYTES, FULL_PRECISION_FRAMES);
    await appendScenes(model, full, tokens, scenes, FPS);
    await appendScenes(model, sealed, tokens, scenes, FPS);
    const names = photographs.map((photograph) => photograph.asked);
    const questions = [
      'What is shown now?',
      'What was shown first?',
      'How many different things were shown?',
      ...names.flatMap((name) => [
        `When did the ${name} appear?`,
        `Have you seen a ${name}?`,
        `What came before the ${name}?`,
      ]),
    ];
    let same = 0;
    let firstTokens = 0;
    let tokenCount = 0;
    let tokensAlike = 0;
    for (const question of questions) {
      const [a, b] = [await greedyAnswer(model, full, question), await greedyAnswer(model, sealed, question)];
      if (a.join() === b.join()) same++;
      if (a[0] === b[0]) firstTokens++;
      tokenCount += a.length;
      tokensAlike += a.filter((token, i) => b[i] === token).length;
    }
    return {
      frames,
      sealedFrames: sealed.sealedFrames,
      bytes: { full: full.bytes, sealed: sealed.bytes, ratio: round(full.bytes / sealed.bytes, 2) },
      questions: questions.length,
      sameAnswer: round(same / questions.length, 3),
      sameFirstToken: round(firstTokens / questions.length, 3),
      sameTokens: round(tokensAlike / tokenCount, 3),
    };
  } finally {
    await model.release();
  }
}
