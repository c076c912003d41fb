/**
 * The pages of all streams on a device: the cache that questions read there.
 *
 * A page holds consecutive frames of one stream as float32, in the layout of models/training/device_graphs.py. To add a
 * frame, a graph takes the newest page and returns the page that replaces it. Beyond the memory limit, the least
 * recently used pages are evicted. A page that is needed again is refilled from the host's cache, as precisely as that
 * holds it. Frames that the host's cache thins stay on the device as long as their page does.
 */
import type { BundleConfig } from '../bundle.ts';
import type { FrameRun, KvCache } from '../kv-cache.ts';
import type { Precision } from '../precision.ts';
import { emptyRows } from '../kv-page.ts';
import type * as ort from '../onnxruntime.ts';
import { float32Tensor } from '../session.ts';
import { TIME_CODE_SIZE, timeCode } from '../time-code.ts';
import { type DeviceSession, deviceOutput } from './device-session.ts';

/** A page's tensors on the device. */
export interface PageTensors {
  /** `[heads, headDim, tokens]`. */
  readonly keys: ort.Tensor;
  /** `[heads, tokens, headDim]`. */
  readonly values: ort.Tensor;
  /** `[TIME_CODE_SIZE, frames]`. */
  readonly codes: ort.Tensor;
  /** `[frames]`, seconds since the page's first frame. */
  readonly times: ort.Tensor;
  /** `[frames]`, for how many seconds the frame before each one stood. */
  readonly before: ort.Tensor;
}

/** Consecutive frames of one stream. */
export class DevicePage {
  readonly cache: KvCache;
  /** Times of its frames, ms, rising; never empty once the page is in use. */
  times: number[] = [];
  /** The worst precision of its frames when they came to the device. */
  precision: Precision = 'full';
  /** Undefined while the page is not on the device. */
  tensors: PageTensors | undefined;

  constructor(cache: KvCache) {
    this.cache = cache;
  }

  get firstMs(): number {
    return this.times[0] ?? 0;
  }

  get lastMs(): number {
    return this.times.at(-1) ?? 0;
  }
}

/** K and V of one frame, `[tokensPerFrame, heads, headDim]`, on the device. */
export interface FrameTensors {
  readonly k: ort.Tensor;
  readonly v: ort.Tensor;
}

/** A frame and its place in a page; -1 writes none. `previousDurationMs`: how long the frame before it stood. */
interface FrameWrite extends FrameTensors {
  readonly timeMs: number;
  readonly firstMs: number;
  readonly previousDurationMs: number;
  readonly place: number;
}

export class DeviceMemory {
  readonly #config: BundleConfig;
  readonly pageFrames: number;
  readonly #appendGraph: DeviceSession;
  readonly #limitBytes: number;
  readonly #pagesOf = new Map<KvCache, DevicePage[]>();
  /** Pages on the device, least recently used first. */
  readonly #resident = new Set<DevicePage>();
  #emptyPage: PageTensors | undefined;

  /** `pageFrames`: frames per page; `limitBytes`: limit for all pages together. */
  constructor(config: BundleConfig, appendGraph: DeviceSession, pageFrames: number, limitBytes: number) {
    this.#config = config;
    this.pageFrames = pageFrames;
    this.#appendGraph = appendGraph;
    this.#limitBytes = limitBytes;
  }

  get pageBytes(): number {
    const { kvHeads, headDim, tokensPerFrame } = this.#config;
    return 4 * this.pageFrames * (2 * kvHeads * headDim * tokensPerFrame + TIME_CODE_SIZE + 2);
  }

  /** Bytes of the pages on the device. */
  get bytes(): number {
    return this.#resident.size * this.pageBytes;
  }

  /** Pages of a stream in time order; none is empty. */
  pages(cache: KvCache): readonly DevicePage[] {
    return this.#pagesOf.get(cache) ?? [];
  }

  /** Registers a stream. What its cache already holds comes to the device when it is read. */
  open(cache: KvCache): void {
    const pages: DevicePage[] = [];
    for (let first = 0; first < cache.frames; first += this.pageFrames) {
      const page = new DevicePage(cache);
      page.times = cache.times.slice(first, first + this.pageFrames);
      pages.push(page);
    }
    this.#pagesOf.set(cache, pages);
  }

  /** Evicts a stream's pages and forgets it. */
  drop(cache: KvCache): void {
    for (const page of this.pages(cache)) this.#evict(page);
    this.#pagesOf.delete(cache);
  }

  /**
   * Writes a frame that the host's cache already has into its stream's newest page. The caller keeps ownership of the
   * tensors. If writing fails, for lack of memory say, the page is evicted, to be refilled from the host's cache when
   * it is read.
   */
  async append(cache: KvCache, timeMs: number, frame: FrameTensors): Promise<void> {
    const pages = this.#pagesOf.get(cache);
    if (pages === undefined) throw new RangeError('a stream that is not open');
    let page = pages.at(-1);
    if (page === undefined || page.times.length >= this.pageFrames) {
      page = new DevicePage(cache);
      pages.push(page);
    }
    // By its place: two frames may have the same time.
    const previousDurationMs = page.times.length === 0 ? 0 : cache.times.durationOf(cache.frames - 2);
    page.times.push(timeMs);
    try {
      await this.#writeLast(page, previousDurationMs, frame);
    } catch {
      this.#evict(page);
    }
    this.#forgetDropped(pages);
    this.#makeRoom(page);
  }

  /** Writes the last frame of a page, which the device does not have yet. */
  async #writeLast(page: DevicePage, previousDurationMs: number, { k, v }: FrameTensors): Promise<void> {
    const place = page.times.length - 1;
    if (place > 0 && page.tensors === undefined) {
      await this.ensureResident(page);
      return;
    }
    const old = page.tensors ?? (await this.emptyPage());
    const { firstMs, lastMs: timeMs } = page;
    const next = await this.#writeFrame(old, { k, v, timeMs, firstMs, previousDurationMs, place });
    if (place > 0) dispose(old);
    page.tensors = next;
    this.#touch(page);
  }

  /** An empty page that pads readings with fewer pages than their graph takes. */
  async emptyPage(): Promise<PageTensors> {
    this.#emptyPage ??= await this.#upload(emptyHostPage(this.#config, this.pageFrames));
    return this.#emptyPage;
  }

  /** The page's tensors; brings it to the device if it is not there. Pages in `pinned` are not evicted for it. */
  async ensureResident(page: DevicePage, pinned: ReadonlySet<DevicePage> = new Set()): Promise<PageTensors> {
    page.tensors ??= await this.#upload(this.#fillFromHost(page));
    this.#touch(page);
    this.#makeRoom(page, pinned);
    return page.tensors;
  }

  close(): void {
    for (const cache of [...this.#pagesOf.keys()]) this.drop(cache);
    if (this.#emptyPage !== undefined) dispose(this.#emptyPage);
    this.#emptyPage = undefined;
  }

  /** Copies a page from this process's memory to the device: writing a frame at no place returns the page as it was. */
  #upload(page: PageTensors): Promise<PageTensors> {
    const { kvHeads, headDim, tokensPerFrame } = this.#config;
    const nothing = float32Tensor(new Float32Array(tokensPerFrame * kvHeads * headDim), [
      tokensPerFrame,
      kvHeads,
      headDim,
    ]);
    return this.#writeFrame(page, { k: nothing, v: nothing, timeMs: 0, firstMs: 0, previousDurationMs: 0, place: -1 });
  }

  async #writeFrame(
    page: PageTensors,
    { k, v, timeMs, firstMs, previousDurationMs, place }: FrameWrite,
  ): Promise<PageTensors> {
    const seconds = (Math.round(timeMs) - Math.round(firstMs)) / 1000;
    const results = await this.#appendGraph.run({
      ...page,
      k,
      v,
      code: float32Tensor(timeCode(timeMs), [TIME_CODE_SIZE, 1]),
      seconds: float32Tensor(Float32Array.of(seconds), [1]),
      stood: float32Tensor(Float32Array.of(Math.round(previousDurationMs) / 1000), [1]),
      place: float32Tensor(Float32Array.of(place), [1]),
    });
    return {
      keys: deviceOutput(results, 'next_keys'),
      values: deviceOutput(results, 'next_values'),
      codes: deviceOutput(results, 'next_codes'),
      times: deviceOutput(results, 'next_times'),
      before: deviceOutput(results, 'next_before'),
    };
  }

  /**
   * The frames of a page that the host still keeps. Where the next page begins at the same time as this one ends, the
   * last frames of that time are the next page's.
   */
  keptFrames(page: DevicePage): FrameRun {
    const { times } = page.cache;
    const pages = this.pages(page.cache);
    const next = pages[pages.indexOf(page) + 1];
    const keptAt = (ms: number): number => times.countUpTo(ms) - times.countBefore(ms);
    const ofPage = (one: DevicePage, ms: number): number =>
      Math.min(keptAt(ms), one.times.filter((time) => time === ms).length);
    const first = times.countUpTo(page.firstMs) - ofPage(page, page.firstMs);
    const end = times.countUpTo(page.lastMs) - (next === undefined ? 0 : ofPage(next, page.lastMs));
    return { first, count: Math.max(0, end - first) };
  }

  /** The page as the host's cache holds it. Frames that the host no longer keeps are removed from the page's times. */
  #fillFromHost(page: DevicePage): PageTensors {
    const { cache } = page;
    const { kvHeads, headDim, tokensPerFrame } = this.#config;
    const { first, count } = this.keptFrames(page);
    page.times = cache.times.slice(first, first + count);
    page.precision = cache.precisionOf([{ first, count }]);
    const tokens = count * tokensPerFrame;
    const rows = emptyRows({ heads: kvHeads, headDim }, tokens);
    cache.copyInto([{ first, count }], rows, 0);
    const tensors = emptyHostPage(this.#config, this.pageFrames);
    const floatsOf = (name: keyof PageTensors): Float32Array => tensors[name].data as Float32Array;
    const [keys, values, codes] = [floatsOf('keys'), floatsOf('values'), floatsOf('codes')];
    const [times, before] = [floatsOf('times'), floatsOf('before')];
    const pageTokens = this.pageFrames * tokensPerFrame;
    for (let head = 0; head < kvHeads; head++) {
      const from = rows.keys[head] ?? new Float32Array(0);
      const at = head * headDim * pageTokens;
      for (let token = 0; token < tokens; token++) {
        for (let i = 0; i < headDim; i++) keys[at + i * pageTokens + token] = from[token * headDim + i] ?? 0;
      }
      values.set(rows.values[head] ?? [], at);
    }
    page.times.forEach((time, frame) => {
      timeCode(time).forEach((value, i) => (codes[i * this.pageFrames + frame] = value));
      times[frame] = (Math.round(time) - Math.round(page.firstMs)) / 1000;
      before[frame] = frame === 0 ? 0 : Math.round(cache.times.durationOf(first + frame - 1)) / 1000;
    });
    return tensors;
  }

  #touch(page: DevicePage): void {
    this.#resident.delete(page);
    this.#resident.add(page);
  }

  #makeRoom(current: DevicePage, pinned: ReadonlySet<DevicePage> = new Set()): void {
    for (const page of this.#resident) {
      if (this.bytes <= this.#limitBytes) return;
      if (page !== current && !pinned.has(page)) this.#evict(page);
    }
  }

  #evict(page: DevicePage): void {
    if (page.tensors !== undefined) dispose(page.tensors);
    page.tensors = undefined;
    this.#resident.delete(page);
  }

  /** Forgets pages of which the host keeps no frame any more. */
  #forgetDropped(pages: DevicePage[]): void {
    for (let [page] = pages; page !== undefined; [page] = pages) {
      if (page.lastMs >= (page.cache.times.at(0) ?? -Infinity)) return;
      this.#evict(page);
      pages.shift();
    }
  }
}

/** An empty page in this process's memory. */
function emptyHostPage({ kvHeads, headDim, tokensPerFrame }: BundleConfig, frames: number): PageTensors {
  const zeros = (...dims: number[]): ort.Tensor =>
    float32Tensor(new Float32Array(dims.reduce((product, size) => product * size, 1)), dims);
  const tokens = frames * tokensPerFrame;
  return {
    keys: zeros(kvHeads, headDim, tokens),
    values: zeros(kvHeads, tokens, headDim),
    codes: zeros(TIME_CODE_SIZE, frames),
    times: zeros(frames),
    before: zeros(frames),
  };
}

function dispose(page: PageTensors): void {
  for (const one of Object.values(page) as ort.Tensor[]) one.dispose();
}
