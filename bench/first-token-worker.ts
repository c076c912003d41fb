/**
 * How many times as long as with the shortest cache the first token takes with each, in a process of its own. They are
 * asked in turns: a shared machine gives more in one minute than in the next. Answers one message with one message.
 */
import { DEFAULT_BUNDLE } from '../src/config.ts';
import type { KvCache } from '../src/model/kv-cache.ts';
import { loadModel } from '../src/model/model.ts';
import { answerOnce } from './answer-once.ts';
import { firstToken } from './greedy-answer.ts';
import { median, repeat } from './machine.ts';
import { fillCache } from './noise.ts';

export interface FirstTokenTask {
  /** Tokens of the caches, rising. */
  readonly lengths: readonly number[];
  /** Time for each. */
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
