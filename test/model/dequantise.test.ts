import { describe, expect, it } from 'vitest';
import { scaleChannels, scaleTokens } from '../../src/model/dequantise.ts';

/** All int8 values, in an order in which no two channels or tokens are alike. */
function whole(tokens: number, channels: number): Int8Array {
  return Int8Array.from({ length: tokens * channels }, (_, i) => ((i * 73 + (i >> 6) * 29) % 256) - 128);
}

/** Scales that binary fractions cannot represent, so that a difference in rounding shows. */
const scales = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => (i + 1) / 381);

// A turn takes at most 8,192 values and 1,024 tokens: the cases are part of a turn, exactly one, and several with a
// partial last one.
describe.each([
  [1, 8],
  [40, 64],
  [128, 64],
  [320, 64],
  [129, 64],
  [2_500, 8],
  [20, 1_024],
])('%i tokens of %i channels', (tokens, channels) => {
  it('are multiplied by the scales of their channels, to the bit', () => {
    const [values, by] = [whole(tokens, channels), scales(channels)];
    const out = new Float32Array(values.length);
    scaleChannels(values, by, out);
    expect(out).toEqual(Float32Array.from(values, (value, i) => value * (by[i % channels] ?? NaN)));
  });

  it('are multiplied by their own scales, to the bit', () => {
    const [values, by] = [whole(tokens, channels), scales(tokens)];
    const out = new Float32Array(values.length);
    scaleTokens(values, by, out);
    expect(out).toEqual(Float32Array.from(values, (value, i) => value * (by[Math.floor(i / channels)] ?? NaN)));
  });
});

it('Dequantising writes only into the part of the rows that it is given', () => {
  const rows = new Float32Array(64 * 12).fill(7);
  scaleChannels(whole(4, 64), scales(64), rows.subarray(64 * 4, 64 * 8));
  expect(rows.subarray(0, 64 * 4).every((value) => value === 7)).toBe(true);
  expect(rows.subarray(64 * 8).every((value) => value === 7)).toBe(true);
  expect(rows.subarray(64 * 4, 64 * 8).includes(7)).toBe(false);
});

it('Dequantising accepts zero tokens', () => {
  const out = new Float32Array(0);
  scaleTokens(new Int8Array(0), new Float32Array(0), out);
  scaleChannels(new Int8Array(0), scales(64), out);
  expect(out).toHaveLength(0);
});

it.each([12, 1_032])('Dequantising rejects %i channels', (channels) => {
  const values = whole(2, channels);
  expect(() => {
    scaleChannels(values, scales(channels), new Float32Array(values.length));
  }).toThrow('channels are a multiple of 8 up to 1024');
});
