/**
 * Several needles in one haystack: 1, 2, 4 and 8 things shown once for three seconds each. Each is asked about, with
 * the cache read as in the service (whole or through the index). For comparison: the YOCO paper's figures for N needles
 * at 128K tokens of text (arXiv:2405.05254).
 */
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { loadModel } from '../src/model/model.ts';
import { seededRandom } from '../src/model/sampling.ts';
import { PHOTOGRAPHS_NOTE, readPhotographs, sceneTokens, appendScenes } from './haystack.ts';
import { round } from './machine.ts';
import { DAY_LIMIT_BYTES, judge, needleQuestion } from './needle.ts';
import { fits, FPS, HAY_CLASSES, photographsOf, plant, shuffled } from './needle-plan.ts';
import { isRight } from './needle-result.ts';
import type { BenchOptions } from './options.ts';

const NUMBERS = [1, 2, 4, 8];
const SECONDS = [60, 600];
const QUICK_SECONDS = [60];
/** Total needles for each number of needles in a haystack. */
const NEEDLES = 16;
const PAPER: Readonly<Record<number, number>> = { 1: 0.98, 2: 0.98, 4: 0.84, 8: 0.56 };

export async function needles(options: BenchOptions): Promise<Record<string, unknown>> {
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const photographs = await readPhotographs(options.data);
    const tokens = await sceneTokens(model, photographs);
    const named = new Map(photographs.map((photograph) => [photograph.class, photograph.asked]));
    const atSeconds: Record<string, unknown> = {};
    for (const seconds of options.seconds ?? (options.quick ? QUICK_SECONDS : SECONDS)) {
      const byNumber: Record<string, unknown> = {};
      for (const number of NUMBERS) {
        if (!fits(seconds * FPS, number)) continue;
        const random = seededRandom(seconds + number);
        const haystacks = NEEDLES / number;
        let right = 0;
        let all = 0;
        for (let made = 0; made < haystacks; made++) {
          const classes = shuffled([...named.keys()], random);
          const planted = classes.slice(HAY_CLASSES, HAY_CLASSES + number);
          const { scenes, needleScenes } = plant(
            photographsOf(classes.slice(0, HAY_CLASSES), random),
            planted,
            seconds * FPS,
            random,
          );
          const cache = model.newCache(DAY_LIMIT_BYTES);
          const starts = await appendScenes(model, cache, tokens, scenes, FPS);
          let mine = 0;
          for (const [i, name] of planted.entries()) {
            const input = await needleQuestion(model, cache, named.get(name) ?? name);
            const output = await model.reader.read([{ cache, frames: cache.frames }], input);
            const startMs = ((starts[needleScenes[i] ?? 0] ?? 0) * 1000) / FPS;
            if (isRight(judge(model, cache, output, startMs))) mine++;
          }
          right += mine;
          if (mine === number) all++;
        }
        byNumber[String(number)] = {
          needles: NEEDLES,
          right: round(right / NEEDLES, 2),
          allOfAHaystack: round(all / haystacks, 2),
          paper: PAPER[number],
        };
      }
      atSeconds[String(seconds)] = byNumber;
    }
    return { framesASecond: FPS, ...(options.data === undefined ? { note: PHOTOGRAPHS_NOTE } : {}), atSeconds };
  } finally {
    await model.release();
  }
}
