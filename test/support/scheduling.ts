/** A scheduler on the tiny bundle for each test, and short forms of what tests do with it. */
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import type { AnswerEnd, AskRequest } from '../../src/engine/protocol.ts';
import { Scheduler } from '../../src/engine/scheduler.ts';
import type { KvCache } from '../../src/model/kv-cache.ts';
import type { Model } from '../../src/model/model.ts';
import { seededRandom } from '../../src/model/sampling.ts';
import { listen, type Outcome } from './asking.ts';
import { loadTiny, picture } from './tiny.ts';

export const QUESTIONS = [
  'what is shown now?',
  'have you seen a dog?',
  'what was shown first?',
  'when did the cat appear?',
];
export const MUCH = 2 ** 24;
/** Rounded up to the smallest cache: it keeps 64 frames, and lets go of a page of 32 at a time. */
export const LEAST = 1;

export let model: Model;
export let scheduler: Scheduler;
let lastId = 0;

/** Loads the model before the tests of a file, and makes a scheduler for each of them. */
export function useScheduler(): void {
  beforeAll(async () => {
    model = await loadTiny();
  });
  afterAll(() => model.release());
  beforeEach(() => {
    scheduler = new Scheduler(model, { maxAnswers: 16 });
  });
  afterEach(async () => {
    await scheduler.stop();
    vi.restoreAllMocks();
  });
}

/** Opens a stream and returns its cache. */
export function open(name: string, limitBytes = MUCH, mergeBelow = 0): KvCache {
  const spy = vi.spyOn(model, 'newCache');
  scheduler.open(name, { limitBytes, mergeBelow });
  const made = spy.mock.results[0];
  spy.mockRestore();
  if (made?.type !== 'return') throw new Error('no cache was made');
  return made.value;
}

const pictures = Array.from({ length: 6 }, (_, i) => picture(i));

export async function watch(name: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await scheduler.append(name, i * 500, frameOf(name, i));
}

/** Each stream shows different pictures, each picture for three frames. */
export function frameOf(name: string, i: number): Uint8Array {
  return pictures[(Math.floor(i / 3) + name.charCodeAt(0)) % pictures.length] ?? new Uint8Array();
}

/** Exact in its words; shares of attention and probabilities differ in their last digits with the batch shape. */
export const rounded = (end: AnswerEnd): AnswerEnd => ({
  ...end,
  evidence: end.evidence.map((span) => ({ ...span, weight: Number(span.weight.toFixed(6)) })),
  confidence: Number(end.confidence.toFixed(4)),
});

/** The id of a question, as its asker would choose it. */
export const newId = (): number => ++lastId;

export function ask(what: AskRequest, id = newId()): Promise<Outcome> {
  const { listener, outcome } = listen();
  scheduler.ask(id, what, listener);
  return outcome;
}

export async function answer(what: AskRequest): Promise<AnswerEnd> {
  const { end, error } = await ask(what);
  if (end === undefined) throw error ?? new Error('no end');
  return end;
}

/** Frames of random keys and values, half a second apart: a long cache without the cost of real frames. */
export function fill(cache: KvCache, from: number, to: number): void {
  const { heads, headDim, tokensPerFrame } = cache.shape;
  const random = seededRandom(from + 1);
  const rows = (): Float32Array =>
    Float32Array.from({ length: heads * headDim * tokensPerFrame }, () => random() - 0.5);
  for (let i = from; i < to; i++) cache.append(i * 500, rows(), rows());
}

/** Calls back after each decode step on a stream's cache, with the number of steps so far. */
export function onStep(callback: (steps: number) => void): void {
  const step = model.crossDecoder.step.bind(model.crossDecoder);
  let steps = 0;
  vi.spyOn(model.crossDecoder, 'step').mockImplementation(async (...args) => {
    const result = await step(...args);
    callback(++steps);
    return result;
  });
}

/** Stops the clock: no frame becomes overdue, however slow this machine is. */
export function stopClock(): void {
  vi.spyOn(performance, 'now').mockReturnValue(performance.now());
}
