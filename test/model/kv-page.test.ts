import { describe, expect, test } from 'vitest';
import { KvPage, type KvRows, type KvShape } from '../../src/model/kv-page.ts';
import { seededRandom } from '../../src/model/sampling.ts';

const SHAPE: KvShape = { heads: 3, headDim: 8, tokensPerFrame: 5 };
const FRAMES = 16;

function rows(frames: number, value: (i: number) => number): KvRows {
  const size = frames * SHAPE.tokensPerFrame * SHAPE.headDim;
  const heads = (from: number): Float32Array[] =>
    Array.from({ length: SHAPE.heads }, (_, head) =>
      Float32Array.from({ length: size }, (_, i) => value(from + head * size + i)),
    );
  return { keys: heads(0), values: heads(SHAPE.heads * size) };
}

const random = seededRandom(5);
const original = rows(FRAMES, () => random() * 2 - 1);
const page = KvPage.seal(SHAPE, FRAMES, original);

function read(from: KvPage, first = 0, count = from.frames): KvRows {
  const out = rows(count, () => NaN);
  from.read(first, count, out, 0);
  return out;
}

describe('A page of the cache', () => {
  test('keeps every key within half a step of its channel, and every value within half a step of its token', () => {
    const back = read(page);
    const { headDim } = SHAPE;
    original.keys.forEach((keys, head) => {
      for (let channel = 0; channel < headDim; channel++) {
        const column = [...keys].filter((_, i) => i % headDim === channel);
        const most = Math.max(...column.map(Math.abs));
        column.forEach((value, token) => {
          expect(Math.abs((back.keys[head]?.[token * headDim + channel] ?? NaN) - value)).toBeLessThanOrEqual(
            most / 253,
          );
        });
      }
    });
    for (let token = 0; token < page.tokens; token++) {
      const cut = (values: Float32Array): Float32Array => values.subarray(token * headDim, (token + 1) * headDim);
      const most = Math.max(...original.values.flatMap((values) => [...cut(values)].map(Math.abs)));
      original.values.forEach((values, head) => {
        cut(values).forEach((value, i) => {
          const got = cut(back.values[head] ?? new Float32Array())[i] ?? NaN;
          expect(Math.abs(got - value)).toBeLessThanOrEqual(most / 253);
        });
      });
    }
  });

  test('takes a quarter of the bytes of full precision, plus its scales', () => {
    const { heads, headDim } = SHAPE;
    const full = 2 * heads * headDim * page.tokens * 4;
    expect(page.bytes.length).toBe(full / 4 + heads * headDim * 2 + page.tokens * 2);
  });

  test('reads a part of its frames as it reads all of them', () => {
    const [part, all] = [read(page, 3, 2), read(page)];
    const size = SHAPE.tokensPerFrame * SHAPE.headDim;
    part.keys.forEach((keys, head) => {
      expect(keys).toEqual(all.keys[head]?.subarray(3 * size, 5 * size));
    });
    part.values.forEach((values, head) => {
      expect(values).toEqual(all.values[head]?.subarray(3 * size, 5 * size));
    });
  });

  test('is rebuilt from its bytes without copying them, and rejects bytes of another length', () => {
    const block = Uint8Array.from(page.bytes);
    const again = KvPage.from(SHAPE, FRAMES, false, block);
    expect(read(again)).toEqual(read(page));
    expect(again.bytes).toBe(block);
    expect(() => KvPage.from(SHAPE, FRAMES - 1, false, page.bytes)).toThrow(RangeError);
  });

  test('keeps the bits of the frames that thinning keeps', () => {
    const keep = Array.from({ length: FRAMES }, (_, frame) => frame % 3 !== 1);
    const thin = page.thin(keep);
    expect([thin.isThinned, thin.frames]).toEqual([true, keep.filter(Boolean).length]);
    const kept = keep.flatMap((wanted, frame) => (wanted ? [frame] : []));
    kept.forEach((frame, i) => {
      expect(read(thin, i, 1)).toEqual(read(page, frame, 1));
    });
  });

  test('of zeros is zeros', () => {
    const zeros = rows(2, () => 0);
    expect(read(KvPage.seal(SHAPE, 2, zeros))).toEqual(zeros);
  });
});
