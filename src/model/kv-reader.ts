/**
 * How the cross-decoder reads a cache: all of it while that is fast, through the index beyond (`indexed-read.ts`). Each
 * pass then reads the newest frames and the best cells before them.
 */
import type { BundleConfig } from './bundle.ts';
import type { CrossDecoder, CrossDecoderOutput } from './cross-decoder.ts';
import { splitByStream } from './evidence.ts';
import type { FrameRun, KvCache, KvView } from './kv-cache.ts';
import { worstPrecision } from './precision.ts';
import { CELL_FRAMES, type CellRanking } from './kv-index.ts';
import { readThroughIndex } from './indexed-read.ts';
import { emptyRows } from './kv-page.ts';
import {
  type ReadStart,
  firstFrameOf,
  type KvSource,
  momentOf,
  readableFrames,
  type Reader,
  type ReaderInput,
  type Reading,
  type SharedReadInput,
} from './reader.ts';
import type { StreamTags } from './stream-tags.ts';

export interface KvReading extends Reading {
  /** Share of attention on each frame that was read. */
  readonly evidence: Float32Array;
  /** For each source the frames that were read, in the order of `evidence`. */
  readonly runs: readonly (readonly FrameRun[])[];
}

/** What the gathering buffers hold. */
interface BufferContents {
  /** Weak, so that the cache of a closed stream can be freed. */
  readonly caches: readonly WeakRef<KvCache>[];
  readonly versions: readonly number[];
  readonly runs: readonly (readonly FrameRun[])[];
}

/** A question whose streams have at most this many tokens together reads all of them. */
export const FULL_READ_TOKENS = 15_360;
/** Tokens that one indexed reading covers, over all streams of a question. */
export const INDEXED_TOKENS = 8_192;
/** Gathering buffers grow in multiples of this many tokens; otherwise each new frame would reallocate them. */
const ROOM_TOKENS = 1_024;
/**
 * Tokens of the reading whose queries choose what the first token reads: enough to find what a question names, in a
 * quarter of the time.
 */
const GUIDING_TOKENS = 2_048;
/** Every indexed reading includes this many of the newest frames. */
const NEWEST_FRAMES = 64;

export class KvReader implements Reader {
  readonly #config: BundleConfig;
  readonly #crossDecoder: CrossDecoder;
  readonly #ranking: CellRanking;
  readonly #tags: StreamTags;
  /** What the gathering buffers hold; the buffers below grow to the largest reading. */
  #contents: BufferContents | null = null;
  #scratch: { keys: Float32Array[]; values: Float32Array[]; tokens: number } = { keys: [], values: [], tokens: 0 };

  constructor(config: BundleConfig, crossDecoder: CrossDecoder, ranking: CellRanking, tags: StreamTags) {
    this.#config = config;
    this.#crossDecoder = crossDecoder;
    this.#ranking = ranking;
    this.#tags = tags;
  }

  /** Whether a question on these streams reads everything it may see. */
  readsAll(sources: readonly KvSource[]): boolean {
    return this.#readableTokens(sources) <= FULL_READ_TOKENS;
  }

  /** How many tokens a question on these streams may see. */
  #readableTokens(sources: readonly KvSource[]): number {
    return sources.reduce((sum, source) => sum + readableFrames(source), 0) * this.#config.tokensPerFrame;
  }

  /** One read of one cache from `start` on serves many questions; each sees its own number of `frames`. */
  async readShared(cache: KvCache, inputs: readonly SharedReadInput[], start?: ReadStart): Promise<KvReading[]> {
    const { tokensPerFrame } = this.#config;
    const frames = Math.max(...inputs.map((input) => input.frames));
    const first = firstFrameOf({ cache, frames, start });
    const runUpTo = (end: number): FrameRun => ({ first, count: Math.max(0, end - first) });
    const all = runUpTo(frames);
    const view = cache.view(all, start?.sinceMs) ?? this.#gather([{ cache, frames, start }], [[all]]);
    const outputs = await this.#crossDecoder.step(
      view,
      inputs.map(({ frames: visible, input }) => {
        const tokens = runUpTo(visible).count * tokensPerFrame;
        return { ...input, visibleTokens: tokens, contextTokens: tokens };
      }),
    );
    return outputs.map((output, i) => toReading(output, [cache], [[runUpTo(inputs[i]?.frames ?? 0)]]));
  }

  /** Reads one token of one question on any number of streams. */
  async read(sources: readonly KvSource[], input: ReaderInput): Promise<KvReading> {
    if (this.readsAll(sources)) {
      const [only, ...others] = sources;
      if (only !== undefined && others.length === 0) {
        const { cache, frames, start } = only;
        const [output] = await this.readShared(cache, [{ frames, input }], start);
        if (output !== undefined) return output;
      }
      return this.#readRuns(
        sources,
        sources.map((source) => [{ first: firstFrameOf(source), count: readableFrames(source) }]),
        input,
      );
    }
    return readThroughIndex(input.queries, {
      newest: () => this.#chooseRuns(sources, input, undefined, 0),
      find: (queries, isGuiding) =>
        this.#chooseRuns(sources, input, queries, isGuiding ? GUIDING_TOKENS : INDEXED_TOKENS),
      read: (runs) => this.#readRuns(sources, runs, input),
    });
  }

  async #readRuns(
    sources: readonly KvSource[],
    runs: readonly (readonly FrameRun[])[],
    input: ReaderInput,
  ): Promise<KvReading> {
    // Each stream's clock starts when that stream was opened. A frame keeps its own stream's time, but its age counts
    // to the moment on its own stream's clock, which for a stalled stream is that of its newest frame.
    const clockOffsets = sources.map((source) => input.momentMs - momentOf(source, input));
    const view = this.#gather(sources, runs, clockOffsets);
    const [output] = await this.#crossDecoder.step(view, [
      { ...input, visibleTokens: view.tokens, contextTokens: this.#readableTokens(sources) },
    ]);
    if (output === undefined) throw new RangeError('the cross-decoder gave no output');
    const caches = sources.map((source) => source.cache);
    return toReading(output, caches, runs);
  }

  /**
   * The newest frames of each source and, with `queries`, the cells that they find before those: `limit` tokens in all.
   */
  #chooseRuns(
    sources: readonly KvSource[],
    input: ReaderInput,
    queries: Float32Array | undefined,
    limit: number,
  ): Promise<FrameRun[][]> {
    const { crossLayers, crossHeads, tokensPerFrame } = this.#config;
    const newest = Math.max(CELL_FRAMES, Math.floor(NEWEST_FRAMES / sources.length));
    const share = Math.floor(limit / sources.length / tokensPerFrame) - newest;
    return Promise.all(
      sources.map(async (source) => {
        const { cache, frames } = source;
        const oldest = firstFrameOf(source);
        const to = cache.cellsIn(Math.max(oldest, frames - newest));
        const cells = { from: cache.cellsIn(oldest), to, sinceMs: source.start?.sinceMs };
        const [after] = cache.runsOf([cells.to]);
        const first = Math.max(oldest, after?.first ?? 0);
        const tail = { first, count: frames - first };
        if (queries === undefined) return [tail];
        const wanted = Math.max(1, Math.floor(share / CELL_FRAMES));
        const dims = [crossLayers, crossHeads, queries.length / crossLayers / crossHeads];
        const chosen = await this.#ranking.selectBest(
          cache.index,
          cells,
          wanted,
          momentOf(source, input),
          queries,
          dims,
        );
        return [...clipRuns(oldest, cache.runsOf(chosen)), tail];
      }),
    );
  }

  /**
   * Concatenates the frames of all sources; adds the streams' tags if there are several. `clockOffsets`: by how much
   * the question's clock is ahead of each source's.
   */
  #gather(
    sources: readonly KvSource[],
    runs: readonly (readonly FrameRun[])[],
    clockOffsets: readonly number[] = [],
  ): KvView {
    const caches = sources.map((source) => source.cache);
    const { headDim, tokensPerFrame } = this.#config;
    const sizes = runs.map((sourceRuns) => sourceRuns.reduce((sum, run) => sum + run.count, 0) * tokensPerFrame);
    const tokens = sizes.reduce((sum, size) => sum + size, 0);
    const rows = this.#reserve(tokens);
    // Successive tokens of an answer mostly read the same frames.
    if (this.#contents === null || !holdsFrames(this.#contents, caches, runs)) {
      let at = 0;
      caches.forEach((cache, i) => {
        cache.copyInto(runs[i] ?? [], rows, at);
        const size = sizes[i] ?? 0;
        if (caches.length > 1) this.#tags.add(i, rows, at, size);
        at += size;
      });
      const versions = caches.map((cache) => cache.version);
      this.#contents = { caches: caches.map((cache) => new WeakRef(cache)), versions, runs };
    }
    const cut = (buffer: Float32Array): Float32Array => buffer.subarray(0, tokens * headDim);
    const viewTimes = sources.map(({ cache, start }, i) =>
      cache.viewTimes(runs[i] ?? [], { clockOffsetMs: clockOffsets[i], sinceMs: start?.sinceMs }),
    );
    return {
      keys: rows.keys.map(cut),
      values: rows.values.map(cut),
      tokens,
      times: viewTimes.flatMap((source) => source.times),
      elapsed: viewTimes.flatMap((source) => source.elapsed),
      durations: viewTimes.flatMap((source) => source.durations),
      clockOffsets: viewTimes.flatMap((source) => source.clockOffsets),
    };
  }

  #reserve(tokens: number): { keys: Float32Array[]; values: Float32Array[] } {
    if (this.#scratch.tokens < tokens) {
      const { kvHeads: heads, headDim } = this.#config;
      const room = Math.max(INDEXED_TOKENS, Math.ceil(tokens / ROOM_TOKENS) * ROOM_TOKENS);
      this.#scratch = { ...emptyRows({ heads, headDim }, room), tokens: room };
      this.#contents = null;
    }
    return this.#scratch;
  }
}

/** The parts of rising runs that are not before frame `first`. */
function clipRuns(first: number, runs: readonly FrameRun[]): FrameRun[] {
  return runs
    .map((run) => ({ first: Math.max(first, run.first), count: Math.min(run.count, run.first + run.count - first) }))
    .filter(({ count }) => count > 0);
}

function holdsFrames(
  contents: BufferContents,
  caches: readonly KvCache[],
  runs: readonly (readonly FrameRun[])[],
): boolean {
  const alike = (mine: readonly FrameRun[], others: readonly FrameRun[]): boolean =>
    mine.length === others.length &&
    mine.every(({ first, count }, i) => first === others[i]?.first && count === others[i].count);
  return (
    contents.caches.length === caches.length &&
    caches.every((cache, i) => contents.caches[i]?.deref() === cache && contents.versions[i] === cache.version) &&
    runs.every((mine, i) => alike(mine, contents.runs[i] ?? []))
  );
}

function toReading(
  output: CrossDecoderOutput,
  caches: readonly KvCache[],
  runs: readonly (readonly FrameRun[])[],
): KvReading {
  const precision = worstPrecision(caches.map((cache, i) => cache.precisionOf(runs[i] ?? [])));
  return { ...output, runs, attention: splitByStream(output.evidence, caches, runs), precision };
}
