import { describe, expect, test, vi } from 'vitest';
import { MAX_STAND_MS } from '../../src/model/frame-times.ts';
import { HOT_FRAMES, KvCache, PAGE_FRAMES } from '../../src/model/kv-cache.ts';
import { emptyRows, KvPage } from '../../src/model/kv-page.ts';
import { rowsOf } from '../support/tiny.ts';

const HEADS = 2;
const HEAD_DIM = 8;
const TOKENS = 2;
const FRAME_BYTES = 2 * HEADS * HEAD_DIM * TOKENS * 4;

const newCache = (limitFrames: number): KvCache =>
  new KvCache({ heads: HEADS, headDim: HEAD_DIM, tokensPerFrame: TOKENS, limitBytes: limitFrames * FRAME_BYTES });

/** K of a frame, or with sign -1 its V: each value identifies its frame, token, head and channel. */
function values(frame: number, sign = 1): Float32Array {
  const out = new Float32Array(TOKENS * HEADS * HEAD_DIM);
  for (let i = 0; i < out.length; i++) out[i] = sign * (frame * 100 + i);
  return out;
}

function fill(cache: KvCache, from: number, to: number): void {
  for (let frame = from; frame < to; frame++) cache.append(frame * 500, values(frame), values(frame, -1));
}

/** The part of each token of a frame that head `head` holds. */
function ofHead(frame: number, head: number, sign = 1): number[] {
  const all = values(frame, sign);
  return Array.from({ length: TOKENS }, (_, token) => {
    const from = (token * HEADS + head) * HEAD_DIM;
    return [...all.subarray(from, from + HEAD_DIM)];
  }).flat();
}

function expectFrames(cache: KvCache, first: number, count: number): void {
  const view = rowsOf(cache, count);
  expect(view.tokens).toBe(count * TOKENS);
  for (let head = 0; head < HEADS; head++) {
    const frames = Array.from({ length: count }, (_, i) => first + i);
    expect([...(view.keys[head] ?? [])]).toEqual(frames.flatMap((frame) => ofHead(frame, head)));
    expect([...(view.values[head] ?? [])]).toEqual(frames.flatMap((frame) => ofHead(frame, head, -1)));
  }
}

describe('The cache of a stream', () => {
  test('is empty at first', () => {
    const cache = newCache(100);
    expect([cache.frames, cache.bytes, cache.droppedFrames]).toEqual([0, 0, 0]);
    expect(cache.times.slice()).toEqual([]);
    expect(cache.view({ first: 0, count: 0 })?.tokens).toBe(0);
  });

  test('rejects a time before its newest', () => {
    const cache = newCache(100);
    fill(cache, 0, 2);
    cache.merge(900);
    expect(() => {
      cache.append(899, values(2), values(2, -1));
    }).toThrow(new RangeError('a frame at 899 ms after one at 900 ms'));
    expect(() => {
      cache.merge(400);
    }).toThrow(RangeError);
    expect([cache.times.slice(), cache.times.endOf(1), cache.mergedFrames]).toEqual([[0, 500], 900, 1]);
    cache.append(900, values(2), values(2, -1));
    expectFrames(cache, 0, 3);
  });

  test('returns the keys and values of each head in order', () => {
    const cache = newCache(100);
    fill(cache, 0, 3);
    expectFrames(cache, 0, 3);
    expect(cache.times.slice()).toEqual([0, 500, 1000]);
    expect(cache.bytes).toBe(3 * FRAME_BYTES);
  });

  test('keeps its content when it grows', () => {
    const cache = newCache(1000);
    fill(cache, 0, 300);
    expect(cache.frames).toBe(300);
    expectFrames(cache, 0, 300);
  });

  test('gives a view of a prefix without copying', () => {
    const cache = newCache(100);
    fill(cache, 0, 10);
    const [part, whole] = [cache.view({ first: 0, count: 4 }), cache.view({ first: 0, count: 10 })];
    expectFrames(cache, 0, 4);
    for (const [i, keys] of (part?.keys ?? []).entries()) {
      expect(keys.buffer).toBe(whole?.keys[i]?.buffer);
      expect(keys.byteOffset).toBe(whole?.keys[i]?.byteOffset);
    }
  });

  test('gives a view of any part without copying, as of a stream that began there', () => {
    const cache = newCache(100);
    fill(cache, 0, 10);
    const [part, whole] = [cache.view({ first: 4, count: 3 }), cache.view({ first: 0, count: 10 })];
    const size = TOKENS * HEAD_DIM;
    part?.keys.forEach((keys, head) => {
      expect(keys.buffer).toBe(whole?.keys[head]?.buffer);
      expect(keys).toEqual(whole?.keys[head]?.subarray(4 * size, 7 * size));
    });
    const times = [4, 5, 6].map((frame) => cache.times.at(frame) ?? 0);
    expect(cache.view({ first: 4, count: 3 }, times[0])).toMatchObject({
      times,
      elapsed: times.map((time) => time - (times[0] ?? 0)),
    });
  });

  test('finds the frame that stood at a time, or the first one after it', () => {
    const cache = newCache(100);
    fill(cache, 0, 10);
    const [third = 0, fourth = 0] = cache.times.slice(3, 5);
    expect([third - 1, third, third + 1, fourth].map((time) => cache.times.firstShownFrom(time))).toEqual([2, 3, 3, 4]);
    const last = cache.times.newest ?? 0;
    // The last frame before a camera went away does not stand for ever.
    expect([-1, last + 1, last + MAX_STAND_MS].map((time) => cache.times.firstShownFrom(time))).toEqual([0, 9, 10]);
  });

  test('moves frames from before a reading begins to its beginning, with only the duration after it', () => {
    const cache = newCache(100);
    fill(cache, 0, 10);
    const [, second = 0, third = 0] = cache.times.slice();
    const read = cache.viewTimes([{ first: 0, count: 4 }], { sinceMs: second + 100 });
    expect(read.times).toEqual([second + 100, second + 100, third, cache.times.at(3)]);
    expect(read.elapsed).toEqual([0, 0, third - second - 100, (cache.times.at(3) ?? 0) - second - 100]);
    expect(read.durations).toEqual([0, third - second - 100, cache.times.durationOf(2), cache.times.durationOf(3)]);
  });

  test('shortens a merged frame to the part since the reading begins', () => {
    const cache = newCache(100);
    fill(cache, 0, 3);
    const last = cache.times.newest ?? 0;
    cache.merge(last + 20_000);
    const sinceMs = last + 15_000;
    expect(cache.times.firstShownFrom(sinceMs)).toBe(2);
    const newest = [{ first: 2, count: 1 }];
    const whole = cache.viewTimes(newest);
    const part = cache.viewTimes(newest, { sinceMs });
    expect(part).toEqual({
      times: [sinceMs],
      elapsed: [0],
      durations: [(whole.durations[0] ?? 0) - 15_000],
      clockOffsets: [0],
    });
  });

  test('never changes a prefix when frames are appended', () => {
    const cache = newCache(1000);
    fill(cache, 0, 5);
    const before = cache.view({ first: 0, count: 5 })?.keys.map((keys) => [...keys]);
    fill(cache, 5, 200);
    expect(cache.view({ first: 0, count: 5 })?.keys.map((keys) => [...keys])).toEqual(before);
  });

  test('seals its oldest frames into an int8 page when full precision has no more room', () => {
    const cache = newCache(200);
    fill(cache, 0, 97);
    expect([cache.frames, cache.sealedFrames]).toEqual([97, PAGE_FRAMES]);
    expect(cache.view({ first: 0, count: 97 })).toBeNull();
    expect(cache.precisionOf([{ first: PAGE_FRAMES, count: 97 - PAGE_FRAMES }])).toBe('full');
    expect(cache.precisionOf([{ first: PAGE_FRAMES - 1, count: 1 }])).toBe('int8');
    const { keys } = rowsOf(cache);
    const exact = Array.from({ length: 97 }, (_, frame) => ofHead(frame, 1)).flat();
    const most = Math.max(...exact.slice(0, PAGE_FRAMES * TOKENS * HEAD_DIM));
    for (const [i, value] of exact.entries()) {
      const sealed = i < PAGE_FRAMES * TOKENS * HEAD_DIM;
      expect(Math.abs((keys[1]?.[i] ?? NaN) - value)).toBeLessThanOrEqual(sealed ? most / 254 + 1e-3 : 0);
    }
  });

  test('is unchanged by a frame for which no room could be made, and takes it later', () => {
    const cache = newCache(1_000_000);
    fill(cache, 0, HOT_FRAMES);
    const seal = KvPage.seal.bind(KvPage);
    let pages = 0;
    const sealing = vi.spyOn(KvPage, 'seal').mockImplementation((...args) => {
      if (++pages === 2) throw new RangeError('no memory');
      return seal(...args);
    });
    expect(() => {
      fill(cache, HOT_FRAMES, HOT_FRAMES + 1);
    }).toThrow('no memory');
    expect([cache.frames, cache.sealedFrames]).toEqual([HOT_FRAMES, 0]);
    expectFrames(cache, 0, HOT_FRAMES);
    sealing.mockRestore();
    fill(cache, HOT_FRAMES, HOT_FRAMES + 1);
    expect([cache.frames, cache.sealedFrames]).toEqual([HOT_FRAMES + 1, 4 * PAGE_FRAMES]);
  });

  test('thins old pages when its limit is reached, and drops the oldest only after that', () => {
    const cache = newCache(80);
    let frame = 0;
    const goOn = (until: () => boolean): void => {
      for (; !until() && frame < 5_000; frame++) fill(cache, frame, frame + 1);
    };
    goOn(() => cache.thinnedFrames > 0);
    expect([cache.droppedFrames, cache.times.at(0)]).toEqual([0, 0]);
    expect(cache.precisionOf([{ first: 0, count: cache.frames }])).toBe('thinned');
    goOn(() => cache.droppedFrames > 0);
    expect(cache.times.at(0)).toBeGreaterThan(0);
    expect(cache.frames + cache.thinnedFrames + cache.droppedFrames).toBe(frame);
  });

  test('stays within its limit for hours, and keeps the newest frame exact', () => {
    const cache = newCache(200);
    for (let frame = 0; frame < 20_000; frame++) {
      cache.append(frame * 500, values(frame), values(frame, -1));
      expect(cache.bytes <= 200 * FRAME_BYTES).toBe(true);
    }
    expect(cache.droppedFrames + cache.thinnedFrames + cache.frames).toBe(20_000);
    expect(cache.times.newest).toBe(19_999 * 500);
    expect(cache.times.slice().every((time, i) => i === 0 || time > (cache.times.at(i - 1) ?? 0))).toBe(true);
    const newest = cache.frames - 1;
    const rows = emptyRows({ heads: HEADS, headDim: HEAD_DIM }, TOKENS);
    cache.copyInto([{ first: newest, count: 1 }], rows, 0);
    expect([...(rows.keys[1] ?? [])]).toEqual(ofHead(19_999, 1));
  });

  test('keeps a block of frames even if the limit is smaller', () => {
    const cache = newCache(0);
    fill(cache, 0, 65);
    expect([cache.frames, cache.droppedFrames, cache.thinnedFrames]).toEqual([
      65 - PAGE_FRAMES,
      PAGE_FRAMES / 2,
      PAGE_FRAMES / 2,
    ]);
  });

  test('extends a frame instead of keeping a similar one', () => {
    const cache = newCache(100);
    fill(cache, 0, 2);
    cache.merge(1_000);
    cache.merge(1_500);
    expect([cache.frames, cache.mergedFrames, cache.times.endOf(0), cache.times.endOf(1)]).toEqual([2, 2, 0, 1_500]);
    expect(() => {
      newCache(100).merge(0);
    }).toThrow('nothing to merge into');
  });

  test('reports how long a frame stood: until the next one, or MAX_STAND_MS after it was last seen', () => {
    const cache = newCache(100);
    fill(cache, 0, 3);
    cache.merge(5_000);
    const [first, away] = [cache.times.newest ?? NaN, 60_000];
    cache.append(away, values(3), values(3, -1));
    expect([0, 1].map((frame) => cache.times.durationOf(frame))).toEqual(
      [0, 1].map((frame) => (cache.times.at(frame + 1) ?? NaN) - (cache.times.at(frame) ?? NaN)),
    );
    expect([cache.times.durationOf(2), cache.times.durationOf(3)]).toEqual([
      5_000 - first + MAX_STAND_MS,
      MAX_STAND_MS,
    ]);
    // Also for frames that are no longer kept.
    expect([
      cache.times.durationAt(first),
      cache.times.durationAt(first + 1),
      cache.times.durationAt(away - 1),
    ]).toEqual([5_000 - first + MAX_STAND_MS, MAX_STAND_MS, 1]);
  });

  test('lets frames stand for thinned ones up to the next, even at three seconds apart', () => {
    const [cache, step] = [newCache(300), 3_000];
    for (let frame = 0; frame < 1_000; frame++) cache.append(frame * step, values(frame), values(frame, -1));
    expect(cache.thinnedFrames).toBeGreaterThan(100);
    const stood = cache.times.slice(0, cache.frames - 1).map((_, frame) => cache.times.durationOf(frame));
    expect(stood.reduce((sum, ms) => sum + ms, 0)).toBe(999 * step - (cache.times.at(0) ?? NaN));
  });

  test('lets no frame stand for a thinned one that came after a long absence', () => {
    const cache = newCache(300);
    for (let frame = 0; frame < 1_000; frame++) cache.append(frame * 60_000, values(frame), values(frame, -1));
    expect(cache.thinnedFrames).toBeGreaterThan(cache.droppedFrames);
    expect(cache.times.slice().every((_, frame) => cache.times.durationOf(frame) === MAX_STAND_MS)).toBe(true);
  });

  test.each([64, 200, 1_000])('finds the frames of a cell, thinned or not, at a limit of %i frames', (limit) => {
    const cache = newCache(limit);
    fill(cache, 0, 1_500);
    const { cells } = cache.index;
    const runs = cache.runsOf(Array.from({ length: cells }, (_, cell) => cell));
    const tail = cache.frames % 4;
    expect(runs).toEqual([{ first: 0, count: cache.frames - tail }]);
    for (const cell of [0, 1, Math.floor(cells / 2), cells - 1]) {
      const [run] = cache.runsOf([cell]);
      expect(run?.count).toBe(4);
      expect(cache.cellsIn(run?.first ?? -1)).toBe(cell);
      expect(cache.cellsIn((run?.first ?? -1) + 3)).toBe(cell);
    }
    expect(cache.cellsIn(cache.frames)).toBe(cells);
  });

  test.each([
    [-1, 0],
    [0, 1],
    [499, 1],
    [500, 2],
    [1700, 4],
    [2000, 5],
    [Infinity, 5],
  ])('counts the frames up to %d ms: %d', (timeMs, frames) => {
    const cache = newCache(100);
    fill(cache, 0, 5);
    expect(cache.times.countUpTo(timeMs)).toBe(frames);
  });

  test('counts only kept frames after it dropped some', () => {
    const cache = newCache(0);
    fill(cache, 0, 65);
    expect(cache.times.countUpTo(PAGE_FRAMES * 500 - 1)).toBe(0);
    expect(cache.times.countUpTo(PAGE_FRAMES * 500)).toBe(1);
  });
});
