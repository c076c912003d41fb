/**
 * A page: a fixed run of frames of the cache, sealed in int8. One block of memory, so that it is stored and moved as one:
 *
 *     kScale   float32 [heads, headDim]       one a channel of a head
 *     vScale   float32 [tokens]               one a token
 *     k        int8    [heads, tokens, headDim]
 *     v        int8    [heads, tokens, headDim]
 *
 * Keys are scaled by channel and values by token, as in KIVI (arXiv:2402.02750): keys have channels that are large
 * everywhere, values do not. `tokens = frames * tokensPerFrame`; a value is its int8 times its scale.
 */

/** What does not change over the life of a cache. */
export interface KvShape {
  readonly heads: number;
  readonly headDim: number;
  readonly tokensPerFrame: number;
}

/** K and V of consecutive frames in full precision: for each head `[tokens, headDim]`. */
export interface KvRows {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** What int8 values of which the largest stands for `most` are multiplied with. */
export const int8Scale = (most: number): number => most / 127 || 1;

/** Room for `tokens` tokens. */
export function emptyRows({ heads, headDim }: Pick<KvShape, 'heads' | 'headDim'>, tokens: number) {
  const buffers = (): Float32Array[] => Array.from({ length: heads }, () => new Float32Array(tokens * headDim));
  return { keys: buffers(), values: buffers() } satisfies KvRows;
}

export class KvPage {
  readonly shape: KvShape;
  readonly frames: number;
  /** True once frames were taken out of it. */
  readonly thinned: boolean;
  readonly #block: Uint8Array;
  readonly #kScale: Float32Array;
  readonly #vScale: Float32Array;
  readonly #k: Int8Array;
  readonly #v: Int8Array;

  private constructor(shape: KvShape, frames: number, thinned: boolean, block: Uint8Array) {
    const { heads, headDim, tokensPerFrame } = shape;
    const tokens = frames * tokensPerFrame;
    this.shape = shape;
    this.frames = frames;
    this.thinned = thinned;
    this.#block = block;
    let at = block.byteOffset;
    const part = <T>(
      make: new (buffer: ArrayBufferLike, offset: number, length: number) => T,
      length: number,
      bytes: number,
    ): T => {
      const view = new make(block.buffer, at, length);
      at += length * bytes;
      return view;
    };
    this.#kScale = part(Float32Array, heads * headDim, 4);
    this.#vScale = part(Float32Array, tokens, 4);
    this.#k = part(Int8Array, heads * tokens * headDim, 1);
    this.#v = part(Int8Array, heads * tokens * headDim, 1);
  }

  static bytesFor(shape: KvShape, frames: number): number {
    const { heads, headDim, tokensPerFrame } = shape;
    const tokens = frames * tokensPerFrame;
    return heads * headDim * 4 + tokens * 4 + 2 * heads * tokens * headDim;
  }

  /** `rows` holds exactly the tokens of `frames` frames. */
  static seal(shape: KvShape, frames: number, rows: KvRows): KvPage {
    const page = new KvPage(shape, frames, false, new Uint8Array(KvPage.bytesFor(shape, frames)));
    for (let head = 0; head < shape.heads; head++) {
      page.#sealKeys(head, rows.keys[head] ?? new Float32Array(0));
    }
    page.#sealValues(rows.values);
    return page;
  }

  /** A page from its bytes, as `bytes` gave them; they are copied. Throws RangeError when the length is another. */
  static from(shape: KvShape, frames: number, thinned: boolean, bytes: Uint8Array): KvPage {
    if (bytes.length !== KvPage.bytesFor(shape, frames)) throw new RangeError('a page of another size');
    return new KvPage(shape, frames, thinned, new Uint8Array(bytes));
  }

  get bytes(): Uint8Array {
    return this.#block;
  }

  get tokens(): number {
    return this.frames * this.shape.tokensPerFrame;
  }

  #sealKeys(head: number, keys: Float32Array): void {
    const { headDim } = this.shape;
    const from = head * this.tokens * headDim;
    for (let channel = 0; channel < headDim; channel++) {
      let most = 0;
      for (let i = channel; i < keys.length; i += headDim) most = Math.max(most, Math.abs(keys[i] ?? 0));
      const scale = int8Scale(most);
      this.#kScale[head * headDim + channel] = scale;
      for (let i = channel; i < keys.length; i += headDim) this.#k[from + i] = Math.round((keys[i] ?? 0) / scale);
    }
  }

  #sealValues(values: readonly Float32Array[]): void {
    const { heads, headDim } = this.shape;
    for (let token = 0; token < this.tokens; token++) {
      let most = 0;
      for (let head = 0; head < heads; head++) {
        const row = values[head];
        for (let i = token * headDim; i < (token + 1) * headDim; i++) most = Math.max(most, Math.abs(row?.[i] ?? 0));
      }
      const scale = int8Scale(most);
      this.#vScale[token] = scale;
      for (let head = 0; head < heads; head++) {
        const row = values[head];
        const from = head * this.tokens * headDim;
        for (let i = token * headDim; i < (token + 1) * headDim; i++) {
          this.#v[from + i] = Math.round((row?.[i] ?? 0) / scale);
        }
      }
    }
  }

  /** Writes `count` frames from `first` on, in full precision, to each head's rows at token `at`. */
  read(first: number, count: number, rows: KvRows, at: number): void {
    const { heads, headDim, tokensPerFrame } = this.shape;
    const from = first * tokensPerFrame;
    const end = from + count * tokensPerFrame;
    for (let head = 0; head < heads; head++) {
      const keys = rows.keys[head];
      const values = rows.values[head];
      if (keys === undefined || values === undefined) throw new RangeError('fewer heads than the page has');
      const base = head * this.tokens * headDim;
      const scales = this.#kScale.subarray(head * headDim, (head + 1) * headDim);
      let to = at * headDim;
      for (let token = from; token < end; token++) {
        const row = base + token * headDim;
        const vScale = this.#vScale[token] ?? 0;
        for (let channel = 0; channel < headDim; channel++, to++) {
          keys[to] = (this.#k[row + channel] ?? 0) * (scales[channel] ?? 0);
          values[to] = (this.#v[row + channel] ?? 0) * vScale;
        }
      }
    }
  }

  /** A new page with the frames for which `keep` says so, in their order; the scales are those of this page. */
  thin(keep: readonly boolean[]): KvPage {
    const { heads, headDim, tokensPerFrame } = this.shape;
    const kept = keep.flatMap((wanted, frame) => (wanted ? [frame] : []));
    const block = new Uint8Array(KvPage.bytesFor(this.shape, kept.length));
    const page = new KvPage(this.shape, kept.length, true, block);
    page.#kScale.set(this.#kScale);
    const size = tokensPerFrame * headDim;
    kept.forEach((frame, to) => {
      page.#vScale.set(
        this.#vScale.subarray(frame * tokensPerFrame, (frame + 1) * tokensPerFrame),
        to * tokensPerFrame,
      );
      for (let head = 0; head < heads; head++) {
        const source = (head * this.frames + frame) * size;
        const target = (head * page.frames + to) * size;
        page.#k.set(this.#k.subarray(source, source + size), target);
        page.#v.set(this.#v.subarray(source, source + size), target);
      }
    });
    return page;
  }
}
