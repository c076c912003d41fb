/**
 * The one K, V of a stream: written once, append only.
 *
 * The newest frames lie in full precision, each head's keys (and values) in one buffer `[tokens, headDim]`, so that a
 * prefix goes to the cross-decoder as a view: nothing is copied to ask. What is older is sealed into int8 pages, and
 * indexed as it comes (kv-index.ts). When the limit of memory is reached, old pages are thinned (of frames that are
 * alike, every other one goes); when all are thin, the oldest page is dropped.
 *
 * Frames are numbered by their place among those that are kept; `times` says when each was, and until when it stood.
 */
import { FrameTimes, lastUpTo } from './frame-times.ts';
import { CELL_FRAMES, type KvCells, KvIndex } from './kv-index.ts';
import { emptyRows, KvPage, type KvRows, type KvShape } from './kv-page.ts';
import type { Precision } from './precision.ts';
import { mostDistinct } from './thinning.ts';

export interface KvCacheOptions extends KvShape {
  /** Bytes of pages, index, and K and V in full precision together; at least MIN_FRAMES frames are always kept. */
  readonly limitBytes: number;
  /** Frames in full precision at most, a multiple of PAGE_FRAMES; default HOT_FRAMES. Above it, for measuring only. */
  readonly hotFrames?: number;
}

/** What a reader may see: views that stay valid until the cache is next appended to. */
export interface KvView extends KvRows {
  readonly tokens: number;
  /**
   * Of each frame: when it was shown on its stream's clock, how long after the beginning of what is read of its stream,
   * for how long it stood, and by how much the question's clock is ahead of its own, ms.
   */
  readonly times: readonly number[];
  readonly since: readonly number[];
  readonly stood: readonly number[];
  readonly ahead: readonly number[];
}

/** All that a cache holds at one moment. What happens to the cache afterwards leaves it as it is. */
export interface KvContent {
  /** Of each kept frame: its time, and until when it stood, ms. */
  readonly times: Float64Array;
  readonly ends: Float64Array;
  readonly pages: readonly KvPage[];
  /** The frames after those of the pages, in full precision: for each head exactly their tokens. */
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
/** Frames in full precision at most; a thirteenth of them is sealed at once. */
export const HOT_FRAMES = 1_664;
const SEAL_SHARE = 1 / 13;
/** A smaller limit than this many frames in full precision is not kept. */
const MIN_FRAMES = 64;
/** Share of the limit that frames in full precision may take, where pages are to have room. */
const HOT_SHARE = 1 / 2;

export class KvCache {
  readonly #options: KvCacheOptions;
  readonly #hotLimit: number;
  #index: KvIndex;
  #pages: KvPage[] = [];
  /** Number of the first frame of each page, then that of the first frame in full precision; and the same of cells. */
  #starts: number[] = [0];
  #cellStarts: number[] = [0];
  #capacity: number;
  #keys: Float32Array[];
  #values: Float32Array[];
  /** Whether a `content` still reads the buffers: what they hold may then be added to, and not changed. */
  #shared = false;
  #times = new FrameTimes();
  #pageBytes = 0;
  #dropped = 0;
  #thinned = 0;
  #merged = 0;
  #firstUnthinned = 0;
  #version = 0;

  constructor(options: KvCacheOptions) {
    this.#options = options;
    const affordable = Math.floor((options.limitBytes * HOT_SHARE) / this.bytesPerFrame / PAGE_FRAMES) * PAGE_FRAMES;
    this.#hotLimit = Math.max(MIN_FRAMES, Math.min(options.hotFrames ?? HOT_FRAMES, affordable));
    this.#index = new KvIndex(options);
    this.#capacity = MIN_FRAMES;
    ({ keys: this.#keys, values: this.#values } = this.#room());
  }

  /**
   * A cache that holds `content` and goes on from it; the content stays as it is. With another limit the next frames
   * that are appended make room. Throws RangeError where the parts of the content do not fit together.
   */
  static from(options: KvCacheOptions, content: KvContent): KvCache {
    const cache = new KvCache(options);
    const { times, ends, pages, hot, index } = content;
    for (const page of pages) cache.#push(page);
    const hotFrames = times.length - cache.sealedFrames;
    const floats = hotFrames * options.tokensPerFrame * options.headDim;
    const fits = (rows: readonly Float32Array[]): boolean =>
      rows.length === options.heads && rows.every((row) => row.length === floats);
    if (hotFrames < 0 || ends.length !== times.length || !fits(hot.keys) || !fits(hot.values)) {
      throw new RangeError('the frames of a cache do not fit together');
    }
    cache.#index = KvIndex.from(options, index, timesOfCells(times, pages));
    while (cache.#capacity < hotFrames) cache.#capacity *= 2;
    ({ keys: cache.#keys, values: cache.#values } = cache.#room());
    hot.keys.forEach((row, head) => cache.#keys[head]?.set(row));
    hot.values.forEach((row, head) => cache.#values[head]?.set(row));
    cache.#times = FrameTimes.of(times, ends);
    cache.#merged = content.mergedFrames;
    cache.#thinned = content.thinnedFrames;
    cache.#dropped = content.droppedFrames;
    // Pages are thinned from the oldest on.
    cache.#firstUnthinned = pages.filter((page) => page.thinned).length;
    return cache;
  }

  /**
   * What the cache holds now. Nothing large is copied but the index: pages never change, and frames in full precision
   * are shared with the cache until it seals some of them, which then go to new buffers.
   */
  content(): KvContent {
    const { headDim, tokensPerFrame } = this.#options;
    const end = this.#hotFrames * tokensPerFrame * headDim;
    const cut = (buffer: Float32Array): Float32Array => buffer.subarray(0, end);
    this.#shared = true;
    return {
      ...this.#times.content(),
      pages: [...this.#pages],
      hot: { keys: this.#keys.map(cut), values: this.#values.map(cut) },
      index: this.#index.content(),
      mergedFrames: this.#merged,
      thinnedFrames: this.#thinned,
      droppedFrames: this.#dropped,
    };
  }

  /** For as many frames as the capacity. */
  #room(): { keys: Float32Array[]; values: Float32Array[] } {
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

  /** Bytes of a cache that keeps so many frames in full precision, so many bytes of pages and so many cells. */
  static bytesFor(shape: KvShape, hotFrames: number, pageBytes: number, cells: number): number {
    return hotFrames * frameBytes(shape) + pageBytes + KvIndex.bytesFor(shape, cells);
  }

  /** Bytes of what is kept, index included. */
  get bytes(): number {
    return KvCache.bytesFor(this.#options, this.#hotFrames, this.#pageBytes, this.#index.cells);
  }

  /** Frames that are kept. */
  get frames(): number {
    return this.#times.length;
  }

  /** Frames that were dropped for good, the oldest ones. */
  get droppedFrames(): number {
    return this.#dropped;
  }

  /** Frames that were taken out of old pages; those beside them are kept. */
  get thinnedFrames(): number {
    return this.#thinned;
  }

  /** Frames that hardly differed from the one before, which stands for them. */
  get mergedFrames(): number {
    return this.#merged;
  }

  /** Kept frames in int8 pages: all before the first one in full precision. */
  get sealedFrames(): number {
    return this.#starts.at(-1) ?? 0;
  }

  /** Another one as soon as a kept frame is at another place, or in another precision. New frames change none. */
  get version(): number {
    return this.#version;
  }

  get #hotFrames(): number {
    return this.frames - this.sealedFrames;
  }

  get index(): KvIndex {
    return this.#index;
  }

  /** When the kept frames were shown. New frames are added to it; where kept ones go there is another one. */
  get times(): FrameTimes {
    return this.#times;
  }

  /** Appends one frame: `k` and `v` are `[tokensPerFrame, heads, headDim]`. Throws what `FrameTimes.check` throws. */
  append(timeMs: number, k: Float32Array, v: Float32Array): void {
    this.#times.check(timeMs);
    // More than one page only after a restore under a smaller limit.
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
    while (this.bytes > this.#options.limitBytes && this.#pages.length > 0) this.#makeRoom();
  }

  /** The last frame stands until `timeMs`, too. Throws what `FrameTimes.extend` throws. */
  merge(timeMs: number): void {
    this.#times.extend(timeMs);
    this.#merged++;
  }

  #grow(): void {
    this.#capacity = Math.min(this.#hotLimit, this.#capacity * 2);
    this.#copyBuffers();
  }

  /** The frames in full precision go to buffers of their own, of the capacity. */
  #copyBuffers(): void {
    const { keys, values } = this.#room();
    keys.forEach((row, head) => {
      row.set(this.#keys[head] ?? []);
    });
    values.forEach((row, head) => {
      row.set(this.#values[head] ?? []);
    });
    this.#keys = keys;
    this.#values = values;
    this.#shared = false;
  }

  /** The oldest frames in full precision become pages. */
  #seal(): void {
    const { headDim, tokensPerFrame } = this.#options;
    const pages = Math.max(1, Math.floor((this.#hotLimit * SEAL_SHARE) / PAGE_FRAMES));
    const size = PAGE_FRAMES * tokensPerFrame * headDim;
    for (let page = 0; page < pages; page++) {
      const cut = (buffer: Float32Array): Float32Array => buffer.subarray(page * size, (page + 1) * size);
      const rows = { keys: this.#keys.map(cut), values: this.#values.map(cut) };
      this.#push(KvPage.seal(this.#options, PAGE_FRAMES, rows));
    }
    if (this.#shared) this.#copyBuffers();
    for (const buffer of [...this.#keys, ...this.#values]) buffer.copyWithin(0, pages * size);
  }

  #push(page: KvPage): void {
    this.#version++;
    this.#pages.push(page);
    this.#pageBytes += page.bytes.length;
    this.#number(page);
  }

  #number(page: KvPage): void {
    this.#starts.push(this.sealedFrames + page.frames);
    this.#cellStarts.push((this.#cellStarts.at(-1) ?? 0) + Math.ceil(page.frames / CELL_FRAMES));
  }

  #makeRoom(): void {
    if (this.#firstUnthinned < this.#pages.length) this.#thin(this.#firstUnthinned++);
    else this.#dropPage();
  }

  /** Takes half of a page's frames out: those that are most like the kept one before them. */
  #thin(at: number): void {
    const page = this.#pages[at];
    const start = this.#starts[at];
    if (page === undefined || start === undefined) return;
    const keep = mostDistinct(page, Math.ceil(page.frames / 2));
    const thin = page.thin(keep);
    const cells = Math.ceil(page.frames / CELL_FRAMES);
    const rows = emptyRows(this.#options, thin.tokens);
    thin.read(0, thin.frames, rows, 0);
    const cell = this.#cellOf(start);
    this.#times = this.#times.thinned(start, keep);
    this.#index.replace(cell, cells, rows.keys, this.#times.slice(start, start + thin.frames));
    this.#pages[at] = thin;
    this.#pageBytes += thin.bytes.length - page.bytes.length;
    this.#thinned += page.frames - thin.frames;
    this.#restart();
  }

  #dropPage(): void {
    const page = this.#pages.shift();
    if (page === undefined) return;
    this.#index.dropOldest(Math.ceil(page.frames / CELL_FRAMES));
    this.#times = this.#times.from(page.frames);
    this.#pageBytes -= page.bytes.length;
    this.#dropped += page.frames;
    this.#firstUnthinned = Math.max(0, this.#firstUnthinned - 1);
    this.#restart();
  }

  #restart(): void {
    this.#version++;
    this.#starts = [0];
    this.#cellStarts = [0];
    for (const page of this.#pages) this.#number(page);
  }

  /** The cell that a kept frame lies in; cells never cross the border of a page. */
  #cellOf(frame: number): number {
    const page = lastUpTo(this.#starts, frame);
    return (this.#cellStarts[page] ?? 0) + Math.floor((frame - (this.#starts[page] ?? 0)) / CELL_FRAMES);
  }

  /** How many whole cells lie in the first `frames` kept frames. */
  cellsIn(frames: number): number {
    return Math.min(this.#index.cells, this.#cellOf(frames));
  }

  /** The frames of rising cells, neighbours joined. */
  runsOf(cells: readonly number[]): FrameRun[] {
    const runs: { first: number; count: number }[] = [];
    for (const cell of cells) {
      const page = lastUpTo(this.#cellStarts, cell);
      const first = (this.#starts[page] ?? 0) + (cell - (this.#cellStarts[page] ?? 0)) * CELL_FRAMES;
      const end = Math.min(first + CELL_FRAMES, this.#starts[page + 1] ?? this.frames);
      const last = runs.at(-1);
      if (last !== undefined && last.first + last.count === first) last.count += end - first;
      else runs.push({ first, count: end - first });
    }
    return runs;
  }

  /**
   * The kept frames of `run` without a copy, their times as `timesOf` tells them; null where some of them are sealed.
   */
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
      ...this.timesOf([run], { sinceMs }),
    };
  }

  /** When the frames of `runs` were shown. */
  timesIn(runs: readonly FrameRun[]): number[] {
    return runs.flatMap(({ first, count }) => this.#times.slice(first, first + count));
  }

  /**
   * The same, and what else a view tells of their times. `aheadMs`: the question's clock of this one. To a reading that
   * begins at `sinceMs` the stream begins there, and so does a frame that was there already.
   */
  timesOf(
    runs: readonly FrameRun[],
    { aheadMs = 0, sinceMs }: { readonly aheadMs?: number | undefined; readonly sinceMs?: number | undefined } = {},
  ): Pick<KvView, 'times' | 'since' | 'stood' | 'ahead'> {
    const from = sinceMs ?? -Infinity;
    const began = Math.max(from, this.#times.at(sinceMs === undefined ? 0 : this.#times.firstFrom(sinceMs)) ?? 0);
    const shown = this.timesIn(runs);
    const times = shown.map((time) => Math.max(from, time));
    const stood = runs.flatMap(({ first, count }) =>
      Array.from({ length: count }, (_, i) => this.#times.stoodOf(first + i)),
    );
    return {
      times,
      since: times.map((time) => time - began),
      stood: stood.map((ms, i) => Math.max(0, ms - ((times[i] ?? 0) - (shown[i] ?? 0)))),
      ahead: times.map(() => aheadMs),
    };
  }

  /** Copies frames, in full precision or as their pages hold them, to `rows` from token `at` on. */
  copy(runs: readonly FrameRun[], rows: KvRows, at: number): void {
    const { tokensPerFrame } = this.#options;
    for (const { first, count } of runs) {
      let frame = first;
      const end = first + count;
      while (frame < end) {
        const taken = this.#copySome(frame, end, rows, at);
        frame += taken;
        at += taken * tokensPerFrame;
      }
    }
  }

  /** Copies from one page, or from what is in full precision; returns how many frames. */
  #copySome(frame: number, end: number, rows: KvRows, at: number): number {
    const sealed = this.sealedFrames;
    if (frame >= sealed) {
      const { headDim, tokensPerFrame } = this.#options;
      const size = tokensPerFrame * headDim;
      const cut = (buffer: Float32Array): Float32Array =>
        buffer.subarray((frame - sealed) * size, (end - sealed) * size);
      this.#keys.forEach((keys, head) => rows.keys[head]?.set(cut(keys), at * headDim));
      this.#values.forEach((values, head) => rows.values[head]?.set(cut(values), at * headDim));
      return end - frame;
    }
    const i = lastUpTo(this.#starts, frame);
    const page = this.#pages[i];
    const start = this.#starts[i];
    if (page === undefined || start === undefined) throw new RangeError('no such frame');
    const count = Math.min(end, start + page.frames) - frame;
    page.read(frame - start, count, rows, at);
    return count;
  }

  /** What became of the frames of `runs`. */
  precisionOf(runs: readonly FrameRun[]): Precision {
    let worst: Precision = 'full';
    for (const { first, count } of runs) {
      if (count === 0 || first >= this.sealedFrames) continue;
      worst = 'int8';
      // Pages are thinned from the oldest on, so that a run's first frame lies in its thinnest page.
      if (this.#pages[lastUpTo(this.#starts, first)]?.thinned === true) return 'thinned';
    }
    return worst;
  }
}

/** Bytes of a frame in full precision. */
function frameBytes({ heads, headDim, tokensPerFrame }: KvShape): number {
  return 2 * heads * headDim * tokensPerFrame * Float32Array.BYTES_PER_ELEMENT;
}

/** The times of the frames of each whole cell; cells never cross the border of a page. */
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
