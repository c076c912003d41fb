/** bfloat16: the upper half of a float32. Scales need no more, and take half. */
const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The least bfloat16 that is not below the float32 of `value`, which is positive: what is divided by it stays within its range. */
export function bfloat16Above(value: number): number {
  float[0] = value;
  const exact = bits[0] ?? 0;
  return (exact + 0xffff) >>> 16;
}

export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return float[0] ?? 0;
}
