/**
 * Needles in haystacks of real video tokens, from ten seconds to a day: a needle is a thing shown once, for three
 * seconds, among others. The question is whether it was seen; "yes" with the strongest evidence on the needle is right.
 * Each needle is asked about twice: reading through the index, and reading everything (the baseline). Absent things are
 * asked about as well. The photographs are those that the frozen vision encoder recognises (PHOTOGRAPHS_NOTE) or those
 * of a data folder (`--data`); the hay is other photographs or real videos (`--footage`).
 */
import { writeFile } from 'node:fs/promises';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { withArticle } from '../src/evaluation/questions.ts';
import { EvidenceTally } from '../src/model/evidence.ts';
import type { KvCache } from '../src/model/kv-cache.ts';
import { FULL_READ_TOKENS } from '../src/model/kv-reader.ts';
import type { ReaderInput, Reading } from '../src/model/reader.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { argmax } from '../src/model/sampling.ts';
import { footageTokens } from './footage.ts';
import { openQuestion } from './greedy-answer.ts';
import {
  type Photograph,
  PHOTOGRAPHS_NOTE,
  readPhotographs,
  sceneTokens,
  type SceneTokens,
  appendScenes,
} from './haystack.ts';
import { round } from './machine.ts';
import { heatmap } from './needle-heatmap.ts';
import { FPS, type Haystack, haystacksOf, haystacksOfFootage, NEEDLE_FRAMES } from './needle-plan.ts';
import { isRight, type NeedleReading, type NeedleResult } from './needle-result.ts';
import type { BenchOptions } from './options.ts';

const SECONDS = [10, 60, 600, 3_600, 6 * 3_600, 24 * 3_600];
const QUICK_SECONDS = [10, 60, 600];
/** Questions that read everything in one batch: at a day, a larger batch would take too much memory. */
const QUESTIONS_PER_BATCH = 4;
export const DAY_LIMIT_BYTES = 2 ** 31;

export async function needle(options: BenchOptions): Promise<Record<string, unknown>> {
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const photographs = await readPhotographs(options.data);
    const footage = options.footage === undefined ? null : await footageTokens(model, options.footage, FPS);
    const tokens = new Map([...(await sceneTokens(model, photographs)), ...(footage ?? [])]);
    const results: NeedleResult[] = [];
    const lengths = options.seconds ?? (options.quick ? QUICK_SECONDS : SECONDS);
    const at = (seconds: number): NeedleResult[] => results.filter((result) => result.seconds === seconds);
    const shortest = Math.min(...lengths);
    const summaryOf = (seconds: number): Record<string, unknown> => ({
      ...summary(at(seconds)),
      // Only with footage are the needles the same at all lengths.
      ...(footage === null || seconds === shortest
        ? {}
        : { ofThoseRightAtFirst: shareStillRight(at(shortest), at(seconds)) }),
    });
    const classes = [...new Set(photographs.map((photograph) => photograph.class))];
    for (const seconds of lengths) {
      const haystacks =
        footage === null
          ? haystacksOf(classes, seconds, options.needles)
          : haystacksOfFootage(classes, footage, seconds, options.needles, options.planted);
      results.push(...(await atLength(model, tokens, photographs, seconds, haystacks)));
      process.stderr.write(`  ${seconds} s: ${JSON.stringify(summaryOf(seconds))}\n`);
    }
    if (options.picture !== undefined) await writeFile(options.picture, heatmap(results));
    return {
      framesASecond: FPS,
      needleSeconds: NEEDLE_FRAMES / FPS,
      hay:
        footage === null
          ? 'photographs'
          : [...footage].map(([name, { length }]) => `${name}, ${length} frames`).join('; '),
      ...(options.data === undefined ? { note: PHOTOGRAPHS_NOTE } : {}),
      atSeconds: Object.fromEntries(lengths.map((seconds) => [String(seconds), summaryOf(seconds)])),
    };
  } finally {
    await model.release();
  }
}

function summary(results: readonly NeedleResult[]): Record<string, unknown> {
  const needles = results.filter((result) => result.depth !== null);
  const absent = results.filter((result) => result.depth === null);
  const count = (kind: 'indexed' | 'everything'): Record<string, number> => ({
    right: needles.filter((result) => isRight(result[kind])).length,
    yes: needles.filter((result) => result[kind].yes).length,
    found: needles.filter((result) => result[kind].found).length,
    falseYes: absent.filter((result) => result[kind].yes).length,
  });
  return {
    needles: needles.length,
    absent: absent.length,
    indexed: count('indexed'),
    everything: count('everything'),
    ofThoseRightWithEverything: shareStillRight(needles, needles),
  };
}

/**
 * Of the needles that were right in `before` when reading everything, the share that is right in `after` through the
 * index. Both list the same needles in the same order.
 */
function shareStillRight(before: readonly NeedleResult[], after: readonly NeedleResult[]): number | 'none' {
  const [then, now] = [before, after].map((results) => results.filter((result) => result.depth !== null));
  const right = (now ?? []).filter((_, i) => then?.[i] !== undefined && isRight(then[i].everything));
  const still = right.filter((result) => isRight(result.indexed)).length;
  return right.length === 0 ? 'none' : round(still / right.length, 3);
}

async function atLength(
  model: Model,
  tokens: SceneTokens,
  photographs: readonly Photograph[],
  seconds: number,
  haystacks: readonly Haystack[],
): Promise<NeedleResult[]> {
  const results: NeedleResult[] = [];
  const named = new Map(photographs.map((photograph) => [photograph.class, photograph.asked]));
  for (const { planted, absent, scenes, needleScenes } of haystacks) {
    const cache = model.newCache(DAY_LIMIT_BYTES);
    const starts = await appendScenes(model, cache, tokens, scenes, FPS);
    const spans = needleScenes.map((scene) => ((starts[scene] ?? 0) * 1000) / FPS);
    const asked = [...planted, ...absent];
    const inputs = await Promise.all(asked.map((name) => needleQuestion(model, cache, named.get(name) ?? name)));
    const everything = await readEverything(model, cache, inputs);
    for (const [i, name] of asked.entries()) {
      const input = inputs[i];
      const whole = everything[i];
      if (input === undefined || whole === undefined) continue;
      // Up to this length both are the same reading.
      const short = cache.frames * model.config.tokensPerFrame <= FULL_READ_TOKENS;
      const indexed = short ? whole : await model.reader.read([{ cache, frames: cache.frames }], input);
      const span = spans[i];
      results.push({
        seconds,
        class: name,
        depth: span === undefined ? null : span / 1000 / seconds,
        indexed: judge(model, cache, indexed, span),
        everything: judge(model, cache, whole, span),
      });
    }
  }
  return results;
}

export async function needleQuestion(model: Model, cache: KvCache, name: string): Promise<ReaderInput> {
  return (await openQuestion(model, cache, `have you seen ${withArticle(name)}?`)).readerInput;
}

async function readEverything(model: Model, cache: KvCache, inputs: readonly ReaderInput[]): Promise<Reading[]> {
  const outputs: Reading[] = [];
  for (let i = 0; i < inputs.length; i += QUESTIONS_PER_BATCH) {
    const some = inputs.slice(i, i + QUESTIONS_PER_BATCH).map((input) => ({ frames: cache.frames, input }));
    outputs.push(...(await model.reader.readShared(cache, some)));
  }
  return outputs;
}

export function judge(model: Model, cache: KvCache, output: Reading, startMs: number | undefined): NeedleReading {
  const token = model.config.answerTokens[argmax(output.logits)] ?? -1;
  const tally = new EvidenceTally(1);
  tally.add(output.attention);
  const [top] = tally.spans([{ name: '', cache }]);
  const peak = top?.peakMs ?? NaN;
  const endMs = (startMs ?? 0) + ((NEEDLE_FRAMES - 1) * 1000) / FPS;
  return {
    yes: model.tokenizer.decode([token]).trim() === 'yes',
    found: startMs !== undefined && peak >= startMs && peak <= endMs,
  };
}
