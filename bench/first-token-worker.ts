/**
 * Measures, in a process of its own, the time to first token at each cache length as a multiple of that at the
 * shortest. Both lengths are asked in alternation, since the speed of a shared machine varies by the minute. Answers
 * one message with one message.
 */
import { DEFAULT_BUNDLE } from '../src/config.ts';
import type { KvCache } from '../src/model/kv-cache.ts';
import { loadModel } from '../src/model/model.ts';
import { answerOnce } from './answer-once.ts';
import { firstToken } from './greedy-answer.ts';
import { median, repeat } from './machine.ts';
import { fillCache } from './noise.ts';

export interface FirstTokenTask {
  /** Cache lengths in tokens, ascending. */
  readonly lengths: readonly number[];
  /** Measuring time for each length. */
  readonly seconds: number;
}

const QUESTION = 'What was shown first?';

async function firstTokens({ lengths, seconds }: FirstTokenTask): Promise<number[]> {
  const model = await loadModel(DEFAULT_BUNDLE);
  const { config } = model;
  const bytesAToken = 2 * config.kvHeads * config.headDim * Float32Array.BYTES_PER_ELEMENT;
  const room = (lengths.at(-1) ?? 0) * bytesAToken;
  const [shortest, growing] = [model.newCache(room), model.newCache(room)];
  fillCache(shortest, lengths[0] ?? 0);
  const first = async (cache: KvCache): Promise<number> => {
    const begin = performance.now();
    await firstToken(model, cache, QUESTION);
    return performance.now() - begin;
  };
  const ratios: number[] = [];
  for (const length of lengths) {
    fillCache(growing, length);
    globalThis.gc?.();
    const pairs: { readonly short: number; readonly long: number }[] = [];
    await repeat(async () => pairs.push({ short: await first(shortest), long: await first(growing) }), { seconds });
    const counted = pairs.slice(1);
    ratios.push(median(counted.map(({ long }) => long)) / median(counted.map(({ short }) => short)));
  }
  await model.release();
  return ratios;
}

answerOnce((message) => firstTokens(message as FirstTokenTask));
