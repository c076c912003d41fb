/**
 * Reading signs and screens: the drawn signs of the recorded tests, in typefaces that the bundle never saw, each shown
 * for two seconds. The questions ask what the sign says and for the colour of its ground. Baseline: the best constant
 * answer.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DEFAULT_BUNDLE, PACKAGE_ROOT } from '../src/config.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { greedyText } from './greedy-answer.ts';
import { cropped, appendScenes } from './haystack.ts';
import { round } from './machine.ts';
import type { BenchOptions } from './options.ts';

export const SIGNS = path.join(PACKAGE_ROOT, 'test', 'recorded', 'signs');
const FPS = 2;
const FRAMES = 4;
const LIMIT_BYTES = 2 ** 24;
const QUICK_SIGNS = 12;

/** A picture in the folder SIGNS, and what it shows. */
export interface Sign {
  readonly file: string;
  readonly says: string;
  readonly ground: string;
}

const KINDS: Readonly<
  Record<string, { question: string; expected: (sign: Sign) => string; when: (sign: Sign) => boolean }>
> = {
  oneDigit: { question: 'What does it say?', expected: (sign) => sign.says, when: ({ says }) => /^\d$/.test(says) },
  twoDigits: {
    question: 'What number is shown?',
    expected: (sign) => sign.says,
    when: ({ says }) => /^\d\d$/.test(says),
  },
  words: {
    question: 'What does the sign say?',
    expected: (sign) => sign.says,
    when: ({ says }) => /^[a-z]+$/.test(says),
  },
  ground: { question: 'What colour is the background?', expected: (sign) => sign.ground, when: () => true },
};

export async function signs(options: BenchOptions): Promise<Record<string, unknown>> {
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const all = await readSigns();
    const asked = options.quick ? all.filter((_, i) => i % Math.ceil(all.length / QUICK_SIGNS) === 0) : all;
    const report: Record<string, unknown> = {};
    for (const [name, { question, expected, when }] of Object.entries(KINDS)) {
      const some = asked.filter(when);
      const wrong: Record<string, string> = {};
      for (const sign of some) {
        const answer = await askAbout(model, sign, question);
        if (answer !== expected(sign)) wrong[`${sign.file} (${expected(sign)})`] = answer;
      }
      const right = some.length - Object.keys(wrong).length;
      report[name] = {
        right,
        of: some.length,
        share: round(right / some.length, 2),
        mostFrequent: mostFrequent(some.map(expected)),
        wrong,
      };
    }
    return report;
  } finally {
    await model.release();
  }
}

export async function readSigns(): Promise<Sign[]> {
  return JSON.parse(await readFile(path.join(SIGNS, 'signs.json'), 'utf8')) as Sign[];
}

async function askAbout(model: Model, sign: Sign, question: string): Promise<string> {
  const rgb = await cropped(path.join(SIGNS, sign.file), model.config.imageSize, 0);
  const cache = model.newCache(LIMIT_BYTES);
  const tokens = new Map([[sign.file, [await model.vision.encode(rgb)]]]);
  await appendScenes(model, cache, tokens, [{ class: sign.file, frames: FRAMES }], FPS);
  return greedyText(model, cache, question);
}

/** The share of right answers that the best constant answer gets. */
function mostFrequent(right: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const answer of right) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return round(Math.max(0, ...counts.values()) / Math.max(1, right.length), 2);
}
