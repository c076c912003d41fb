/**
 * The one K, V of a stream: written once, append only.
 *
 * Each head's keys (and values) lie in one buffer, `[tokens, headDim]`, so that a prefix goes to the cross-decoder as a
 * view: nothing is copied to ask. Tokens have absolute numbers that never change; when the limit of memory is reached
 * the oldest are dropped in blocks, and `firstFrame` moves on.
 */
export interface KvCacheOptions {
  readonly heads: number;
  readonly headDim: number;
  readonly tokensPerFrame: number;
  /** Bytes of K and V together that the cache may take; at least one block of frames is always kept. */
  readonly limitBytes: number;
}

/** What a reader may see: views that stay valid until the cache is next appended to. */
export interface KvView {
  /** For each head `[tokens, headDim]`. */
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  readonly tokens: number;
}

const FIRST_CAPACITY_FRAMES = 64;
/** Share of the kept frames that is dropped at once when the limit is reached. */
const DROP_SHARE = 1 / 8;

export class KvCache {
  readonly #options: KvCacheOptions;
  readonly #limitFrames: number;
  #capacityFrames: number;
  #keys: Float32Array[];
  #values: Float32Array[];
  #times: number[] = [];
  #firstFrame = 0;

  constructor(options: KvCacheOptions) {
    this.#options = options;
    this.#limitFrames = Math.max(FIRST_CAPACITY_FRAMES, Math.floor(options.limitBytes / this.bytesPerFrame));
    this.#capacityFrames = FIRST_CAPACITY_FRAMES;
    this.#keys = this.#buffers(this.#capacityFrames);
    this.#values = this.#buffers(this.#capacityFrames);
  }

  #buffers(frames: number): Float32Array[] {
    const { heads, headDim, tokensPerFrame } = this.#options;
    return Array.from({ length: heads }, () => new Float32Array(frames * tokensPerFrame * headDim));
  }

  get bytesPerFrame(): number {
    const { heads, headDim, tokensPerFrame } = this.#options;
    return 2 * heads * headDim * tokensPerFrame * Float32Array.BYTES_PER_ELEMENT;
  }

  /** Bytes of the kept K and V. */
  get bytes(): number {
    return this.frames * this.bytesPerFrame;
  }

  /** Frames that are kept. */
  get frames(): number {
    return this.#times.length;
  }

  /** Number of the first kept frame since the stream began: how many were dropped before it. */
  get firstFrame(): number {
    return this.#firstFrame;
  }

  /** Times of the kept frames in ms, rising. */
  get times(): readonly number[] {
    return this.#times;
  }

  /** Appends one frame: `k` and `v` are `[tokensPerFrame, heads, headDim]`. */
  append(timeMs: number, k: Float32Array, v: Float32Array): void {
    if (this.frames >= this.#limitFrames) this.#dropOldest(Math.max(1, Math.floor(this.#limitFrames * DROP_SHARE)));
    if (this.frames >= this.#capacityFrames) this.#grow();
    const { heads, headDim, tokensPerFrame } = this.#options;
    const base = this.frames * tokensPerFrame;
    for (let head = 0; head < heads; head++) {
      const keys = this.#keys[head];
      const values = this.#values[head];
      for (let token = 0; token < tokensPerFrame; token++) {
        const from = (token * heads + head) * headDim;
        keys?.set(k.subarray(from, from + headDim), (base + token) * headDim);
        values?.set(v.subarray(from, from + headDim), (base + token) * headDim);
      }
    }
    this.#times.push(timeMs);
  }

  #grow(): void {
    this.#capacityFrames = Math.min(this.#limitFrames, this.#capacityFrames * 2);
    const grow = (old: Float32Array[]): Float32Array[] =>
      this.#buffers(this.#capacityFrames).map((next, head) => {
        next.set(old[head] ?? []);
        return next;
      });
    this.#keys = grow(this.#keys);
    this.#values = grow(this.#values);
  }

  #dropOldest(frames: number): void {
    const { headDim, tokensPerFrame } = this.#options;
    const offset = frames * tokensPerFrame * headDim;
    for (const buffer of [...this.#keys, ...this.#values]) buffer.copyWithin(0, offset);
    this.#times.splice(0, frames);
    this.#firstFrame += frames;
  }

  /** How many of the kept frames lie at or before `timeMs`. */
  framesUpTo(timeMs: number): number {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#times[middle] ?? Infinity) <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first `frames` kept frames, without a copy. */
  view(frames: number): KvView {
    const { headDim, tokensPerFrame } = this.#options;
    const tokens = frames * tokensPerFrame;
    const cut = (buffer: Float32Array): Float32Array => buffer.subarray(0, tokens * headDim);
    return { keys: this.#keys.map(cut), values: this.#values.map(cut), tokens };
  }
}
