/**
 * Bytes that grow in place: nothing is copied, no old block is left to the garbage collector, and what was never
 * written takes no memory. Only address space is reserved; once it is used up, everything moves to twice as much.
 */
const FIRST_RESERVE = 16 * 2 ** 20;

export class GrowingBytes {
  #buffer: ResizableBuffer;
  #bytes: Uint8Array;

  constructor(length: number) {
    this.#buffer = new ResizableBuffer(length, { maxByteLength: Math.max(length, FIRST_RESERVE) });
    this.#bytes = new Uint8Array(this.#buffer, 0, length);
  }

  /** All bytes. Growing replaces this view; earlier ones stay readable. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Grows to `length` bytes, which must not be less than before. New bytes are zero. */
  grow(length: number): void {
    const { maxByteLength } = this.#buffer;
    if (length <= maxByteLength) this.#buffer.resize(length);
    else this.#buffer = new ResizableBuffer(length, { maxByteLength: Math.max(length, 2 * maxByteLength) });
    const before = this.#bytes;
    this.#bytes = new Uint8Array(this.#buffer, 0, length);
    if (length > maxByteLength) this.#bytes.set(before);
  }
}

/** ES2024. Node 20 has it, but TypeScript's ES2023 library does not declare it. */
interface ResizableBuffer extends ArrayBuffer {
  readonly maxByteLength: number;
  resize(length: number): void;
}
const ResizableBuffer = ArrayBuffer as unknown as new (
  length: number,
  options: { readonly maxByteLength: number },
) => ResizableBuffer;
