/** How the index chooses the cells to read: by the time that a query asks for, and with neighbours of the best. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CELL_FRAMES, KvIndex } from '../../src/model/kv-index.ts';
import type { Model } from '../../src/model/model.ts';
import { TIME_CODE_SIZE } from '../../src/model/time-code.ts';
import { loadTiny } from '../support/tiny.ts';

/** Ten minutes at two frames a second. */
const CELLS = 300;
const CELL_MS = CELL_FRAMES * 500;
const MINUTE_CELLS = 60_000 / CELL_MS;
/** So few that no neighbours are added. */
const FEW = 15;
/** Offsets of time features. The ones of the minutes follow both digits of the hours and the tens of the minutes. */
const MINUTES = 3 + 10 + 6;
const SINCE = TIME_CODE_SIZE;
const AGE = TIME_CODE_SIZE + 1;

let model: Model;
beforeAll(async () => {
  model = await loadTiny();
});
afterAll(() => model.release());

/** Cells with identical keys, so that only their times tell them apart. */
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

/** The FEW cells chosen when every head puts `weight` on one time feature. */
function chosen(index: KvIndex, feature: number, weight: number): Promise<number[]> {
  const { crossHeads, crossLayers, headDim } = model.config;
  const size = headDim + TIME_CODE_SIZE + 2;
  const queries = new Float32Array(crossLayers * crossHeads * size);
  for (let at = headDim + feature; at < queries.length; at += size) queries[at] = weight;
  const dims = [crossLayers, crossHeads, size];
  return model.ranking.selectBest(index, { from: 0, to: index.cells }, FEW, CELLS * CELL_MS, queries, dims);
}

const from = (first: number): number[] => Array.from({ length: FEW }, (_, i) => first + i);

describe('A query that asks for a time', () => {
  test('finds the cells of a minute by its digit', async () => {
    expect(await chosen(cellsAlike(), MINUTES + 3, 20)).toEqual(from(3 * MINUTE_CELLS));
  });

  test('finds the newest cells by their age, and the oldest by the time since the stream began', async () => {
    const index = cellsAlike();
    expect(await chosen(index, AGE, -5)).toEqual(from(CELLS - FEW));
    expect(await chosen(index, SINCE, -5)).toEqual(from(0));
  });

  test('still finds cells after others were dropped, and after a restore', async () => {
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

describe('The neighbours of the best cell', () => {
  /** Chooses from 160 cells: only `best` matches the query, and its neighbours match it least of all. */
  async function choose(best: number, count: number): Promise<number[]> {
    const { kvHeads: heads, headDim, tokensPerFrame, crossHeads, crossLayers } = model.config;
    const index = new KvIndex({ heads, headDim, tokensPerFrame });
    for (let cell = 0; cell < 160; cell++) {
      const value = cell === best ? 1 : Math.abs(cell - best) === 1 ? -2 : -1 - cell / 1000;
      const rows = new Float32Array(CELL_FRAMES * tokensPerFrame * headDim).fill(value);
      const keys = Array.from({ length: heads }, () => rows);
      index.append(
        keys,
        0,
        Array.from({ length: CELL_FRAMES }, (_, frame) => cell * CELL_MS + frame * 500),
      );
    }
    const size = headDim + TIME_CODE_SIZE + 2;
    const queries = Float32Array.from({ length: crossLayers * crossHeads * size }, (_, i) =>
      i % size < headDim ? 0.5 : 0,
    );
    const dims = [crossLayers, crossHeads, size];
    return model.ranking.selectBest(index, { from: 0, to: 160 }, count, 160 * CELL_MS, queries, dims);
  }

  test('are chosen with it, in place of the lowest-ranked cells', async () => {
    const cells = await choose(100, 16);
    expect(cells).toHaveLength(16);
    expect(cells).toEqual([...Array.from({ length: 13 }, (_, i) => i), 99, 100, 101]);
  });

  test('are limited to existing cells at either end', async () => {
    expect(await choose(0, 16)).toEqual([...Array.from({ length: 16 }, (_, i) => i)]);
    expect(await choose(159, 16)).toEqual([...Array.from({ length: 14 }, (_, i) => i), 158, 159]);
  });

  test('are not added when few cells are chosen', async () => {
    expect(await choose(100, 8)).toEqual([...Array.from({ length: 7 }, (_, i) => i), 100]);
  });
});
