import { describe, expect, test } from 'vitest';
import { KvCache } from '../../src/model/kv-cache.ts';

const HEADS = 2;
const HEAD_DIM = 3;
const TOKENS = 2;
const FRAME_BYTES = 2 * HEADS * HEAD_DIM * TOKENS * 4;

const newCache = (limitFrames: number): KvCache =>
  new KvCache({ heads: HEADS, headDim: HEAD_DIM, tokensPerFrame: TOKENS, limitBytes: limitFrames * FRAME_BYTES });

/** K (or with a sign V) of a frame: each number says of which frame, token, head and place it is. */
function values(frame: number, sign = 1): Float32Array {
  const out = new Float32Array(TOKENS * HEADS * HEAD_DIM);
  for (let i = 0; i < out.length; i++) out[i] = sign * (frame * 100 + i);
  return out;
}

function fill(cache: KvCache, from: number, to: number): void {
  for (let frame = from; frame < to; frame++) cache.append(frame * 500, values(frame), values(frame, -1));
}

/** What head `head` holds of a frame: its part of each token. */
function ofHead(frame: number, head: number, sign = 1): number[] {
  const all = values(frame, sign);
  return Array.from({ length: TOKENS }, (_, token) => {
    const from = (token * HEADS + head) * HEAD_DIM;
    return [...all.subarray(from, from + HEAD_DIM)];
  }).flat();
}

function expectFrames(cache: KvCache, first: number, count: number): void {
  const view = cache.view(count);
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
    expect([cache.frames, cache.bytes, cache.firstFrame]).toEqual([0, 0, 0]);
    expect(cache.times).toEqual([]);
    expect(cache.view(0).tokens).toBe(0);
  });

  test('gives back each head’s keys and values, in order', () => {
    const cache = newCache(100);
    fill(cache, 0, 3);
    expectFrames(cache, 0, 3);
    expect(cache.times).toEqual([0, 500, 1000]);
    expect(cache.bytes).toBe(3 * FRAME_BYTES);
  });

  test('keeps what it holds when it grows', () => {
    const cache = newCache(1000);
    fill(cache, 0, 300);
    expect(cache.frames).toBe(300);
    expectFrames(cache, 0, 300);
  });

  test('shows a prefix without a copy', () => {
    const cache = newCache(100);
    fill(cache, 0, 10);
    const [part, whole] = [cache.view(4), cache.view(10)];
    expectFrames(cache, 0, 4);
    for (const [i, keys] of part.keys.entries()) {
      expect(keys.buffer).toBe(whole.keys[i]?.buffer);
      expect(keys.byteOffset).toBe(whole.keys[i]?.byteOffset);
    }
  });

  test('never changes what was written: a prefix is the same after more frames', () => {
    const cache = newCache(1000);
    fill(cache, 0, 5);
    const before = cache.view(5).keys.map((keys) => [...keys]);
    fill(cache, 5, 200);
    expect(cache.view(5).keys.map((keys) => [...keys])).toEqual(before);
  });

  test('drops its oldest eighth when its limit is reached, and goes on counting frames', () => {
    const cache = newCache(80);
    fill(cache, 0, 80);
    expect([cache.frames, cache.firstFrame]).toEqual([80, 0]);
    fill(cache, 80, 81);
    expect([cache.frames, cache.firstFrame]).toEqual([71, 10]);
    expect(cache.times[0]).toBe(5000);
    expectFrames(cache, 10, 71);
  });

  test('stays within its limit for hours', () => {
    const cache = newCache(100);
    for (let frame = 0; frame < 20_000; frame++) {
      cache.append(frame * 500, values(frame), values(frame, -1));
      expect(cache.bytes <= 100 * FRAME_BYTES).toBe(true);
    }
    expect(cache.firstFrame + cache.frames).toBe(20_000);
    expectFrames(cache, cache.firstFrame, cache.frames);
  });

  test('keeps a block of frames even where the limit is smaller', () => {
    const cache = newCache(0);
    fill(cache, 0, 65);
    expect([cache.frames, cache.firstFrame]).toEqual([57, 8]);
    expectFrames(cache, 8, 57);
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
    expect(cache.framesUpTo(timeMs)).toBe(frames);
  });

  test('counts only kept frames after it dropped some', () => {
    const cache = newCache(64);
    fill(cache, 0, 65);
    expect(cache.framesUpTo(3999)).toBe(0);
    expect(cache.framesUpTo(4000)).toBe(1);
  });
});
