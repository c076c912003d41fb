import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/model/sampling.ts';
import { SegmentWindow } from '../../src/model/window.ts';

const LAYERS = 2;
const SIZE = 3;

/** `[layers, n, size]` of the tokens from number `from` on; each value identifies its layer, token and place. */
function tokens(from: number, n: number, sign = 1): Float32Array {
  const out: number[] = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    for (let token = from; token < from + n; token++) {
      for (let i = 0; i < SIZE; i++) out.push(sign * (layer * 100_000 + token * 10 + i + 1));
    }
  }
  return Float32Array.from(out);
}

/** What a window that has seen `seen` tokens must copy into `past` places: the newest tokens, right-aligned. */
function expected(seen: number, limit: number, past: number, sign = 1): number[] {
  const held = Math.min(seen, limit, past);
  const out: number[] = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    const all = [...tokens(0, seen, sign)].slice(layer * seen * SIZE, (layer + 1) * seen * SIZE);
    out.push(...new Array<number>((past - held) * SIZE).fill(0), ...all.slice((seen - held) * SIZE));
  }
  return out;
}

function read(window: SegmentWindow, past: number, offset = 0): { keys: number[]; values: number[] } {
  const keys = new Float32Array(offset + LAYERS * past * SIZE);
  const values = new Float32Array(offset + LAYERS * past * SIZE);
  window.copyInto(keys, values, past, offset);
  return { keys: [...keys.subarray(offset)], values: [...values.subarray(offset)] };
}

describe('The window of a segment', () => {
  test('begins empty', () => {
    const window = new SegmentWindow(LAYERS, SIZE, 8);
    expect(window.length).toBe(0);
    expect(read(window, 8).keys.every((x) => x === 0)).toBe(true);
  });

  test.each([
    ['full from the start', 8, undefined],
    ['that grows', 8, 1],
    ['that grows from two', 8, 2],
  ])('%s holds the newest tokens, whatever the sizes of the steps', (_name, limit, capacity) => {
    const random = seededRandom(7);
    for (let round = 0; round < 30; round++) {
      const window = new SegmentWindow(LAYERS, SIZE, limit, capacity);
      let seen = 0;
      for (let step = 0; step < 8; step++) {
        const n = 1 + Math.floor(random() * 12);
        window.append(tokens(seen, n), tokens(seen, n, -1), n);
        seen += n;
        expect(window.length).toBe(Math.min(seen, limit));
        const { keys, values } = read(window, limit);
        expect(keys).toEqual(expected(seen, limit, limit));
        expect(values).toEqual(expected(seen, limit, limit, -1));
      }
    }
  });

  test('copies only the newest tokens into fewer places than it holds', () => {
    const window = new SegmentWindow(LAYERS, SIZE, 8);
    window.append(tokens(0, 6), tokens(0, 6, -1), 6);
    expect(read(window, 2).keys).toEqual(expected(6, 8, 2));
  });

  test('writes only its own part of a batch', () => {
    const window = new SegmentWindow(LAYERS, SIZE, 4);
    window.append(tokens(0, 5), tokens(0, 5, -1), 5);
    const batch = new Float32Array(3 * LAYERS * 4 * SIZE).fill(9);
    window.copyInto(batch, batch.slice(), 4, LAYERS * 4 * SIZE);
    const part = LAYERS * 4 * SIZE;
    expect([...batch.subarray(part, 2 * part)]).toEqual(expected(5, 4, 4));
    expect([...batch.subarray(0, part), ...batch.subarray(2 * part)].every((x) => x === 9)).toBe(true);
  });

  test('takes the same memory after a million tokens as after its first', () => {
    const window = new SegmentWindow(LAYERS, SIZE, 8);
    const before = window.keys.byteLength;
    const [keys, values] = [tokens(0, 10), tokens(0, 10, -1)];
    for (let i = 0; i < 100_000; i++) window.append(keys, values, 10);
    expect([window.keys.byteLength, window.length, window.capacity]).toEqual([before, 8, 8]);
  });
});
