/** What a query wants of the time, in the choice of a cache's cells. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CELL_FRAMES, KvIndex } from '../../src/model/kv-index.ts';
import type { Model } from '../../src/model/model.ts';
import { TIME_CODE_SIZE } from '../../src/model/time-code.ts';
import { loadTiny } from '../support/tiny.ts';

/** Ten minutes at two frames a second. */
const CELLS = 300;
const CELL_MS = CELL_FRAMES * 500;
const MINUTE_CELLS = 60_000 / CELL_MS;
/** Where the features of the time are: the ones of the minutes come after the hours' digits and the tens. */
const MINUTES = 3 + 10 + 6;
const SINCE = TIME_CODE_SIZE;
const AGE = TIME_CODE_SIZE + 1;

let model: Model;
beforeAll(async () => {
  model = await loadTiny();
});
afterAll(() => model.release());

/** Cells whose keys are all alike, so that nothing but their times tells them apart. */
function cellsAlike(): KvIndex {
  const { kvHeads: heads, headDim, tokensPerFrame } = model.config;
  const index = new KvIndex({ heads, headDim, tokensPerFrame });
  const keys = Array.from({ length: heads }, () => new Float32Array(CELL_FRAMES * tokensPerFrame * headDim).fill(1));
  for (let cell = 0; cell < CELLS; cell++) {
    const times = Array.from({ length: CELL_FRAMES }, (_, frame) => cell * CELL_MS + frame * 500);
    index.append(keys, 0, times);
  }
  return index;
}

/** The cells of a minute that are chosen when every head gives `weight` for one feature of the time. */
function chosen(index: KvIndex, feature: number, weight: number): Promise<number[]> {
  const { crossHeads, crossLayers, headDim } = model.config;
  const size = headDim + TIME_CODE_SIZE + 2;
  const queries = new Float32Array(crossLayers * crossHeads * size);
  for (let at = headDim + feature; at < queries.length; at += size) queries[at] = weight;
  const dims = [crossLayers, crossHeads, size];
  return model.ranking.best(index, { from: 0, to: index.cells }, MINUTE_CELLS, CELLS * CELL_MS, queries, dims);
}

const from = (first: number): number[] => Array.from({ length: MINUTE_CELLS }, (_, i) => first + i);

describe('A query that asks for a time', () => {
  test('finds the cells of a minute by its digit', async () => {
    expect(await chosen(cellsAlike(), MINUTES + 3, 20)).toEqual(from(3 * MINUTE_CELLS));
  });

  test('finds the newest cells by their age, and the oldest by the time since the stream began', async () => {
    const index = cellsAlike();
    expect(await chosen(index, AGE, -5)).toEqual(from(CELLS - MINUTE_CELLS));
    expect(await chosen(index, SINCE, -5)).toEqual(from(0));
  });

  test('still finds them after cells were dropped, or restored', async () => {
    const index = cellsAlike();
    index.dropOldest(MINUTE_CELLS);
    const { kvHeads: heads, headDim, tokensPerFrame } = model.config;
    const times = Array.from({ length: CELLS - MINUTE_CELLS }, (_, i) =>
      Array.from({ length: CELL_FRAMES }, (_, frame) => (i + MINUTE_CELLS) * CELL_MS + frame * 500),
    );
    const restored = KvIndex.from({ heads, headDim, tokensPerFrame }, index.content(), times);
    for (const some of [index, restored]) {
      expect(await chosen(some, MINUTES + 3, 20)).toEqual(from(2 * MINUTE_CELLS));
    }
  });
});
