/**
 * How the cross-decoder reads caches on a device: pages in place, all in one softmax.
 *
 * Everything is read while it fits the largest graph. Beyond, the host's index chooses whole pages by their best cells,
 * in the passes of indexed-read.ts: a device reads a whole page as fast as a part of it. All layers and all heads read
 * the same pages.
 */
import type { BundleConfig } from '../bundle.ts';
import { COUNTS, priorCountsOf } from '../cross-decoder.ts';
import type { FrameShares } from '../evidence.ts';
import { countBefore, countUpTo } from '../frame-times.ts';
import type { KvCache } from '../kv-cache.ts';
import { worstPrecision } from '../precision.ts';
import { readThroughIndex } from '../indexed-read.ts';
import type { CellRanking } from '../kv-index.ts';
import type { Tensor } from '../onnxruntime.ts';
import {
  type ReadStart,
  firstFrameOf,
  readableFrames,
  type KvSource,
  momentOf,
  type Reader,
  type ReaderInput,
  type Reading,
  type SharedReadInput,
} from '../reader.ts';
import { float32Tensor, output } from '../session.ts';
import type { StreamTags } from '../stream-tags.ts';
import { type Device, MAX_READ_PAGES, READ_PAGE_COUNTS } from './device.ts';
import type { DevicePage } from './device-memory.ts';

/** Factor by which more cells are ranked when the best ones lie in too few pages. */
const MORE_CELLS = 4;
/** Added to the score of a token that must not be seen. */
const MASKED_SCORE = -1e30;

/** A page in a reading, and the index of its stream among the question's streams. */
interface Slot {
  readonly page: DevicePage;
  readonly source: number;
}

/** One question of a reading: for each source, the time of the newest frame it may see and its moment, ms. */
interface DeviceQuestion {
  readonly input: ReaderInput;
  readonly sources: readonly KvSource[];
  readonly untilMs: readonly number[];
  readonly momentsMs: readonly number[];
}

export class DeviceReader implements Reader {
  readonly #device: Device;
  readonly #config: BundleConfig;
  readonly #ranking: CellRanking;
  readonly #tags: StreamTags;

  constructor(device: Device, ranking: CellRanking, tags: StreamTags) {
    this.#device = device;
    this.#config = device.config;
    this.#ranking = ranking;
    this.#tags = tags;
  }

  readsAll(sources: readonly KvSource[]): boolean {
    return sources.reduce((sum, source) => sum + this.#visiblePages(source).length, 0) <= MAX_READ_PAGES;
  }

  async readShared(cache: KvCache, inputs: readonly SharedReadInput[], start?: ReadStart): Promise<Reading[]> {
    const frames = Math.max(...inputs.map((input) => input.frames));
    const all = [{ cache, frames, start }];
    const questions = inputs.map(({ frames: visibleFrames, input }) =>
      this.#toQuestion([{ cache, frames: visibleFrames, start }], input),
    );
    return this.#step(all, this.#slots(all), questions);
  }

  async read(sources: readonly KvSource[], input: ReaderInput): Promise<Reading> {
    const question = this.#toQuestion(sources, input);
    if (this.readsAll(sources)) return this.#readSlots(sources, this.#slots(sources), question);
    return readThroughIndex(input.queries, {
      newest: () => this.#chooseSlots(sources, input, undefined),
      find: (queries) => this.#chooseSlots(sources, input, queries),
      read: (slots) => this.#readSlots(sources, slots, question),
    });
  }

  #toQuestion(sources: readonly KvSource[], input: ReaderInput): DeviceQuestion {
    return {
      input,
      sources,
      untilMs: sources.map(newestVisibleMs),
      momentsMs: sources.map((source) => momentOf(source, input)),
    };
  }

  /** Number of tokens a question may read: those of its pages, which still hold frames that the host has thinned. */
  #contextTokens({ sources }: DeviceQuestion): number {
    const frames = sources.flatMap((source) =>
      this.#visiblePages(source).map((page) => this.#visibleFramesOf(page, source)),
    );
    return frames.reduce((sum, count) => sum + count, 0) * this.#config.tokensPerFrame;
  }

  /** The pages of a source with at least one frame that a question may see. */
  #visiblePages(source: KvSource): DevicePage[] {
    if (readableFrames(source) === 0) return [];
    const [from, until] = [firstFrameMs(source), newestVisibleMs(source)];
    return this.#device.memory.pages(source.cache).filter((page) => page.firstMs <= until && page.lastMs >= from);
  }

  /** How many frames of a page a question may see; if it is not on the device, as many as a refill would bring. */
  #visibleFramesOf(page: DevicePage, source: KvSource): number {
    const { tensors, times, lastMs } = page;
    const until = newestVisibleMs(source);
    if (tensors !== undefined)
      return (lastMs <= until ? times.length : countUpTo(times, until)) - framesBeforeView(page, source);
    const { first, count } = this.#device.memory.keptFrames(page);
    return Math.max(0, Math.min(first + count, source.frames) - Math.max(first, firstFrameOf(source)));
  }

  /**
   * How long a page's frame stood, ms: at most until the first frame of the next page, even if the host has thinned
   * that one.
   */
  #durationOf(page: DevicePage, timeMs: number): number {
    const { cache } = page;
    const pages = this.#device.memory.pages(cache);
    const next = pages[pages.indexOf(page) + 1];
    const shownMs = next?.tensors === undefined ? Infinity : next.firstMs - timeMs;
    return Math.min(cache.times.durationAt(timeMs), shownMs);
  }

  #slots(sources: readonly KvSource[]): Slot[] {
    return sources.flatMap((source, i) => this.#visiblePages(source).map((page) => ({ page, source: i })));
  }

  /** The newest page of each source and, with `queries`, the pages of their best cells; without, the newest pages. */
  async #chooseSlots(
    sources: readonly KvSource[],
    input: ReaderInput,
    queries: Float32Array | undefined,
  ): Promise<Slot[]> {
    const { crossLayers, crossHeads } = this.#config;
    const share = Math.max(1, Math.floor(MAX_READ_PAGES / sources.length));
    const slots: Slot[] = [];
    for (const [i, source] of sources.entries()) {
      const pages = this.#visiblePages(source);
      const chosen = new Set(pages.slice(queries === undefined ? -share : -1));
      if (queries !== undefined && share > 1) {
        const dims = [crossLayers, crossHeads, queries.length / crossLayers / crossHeads];
        const { cache } = source;
        const momentMs = momentOf(source, input);
        // The newest page is read anyway, and its cells would take most of the attention. A page holds many cells, so
        // the best few may lie in one or two pages.
        const to = cache.cellsIn(cache.times.countUpTo((pages.at(-1)?.firstMs ?? 0) - 1));
        const range = { from: Math.min(to, cache.cellsIn(firstFrameOf(source))), to, sinceMs: source.start?.sinceMs };
        const cells = range.to - range.from;
        for (let wanted = share - 1; wanted > 0 && chosen.size < share; wanted *= MORE_CELLS) {
          const best = await this.#ranking.selectBest(
            cache.index,
            range,
            Math.min(wanted, cells),
            momentMs,
            queries,
            dims,
          );
          for (const { first, count } of cache.runsOf(best)) {
            for (let frame = first; frame < first + count; frame++) {
              const page = pageAt(pages, cache.times.at(frame) ?? 0);
              if (page !== undefined && chosen.size < share) chosen.add(page);
            }
          }
          if (wanted >= cells) break;
        }
      }
      slots.push(...pages.filter((page) => chosen.has(page)).map((page) => ({ page, source: i })));
    }
    return slots;
  }

  async #readSlots(sources: readonly KvSource[], slots: readonly Slot[], question: DeviceQuestion): Promise<Reading> {
    const [reading] = await this.#step(sources, slots, [question]);
    if (reading === undefined) throw new RangeError('the cross-decoder gave no output');
    return reading;
  }

  async #step(
    sources: readonly KvSource[],
    slots: readonly Slot[],
    questions: readonly DeviceQuestion[],
  ): Promise<Reading[]> {
    const { memory, crossDecoders } = this.#device;
    const pages = READ_PAGE_COUNTS.find((count) => count >= slots.length) ?? MAX_READ_PAGES;
    const session = crossDecoders.get(pages);
    if (session === undefined) throw new RangeError('no graph for so many pages');
    const empty = await memory.emptyPage();
    const pinned = new Set(slots.map(({ page }) => page));
    const feeds: Record<string, Tensor> = {};
    for (let i = 0; i < pages; i++) {
      const page = slots[i]?.page;
      const tensors = page === undefined ? empty : await memory.ensureResident(page, pinned);
      Object.entries(tensors).forEach(([name, one]) => (feeds[`${name}${i}`] = one as Tensor));
    }
    const results = await session.run({
      ...feeds,
      ...this.#pageFeeds(sources, slots, pages),
      ...this.#questionFeeds(slots, questions, pages),
    });
    const logits = output(results, 'logits');
    const evidence = output(results, 'evidence');
    const queries = output(results, 'queries');
    const counts = output(results, 'counts');
    const part = (all: Float32Array, i: number): Float32Array => {
      const size = all.length / questions.length;
      return all.subarray(i * size, (i + 1) * size);
    };
    const precision = worstPrecision(slots.map(({ page }) => page.precision));
    return questions.map((_, i) => ({
      logits: part(logits, i),
      queries: part(queries, i),
      counts: part(counts, i),
      attention: this.#attention(sources.length, slots, part(evidence, i)),
      precision,
    }));
  }

  /** The graph's inputs for the pages of a reading, the same for all its questions. */
  #pageFeeds(sources: readonly KvSource[], slots: readonly Slot[], pages: number): Record<string, Tensor> {
    const { kvHeads, headDim } = this.#config;
    const skipped = new Float32Array(pages);
    const since = new Float32Array(pages);
    const size = kvHeads * headDim;
    const tagK = new Float32Array(pages * size);
    const tagV = new Float32Array(pages * size);
    slots.forEach(({ page, source }, i) => {
      const one = sources[source];
      if (one === undefined) return;
      skipped[i] = framesBeforeView(page, one);
      since[i] = (Math.round(page.firstMs) - Math.round(readStartMs(one))) / 1000;
      if (sources.length === 1) return;
      const tag = this.#tags.vectorsOf(source);
      tagK.set(tag.k, i * size);
      tagV.set(tag.v, i * size);
    });
    const dims = [pages, kvHeads, headDim];
    return {
      skipped: float32Tensor(skipped, [pages]),
      since: float32Tensor(since, [pages]),
      tag_k: float32Tensor(tagK, dims),
      tag_v: float32Tensor(tagV, dims),
    };
  }

  #questionFeeds(slots: readonly Slot[], questions: readonly DeviceQuestion[], pages: number): Record<string, Tensor> {
    const { kvHeads, headDim, width } = this.#config;
    const count = questions.length;
    const own = Math.max(...questions.map(({ input }) => input.ownLength));
    const size = own * kvHeads * headDim;
    const hidden = new Float32Array(count * width);
    const logN = new Float32Array(count);
    const ownK = new Float32Array(count * size);
    const ownV = new Float32Array(count * size);
    const ownMask = new Float32Array(count * own);
    const seen = new Float32Array(count * pages);
    const until = new Float32Array(count * pages);
    const age = new Float32Array(count * pages);
    questions.forEach((question, i) => {
      const { input, untilMs, momentsMs } = question;
      hidden.set(input.hidden, i * width);
      logN[i] = Math.log(this.#contextTokens(question) + input.ownLength);
      ownK.set(input.ownK, i * size);
      ownV.set(input.ownV, i * size);
      ownMask.fill(MASKED_SCORE, i * own + input.ownLength, (i + 1) * own);
      slots.forEach(({ page, source }, at) => {
        const frames = countUpTo(page.times, untilMs[source] ?? -Infinity);
        const lastMs = page.times[frames - 1];
        const momentMs = momentsMs[source] ?? input.momentMs;
        seen[i * pages + at] = frames;
        if (lastMs !== undefined)
          until[i * pages + at] = shownSeconds(this.#durationOf(page, lastMs), momentMs - lastMs);
        age[i * pages + at] = (Math.round(momentMs) - Math.round(page.firstMs)) / 1000;
      });
    });
    return {
      hidden: float32Tensor(hidden, [count, width]),
      log_n: float32Tensor(logN, [count]),
      own_k: float32Tensor(ownK, [count, own, kvHeads, headDim]),
      own_v: float32Tensor(ownV, [count, own, kvHeads, headDim]),
      own_mask: float32Tensor(ownMask, [count, own]),
      counted: float32Tensor(priorCountsOf(questions.map(({ input }) => input)), [count, COUNTS]),
      seen: float32Tensor(seen, [count, pages]),
      until: float32Tensor(until, [count, pages]),
      age: float32Tensor(age, [count, pages]),
    };
  }

  /** One question's attention by source. `evidence`: on each frame of each page. */
  #attention(sources: number, slots: readonly Slot[], evidence: Float32Array): FrameShares[] {
    const { pageFrames } = this.#device.memory;
    return Array.from({ length: sources }, (_, source) => {
      const times: number[] = [];
      const shares: number[] = [];
      slots.forEach(({ page, source: pageSource }, at) => {
        if (pageSource !== source) return;
        times.push(...page.times);
        shares.push(...evidence.subarray(at * pageFrames, at * pageFrames + page.times.length));
      });
      return { times, shares: Float32Array.from(shares) };
    });
  }
}

/** For how many seconds a frame that stood for `durationMs` had been shown when its age was `ageMs`. */
function shownSeconds(durationMs: number, ageMs: number): number {
  return Math.max(0, Math.min(Math.round(durationMs), Math.round(ageMs))) / 1000;
}

/**
 * The time of the oldest frame of a source that a question may see, ms. A frame that stood when the reading begins
 * keeps its own time here, and counts as long as it really stood.
 */
function firstFrameMs(source: KvSource): number {
  return source.cache.times.at(firstFrameOf(source)) ?? 0;
}

/** When the reading of a source begins, ms. */
function readStartMs(source: KvSource): number {
  return Math.max(firstFrameMs(source), source.start?.sinceMs ?? -Infinity);
}

/**
 * How many of a page's frames come before those that a question may see. The page may still hold frames that the host's
 * cache has thinned.
 */
function framesBeforeView({ times }: DevicePage, source: KvSource): number {
  const firstMs = firstFrameMs(source);
  const older = countBefore(times, firstMs);
  return source.start === undefined ? older : Math.max(older, countUpTo(times, source.start.sceneMs) - 1);
}

/** The time of the newest frame of a source that a question may see, ms. */
function newestVisibleMs({ cache, frames }: KvSource): number {
  return cache.times.at(frames - 1) ?? -Infinity;
}

function pageAt(pages: readonly DevicePage[], timeMs: number): DevicePage | undefined {
  return pages.findLast((page) => page.firstMs <= timeMs);
}
