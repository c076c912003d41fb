/**
 * A page: a fixed run of frames of the cache, sealed in int8. One block of memory, so that it is stored and moved in
 * one piece:
 *
 *     kScale   float16 [heads, headDim]       one per channel of a head
 *     vScale   float16 [tokens]               one per token
 *     k        int8    [heads, tokens, headDim]
 *     v        int8    [heads, tokens, headDim]
 *
 * Keys are scaled by channel and values by token, as in KIVI (arXiv:2402.02750): some channels of keys are large in all
 * tokens; values have none. `tokens = frames * tokensPerFrame`; a number is its int8 times its scale.
 */
import { scaleChannels, scaleTokens } from './dequantise.ts';
import { roundUpToFloat16, fromFloat16, fromFloat16s } from './float16.ts';

/** The dimensions of a cache, constant over its life. */
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

const SCALE_BYTES = Uint16Array.BYTES_PER_ELEMENT;

/** The scale of int8 values of which the largest stands for `maxAbs`. */
export const int8Scale = (maxAbs: number): number => maxAbs / 127 || 1;

/** Zeroed rows for `tokens` tokens. */
export function emptyRows({ heads, headDim }: Pick<KvShape, 'heads' | 'headDim'>, tokens: number) {
  const buffers = (): Float32Array[] => Array.from({ length: heads }, () => new Float32Array(tokens * headDim));
  return { keys: buffers(), values: buffers() } satisfies KvRows;
}

export class KvPage {
  readonly shape: KvShape;
  readonly frames: number;
  /** Whether frames were thinned out of it. */
  readonly isThinned: boolean;
  /** All that a page stores: keeping views would take half a kilobyte for each of a day's five thousand pages. */
  readonly #block: Uint8Array;

  private constructor(shape: KvShape, frames: number, thinned: boolean, block: Uint8Array) {
    this.shape = shape;
    this.frames = frames;
    this.isThinned = thinned;
    this.#block = block;
  }

  /** Views of the parts of the block. */
  #parts(): { kScale: Uint16Array; vScale: Uint16Array; k: Int8Array; v: Int8Array } {
    const { buffer, byteOffset } = this.#block;
    const { heads, headDim } = this.shape;
    const [channels, numbers] = [heads * headDim, heads * this.tokens * headDim];
    const first = byteOffset + (channels + this.tokens) * SCALE_BYTES;
    return {
      kScale: new Uint16Array(buffer, byteOffset, channels),
      vScale: new Uint16Array(buffer, byteOffset + channels * SCALE_BYTES, this.tokens),
      k: new Int8Array(buffer, first, numbers),
      v: new Int8Array(buffer, first + numbers, numbers),
    };
  }

  static bytesFor(shape: KvShape, frames: number): number {
    const { heads, headDim, tokensPerFrame } = shape;
    const tokens = frames * tokensPerFrame;
    return (heads * headDim + tokens) * SCALE_BYTES + 2 * heads * tokens * headDim;
  }

  /** `rows` must hold exactly the tokens of `frames` frames. */
  static seal(shape: KvShape, frames: number, rows: KvRows): KvPage {
    const page = new KvPage(shape, frames, false, new Uint8Array(KvPage.bytesFor(shape, frames)));
    for (let head = 0; head < shape.heads; head++) {
      page.#sealKeys(head, rows.keys[head] ?? new Float32Array(0));
    }
    page.#sealValues(rows.values);
    return page;
  }

  /**
   * A page from the bytes that `bytes` returned; it takes ownership of them. Throws RangeError if their length does not
   * match.
   */
  static from(shape: KvShape, frames: number, thinned: boolean, bytes: Uint8Array): KvPage {
    if (bytes.length !== KvPage.bytesFor(shape, frames)) throw new RangeError('a page of another size');
    return new KvPage(shape, frames, thinned, bytes);
  }

  get bytes(): Uint8Array {
    return this.#block;
  }

  get tokens(): number {
    return this.frames * this.shape.tokensPerFrame;
  }

  #sealKeys(head: number, keys: Float32Array): void {
    const { headDim } = this.shape;
    const { kScale, k } = this.#parts();
    const from = head * this.tokens * headDim;
    for (let channel = 0; channel < headDim; channel++) {
      let maxAbs = 0;
      for (let i = channel; i < keys.length; i += headDim) maxAbs = Math.max(maxAbs, Math.abs(keys[i] ?? 0));
      const bits = roundUpToFloat16(int8Scale(maxAbs));
      const scale = fromFloat16(bits);
      kScale[head * headDim + channel] = bits;
      for (let i = channel; i < keys.length; i += headDim) k[from + i] = Math.round((keys[i] ?? 0) / scale);
    }
  }

  #sealValues(values: readonly Float32Array[]): void {
    const { heads, headDim } = this.shape;
    const { vScale, v } = this.#parts();
    for (let token = 0; token < this.tokens; token++) {
      let maxAbs = 0;
      for (let head = 0; head < heads; head++) {
        const row = values[head];
        for (let i = token * headDim; i < (token + 1) * headDim; i++)
          maxAbs = Math.max(maxAbs, Math.abs(row?.[i] ?? 0));
      }
      const bits = roundUpToFloat16(int8Scale(maxAbs));
      const scale = fromFloat16(bits);
      vScale[token] = bits;
      for (let head = 0; head < heads; head++) {
        const row = values[head];
        const from = head * this.tokens * headDim;
        for (let i = token * headDim; i < (token + 1) * headDim; i++) {
          v[from + i] = Math.round((row?.[i] ?? 0) / scale);
        }
      }
    }
  }

  /** Dequantises `count` frames from frame `first` into each head's rows, starting at token `tokenOffset`. */
  read(first: number, count: number, rows: KvRows, tokenOffset: number): void {
    const { heads, headDim, tokensPerFrame } = this.shape;
    const { kScale, vScale, k, v } = this.#parts();
    const [from, tokens] = [first * tokensPerFrame, count * tokensPerFrame];
    const channelScales = fromFloat16s(kScale);
    const tokenScales = fromFloat16s(vScale.subarray(from, from + tokens));
    for (let head = 0; head < heads; head++) {
      const keys = rows.keys[head];
      const values = rows.values[head];
      if (keys === undefined || values === undefined) throw new RangeError('fewer heads than the page has');
      const begin = (head * this.tokens + from) * headDim;
      const end = begin + tokens * headDim;
      const [targetBegin, targetEnd] = [tokenOffset * headDim, (tokenOffset + tokens) * headDim];
      const scales = channelScales.subarray(head * headDim, (head + 1) * headDim);
      scaleChannels(k.subarray(begin, end), scales, keys.subarray(targetBegin, targetEnd));
      scaleTokens(v.subarray(begin, end), tokenScales, values.subarray(targetBegin, targetEnd));
    }
  }

  /** A new page with only the frames for which `keep` is true, in order, with the scales of this page. */
  thin(keep: readonly boolean[]): KvPage {
    const { heads, headDim, tokensPerFrame } = this.shape;
    const kept = keep.flatMap((wanted, frame) => (wanted ? [frame] : []));
    const block = new Uint8Array(KvPage.bytesFor(this.shape, kept.length));
    const page = new KvPage(this.shape, kept.length, true, block);
    const [from, to] = [this.#parts(), page.#parts()];
    to.kScale.set(from.kScale);
    const size = tokensPerFrame * headDim;
    kept.forEach((frame, place) => {
      const scales = from.vScale.subarray(frame * tokensPerFrame, (frame + 1) * tokensPerFrame);
      to.vScale.set(scales, place * tokensPerFrame);
      for (let head = 0; head < heads; head++) {
        const source = (head * this.frames + frame) * size;
        const target = (head * page.frames + place) * size;
        to.k.set(from.k.subarray(source, source + size), target);
        to.v.set(from.v.subarray(source, source + size), target);
      }
    });
    return page;
  }
}
