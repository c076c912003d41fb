/** Compares the runtime with the PyTorch reference, to within 0.005: the graphs store weights as float16. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import type { KvCache } from '../../src/model/kv-cache.ts';
import type { Model } from '../../src/model/model.ts';
import { loadModel } from '../../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../../src/model/question.ts';
import { argmax } from '../../src/model/sampling.ts';
import { TIME_CODE_ONE, TIME_CODE_SIZE, writeTimeCode } from '../../src/model/time-code.ts';
import { goldenPicture, largestDifference, readGolden, TINY_BUNDLE, TINY_RETENTION_BUNDLE } from '../support/golden.ts';
import { rowsOf } from '../support/tiny.ts';

const TOLERANCE = 0.005;

describe.each([
  ['tiny', TINY_BUNDLE],
  ['tiny retention', TINY_RETENTION_BUNDLE],
  ['default', DEFAULT_BUNDLE],
])('the %s bundle', (_name, directory) => {
  const golden = readGolden(directory);
  const pictures = Array.from({ length: golden.frames }, (_, i) => goldenPicture(i));
  let model: Model;

  beforeAll(async () => {
    model = await loadModel(directory, { threads: 1 });
  });
  afterAll(() => model.release());

  /** Appends frames `group` at a time and returns the cache. */
  async function watch(group: number): Promise<KvCache> {
    const { config, selfDecoder, vision } = model;
    const cache = model.newCache(2 ** 24);
    const window = selfDecoder.newWindow();
    for (let i = 0; i < golden.frames; i += group) {
      const some = pictures.slice(i, i + group);
      const tokens = new Float32Array(some.length * config.tokensPerFrame * config.width);
      for (const [j, picture] of some.entries()) {
        tokens.set(await vision.encode(picture), j * config.tokensPerFrame * config.width);
      }
      const timesMs = some.flatMap((_, j) =>
        new Array<number>(config.tokensPerFrame).fill((i + j) * golden.intervalMs),
      );
      const [step] = await selfDecoder.step([{ window, tokens, timesMs }]);
      if (step === undefined) throw new Error('no output');
      const size = config.tokensPerFrame * config.kvHeads * config.headDim;
      some.forEach((_, j) => {
        const part = (x: Float32Array): Float32Array => x.subarray(j * size, (j + 1) * size);
        cache.append((i + j) * golden.intervalMs, part(step.k), part(step.v));
      });
    }
    return cache;
  }

  /** As `[tokens, heads, headDim]`, the layout of the reference. */
  function flat(heads: readonly Float32Array[], tokens: number): Float32Array {
    const { headDim } = model.config;
    const out = new Float32Array(tokens * heads.length * headDim);
    heads.forEach((head, h) => {
      for (let t = 0; t < tokens; t++) {
        out.set(head.subarray(t * headDim, (t + 1) * headDim), (t * heads.length + h) * headDim);
      }
    });
    return out;
  }

  it('computes the same visual tokens', async () => {
    const tokens = await Promise.all(pictures.map((picture) => model.vision.encode(picture)));
    expect(largestDifference(Float32Array.from(tokens.flatMap((t) => [...t])), golden.tensor('tokens'))).toBeLessThan(
      TOLERANCE,
    );
  });

  it.each([1, 2, 6])('fills the cache with the same K and V, %i frames at a time', async (group) => {
    const cache = await watch(group);
    const view = rowsOf(cache);
    expect(largestDifference(flat(view.keys, view.tokens), golden.tensor('k'))).toBeLessThan(TOLERANCE);
    expect(largestDifference(flat(view.values, view.tokens), golden.tensor('v'))).toBeLessThan(TOLERANCE);
  });

  it('computes the same time codes', () => {
    const codes = new Int8Array(TIME_CODE_SIZE * golden.moments.length);
    golden.moments.forEach((moment, i) => {
      writeTimeCode([moment], codes, i * TIME_CODE_SIZE);
    });
    const values = Float32Array.from(codes, (x) => x / TIME_CODE_ONE);
    expect(largestDifference(values, golden.tensor('time_code'))).toBeLessThan(1 / TIME_CODE_ONE);
  });

  it('answers with the same tokens, the same logits and the same evidence', async () => {
    const { config, crossDecoder, embeddings, selfDecoder, tokenizer } = model;
    const cache = await watch(1);
    const now = (golden.frames - 1) * golden.intervalMs;
    const tokens = segmentTokens(tokenizer, config, [], golden.question, now);
    expect(tokens.ids).toEqual(golden.questionIds);
    const segment = await QuestionSegment.open(selfDecoder, embeddings, config, tokens);
    const answer: number[] = [];
    while (answer.length < golden.answerIds.length) {
      const [read] = await crossDecoder.step(rowsOf(cache), [
        {
          ...segment.readerInput,
          visibleTokens: cache.frames * config.tokensPerFrame,
          contextTokens: cache.frames * config.tokensPerFrame,
        },
      ]);
      if (read === undefined) throw new Error('no output');
      if (answer.length === 0) {
        expect(largestDifference(read.logits, golden.tensor('first_logits'))).toBeLessThan(TOLERANCE * 10);
        expect(largestDifference(read.evidence, golden.tensor('first_evidence'))).toBeLessThan(TOLERANCE);
      }
      if (answer.length === golden.answerIds.length - 1) {
        expect(largestDifference(read.logits, golden.tensor('last_logits'))).toBeLessThan(TOLERANCE * 10);
      }
      const token = config.answerTokens[argmax(read.logits)] ?? -1;
      answer.push(token);
      segment.recordReading(read);
      const [next] = await selfDecoder.step([
        { window: segment.window, tokens: embeddings.lookup([token]), timesMs: [-1] },
      ]);
      if (next !== undefined) segment.extend(next);
    }
    expect(answer).toEqual(golden.answerIds);
  });
});
