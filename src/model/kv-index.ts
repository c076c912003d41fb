/**
 * Which parts of a long cache a token should read: one index for all layers of the cross-decoder.
 *
 * Consecutive frames form *cells*. Of each cell, head by head, two keys are kept in int8: the mean of its whole-frame
 * tokens and the mean of all others. Attention over these stands for attention over everything: a cell's score is the
 * share that it gets, added up over all layers and heads, and the cells with the highest scores are read. Bounds of each
 * channel (Quest, arXiv:2406.10774) were not taken: keys of unit length in 64 dimensions make them far too loose.
 */
import type { InferenceSession } from 'onnxruntime-node';
import * as ort from 'onnxruntime-node';
import { int8Scale, type KvShape } from './kv-page.ts';
import { floats, integers } from './session.ts';

export const CELL_FRAMES = 4;
export const KEYS_PER_CELL = 2;
const FIRST_CAPACITY = 256;

/** Keys of consecutive frames: for each head `[frames * tokensPerFrame, headDim]`. */
type Keys = readonly Float32Array[];

/** The cells of an index: for each head `[cells * KEYS_PER_CELL, headDim]`, and their scales. */
export interface KvCells {
  readonly keys: readonly Int8Array[];
  readonly scales: readonly Float32Array[];
}

export class KvIndex {
  readonly #shape: KvShape;
  #capacity = FIRST_CAPACITY;
  #cells = 0;
  /** For each head `[capacity * KEYS_PER_CELL, headDim]`, and their scales. */
  #keys: Int8Array[];
  #scales: Float32Array[];

  constructor(shape: KvShape) {
    this.#shape = shape;
    this.#keys = this.#buffers((length) => new Int8Array(length * shape.headDim));
    this.#scales = this.#buffers((length) => new Float32Array(length));
  }

  /** An index of these cells, which are copied. Throws RangeError where they are not of this shape. */
  static from(shape: KvShape, { keys, scales }: KvCells): KvIndex {
    const index = new KvIndex(shape);
    const rows = scales[0]?.length ?? 0;
    const fits =
      scales.length === shape.heads &&
      keys.length === shape.heads &&
      rows % KEYS_PER_CELL === 0 &&
      scales.every((all) => all.length === rows) &&
      keys.every((all) => all.length === rows * shape.headDim);
    if (!fits) throw new RangeError('the cells of an index do not fit together');
    while (index.#capacity * KEYS_PER_CELL < rows) index.#grow();
    keys.forEach((all, head) => index.#keys[head]?.set(all));
    scales.forEach((all, head) => index.#scales[head]?.set(all));
    index.#cells = rows / KEYS_PER_CELL;
    return index;
  }

  /** A copy of the cells. */
  content(): KvCells {
    const rows = this.#cells * KEYS_PER_CELL;
    return {
      keys: this.#keys.map((all) => all.slice(0, rows * this.#shape.headDim)),
      scales: this.#scales.map((all) => all.slice(0, rows)),
    };
  }

  #buffers<T>(make: (length: number) => T): T[] {
    return Array.from({ length: this.#shape.heads }, () => make(this.#capacity * KEYS_PER_CELL));
  }

  get cells(): number {
    return this.#cells;
  }

  /** Bytes of the cells. */
  get bytes(): number {
    return this.#cells * this.bytesPerCell;
  }

  get bytesPerCell(): number {
    return this.#shape.heads * KEYS_PER_CELL * (this.#shape.headDim + 4);
  }

  /** Appends the cell of `frames` frames, whose tokens begin at token `from` of `keys`. */
  append(keys: Keys, from: number, frames: number): void {
    if (this.#cells === this.#capacity) this.#grow();
    this.#write(this.#cells++, keys, from, frames);
  }

  /** Puts the cells of `keys` (`frames` frames, a cell for each CELL_FRAMES) in the place of `count` cells from `at` on. */
  replace(at: number, count: number, keys: Keys, frames: number): void {
    const added = Math.ceil(frames / CELL_FRAMES);
    this.#move(at + count, at + added);
    for (let cell = 0; cell < added; cell++) {
      const first = cell * CELL_FRAMES;
      this.#write(at + cell, keys, first * this.#shape.tokensPerFrame, Math.min(CELL_FRAMES, frames - first));
    }
  }

  /** Forgets the first `count` cells. */
  dropOldest(count: number): void {
    this.#move(count, 0);
  }

  /** Moves all cells from `from` on to `to`. */
  #move(from: number, to: number): void {
    while (this.#cells + to - from > this.#capacity) this.#grow();
    const { headDim } = this.#shape;
    const row = KEYS_PER_CELL * headDim;
    for (const keys of this.#keys) keys.copyWithin(to * row, from * row, this.#cells * row);
    for (const scales of this.#scales) {
      scales.copyWithin(to * KEYS_PER_CELL, from * KEYS_PER_CELL, this.#cells * KEYS_PER_CELL);
    }
    this.#cells += to - from;
  }

  #grow(): void {
    // By a half: doubling would leave up to half of a day's index unused.
    this.#capacity = Math.ceil(this.#capacity * 1.5);
    const { headDim } = this.#shape;
    const [keys, scales] = [this.#keys, this.#scales];
    this.#keys = this.#buffers((length) => new Int8Array(length * headDim));
    this.#scales = this.#buffers((length) => new Float32Array(length));
    this.#keys.forEach((next, head) => {
      next.set(keys[head] ?? []);
    });
    this.#scales.forEach((next, head) => {
      next.set(scales[head] ?? []);
    });
  }

  #write(cell: number, keys: Keys, from: number, frames: number): void {
    const { heads, headDim, tokensPerFrame } = this.#shape;
    const means = [new Float32Array(headDim), new Float32Array(headDim)] as const;
    for (let head = 0; head < heads; head++) {
      const rows = keys[head];
      means.forEach((mean) => mean.fill(0));
      for (let token = 0; token < frames * tokensPerFrame; token++) {
        const whole = token % tokensPerFrame === tokensPerFrame - 1;
        const mean = whole ? means[0] : means[1];
        const weight = 1 / (frames * (whole ? 1 : Math.max(1, tokensPerFrame - 1)));
        const row = (from + token) * headDim;
        for (let i = 0; i < headDim; i++) mean[i] = (mean[i] ?? 0) + weight * (rows?.[row + i] ?? 0);
      }
      means.forEach((mean, which) => {
        const at = cell * KEYS_PER_CELL + which;
        const scale = int8Scale(mean.reduce((most, x) => Math.max(most, Math.abs(x)), 0));
        const scales = this.#scales[head];
        if (scales !== undefined) scales[at] = scale;
        const target = this.#keys[head];
        for (let i = 0; i < headDim; i++) if (target) target[at * headDim + i] = Math.round((mean[i] ?? 0) / scale);
      });
    }
  }

  /** Inputs of the index graph: the first `cells` cells, without a copy. */
  feeds(cells: number): Record<string, ort.Tensor> {
    const { headDim } = this.#shape;
    const rows = cells * KEYS_PER_CELL;
    const feeds: Record<string, ort.Tensor> = {};
    this.#keys.forEach((keys, head) => {
      feeds[`keys${head}`] = new ort.Tensor('int8', keys.subarray(0, rows * headDim), [rows, headDim]);
    });
    this.#scales.forEach((scales, head) => (feeds[`scales${head}`] = floats(scales.subarray(0, rows), [rows])));
    return feeds;
  }
}

/** The graph that scores cells. */
export class CellRanking {
  readonly #session: InferenceSession;

  constructor(session: InferenceSession) {
    this.#session = session;
  }

  /**
   * The `count` best of the first `cells` cells, rising. `queries`: those of one token, `[crossLayers, crossHeads,
   * headDim]`, as the cross-decoder gave them.
   */
  async best(
    index: KvIndex,
    cells: number,
    count: number,
    queries: Float32Array,
    dims: readonly number[],
  ): Promise<number[]> {
    if (count >= cells) return Array.from({ length: cells }, (_, cell) => cell);
    const results = await this.#session.run({
      queries: floats(queries, dims),
      count: integers([count]),
      ...index.feeds(cells),
    });
    const chosen = results['chosen']?.data;
    if (!(chosen instanceof BigInt64Array)) throw new RangeError('the index graph lacks the output chosen');
    return Array.from(chosen, Number).sort((a, b) => a - b);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
