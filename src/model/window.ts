/** The real tokens of a window, without free capacity: keys and values, each `[layers, length, tokenSize]`. */
export interface WindowContent {
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly length: number;
}

/**
 * A segment's state in the self-decoder: each layer's last keys and values, with keys unrotated, and how many are real.
 * Once full, its size is constant, so a frame costs the same after hours.
 *
 * It also holds a retention's states, twice `[layers, headDim / 2, heads * headDim]`: `keys` takes the first half of
 * the key dimension and `values` the second, with rows in place of tokens.
 */
export class SegmentWindow {
  readonly layers: number;
  /** Floats of one token in one layer. */
  readonly tokenSize: number;
  readonly limit: number;
  /** `[layers, capacity, tokenSize]`, newest token last. */
  keys: Float32Array;
  values: Float32Array;
  #capacity: number;
  #length = 0;

  /** `limit`: tokens kept. A window with a smaller `capacity` grows up to it. */
  constructor(layers: number, tokenSize: number, limit: number, capacity = limit) {
    this.layers = layers;
    this.tokenSize = tokenSize;
    this.limit = limit;
    this.#capacity = capacity;
    this.keys = new Float32Array(layers * capacity * tokenSize);
    this.values = new Float32Array(layers * capacity * tokenSize);
  }

  get length(): number {
    return this.#length;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Appends `n` tokens: `keys` and `values` are `[layers, n, tokenSize]`. */
  append(keys: Float32Array, values: Float32Array, n: number): void {
    const wanted = Math.min(this.limit, this.#length + n);
    if (wanted > this.#capacity) this.#grow(Math.min(this.limit, Math.max(wanted, this.#capacity * 2)));
    const row = this.tokenSize;
    const kept = Math.min(n, this.#capacity);
    for (const [target, source] of [
      [this.keys, keys],
      [this.values, values],
    ] as const) {
      for (let layer = 0; layer < this.layers; layer++) {
        const begin = layer * this.#capacity * row;
        const end = begin + this.#capacity * row;
        target.copyWithin(begin, begin + kept * row, end);
        target.set(source.subarray((layer * n + n - kept) * row, (layer + 1) * n * row), end - kept * row);
      }
    }
    this.#length = wanted;
  }

  /** A copy of the real tokens: keys and values, each `[layers, length, tokenSize]`. */
  content(): WindowContent {
    const size = this.layers * this.#length * this.tokenSize;
    const [keys, values] = [new Float32Array(size), new Float32Array(size)];
    this.copyInto(keys, values, this.#length, 0);
    return { keys, values, length: this.#length };
  }

  #grow(capacity: number): void {
    const grow = (old: Float32Array): Float32Array => {
      const next = new Float32Array(this.layers * capacity * this.tokenSize);
      const size = this.#capacity * this.tokenSize;
      for (let layer = 0; layer < this.layers; layer++) {
        next.set(old.subarray(layer * size, (layer + 1) * size), (layer + 1) * capacity * this.tokenSize - size);
      }
      return next;
    };
    this.keys = grow(this.keys);
    this.values = grow(this.values);
    this.#capacity = capacity;
  }

  /** Copies the last `past` tokens of each layer, right-aligned, into a batch's input at `offset` (in floats). */
  copyInto(keys: Float32Array, values: Float32Array, past: number, offset: number): void {
    const row = this.tokenSize;
    const take = Math.min(past, this.#capacity);
    for (let layer = 0; layer < this.layers; layer++) {
      const from = ((layer + 1) * this.#capacity - take) * row;
      const to = offset + ((layer + 1) * past - take) * row;
      keys.set(this.keys.subarray(from, from + take * row), to);
      values.set(this.values.subarray(from, from + take * row), to);
    }
  }
}
