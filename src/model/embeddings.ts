/** Word embeddings at the model's width: int8 rows and a scale for each (`words_table` in models/training/export.py). */
import { readFile } from 'node:fs/promises';
import { YocoError } from '../errors.ts';

export class Embeddings {
  readonly #rows: Int8Array;
  readonly #scales: Float32Array;
  readonly #width: number;

  private constructor(rows: Int8Array, scales: Float32Array, width: number) {
    this.#rows = rows;
    this.#scales = scales;
    this.#width = width;
  }

  static async load(filename: string, vocabulary: number, width: number): Promise<Embeddings> {
    const raw = await readFile(filename);
    if (raw.byteLength !== vocabulary * (width + 4)) {
      throw new YocoError('bundle_damaged', { detail: `${filename} does not hold ${vocabulary} rows of ${width}.` });
    }
    const bytes = Uint8Array.prototype.slice.call(raw);
    const rows = new Int8Array(bytes.buffer, 0, vocabulary * width);
    const scales = new Float32Array(bytes.buffer.slice(vocabulary * width));
    return new Embeddings(rows, scales, width);
  }

  /** `[ids.length, width]`. */
  lookup(ids: readonly number[]): Float32Array {
    const width = this.#width;
    const out = new Float32Array(ids.length * width);
    ids.forEach((id, i) => {
      const scale = this.#scales[id];
      if (scale === undefined) throw new RangeError(`token ${id} is outside the vocabulary`);
      for (let j = 0; j < width; j++) out[i * width + j] = (this.#rows[id * width + j] ?? 0) * scale;
    });
    return out;
  }
}
