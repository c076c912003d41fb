/** A frame costs and means the same after hours: positions are not counted, and only the window matters. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../../src/model/question.ts';
import type { SegmentWindow } from '../../src/model/window.ts';
import { largestDifference } from '../support/golden.ts';
import { loadTiny, picture } from '../support/tiny.ts';

const DAYS_23_MS = 23 * 24 * 3600 * 1000;
/** The time of token 2,000,000, at ten tokens a frame and two frames a second. */
const TOKEN_2_000_000_MS = 100_000 * 1000;

let model: Model;
let tokens: Float32Array[];
beforeAll(async () => {
  model = await loadTiny();
  tokens = await Promise.all([0, 1, 2, 3, 4].map((number) => model.vision.encode(picture(number))));
});
afterAll(() => model.release());

interface Kv {
  readonly k: Float32Array;
  readonly v: Float32Array;
}

async function frame(window: SegmentWindow, number: number, timeMs: number): Promise<Kv> {
  const { config, selfDecoder } = model;
  const timesMs = new Array<number>(config.tokensPerFrame).fill(timeMs);
  const input = { window, tokens: tokens[number % tokens.length] ?? new Float32Array(), timesMs };
  const [step] = await selfDecoder.step([input], 1, config.window);
  if (step === undefined) throw new Error('no output');
  return { k: step.k.slice(), v: step.v.slice() };
}

describe('A frame', () => {
  test.each([
    ['token 2,000,000', TOKEN_2_000_000_MS],
    ['23 days', DAYS_23_MS],
    ['30 years', 30 * 365 * 24 * 3600 * 1000],
  ])('at %s has finite keys and values', async (_name, timeMs) => {
    const window = model.selfDecoder.newWindow();
    for (let i = 0; i < 6; i++) {
      const { k, v } = await frame(window, i, timeMs + i * 500);
      expect([...k, ...v].every(Number.isFinite)).toBe(true);
    }
  });

  test('has the same bits after many frames as after only those that its windows reach', async () => {
    const { selfLayers, window: length, tokensPerFrame } = model.config;
    // Each layer looks back one window: frames older than all windows together cannot matter.
    const seen = Math.ceil((selfLayers * length) / tokensPerFrame) + 1;
    const end = 300;
    const watch = async (first: number): Promise<Kv | undefined> => {
      const window = model.selfDecoder.newWindow();
      let last: Kv | undefined;
      for (let i = first; i <= end; i++) last = await frame(window, i, DAYS_23_MS + i * 500);
      return last;
    };
    const [long, short, shorter] = [await watch(0), await watch(end - seen), await watch(end - 1)];
    expect(long).toEqual(short);
    expect(long).not.toEqual(shorter);
  });

  test('tells its time apart from a neighbour’s after 23 days as well as at the start', async () => {
    const at = async (timeMs: number): Promise<Float32Array> =>
      (await frame(model.selfDecoder.newWindow(), 0, timeMs)).k;
    const early = largestDifference(await at(1000), await at(2000));
    const late = largestDifference(await at(DAYS_23_MS + 1000), await at(DAYS_23_MS + 2000));
    expect(early).toBeGreaterThan(1e-4);
    expect(late).toBeGreaterThan(early / 4);
  });

  test('leaves a window of the same size, however many frames came before', async () => {
    const window = model.selfDecoder.newWindow();
    const bytes = window.keys.byteLength;
    for (let i = 0; i < 50; i++) await frame(window, i, i * 500);
    expect([window.length, window.keys.byteLength]).toEqual([model.config.window, bytes]);
  });
});

describe('A picture', () => {
  test('gives the same tokens each time, and others than another picture', async () => {
    expect(await model.vision.encode(picture(0))).toEqual(tokens[0]);
    expect(tokens[1]).not.toEqual(tokens[0]);
  });
});

describe('A question', () => {
  test('has the same hidden state whatever else is asked in the same step', async () => {
    const { config, embeddings, selfDecoder, tokenizer } = model;
    const open = (text: string): Promise<QuestionSegment> =>
      QuestionSegment.open(selfDecoder, embeddings, config, segmentTokens(tokenizer, config, [], text, DAYS_23_MS));
    const texts = ['what is shown now?', 'have you seen a dog?', 'what was shown at 0:42?'];
    const alone = await Promise.all(texts.map(open));
    const beside = await Promise.all(texts.map(open));
    const next = (segment: QuestionSegment) => ({
      window: segment.window,
      tokens: embeddings.lookup([20]),
      timesMs: [-1],
    });
    const together = await selfDecoder.step(beside.map(next));
    for (const [i, segment] of alone.entries()) {
      const [step] = await selfDecoder.step([next(segment)]);
      expect(
        largestDifference(step?.hidden ?? new Float32Array(), together[i]?.hidden ?? new Float32Array()),
      ).toBeLessThan(1e-5);
    }
  });
});
