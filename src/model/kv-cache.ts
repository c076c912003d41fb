/**
 * The one K, V of a stream: written once, append only.
 *
 * The newest frames lie in full precision, each head's keys (and values) in one buffer `[tokens, headDim]`, so that the
 * cross-decoder gets a prefix as a view: asking copies nothing. Older frames are sealed into int8 pages. Frames are
 * indexed as they arrive (kv-index.ts). At the memory limit, old pages are thinned: the half of a page's frames that
 * are most like the frame before go. Once all pages are thin, the oldest is dropped.
 *
 * Frames are numbered by their place among the kept ones; `times` tells when each was shown, and until when it stood.
 */
import { FrameTimes } from './frame-times.ts';
import { CELL_FRAMES, type KvCells, KvIndex } from './kv-index.ts';
import { emptyRows, KvPage, type KvRows, type KvShape } from './kv-page.ts';
import { cellsOf, PageTable } from './page-table.ts';
import type { Precision } from './precision.ts';
import { mostDistinct } from './thinning.ts';

export interface KvCacheOptions extends KvShape {
  /** Limit in bytes for pages, index and frames in full precision; MIN_HOT_FRAMES of the latter may exceed it. */
  readonly limitBytes: number;
  /** Most frames in full precision, a multiple of PAGE_FRAMES; default HOT_FRAMES. More is for measurements only. */
  readonly hotFrames?: number;
}

/** What a reader sees of a cache: views, valid until the next append. */
export interface KvView extends KvRows {
  readonly tokens: number;
  /**
   * For each frame, in ms: when it was shown on its stream's clock; how long after the reading of its stream begins;
   * how long it stood; and by how much the question's clock is ahead of its stream's.
   */
  readonly times: readonly number[];
  readonly elapsed: readonly number[];
  readonly durations: readonly number[];
  readonly clockOffsets: readonly number[];
}

/** All that a cache holds at one moment. Later changes to the cache do not affect it. */
export interface KvContent {
  /** For each kept frame: its time, and the time until which it stood, ms. */
  readonly times: Float64Array;
  readonly ends: Float64Array;
  readonly pages: readonly KvPage[];
  /** The frames after the pages, in full precision: for each head exactly their tokens. */
  readonly hot: KvRows;
  readonly index: KvCells;
  readonly mergedFrames: number;
  readonly thinnedFrames: number;
  readonly droppedFrames: number;
}

/** Consecutive kept frames. */
export interface FrameRun {
  readonly first: number;
  readonly count: number;
}

/** Frames of a page. */
export const PAGE_FRAMES = 32;
/** Most frames in full precision. When they are full, a thirteenth is sealed at once. */
export const HOT_FRAMES = 1_664;
const SEAL_SHARE = 1 / 13;
/** Room for this many frames in full precision is kept even if the limit is smaller. */
const MIN_HOT_FRAMES = 64;
/** The frames in full precision may take at most this share of the limit, so that pages have room. */
const HOT_SHARE = 1 / 2;

export class KvCache {
  readonly #options: KvCacheOptions;
  readonly #hotLimit: number;
  #index: KvIndex;
  #pages = new PageTable();
  #capacity: number;
  #keys: Float32Array[];
  #values: Float32Array[];
  /** Whether a `content` may still view the buffers. They may then be appended to, but not overwritten. */
  #isShared = false;
  #times = new FrameTimes();
  #droppedFrames = 0;
  #thinnedFrames = 0;
  #mergedFrames = 0;

  constructor(options: KvCacheOptions) {
    this.#options = options;
    const affordable = Math.floor((options.limitBytes * HOT_SHARE) / this.bytesPerFrame / PAGE_FRAMES) * PAGE_FRAMES;
    this.#hotLimit = Math.max(MIN_HOT_FRAMES, Math.min(options.hotFrames ?? HOT_FRAMES, affordable));
    this.#index = new KvIndex(options);
    this.#capacity = MIN_HOT_FRAMES;
    ({ keys: this.#keys, values: this.#values } = this.#allocate());
  }

  /**
   * A cache that resumes from `content`, which stays unchanged. If its limit is smaller, the next appends make room.
   * Throws RangeError if the parts of the content do not fit together.
   */
  static from(options: KvCacheOptions, content: KvContent): KvCache {
    const cache = new KvCache(options);
    const { times, ends, pages, hot, index } = content;
    cache.#pages = PageTable.from(pages);
    const hotFrames = times.length - cache.sealedFrames;
    const floats = hotFrames * options.tokensPerFrame * options.headDim;
    const fits = (rows: readonly Float32Array[]): boolean =>
      rows.length === options.heads && rows.every((row) => row.length === floats);
    if (hotFrames < 0 || ends.length !== times.length || !fits(hot.keys) || !fits(hot.values)) {
      throw new RangeError('the frames of a cache do not fit together');
    }
    cache.#index = KvIndex.from(options, index, timesOfCells(times, pages));
    while (cache.#capacity < hotFrames) cache.#capacity *= 2;
    ({ keys: cache.#keys, values: cache.#values } = cache.#allocate());
    hot.keys.forEach((row, head) => cache.#keys[head]?.set(row));
    hot.values.forEach((row, head) => cache.#values[head]?.set(row));
    cache.#times = FrameTimes.from(times, ends);
    cache.#mergedFrames = content.mergedFrames;
    cache.#thinnedFrames = content.thinnedFrames;
    cache.#droppedFrames = content.droppedFrames;
    return cache;
  }

  /**
   * What the cache holds now. Of the large parts only the index is copied: pages never change, and the frames in full
   * precision are shared until the cache seals some of them, when it moves the rest to new buffers.
   */
  content(): KvContent {
    const { headDim, tokensPerFrame } = this.#options;
    const end = this.#hotFrames * tokensPerFrame * headDim;
    const cut = (buffer: Float32Array): Float32Array => buffer.subarray(0, end);
    this.#isShared = true;
    return {
      ...this.#times.content(),
      pages: [...this.#pages.pages],
      hot: { keys: this.#keys.map(cut), values: this.#values.map(cut) },
      index: this.#index.content(),
      mergedFrames: this.#mergedFrames,
      thinnedFrames: this.#thinnedFrames,
      droppedFrames: this.#droppedFrames,
    };
  }

  /** Buffers for `#capacity` frames. */
  #allocate(): { keys: Float32Array[]; values: Float32Array[] } {
    return emptyRows(this.#options, this.#capacity * this.#options.tokensPerFrame);
  }

  get limitBytes(): number {
    return this.#options.limitBytes;
  }

  get shape(): KvShape {
    return this.#options;
  }

  /** Bytes of a frame in full precision. */
  get bytesPerFrame(): number {
    return frameBytes(this.#options);
  }

  /** Bytes of a cache with this many frames in full precision, bytes of pages, and cells. */
  static bytesFor(shape: KvShape, hotFrames: number, pageBytes: number, cells: number): number {
    return hotFrames * frameBytes(shape) + pageBytes + KvIndex.bytesFor(shape, cells);
  }

  /** Bytes in use, index included. */
  get bytes(): number {
    return KvCache.bytesFor(this.#options, this.#hotFrames, this.#pages.bytes, this.#index.cells);
  }

  /** Number of kept frames. */
  get frames(): number {
    return this.#times.length;
  }

  /** Number of frames dropped for good; these were the oldest. */
  get droppedFrames(): number {
    return this.#droppedFrames;
  }

  /** Number of frames thinned out of old pages; frames beside them are kept. */
  get thinnedFrames(): number {
    return this.#thinnedFrames;
  }

  /** Number of frames merged: each hardly differed from the one before, which stands for it. */
  get mergedFrames(): number {
    return this.#mergedFrames;
  }

  /** Number of kept frames in int8 pages; all later frames are in full precision. */
  get sealedFrames(): number {
    return this.#pages.frames;
  }

  /** Changes whenever a kept frame changes its place or its precision. Adding a frame does not by itself change it. */
  get version(): number {
    return this.#pages.version;
  }

  get #hotFrames(): number {
    return this.frames - this.sealedFrames;
  }

  get index(): KvIndex {
    return this.#index;
  }

  /** When the kept frames were shown. Appends and merges change this instance; removing frames replaces it. */
  get times(): FrameTimes {
    return this.#times;
  }

  /** Appends one frame: `k` and `v` are `[tokensPerFrame, heads, headDim]`. Throws what `FrameTimes.append` throws. */
  append(timeMs: number, k: Float32Array, v: Float32Array): void {
    this.#times.checkOrder(timeMs);
    // More than one pass only after a restore under a smaller limit.
    while (this.#hotFrames >= this.#hotLimit) this.#seal();
    if (this.#hotFrames >= this.#capacity) this.#grow();
    const { heads, headDim, tokensPerFrame } = this.#options;
    const base = this.#hotFrames * tokensPerFrame;
    for (let head = 0; head < heads; head++) {
      const keys = this.#keys[head];
      const values = this.#values[head];
      for (let token = 0; token < tokensPerFrame; token++) {
        const from = (token * heads + head) * headDim;
        keys?.set(k.subarray(from, from + headDim), (base + token) * headDim);
        values?.set(v.subarray(from, from + headDim), (base + token) * headDim);
      }
    }
    this.#times.append(timeMs);
    if (this.#hotFrames % CELL_FRAMES === 0) {
      const first = this.#hotFrames - CELL_FRAMES;
      this.#index.append(this.#keys, first * tokensPerFrame, this.#times.slice(this.frames - CELL_FRAMES, this.frames));
    }
    while (this.bytes > this.#options.limitBytes && this.sealedFrames > 0) this.#makeRoom();
  }

  /** Merges a frame into the last one, which then stands until `timeMs`. Throws what `FrameTimes.extend` throws. */
  merge(timeMs: number): void {
    this.#times.extend(timeMs);
    this.#mergedFrames++;
  }

  #grow(): void {
    this.#capacity = Math.min(this.#hotLimit, this.#capacity * 2);
    this.#copyBuffers();
  }

  /** Moves the frames in full precision to new buffers for `#capacity` frames. */
  #copyBuffers(): void {
    const { keys, values } = this.#allocate();
    keys.forEach((row, head) => {
      row.set(this.#keys[head] ?? []);
    });
    values.forEach((row, head) => {
      row.set(this.#values[head] ?? []);
    });
    this.#keys = keys;
    this.#values = values;
    this.#isShared = false;
  }

  /** Seals the oldest frames in full precision into pages. */
  #seal(): void {
    const { headDim, tokensPerFrame } = this.#options;
    const pages = Math.max(1, Math.floor((this.#hotLimit * SEAL_SHARE) / PAGE_FRAMES));
    const size = PAGE_FRAMES * tokensPerFrame * headDim;
    // All are made before anything changes: should one fail, the cache is as it was.
    const sealed = Array.from({ length: pages }, (_, page) => {
      const cut = (buffer: Float32Array): Float32Array => buffer.subarray(page * size, (page + 1) * size);
      const rows = { keys: this.#keys.map(cut), values: this.#values.map(cut) };
      return KvPage.seal(this.#options, PAGE_FRAMES, rows);
    });
    if (this.#isShared) this.#copyBuffers();
    for (const page of sealed) this.#pages.add(page);
    for (const buffer of [...this.#keys, ...this.#values]) buffer.copyWithin(0, pages * size);
  }

  #makeRoom(): void {
    if (!this.#thinOldest()) this.#dropPage();
  }

  /**
   * Drops half of the frames of the oldest page that is not thinned: those most like the kept frame before them.
   * Returns false if all pages are thinned.
   */
  #thinOldest(): boolean {
    const placed = this.#pages.oldestUnthinned;
    if (placed === null) return false;
    const { page, firstFrame } = placed;
    const keep = mostDistinct(page, Math.ceil(page.frames / 2));
    const thin = page.thin(keep);
    const rows = emptyRows(this.#options, thin.tokens);
    thin.read(0, thin.frames, rows, 0);
    const cell = this.#pages.cellOf(firstFrame);
    this.#times = this.#times.thin(firstFrame, keep);
    const times = this.#times.slice(firstFrame, firstFrame + thin.frames);
    this.#index.replace(cell, cellsOf(page), rows.keys, times);
    this.#thinnedFrames += page.frames - thin.frames;
    this.#pages.replaceOldestUnthinned(thin);
    return true;
  }

  #dropPage(): void {
    const page = this.#pages.dropOldest();
    if (page === undefined) return;
    this.#index.dropOldest(cellsOf(page));
    this.#times = this.#times.sliceFrom(page.frames);
    this.#droppedFrames += page.frames;
  }

  /** How many whole cells lie in the first `frames` kept frames. */
  cellsIn(frames: number): number {
    return Math.min(this.#index.cells, this.#pages.cellOf(frames));
  }

  /** The frames of cells in rising order; adjacent runs are merged. */
  runsOf(cells: readonly number[]): FrameRun[] {
    const runs: { first: number; count: number }[] = [];
    for (const cell of cells) {
      const [first, end] = this.#pages.framesOfCell(cell, this.frames);
      const last = runs.at(-1);
      if (last !== undefined && last.first + last.count === first) last.count += end - first;
      else runs.push({ first, count: end - first });
    }
    return runs;
  }

  /** The kept frames of `run`, without a copy, with their times as in `viewTimes`; null if any of them is sealed. */
  view(run: FrameRun, sinceMs?: number): KvView | null {
    const sealed = this.sealedFrames;
    if (run.count > 0 && run.first < sealed) return null;
    const size = this.#options.tokensPerFrame * this.#options.headDim;
    const from = run.first - sealed;
    const cut = (buffer: Float32Array): Float32Array => buffer.subarray(from * size, (from + run.count) * size);
    return {
      keys: this.#keys.map(cut),
      values: this.#values.map(cut),
      tokens: run.count * this.#options.tokensPerFrame,
      ...this.viewTimes([run], { sinceMs }),
    };
  }

  /** When the frames of `runs` were shown. */
  timesIn(runs: readonly FrameRun[]): number[] {
    return runs.flatMap(({ first, count }) => this.#times.slice(first, first + count));
  }

  /**
   * The times of the frames of `runs`, as a view holds them. `clockOffsetMs`: of the question's clock over this
   * stream's. To a reading with `sinceMs`, the stream begins there, and so does a frame that already stood.
   */
  viewTimes(
    runs: readonly FrameRun[],
    {
      clockOffsetMs = 0,
      sinceMs,
    }: { readonly clockOffsetMs?: number | undefined; readonly sinceMs?: number | undefined } = {},
  ): Pick<KvView, 'times' | 'elapsed' | 'durations' | 'clockOffsets'> {
    const from = sinceMs ?? -Infinity;
    const began = Math.max(from, this.#times.at(sinceMs === undefined ? 0 : this.#times.firstShownFrom(sinceMs)) ?? 0);
    const shown = this.timesIn(runs);
    const times = shown.map((time) => Math.max(from, time));
    const durations = runs.flatMap(({ first, count }) =>
      Array.from({ length: count }, (_, i) => this.#times.durationOf(first + i)),
    );
    return {
      times,
      elapsed: times.map((time) => time - began),
      durations: durations.map((ms, i) => Math.max(0, ms - ((times[i] ?? 0) - (shown[i] ?? 0)))),
      clockOffsets: times.map(() => clockOffsetMs),
    };
  }

  /** Copies frames into `rows` from token `tokenOffset` on; sealed ones are dequantised. */
  copyInto(runs: readonly FrameRun[], rows: KvRows, tokenOffset: number): void {
    const { tokensPerFrame } = this.#options;
    for (const { first, count } of runs) {
      let frame = first;
      const end = first + count;
      while (frame < end) {
        const taken = this.#copyChunk(frame, end, rows, tokenOffset);
        frame += taken;
        tokenOffset += taken * tokensPerFrame;
      }
    }
  }

  /** Copies from one page, or from the frames in full precision; returns the number of frames copied. */
  #copyChunk(frame: number, end: number, rows: KvRows, tokenOffset: number): number {
    const sealed = this.sealedFrames;
    if (frame >= sealed) {
      const { headDim, tokensPerFrame } = this.#options;
      const size = tokensPerFrame * headDim;
      const cut = (buffer: Float32Array): Float32Array =>
        buffer.subarray((frame - sealed) * size, (end - sealed) * size);
      this.#keys.forEach((keys, head) => rows.keys[head]?.set(cut(keys), tokenOffset * headDim));
      this.#values.forEach((values, head) => rows.values[head]?.set(cut(values), tokenOffset * headDim));
      return end - frame;
    }
    const placed = this.#pages.pageOf(frame);
    if (placed === null) throw new RangeError('no such frame');
    const { page, firstFrame } = placed;
    const count = Math.min(end, firstFrame + page.frames) - frame;
    page.read(frame - firstFrame, count, rows, tokenOffset);
    return count;
  }

  /** The worst precision among the frames of `runs`. */
  precisionOf(runs: readonly FrameRun[]): Precision {
    let worst: Precision = 'full';
    for (const { first, count } of runs) {
      if (count === 0 || first >= this.sealedFrames) continue;
      worst = 'int8';
      // Pages are thinned oldest first, so if any page of a run is thinned, the first one is.
      if (this.#pages.pageOf(first)?.page.isThinned === true) return 'thinned';
    }
    return worst;
  }
}

/** Bytes of a frame in full precision. */
function frameBytes({ heads, headDim, tokensPerFrame }: KvShape): number {
  return 2 * heads * headDim * tokensPerFrame * Float32Array.BYTES_PER_ELEMENT;
}

/** The times of the frames of each complete cell. Cells never cross a page boundary. */
function timesOfCells(times: Float64Array, pages: readonly KvPage[]): number[][] {
  const cells: number[][] = [];
  let at = 0;
  for (const { frames } of pages) {
    for (let first = 0; first < frames; first += CELL_FRAMES) {
      cells.push([...times.subarray(at + first, at + Math.min(first + CELL_FRAMES, frames))]);
    }
    at += frames;
  }
  for (; at + CELL_FRAMES <= times.length; at += CELL_FRAMES) cells.push([...times.subarray(at, at + CELL_FRAMES)]);
  return cells;
}
