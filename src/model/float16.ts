/**
 * Positive numbers in 16 bits: like IEEE 754 float16, five bits of exponent and ten of mantissa, but all of them
 * normal, from 2^-15 to just below 2^17. Scales need no more, and take half the memory.
 */
const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

const DROPPED_BITS = 13;
/** Difference between the exponent biases of float32 and float16, in units of a float16's mantissa. */
const BIAS = (127 - 15) << 10;
const MAX_FLOAT16 = 0x7fff;

/**
 * The bits of the smallest number that is not below the float32 of `value`, so that quotients by it stay in range.
 * Throws RangeError above the largest number.
 */
export function roundUpToFloat16(value: number): number {
  float[0] = value;
  const half = (((bits[0] ?? 0) + (1 << DROPPED_BITS) - 1) >>> DROPPED_BITS) - BIAS;
  if (half > MAX_FLOAT16) throw new RangeError(`${value} is too large for a scale`);
  return Math.max(0, half);
}

const float32Bits = (half: number): number => (half + BIAS) << DROPPED_BITS;

export function fromFloat16(half: number): number {
  bits[0] = float32Bits(half);
  return float[0] ?? 0;
}

export function fromFloat16s(halves: Uint16Array): Float32Array {
  const out = new Uint32Array(halves.length);
  halves.forEach((half, i) => (out[i] = float32Bits(half)));
  return new Float32Array(out.buffer);
}
