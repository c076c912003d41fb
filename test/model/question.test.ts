import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Model } from '../../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../../src/model/question.ts';
import { loadTiny } from '../support/tiny.ts';

let model: Model;
beforeAll(async () => {
  model = await loadTiny();
});
afterAll(() => model.release());

/** All that the next step of a segment depends on. */
function stateOf({ hidden, k, v, window }: QuestionSegment): number[] {
  const { selfLayers, selfKvHeads, headDim } = model.config;
  const size = selfLayers * window.length * selfKvHeads * headDim;
  const [keys, values] = [new Float32Array(size), new Float32Array(size)];
  window.copyInto(keys, values, window.length, 0);
  return [...hidden, ...k, ...v, ...keys, ...values];
}

test('Questions of different lengths opened together have the states of questions opened alone', async () => {
  const { config, embeddings, selfDecoder, tokenizer } = model;
  const questions = ['now?', 'what is shown now?', 'what was the very first thing that you saw?'].map((text, i) =>
    segmentTokens(tokenizer, config, [], text, i * 1_000),
  );
  expect(new Set(questions.map(({ ids }) => ids.length)).size).toBe(3);
  const together = await QuestionSegment.openAll(selfDecoder, embeddings, config, questions);
  for (const [i, question] of questions.entries()) {
    const alone = await QuestionSegment.open(selfDecoder, embeddings, config, question);
    const beside = together[i];
    if (beside === undefined) throw new Error('a question was lost');
    for (const segment of [alone, beside]) {
      const word = { window: segment.window, tokens: embeddings.lookup([config.endToken]), timesMs: [-1] };
      const [next] = await selfDecoder.step([word]);
      if (next !== undefined) segment.extend(next);
    }
    const [state, expected] = [stateOf(beside), stateOf(alone)];
    expect(beside.length).toBe(question.ids.length + 1);
    expect(state.length).toBe(expected.length);
    expect(Math.max(...state.map((value, j) => Math.abs(value - (expected[j] ?? NaN))))).toBeLessThan(1e-5);
  }
});
