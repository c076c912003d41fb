/** A bundle whose self-decoder is a gated retention: the same service with a different state between steps. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AnswerEnd } from '../../src/engine/protocol.ts';
import { Scheduler } from '../../src/engine/scheduler.ts';
import { Snapshots } from '../../src/engine/snapshots.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../../src/model/question.ts';
import type { SegmentWindow } from '../../src/model/window.ts';
import { listen, request } from '../support/asking.ts';
import { largestDifference, TINY_RETENTION_BUNDLE } from '../support/golden.ts';
import { capturedNow, digestOf } from '../support/snapshots.ts';
import { picture } from '../support/tiny.ts';

const INTERVAL_MS = 500;
const FRAMES = 6;
/** The recurrent, chunked and parallel forms compute the same sums in different orders. */
const TOLERANCE = 1e-5;

let model: Model;
let frames: Float32Array;
beforeAll(async () => {
  model = await loadModel(TINY_RETENTION_BUNDLE, { threads: 1 });
  const tokens = await Promise.all(Array.from({ length: FRAMES }, (_, i) => model.vision.encode(picture(i))));
  frames = Float32Array.from(tokens.flatMap((frame) => [...frame]));
});
afterAll(() => model.release());

interface Taken {
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly window: SegmentWindow;
}

/** K and V of all frames' tokens, `chunk` tokens in each step. */
async function taken(chunk: number): Promise<Taken> {
  const { tokensPerFrame, width } = model.config;
  const window = model.selfDecoder.newWindow();
  const [k, v]: [number[], number[]] = [[], []];
  const count = FRAMES * tokensPerFrame;
  for (let at = 0; at < count; at += chunk) {
    const n = Math.min(chunk, count - at);
    const timesMs = Array.from({ length: n }, (_, i) => Math.floor((at + i) / tokensPerFrame) * INTERVAL_MS);
    const tokens = frames.subarray(at * width, (at + n) * width);
    const [step] = await model.selfDecoder.step([{ window, tokens, timesMs }]);
    k.push(...(step?.k ?? []));
    v.push(...(step?.v ?? []));
  }
  return { k: Float32Array.from(k), v: Float32Array.from(v), window };
}

describe('A retention', () => {
  test.each([
    ['token by token, as the recurrence says', 1],
    ['in chunks of a frame', 10],
    ['in chunks that fit no frame', 7],
  ])('%s gives the same K, V and states as all tokens at once', async (_name, chunk) => {
    const whole = await taken(FRAMES * model.config.tokensPerFrame);
    const parts = await taken(chunk);
    expect(largestDifference(parts.k, whole.k)).toBeLessThan(TOLERANCE);
    expect(largestDifference(parts.v, whole.v)).toBeLessThan(TOLERANCE);
    // States are sums over all tokens, so their error is relative to the largest.
    const largest = Math.max(...whole.window.keys.map(Math.abs));
    expect(largestDifference(parts.window.keys, whole.window.keys) / largest).toBeLessThan(TOLERANCE);
    expect(largestDifference(parts.window.values, whole.window.values) / largest).toBeLessThan(TOLERANCE);
  });

  test('carries what came before in its states', async () => {
    const { window } = await taken(10);
    const { tokensPerFrame, width } = model.config;
    const step = async (state: SegmentWindow): Promise<Float32Array> => {
      const tokens = frames.subarray(0, tokensPerFrame * width);
      const timesMs = new Array<number>(tokensPerFrame).fill(FRAMES * INTERVAL_MS);
      const [next] = await model.selfDecoder.step([{ window: state, tokens, timesMs }]);
      return next?.k ?? new Float32Array();
    };
    const fresh = await step(model.selfDecoder.newWindow());
    expect(largestDifference(await step(window), fresh)).toBeGreaterThan(1e-3);
  });

  test('keeps its states finite and of one size over many frames', async () => {
    const { config, selfDecoder } = model;
    const window = selfDecoder.newWindow();
    const bytes = window.keys.byteLength;
    const timesMs = new Array<number>(config.tokensPerFrame).fill(0);
    const tokens = frames.subarray(0, config.tokensPerFrame * config.width);
    for (let i = 0; i < 300; i++) await selfDecoder.step([{ window, tokens, timesMs }]);
    expect(window.keys.byteLength).toBe(bytes);
    expect([...window.keys, ...window.values].every(Number.isFinite)).toBe(true);
  });

  test('keeps questions of different lengths in one batch apart', async () => {
    const { config, embeddings, selfDecoder, tokenizer } = model;
    const asked = ['what?', 'have you seen a dog?', 'what was shown at 0:42, and how long was it there?'].map((text) =>
      segmentTokens(tokenizer, config, [], text, 1000),
    );
    const together = await QuestionSegment.openAll(selfDecoder, embeddings, config, asked);
    for (const [i, tokens] of asked.entries()) {
      const alone = await QuestionSegment.open(selfDecoder, embeddings, config, tokens);
      const beside = together[i];
      if (beside === undefined) throw new Error('no segment');
      expect(largestDifference(beside.hidden, alone.hidden)).toBeLessThan(TOLERANCE);
      expect(largestDifference(beside.k, alone.k)).toBeLessThan(TOLERANCE);
      expect(largestDifference(beside.window.keys, alone.window.keys)).toBeLessThan(TOLERANCE);
    }
  });
});

describe('A stream on a bundle with retention', () => {
  const LIMITS = { limitBytes: 2 ** 24, mergeBelow: 0 };

  test('can be saved and restored; the copy answers and continues with the same bits', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'yoco-retention-'));
    const scheduler = new Scheduler(model, { maxAnswers: 4 });
    const snapshots = new Snapshots(model, scheduler);
    const show = async (name: string, from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await scheduler.append(name, i * INTERVAL_MS, picture(i % 5));
    };
    const answer = async (name: string): Promise<AnswerEnd | undefined> => {
      const { listener, outcome } = listen();
      scheduler.ask(1, request(name, 'what was shown first?'), listener);
      return (await outcome).end;
    };
    const digest = async (name: string): Promise<unknown> => digestOf((await capturedNow(scheduler, name)).content);
    try {
      scheduler.open('door', LIMITS);
      await show('door', 0, 90);
      const file = path.join(folder, 'door.snap');
      await snapshots.write('door', file, { fps: 2, startedAtMs: 0 });
      await snapshots.restore('copy', file, LIMITS);
      const [ours, theirs] = [await answer('door'), await answer('copy')];
      expect(ours?.text).toBeTruthy();
      expect(theirs?.text).toBe(ours?.text);
      await Promise.all([show('door', 90, 95), show('copy', 90, 95)]);
      expect(await digest('copy')).toEqual(await digest('door'));
    } finally {
      await scheduler.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('cannot be kept on a device, and the error says why', async () => {
    await expect(loadModel(TINY_RETENTION_BUNDLE, { threads: 1, device: 'webgpu' })).rejects.toMatchObject({
      code: 'device_unavailable',
      detail: 'The bundle tiny-retention has no graphs for one.',
    });
  });
});
