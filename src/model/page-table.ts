/**
 * The int8 pages of a cache, oldest first, and which frames and which cells of the index lie in each. Frames and cells
 * are counted from the oldest kept one; those after the last page are in full precision.
 */
import { countUpTo } from './frame-times.ts';
import { CELL_FRAMES } from './kv-index.ts';
import type { KvPage } from './kv-page.ts';

/** A page and the number of its first frame. */
export interface PlacedPage {
  readonly page: KvPage;
  readonly firstFrame: number;
}

export class PageTable {
  #pages: KvPage[] = [];
  /** Number of the first frame of each page, then of the first frame after them; likewise for cells. */
  #frameStarts: number[] = [0];
  #cellStarts: number[] = [0];
  #bytes = 0;
  /** Pages are thinned oldest first: how many are. */
  #thinned = 0;
  #version = 0;

  /** Throws RangeError if a page is thinned before an older one. */
  static from(pages: readonly KvPage[]): PageTable {
    const table = new PageTable();
    for (const page of pages) table.add(page);
    table.#thinned = pages.filter((page) => page.isThinned).length;
    if (pages.slice(0, table.#thinned).some((page) => !page.isThinned)) {
      throw new RangeError('a page of a cache is thinned before an older one');
    }
    return table;
  }

  get pages(): readonly KvPage[] {
    return this.#pages;
  }

  /** Number of frames in all pages. */
  get frames(): number {
    return this.#frameStarts.at(-1) ?? 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Changes with every change of the table. */
  get version(): number {
    return this.#version;
  }

  add(page: KvPage): void {
    this.#version++;
    this.#pages.push(page);
    this.#bytes += page.bytes.length;
    this.#addStarts(page);
  }

  /** The oldest page that is not thinned; null if all are. */
  get oldestUnthinned(): PlacedPage | null {
    return this.#placed(this.#thinned);
  }

  /** Puts a thinned page in place of the oldest one that was not. */
  replaceOldestUnthinned(thinned: KvPage): void {
    const old = this.#pages[this.#thinned];
    this.#bytes += thinned.bytes.length - (old?.bytes.length ?? 0);
    this.#pages[this.#thinned++] = thinned;
    this.#rebuildStarts();
  }

  /** Removes the oldest page and returns it; undefined if there is none. */
  dropOldest(): KvPage | undefined {
    const page = this.#pages.shift();
    if (page === undefined) return undefined;
    this.#bytes -= page.bytes.length;
    this.#thinned = Math.max(0, this.#thinned - 1);
    this.#rebuildStarts();
    return page;
  }

  /** The page that holds a frame; null if the frame comes after all pages. */
  pageOf(frame: number): PlacedPage | null {
    return this.#placed(countUpTo(this.#frameStarts, frame) - 1);
  }

  /** The cell that holds a frame. Cells never cross a page boundary. */
  cellOf(frame: number): number {
    const i = countUpTo(this.#frameStarts, frame) - 1;
    return (this.#cellStarts[i] ?? 0) + Math.floor((frame - (this.#frameStarts[i] ?? 0)) / CELL_FRAMES);
  }

  /** The first frame of a cell, and the first frame after it; `frames`: number of all kept frames. */
  framesOfCell(cell: number, frames: number): readonly [first: number, end: number] {
    const i = countUpTo(this.#cellStarts, cell) - 1;
    const first = (this.#frameStarts[i] ?? 0) + (cell - (this.#cellStarts[i] ?? 0)) * CELL_FRAMES;
    return [first, Math.min(first + CELL_FRAMES, this.#frameStarts[i + 1] ?? frames)];
  }

  #placed(index: number): PlacedPage | null {
    const [page, firstFrame] = [this.#pages[index], this.#frameStarts[index]];
    return page === undefined || firstFrame === undefined ? null : { page, firstFrame };
  }

  #addStarts(page: KvPage): void {
    this.#frameStarts.push(this.frames + page.frames);
    this.#cellStarts.push((this.#cellStarts.at(-1) ?? 0) + cellsOf(page));
  }

  #rebuildStarts(): void {
    this.#version++;
    this.#frameStarts = [0];
    this.#cellStarts = [0];
    for (const page of this.#pages) this.#addStarts(page);
  }
}

/** Number of cells of a page. */
export function cellsOf({ frames }: Pick<KvPage, 'frames'>): number {
  return Math.ceil(frames / CELL_FRAMES);
}
