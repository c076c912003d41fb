/** Tells the streams of one question apart: a trained vector for each, added to its K and V as they are read. */
import { readFile } from 'node:fs/promises';
import { YocoError } from '../errors.ts';
import type { KvRows } from './kv-page.ts';

export class StreamTags {
  /** How many streams one question may read. */
  readonly count: number;
  readonly #heads: number;
  readonly #headDim: number;
  /** `[count, 2 (K, V), heads, headDim]`. */
  readonly #table: Float32Array;

  constructor(table: Float32Array, heads: number, headDim: number) {
    this.#heads = heads;
    this.#headDim = headDim;
    this.#table = table;
    this.count = table.length / (2 * heads * headDim);
  }

  /** Throws `bundle_damaged` if the file does not hold `count` tags. */
  static async load(filename: string, count: number, heads: number, headDim: number): Promise<StreamTags> {
    const bytes = await readFile(filename);
    if (bytes.length !== count * 2 * heads * headDim * 4) {
      throw new YocoError('bundle_damaged', { detail: `${filename} does not hold ${count} tags.` });
    }
    return new StreamTags(new Float32Array(new Uint8Array(bytes).buffer), heads, headDim);
  }

  /** The vectors that are added to K and to V of stream `number`, `[heads, headDim]` each. */
  vectorsOf(number: number): { readonly k: Float32Array; readonly v: Float32Array } {
    const size = this.#heads * this.#headDim;
    const from = number * 2 * size;
    return { k: this.#table.subarray(from, from + size), v: this.#table.subarray(from + size, from + 2 * size) };
  }

  /** Adds the tag of stream `number` to `tokens` tokens of `rows`, from token `tokenOffset` on. */
  add(number: number, rows: KvRows, tokenOffset: number, tokens: number): void {
    [rows.keys, rows.values].forEach((heads, kind) => {
      heads.forEach((row, head) => {
        const from = ((number * 2 + kind) * this.#heads + head) * this.#headDim;
        const tag = this.#table.subarray(from, from + this.#headDim);
        for (let token = tokenOffset; token < tokenOffset + tokens; token++) {
          const base = token * this.#headDim;
          for (let i = 0; i < this.#headDim; i++) row[base + i] = (row[base + i] ?? 0) + (tag[i] ?? 0);
        }
      });
    });
  }
}
