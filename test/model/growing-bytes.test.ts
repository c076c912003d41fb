/** Bytes that grow in place. */
import { expect, test } from 'vitest';
import { GrowingBytes } from '../../src/model/growing-bytes.ts';

test('Growing keeps what was written in place, and zeroes what is new', () => {
  const bytes = new GrowingBytes(4);
  bytes.bytes.set([1, 2, 3, 4]);
  const before = bytes.bytes;
  bytes.grow(6);
  expect([...bytes.bytes]).toEqual([1, 2, 3, 4, 0, 0]);
  bytes.bytes[0] = 9;
  expect([...before]).toEqual([9, 2, 3, 4]);
});

test('Growing beyond the reserved range moves the bytes, and earlier views stay readable', () => {
  const bytes = new GrowingBytes(2);
  bytes.bytes.set([7, 8]);
  const before = bytes.bytes;
  bytes.grow(40 * 2 ** 20);
  expect(bytes.bytes).toHaveLength(40 * 2 ** 20);
  expect([...bytes.bytes.subarray(0, 3)]).toEqual([7, 8, 0]);
  expect([...before]).toEqual([7, 8]);
});
