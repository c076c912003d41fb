/**
 * Bytes that grow in their place: nothing is copied, no old block is left for the garbage collector, and what is not
 * written takes no memory. Only addresses are reserved; when these are used up, all of it moves on to twice as many.
 */
const FIRST_RESERVE = 16 * 2 ** 20;

export class GrowingBytes {
  #buffer: ResizableBuffer;
  #bytes: Uint8Array;

  constructor(length: number) {
    this.#buffer = new ResizableBuffer(length, { maxByteLength: Math.max(length, FIRST_RESERVE) });
    this.#bytes = new Uint8Array(this.#buffer, 0, length);
  }

  /** All of them, until they grow: another view then. Earlier ones stay readable. */
  get all(): Uint8Array {
    return this.#bytes;
  }

  /** To `length` bytes, not less than before; what is new is zero. */
  grow(length: number): void {
    const { maxByteLength } = this.#buffer;
    if (length <= maxByteLength) this.#buffer.resize(length);
    else this.#buffer = new ResizableBuffer(length, { maxByteLength: Math.max(length, 2 * maxByteLength) });
    const before = this.#bytes;
    this.#bytes = new Uint8Array(this.#buffer, 0, length);
    if (length > maxByteLength) this.#bytes.set(before);
  }
}

/** ES2024, which Node 20 has of it; the types of ES2023 do not. */
interface ResizableBuffer extends ArrayBuffer {
  readonly maxByteLength: number;
  resize(length: number): void;
}
const ResizableBuffer = ArrayBuffer as unknown as new (
  length: number,
  options: { readonly maxByteLength: number },
) => ResizableBuffer;
