/**
 * Word embeddings at the model's width: int8 rows and a scale for each (`words_table` in models/training/export.py). A
 * token needs only one row, so the rows stay in the file and are read one by one; the operating system caches them
 * while there is memory.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { YocoError } from '../errors.ts';

export class Embeddings {
  readonly #file: number;
  readonly #scales: Float32Array;
  readonly #row: Int8Array;

  private constructor(file: number, scales: Float32Array, width: number) {
    this.#file = file;
    this.#scales = scales;
    this.#row = new Int8Array(width);
  }

  static async load(filename: string, vocabulary: number, width: number): Promise<Embeddings> {
    if ((await stat(filename)).size !== vocabulary * (width + 4)) {
      throw new YocoError('bundle_damaged', { detail: `${filename} does not hold ${vocabulary} rows of ${width}.` });
    }
    const scales = new Float32Array(vocabulary);
    const file = openSync(filename, 'r');
    if (readSync(file, scales, 0, scales.byteLength, vocabulary * width) !== scales.byteLength) {
      throw new YocoError('bundle_damaged', { detail: `${filename} ends before its scales do.` });
    }
    return new Embeddings(file, scales, width);
  }

  /** `[ids.length, width]`. */
  lookup(ids: readonly number[]): Float32Array {
    const row = this.#row;
    const width = row.length;
    const out = new Float32Array(ids.length * width);
    ids.forEach((id, i) => {
      const scale = this.#scales[id];
      if (scale === undefined) throw new RangeError(`token ${id} is outside the vocabulary`);
      // If the file were cut short meanwhile, the buffer would still hold another token's row.
      if (readSync(this.#file, row, 0, width, id * width) !== width) {
        throw new YocoError('bundle_damaged', { detail: `The row of token ${id} cannot be read.` });
      }
      for (let j = 0; j < width; j++) out[i * width + j] = (row[j] ?? 0) * scale;
    });
    return out;
  }

  /** Closes the file; no lookups may follow. */
  release(): void {
    closeSync(this.#file);
  }
}
