/**
 * Needles in haystacks of real video tokens, from ten seconds to a day: a thing that is shown once, for three seconds,
 * among others. Asked is whether it was seen; right is "yes" with the strongest evidence on the needle. Each needle is
 * asked twice: reading through the index, and reading everything (the baseline). Things never shown are asked as well. The
 * photographs are those that the frozen eyes know (PHOTOGRAPHS_NOTE).
 */
import { writeFile } from 'node:fs/promises';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { withArticle } from '../src/evaluation/questions.ts';
import { EvidenceTally } from '../src/model/evidence.ts';
import type { KvCache } from '../src/model/kv-cache.ts';
import { FULL_READ_TOKENS } from '../src/model/kv-reader.ts';
import type { ReaderInput, Reading } from '../src/model/reader.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../src/model/question.ts';
import { argmax, seededRandom } from '../src/model/sampling.ts';
import {
  type Photograph,
  PHOTOGRAPHS_NOTE,
  readPhotographs,
  type Scene,
  sceneTokens,
  type SceneTokens,
  show,
} from './haystack.ts';
import { round } from './machine.ts';
import { heatmap } from './needle-picture.ts';
import { isRight, type NeedleReading, type NeedleResult } from './needle-result.ts';
import type { BenchOptions } from './options.ts';

export const FPS = 2;
const NEEDLE_FRAMES = 6;
/** Scenes of the haystack: five seconds each, and a little less in the shortest. */
const HAY_FRAMES = 10;
const SECONDS = [10, 60, 600, 3_600, 6 * 3_600, 24 * 3_600];
const QUICK_SECONDS = [10, 60, 600];
/** Classes that haystacks are made of; the rest are needles, or never shown. */
export const HAY_CLASSES = 12;
/** Needles in each haystack that has room for them. */
const NEEDLES = 12;
/** Questions that read everything together: what a longer list would need of memory is too much at a day. */
const READ_TOGETHER = 4;
export const DAY_LIMIT_BYTES = 2 ** 31;

export async function needle(options: BenchOptions): Promise<Record<string, unknown>> {
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const photographs = await readPhotographs(options.data);
    const tokens = await sceneTokens(model, photographs);
    const results: NeedleResult[] = [];
    const lengths = options.seconds ?? (options.quick ? QUICK_SECONDS : SECONDS);
    for (const seconds of lengths) {
      results.push(...(await atLength(model, tokens, photographs, seconds, options.needles)));
      process.stderr.write(
        `  ${seconds} s: ${JSON.stringify(summary(results.filter((r) => r.seconds === seconds)))}\n`,
      );
    }
    if (options.picture !== undefined) await writeFile(options.picture, heatmap(results));
    return {
      framesASecond: FPS,
      needleSeconds: NEEDLE_FRAMES / FPS,
      ...(options.data === undefined ? { note: PHOTOGRAPHS_NOTE } : {}),
      atSeconds: Object.fromEntries(
        lengths.map((seconds) => [String(seconds), summary(results.filter((result) => result.seconds === seconds))]),
      ),
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
  const both = needles.filter((result) => isRight(result.everything));
  const kept = both.filter((result) => isRight(result.indexed)).length;
  return {
    needles: needles.length,
    absent: absent.length,
    indexed: count('indexed'),
    everything: count('everything'),
    ofThoseRightWithEverything: both.length === 0 ? 'none' : round(kept / both.length, 3),
  };
}

/** What is shown and asked in one haystack. */
export interface Haystack {
  readonly scenes: readonly Scene[];
  /** Classes that are shown once, each in `scenes` at its place of `at`. */
  readonly planted: readonly string[];
  readonly at: readonly number[];
  /** Classes that are never shown. */
  readonly absent: readonly string[];
}

/**
 * Haystacks of so many seconds with at least `wanted` needles together. They depend on the length and the classes alone: they are
 * the same whichever other lengths are measured.
 */
export function haystacksOf(classes: readonly string[], seconds: number, wanted: number): Haystack[] {
  const random = seededRandom(seconds);
  const frames = seconds * FPS;
  const room = Math.max(1, Math.min(NEEDLES, Math.floor(frames / (2 * HAY_FRAMES))));
  const haystacks: Haystack[] = [];
  for (let made = 0; made < wanted; made += room) {
    const order = shuffled([...classes], random);
    const planted = order.slice(HAY_CLASSES, HAY_CLASSES + room);
    const absent = order.slice(HAY_CLASSES + room, HAY_CLASSES + 2 * room);
    haystacks.push({ planted, absent, ...plant(order.slice(0, HAY_CLASSES), planted, frames, random) });
  }
  return haystacks;
}

async function atLength(
  model: Model,
  tokens: SceneTokens,
  photographs: readonly Photograph[],
  seconds: number,
  wanted: number,
): Promise<NeedleResult[]> {
  const results: NeedleResult[] = [];
  const named = new Map(photographs.map((photograph) => [photograph.class, photograph.asked]));
  for (const { planted, absent, scenes, at } of haystacksOf([...named.keys()], seconds, wanted)) {
    const cache = model.newCache(DAY_LIMIT_BYTES);
    const starts = await show(model, cache, tokens, scenes, FPS);
    const spans = at.map((scene) => ((starts[scene] ?? 0) * 1000) / FPS);
    const asked = [...planted, ...absent];
    const inputs = await Promise.all(asked.map((name) => question(model, cache, named.get(name) ?? name)));
    const everything = await readEverything(model, cache, inputs);
    for (const [i, name] of asked.entries()) {
      const input = inputs[i];
      const whole = everything[i];
      if (input === undefined || whole === undefined) continue;
      // Short of this both are the same reading.
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

/** Scenes of the haystack with each needle in a slot of its own; `at` are the places of the needles. */
export function plant(
  hay: readonly string[],
  needles: readonly string[],
  frames: number,
  random: () => number,
): { scenes: Scene[]; at: number[] } {
  const room = frames - needles.length * NEEDLE_FRAMES;
  const count = Math.max(needles.length + 1, Math.floor(room / HAY_FRAMES));
  const hayFrames = Math.min(HAY_FRAMES, Math.floor(room / count));
  const scenes: Scene[] = [];
  let last = '';
  const slots = needles.map((_, i) => Math.floor(((i + random()) / needles.length) * count));
  const at: number[] = [];
  for (let i = 0; i < count; i++) {
    const others = hay.filter((name) => name !== last);
    last = others[Math.floor(random() * others.length)] ?? '';
    scenes.push({ class: last, frames: hayFrames });
    slots.forEach((slot, n) => {
      if (slot !== i) return;
      at[n] = scenes.length;
      scenes.push({ class: needles[n] ?? '', frames: NEEDLE_FRAMES });
    });
  }
  return { scenes, at };
}

export async function question(model: Model, cache: KvCache, name: string): Promise<ReaderInput> {
  const { config, embeddings, selfDecoder, tokenizer } = model;
  const now = cache.times.at(-1) ?? 0;
  const asked = segmentTokens(tokenizer, config, [], `have you seen ${withArticle(name)}?`, now);
  return (await QuestionSegment.open(selfDecoder, embeddings, config, asked)).own;
}

async function readEverything(model: Model, cache: KvCache, inputs: readonly ReaderInput[]): Promise<Reading[]> {
  const outputs: Reading[] = [];
  for (let i = 0; i < inputs.length; i += READ_TOGETHER) {
    const some = inputs.slice(i, i + READ_TOGETHER).map((input) => ({ frames: cache.frames, input }));
    outputs.push(...(await model.reader.readTogether(cache, some)));
  }
  return outputs;
}

export function judge(model: Model, cache: KvCache, output: Reading, startMs: number | undefined): NeedleReading {
  const token = model.config.answerTokens[argmax(output.logits)] ?? -1;
  const tally = new EvidenceTally(1);
  tally.add(output.looked);
  const [top] = tally.spans([{ name: '', cache }]);
  const peak = top?.peakMs ?? NaN;
  const endMs = (startMs ?? 0) + ((NEEDLE_FRAMES - 1) * 1000) / FPS;
  return {
    yes: model.tokenizer.decode([token]).trim() === 'yes',
    found: startMs !== undefined && peak >= startMs && peak <= endMs,
  };
}

export function shuffled<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
