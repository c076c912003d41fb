/**
 * Which parts of a long cache a token should read: one index for all layers of the cross-decoder.
 *
 * Consecutive frames form *cells*. For each cell and head, two keys are kept in int8: the mean of its whole-frame
 * tokens and the mean of all others. Attention over these stands in for attention over everything: a cell's score is
 * its share, summed over all layers and heads. The cells with the highest scores are read, with the neighbours of the
 * very best. Scores include what a query asks of the time, by the cell's time code (time-code.ts). Bounds for each
 * channel (Quest, arXiv:2406.10774) were rejected: for keys of unit length in 64 dimensions they are far too loose.
 */
import { GrowingBytes } from './growing-bytes.ts';
import { int8Scale, type KvShape } from './kv-page.ts';
import { type InferenceSession, Tensor } from './onnxruntime.ts';
import { float32Tensor, int64Tensor } from './session.ts';
import { TIME_CODE_SIZE, writeTimeCode } from './time-code.ts';

export const CELL_FRAMES = 4;
export const KEYS_PER_CELL = 2;
/** Of the chosen cells, this share, the best ones, bring their neighbours along. */
const NEIGHBOURED_SHARE = 1 / 16;
/** Keys and codes are stored as the graph takes them: int8 plus this, as uint8 (ranking_graph.py says why). */
const ZERO_POINT = 128;
const FIRST_CAPACITY = 256;

/** Keys of consecutive frames: for each head `[frames * tokensPerFrame, headDim]`. */
type Keys = readonly Float32Array[];

/** The cells of an index: for each head `[cells * KEYS_PER_CELL, headDim]`, and their scales. */
export interface KvCells {
  readonly keys: readonly Int8Array[];
  readonly scales: readonly Float32Array[];
}

/**
 * The cells from number `from` up to, but not including, `to`. `sinceMs`: where the reading begins; by default with the
 * first of these cells.
 */
export interface CellRange {
  readonly from: number;
  readonly to: number;
  readonly sinceMs?: number | undefined;
}

export class KvIndex {
  readonly #shape: KvShape;
  #capacity = FIRST_CAPACITY;
  #cells = 0;
  /** For each head `[capacity * KEYS_PER_CELL, headDim]`, and their scales. */
  readonly #keys: readonly GrowingBytes[];
  #scales: Float32Array[];
  /**
   * For each cell, the time of its first frame in ms, and its time code: `[capacity]`, `[capacity, TIME_CODE_SIZE]`.
   */
  #times: Float64Array;
  readonly #codes: GrowingBytes;
  /** Scratch space for one cell: its two means, and its time code. */
  readonly #means: readonly [Float32Array, Float32Array];
  readonly #code = new Int8Array(TIME_CODE_SIZE);
  /** Buffers of an earlier run for `since` and `age`, for reuse. */
  #spare: TimeBuffers | undefined;

  constructor(shape: KvShape) {
    this.#shape = shape;
    this.#keys = this.#buffers((length) => new GrowingBytes(length * shape.headDim));
    this.#scales = this.#buffers((length) => new Float32Array(length));
    this.#times = new Float64Array(this.#capacity);
    this.#codes = new GrowingBytes(this.#capacity * TIME_CODE_SIZE);
    this.#means = [new Float32Array(shape.headDim), new Float32Array(shape.headDim)];
  }

  /**
   * An index of these cells, which are copied. `times`: the times of each cell's frames. Throws RangeError if the parts
   * do not fit `shape` or each other.
   */
  static from(shape: KvShape, { keys, scales }: KvCells, times: readonly (readonly number[])[]): KvIndex {
    const index = new KvIndex(shape);
    const rows = scales[0]?.length ?? 0;
    const fits =
      scales.length === shape.heads &&
      keys.length === shape.heads &&
      rows % KEYS_PER_CELL === 0 &&
      scales.every((all) => all.length === rows) &&
      keys.every((all) => all.length === rows * shape.headDim) &&
      times.length * KEYS_PER_CELL === rows;
    if (!fits) throw new RangeError('the cells of an index do not fit together');
    while (index.#capacity * KEYS_PER_CELL < rows) index.#grow();
    keys.forEach((all, head) => {
      shiftZeroPoint(asBytes(all), index.#keys[head]?.bytes ?? new Uint8Array(0));
    });
    scales.forEach((all, head) => index.#scales[head]?.set(all));
    index.#cells = rows / KEYS_PER_CELL;
    times.forEach((cellTimes, cell) => {
      index.#writeTimes(cell, cellTimes);
    });
    return index;
  }

  /** A copy of the cells. */
  content(): KvCells {
    const rows = this.#cells * KEYS_PER_CELL;
    return {
      keys: this.#keys.map((keys) => {
        const copy = new Int8Array(rows * this.#shape.headDim);
        shiftZeroPoint(keys.bytes.subarray(0, copy.length), asBytes(copy));
        return copy;
      }),
      scales: this.#scales.map((all) => all.slice(0, rows)),
    };
  }

  #buffers<T>(make: (length: number) => T): T[] {
    return Array.from({ length: this.#shape.heads }, () => make(this.#capacity * KEYS_PER_CELL));
  }

  get cells(): number {
    return this.#cells;
  }

  /** Bytes of this many cells. */
  static bytesFor({ heads, headDim }: KvShape, cells: number): number {
    return cells * (heads * KEYS_PER_CELL * (headDim + 4) + TIME_CODE_SIZE + 8);
  }

  /** Appends a cell for the frames with these times; their tokens begin at token `from` of `keys`. */
  append(keys: Keys, from: number, times: readonly number[]): void {
    if (this.#cells === this.#capacity) this.#grow();
    this.#write(this.#cells++, keys, from, times);
  }

  /**
   * Replaces `count` cells from cell `at` on by the cells of `keys`, whose frames have these times: one cell per
   * CELL_FRAMES.
   */
  replace(at: number, count: number, keys: Keys, times: readonly number[]): void {
    const added = Math.ceil(times.length / CELL_FRAMES);
    this.#move(at + count, at + added);
    for (let cell = 0; cell < added; cell++) {
      const first = cell * CELL_FRAMES;
      this.#write(at + cell, keys, first * this.#shape.tokensPerFrame, times.slice(first, first + CELL_FRAMES));
    }
  }

  /** Drops the first `count` cells. */
  dropOldest(count: number): void {
    this.#move(count, 0);
  }

  /** Moves all cells from number `from` on to number `to`. */
  #move(from: number, to: number): void {
    while (this.#cells + to - from > this.#capacity) this.#grow();
    const { headDim } = this.#shape;
    const row = KEYS_PER_CELL * headDim;
    for (const { bytes } of this.#keys) bytes.copyWithin(to * row, from * row, this.#cells * row);
    for (const scales of this.#scales) {
      scales.copyWithin(to * KEYS_PER_CELL, from * KEYS_PER_CELL, this.#cells * KEYS_PER_CELL);
    }
    this.#times.copyWithin(to, from, this.#cells);
    this.#codes.bytes.copyWithin(to * TIME_CODE_SIZE, from * TIME_CODE_SIZE, this.#cells * TIME_CODE_SIZE);
    this.#cells += to - from;
  }

  #grow(): void {
    // By half: doubling would leave up to half of a day's index unused.
    this.#capacity = Math.ceil(this.#capacity * 1.5);
    for (const keys of this.#keys) keys.grow(this.#capacity * KEYS_PER_CELL * this.#shape.headDim);
    this.#codes.grow(this.#capacity * TIME_CODE_SIZE);
    const [scales, times] = [this.#scales, this.#times];
    this.#scales = this.#buffers((length) => new Float32Array(length));
    this.#scales.forEach((next, head) => {
      next.set(scales[head] ?? []);
    });
    this.#times = new Float64Array(this.#capacity);
    this.#times.set(times);
  }

  #writeTimes(cell: number, times: readonly number[]): void {
    this.#times[cell] = times[0] ?? 0;
    writeTimeCode(times, this.#code, 0);
    shiftZeroPoint(asBytes(this.#code), this.#codes.bytes.subarray(cell * TIME_CODE_SIZE));
  }

  #write(cell: number, keys: Keys, from: number, times: readonly number[]): void {
    const { heads, headDim, tokensPerFrame } = this.#shape;
    const frames = times.length;
    this.#writeTimes(cell, times);
    const means = this.#means;
    for (let head = 0; head < heads; head++) {
      const rows = keys[head];
      means.forEach((mean) => mean.fill(0));
      for (let token = 0; token < frames * tokensPerFrame; token++) {
        const isWholeFrame = token % tokensPerFrame === tokensPerFrame - 1;
        const mean = isWholeFrame ? means[0] : means[1];
        const weight = 1 / (frames * (isWholeFrame ? 1 : Math.max(1, tokensPerFrame - 1)));
        const row = (from + token) * headDim;
        for (let i = 0; i < headDim; i++) mean[i] = (mean[i] ?? 0) + weight * (rows?.[row + i] ?? 0);
      }
      means.forEach((mean, which) => {
        const at = cell * KEYS_PER_CELL + which;
        const scale = int8Scale(mean.reduce((most, x) => Math.max(most, Math.abs(x)), 0));
        const scales = this.#scales[head];
        if (scales !== undefined) scales[at] = scale;
        const target = this.#keys[head]?.bytes;
        for (let i = 0; i < headDim; i++)
          if (target) target[at * headDim + i] = Math.round((mean[i] ?? 0) / scale) + ZERO_POINT;
      });
    }
  }

  /**
   * Calls `run` with the index graph's inputs for the cells of `range`; they are valid until it resolves. The buffers
   * made for them are kept for the next run: dead ones would fragment the heap among what runs allocate, and make it
   * grow without end.
   */
  async withFeeds<T>(
    range: CellRange,
    momentMs: number,
    run: (feeds: Record<string, Tensor>) => Promise<T>,
  ): Promise<T> {
    const spare = this.#spare;
    this.#spare = undefined;
    const fits = spare !== undefined && spare.since.length >= range.to - range.from;
    const buffers = fits ? spare : { since: new Float32Array(this.#capacity), age: new Float32Array(this.#capacity) };
    const result = await run(this.#feeds(range, momentMs, buffers));
    this.#spare = buffers;
    return result;
  }

  /** The index graph's inputs for a question at `momentMs`: the cells of a range, with keys and codes as views. */
  #feeds({ from, to, sinceMs }: CellRange, momentMs: number, { since, age }: TimeBuffers): Record<string, Tensor> {
    const { headDim } = this.#shape;
    const cells = to - from;
    const rows = cells * KEYS_PER_CELL;
    const sliceRange = <T extends { subarray(begin: number, end: number): T }>(all: T, size: number): T =>
      all.subarray(from * size, to * size);
    const times = sliceRange(this.#times, 1);
    const began = Math.max(times[0] ?? 0, sinceMs ?? -Infinity);
    const feeds: Record<string, Tensor> = {
      codes: new Tensor('uint8', sliceRange(this.#codes.bytes, TIME_CODE_SIZE), [cells, TIME_CODE_SIZE]),
      since: float32Tensor(differences(times, began, 1, since), [cells]),
      age: float32Tensor(differences(times, momentMs, -1, age), [cells]),
    };
    this.#keys.forEach(({ bytes }, head) => {
      feeds[`keys${head}`] = new Tensor('uint8', sliceRange(bytes, KEYS_PER_CELL * headDim), [rows, headDim]);
    });
    this.#scales.forEach(
      (scales, head) => (feeds[`scales${head}`] = float32Tensor(sliceRange(scales, KEYS_PER_CELL), [rows])),
    );
    return feeds;
  }
}

const asBytes = (values: Int8Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.length);

/** Adds ZERO_POINT to int8, or subtracts it: both flip the highest bit. */
function shiftZeroPoint(from: Uint8Array, to: Uint8Array): void {
  for (let i = 0; i < from.length; i++) to[i] = (from[i] ?? 0) ^ ZERO_POINT;
}

interface TimeBuffers {
  readonly since: Float32Array;
  readonly age: Float32Array;
}

/** `sign * (time - from)` of each time. A loop: `Float32Array.from` takes a hundred times as long for a day's cells. */
function differences(times: Float64Array, from: number, sign: number, room: Float32Array): Float32Array {
  const out = room.subarray(0, times.length);
  for (let i = 0; i < out.length; i++) out[i] = sign * ((times[i] ?? 0) - from);
  return out;
}

/**
 * As many cells as `best`, which is sorted best first: both neighbours of the very best replace the last ones. What a
 * question asks about mostly lasts longer than a cell. A cell that holds only part of it has means that match only
 * partly and may be missed; without it, the answer may deny what the index did find.
 */
function withNeighbours(best: readonly number[], cells: number): number[] {
  const veryBest = best.slice(0, Math.floor(best.length * NEIGHBOURED_SHARE));
  const chosen = new Set(veryBest.flatMap((cell) => [cell, cell - 1, cell + 1].filter((c) => c >= 0 && c < cells)));
  for (const cell of best) if (chosen.size < best.length) chosen.add(cell);
  return [...chosen];
}

/** The graph that scores cells. */
export class CellRanking {
  readonly #session: InferenceSession;

  constructor(session: InferenceSession) {
    this.#session = session;
  }

  /**
   * `count` cells of a range, rising, for a question at `momentMs`: the best ones, and the neighbours of the very best.
   * `queries`: those of one token, of shape `dims`, as the cross-decoder returned them.
   */
  async selectBest(
    index: KvIndex,
    range: CellRange,
    count: number,
    momentMs: number,
    queries: Float32Array,
    dims: readonly number[],
  ): Promise<number[]> {
    const cells = Math.max(0, range.to - range.from);
    if (count >= cells) return Array.from({ length: cells }, (_, i) => range.from + i);
    const results = await index.withFeeds(range, momentMs, (feeds) =>
      this.#session.run({ queries: float32Tensor(queries, dims), count: int64Tensor([count]), ...feeds }),
    );
    const chosen = results['chosen']?.data;
    if (!(chosen instanceof BigInt64Array)) throw new RangeError('the index graph lacks the output chosen');
    const best = withNeighbours(Array.from(chosen, Number), cells);
    return best.map((cell) => range.from + cell).sort((a, b) => a - b);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
