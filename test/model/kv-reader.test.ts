/** Reading a cache that is too long to be read whole: what is found, and what is left out. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { MAX_STAND_MS } from '../../src/model/frame-times.ts';
import type { KvCache } from '../../src/model/kv-cache.ts';
import { CELL_FRAMES } from '../../src/model/kv-index.ts';
import { FULL_READ_TOKENS, INDEXED_TOKENS } from '../../src/model/kv-reader.ts';
import type { ReadStart, ReaderInput } from '../../src/model/reader.ts';
import type { Model } from '../../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../../src/model/question.ts';
import { seededRandom } from '../../src/model/sampling.ts';
import { loadTiny } from '../support/tiny.ts';

let model: Model;
let input: ReaderInput;
/** A reading that begins with the frame shown at this time. */
const from = (sinceMs: number): ReadStart => ({ sinceMs, sceneMs: sinceMs });
beforeAll(async () => {
  model = await loadTiny();
  const { config, embeddings, selfDecoder, tokenizer } = model;
  const tokens = segmentTokens(tokenizer, config, [], 'what was shown first?', 1_000);
  const segment = await QuestionSegment.open(selfDecoder, embeddings, config, tokens);
  input = segment.readerInput;
});
afterAll(() => model.release());

/** Appends frames of random keys and values from number `first` on; the `special` frame gets the given keys. */
function fill(cache: KvCache, frames: number, special?: { frame: number; k: Float32Array }, first = 0): void {
  const { tokensPerFrame, kvHeads, headDim } = model.config;
  const random = seededRandom(9);
  const size = tokensPerFrame * kvHeads * headDim;
  for (let frame = 0; frame < frames; frame++) {
    const noise = (): Float32Array => Float32Array.from({ length: size }, () => random() * 2 - 1);
    const [k, v] = [noise(), noise()];
    if (frame >= first) cache.append(frame * 500, special?.frame === frame ? special.k : k, v);
  }
}

const LONG = 4_000;

describe('The counts of a tally', () => {
  /** For one frame, shown at 0 and extended by a merge to `seenUntilMs` if that is later. */
  async function counted(seenUntilMs: number, momentMs: number): Promise<number[]> {
    const cache = model.newCache(2 ** 24);
    const { tokensPerFrame, kvHeads, headDim } = model.config;
    const random = seededRandom(4);
    const row = Float32Array.from({ length: tokensPerFrame * kvHeads * headDim }, () => random() * 2 - 1);
    cache.append(0, row, row);
    if (seenUntilMs > 0) cache.merge(seenUntilMs);
    const { counts } = await model.kvReader.read([{ cache, frames: 1 }], { ...input, momentMs });
    return [...counts];
  }

  test('are tokens, and the seconds for which their frames had stood at the moment of the question', async () => {
    const [tokens = 0, seconds = 0] = await counted(0, 4_000);
    expect(tokens).toBeGreaterThan(0.1);
    expect(seconds / tokens).toBeCloseTo(4, 3);
    const [, asked = 0] = await counted(0, 0);
    expect(asked).toBe(0);
  });

  test('include the whole time of a merged frame, but not the time for which a camera was away', async () => {
    const [alone = 0, until = 0] = await counted(20_000, 25_000);
    expect(until / alone).toBeCloseTo(25, 2);
    const [still = 0, away = 0] = await counted(0, 3_600_000);
    expect(away / still).toBeCloseTo(MAX_STAND_MS / 1000, 2);
  });
});

describe('A question about a long cache', () => {
  test('reads everything up to FULL_READ_TOKENS', async () => {
    const cache = model.newCache(2 ** 28);
    const frames = FULL_READ_TOKENS / model.config.tokensPerFrame;
    fill(cache, frames);
    const sources = [{ cache, frames }];
    expect(model.kvReader.readsAll(sources)).toBe(true);
    const alone = await model.kvReader.read(sources, input);
    expect([alone.runs, alone.precision]).toEqual([[[{ first: 0, count: frames }]], 'full']);
    const [together] = await model.kvReader.readShared(cache, [{ frames, input }]);
    expect(together?.logits).toEqual(alone.logits);
    expect(model.kvReader.readsAll([{ cache, frames: frames + 1 }])).toBe(false);
  });

  test('reads at most its limit: the newest frames, and what its queries find in the past', async () => {
    const { tokensPerFrame, kvHeads, headDim, crossHeads } = model.config;
    const first = model.newCache(2 ** 28);
    fill(first, LONG);
    const { queries } = await model.kvReader.read([{ cache: first, frames: LONG }], input);
    // A frame whose keys match the queries of the first layer far better than any other.
    const group = crossHeads / kvHeads;
    const k = new Float32Array(tokensPerFrame * kvHeads * headDim);
    for (let token = 0; token < tokensPerFrame; token++) {
      for (let head = 0; head < kvHeads; head++) {
        const query = queries.subarray(head * group * headDim, (head * group + 1) * headDim);
        k.set(
          query.map((x) => 50 * x),
          (token * kvHeads + head) * headDim,
        );
      }
    }
    const cache = model.newCache(2 ** 28);
    const wanted = 777;
    fill(cache, LONG, { frame: wanted, k });
    const output = await model.kvReader.read([{ cache, frames: LONG }], input);
    const runs = output.runs[0] ?? [];
    const read = runs.reduce((sum, run) => sum + run.count, 0);
    expect(read * tokensPerFrame).toBeLessThanOrEqual(INDEXED_TOKENS + CELL_FRAMES * tokensPerFrame);
    expect(runs.some((run) => run.first <= wanted && wanted < run.first + run.count)).toBe(true);
    const last = runs.at(-1);
    expect((last?.first ?? 0) + (last?.count ?? 0)).toBe(LONG);
    expect(output.precision).toBe('int8');
    expect(runs.every((run, i) => i === 0 || run.first >= (runs[i - 1]?.first ?? 0) + (runs[i - 1]?.count ?? 0))).toBe(
      true,
    );
  });

  test('sees nothing after its moment', async () => {
    const cache = model.newCache(2 ** 28);
    fill(cache, LONG);
    const frames = 2_500;
    const { runs } = await model.kvReader.read([{ cache, frames }], input);
    const last = runs[0]?.at(-1);
    expect((last?.first ?? 0) + (last?.count ?? 0)).toBe(frames);
  });

  /** A cache of the same frames from number `first` on, as if nothing had come before. */
  function later(first: number, frames: number): KvCache {
    const cache = model.newCache(2 ** 28);
    fill(cache, frames, undefined, first);
    return cache;
  }

  test.each([
    ['what is read whole', 200, 48],
    ['what is read through the index', LONG, 1_000],
  ])('sees nothing before the time at which its reading begins: %s', async (_, frames, first) => {
    const cache = model.newCache(2 ** 28);
    fill(cache, frames);
    const sinceMs = first * 500;
    const part = await model.kvReader.read([{ cache, frames, start: from(sinceMs) }], input);
    expect(part.runs[0]?.[0]?.first).toBeGreaterThanOrEqual(first);
    expect((part.attention[0]?.times.at(0) ?? 0) >= sinceMs).toBe(true);
    // A cache that holds only these frames gives the same answer: both seal pages at the same frames.
    const alone = later(first, frames);
    const expected = await model.kvReader.read([{ cache: alone, frames: frames - first }], input);
    if (frames < LONG) expect(part.logits).toEqual(expected.logits);
    else {
      const numbers = (runs: typeof part.runs): number[][] => runs.flat().map((run) => [run.first, run.count]);
      expect(numbers(part.runs)).toEqual(numbers(expected.runs).map(([at = 0, count = 0]) => [at + first, count]));
    }
  });

  test('reads a short remainder whole, together with other questions', async () => {
    const cache = model.newCache(2 ** 28);
    fill(cache, LONG);
    const source = { cache, frames: LONG, start: from((LONG - 50) * 500) };
    expect([model.kvReader.readsAll([source]), model.kvReader.readsAll([{ cache, frames: LONG }])]).toEqual([
      true,
      false,
    ]);
    const alone = await model.kvReader.read([source], input);
    expect([alone.runs, alone.precision]).toEqual([[[{ first: LONG - 50, count: 50 }]], 'full']);
    const inputs = [LONG, LONG - 20].map((frames) => ({ frames, input }));
    const [together, earlier] = await model.kvReader.readShared(cache, inputs, source.start);
    together?.logits.forEach((logit, i) => {
      expect(logit).toBeCloseTo(alone.logits[i] ?? NaN, 4);
    });
    expect(earlier?.runs).toEqual([[{ first: LONG - 50, count: 30 }]]);
  });

  test('shares its limit among several streams, each with its own tag', async () => {
    const caches = [model.newCache(2 ** 28), model.newCache(2 ** 28)] as const;
    caches.forEach((cache) => {
      fill(cache, 1_500);
    });
    const long = await model.kvReader.read(
      caches.map((cache) => ({ cache, frames: 1_500 })),
      input,
    );
    expect(long.runs).toHaveLength(2);
    const tokens = long.runs.flat().reduce((sum, run) => sum + run.count, 0) * model.config.tokensPerFrame;
    expect(tokens).toBeLessThanOrEqual(INDEXED_TOKENS + 2 * CELL_FRAMES * model.config.tokensPerFrame);
    // The same frames in both: only the tags tell them apart.
    const both = caches.map((cache) => ({ cache, frames: 20 }));
    const { evidence } = await model.kvReader.read(both, input);
    const [a, b] = [evidence.subarray(0, evidence.length / 2), evidence.subarray(evidence.length / 2)];
    expect([...a]).not.toEqual([...b]);
  });

  test('reads streams with different clocks each at its own times and true age', async () => {
    const HOUR = 3_600_000;
    const { tokensPerFrame, kvHeads, headDim } = model.config;
    const fillFrom = (cache: KvCache, startMs: number, seed: number): void => {
      const random = seededRandom(seed);
      const noise = (): Float32Array =>
        Float32Array.from({ length: tokensPerFrame * kvHeads * headDim }, () => random() * 2 - 1);
      for (let frame = 0; frame < 20; frame++) cache.append(startMs + frame * 500, noise(), noise());
    };
    const [long, ownClock] = [model.newCache(2 ** 28), model.newCache(2 ** 28)];
    fillFrom(long, HOUR, 1);
    fillFrom(ownClock, 0, 2);
    const momentMs = HOUR + 10_000;
    const asked = { ...input, momentMs };
    const one = { cache: long, frames: 20, momentMs };
    const step = vi.spyOn(model.crossDecoder, 'step');
    const found = await model.kvReader.read([one, { cache: ownClock, frames: 20, momentMs: 10_000 }], asked);
    const [view] = step.mock.calls[0] ?? [];
    step.mockRestore();
    const seconds = Array.from({ length: 20 }, (_, frame) => frame * 500);
    expect(view?.times).toEqual([...seconds.map((ms) => HOUR + ms), ...seconds]);
    expect(view?.clockOffsets).toEqual([...seconds.map(() => 0), ...seconds.map(() => HOUR)]);
    const confused = await model.kvReader.read([one, { cache: ownClock, frames: 20, momentMs }], asked);
    expect(confused.logits).not.toEqual(found.logits);
  });

  test('copies again what it has read before only if that has changed', async () => {
    const fresh = (): { cache: KvCache; frames: number }[] =>
      [model.newCache(2 ** 24), model.newCache(2 ** 24)].map((cache) => ({ cache, frames: 500 }));
    const sources = fresh();
    for (const { cache } of sources) fill(cache, 600);
    const copies = sources.map(({ cache }) => vi.spyOn(cache, 'copyInto'));
    const counts = (): number[] => copies.map((copy) => copy.mock.calls.length);
    const first = await model.kvReader.read(sources, input);
    const second = await model.kvReader.read(sources, input);
    expect(counts()).toEqual([1, 1]);
    expect(second.logits).toEqual(first.logits);
    // Other frames, other streams, and another precision.
    await model.kvReader.read(
      sources.map(({ cache }) => ({ cache, frames: 499 })),
      input,
    );
    await model.kvReader.read([...sources].reverse(), input);
    expect(counts()).toEqual([3, 3]);
    const [one] = sources;
    const before = one?.cache.sealedFrames ?? 0;
    await model.kvReader.read(sources, input);
    for (let i = 600; one?.cache.sealedFrames === before; i++) {
      const size = model.config.tokensPerFrame * model.config.kvHeads * model.config.headDim;
      one.cache.append(i * 500, new Float32Array(size), new Float32Array(size));
    }
    const sealed = await model.kvReader.read(sources, input);
    expect(counts()).toEqual([5, 5]);
    expect(sealed.precision).toBe('int8');
  });
});
