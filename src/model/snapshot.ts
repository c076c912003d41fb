/**
 * The state that a stream's answers rest on: taken from the stream, laid out as the sections of a file, and read back.
 */
import type { BundleConfig } from './bundle.ts';
import { KvCache, type KvContent } from './kv-cache.ts';
import { KEYS_PER_CELL } from './kv-index.ts';
import { KvPage, type KvShape } from './kv-page.ts';
import { bundleIdentity, damagedError, type SnapshotHeader, withSections } from './snapshot-format.ts';
import type { WindowContent } from './window.ts';

/** Visual tokens of the last frame that was kept, and its time in ms. */
export interface KeptFrame {
  readonly tokens: Float32Array;
  readonly timeMs: number;
}

/** A stream at one moment. Later changes to the stream do not affect it. */
export interface StreamContent {
  readonly cache: KvContent;
  readonly window: WindowContent;
  readonly kept: KeptFrame | undefined;
}

/** What the service knows about a stream beyond what its answers rest on. */
export type StreamFacts = Pick<
  SnapshotHeader['stream'],
  'name' | 'fps' | 'startedAtMs' | 'wallTimes' | 'limitBytes' | 'mergeBelow'
>;

/** The header of a file that holds `content`, which must have at least one frame. */
export function buildHeader(
  config: BundleConfig,
  shape: KvShape,
  facts: StreamFacts,
  content: StreamContent,
  createdAtMs: number,
): SnapshotHeader {
  const { cache, window, kept } = content;
  const { heads, headDim, tokensPerFrame } = shape;
  const { mergedFrames, thinnedFrames, droppedFrames } = cache;
  const frames = cache.times.length;
  const sealed = cache.pages.reduce((sum, page) => sum + page.frames, 0);
  const header = {
    createdAtMs,
    bundle: bundleIdentity(config),
    stream: {
      ...facts,
      firstMs: cache.times.at(0) ?? 0,
      lastMs: cache.ends.at(-1) ?? 0,
      taken: frames + mergedFrames + thinnedFrames + droppedFrames,
    },
    shape: { heads, headDim, tokensPerFrame },
    window: {
      layers: config.selfLayers,
      tokenSize: config.selfKvHeads * config.headDim,
      limit: config.window,
      length: window.length,
    },
    frames,
    hotFrames: frames - sealed,
    pages: cache.pages.length,
    cells: (cache.index.scales[0]?.length ?? 0) / KEYS_PER_CELL,
    mergedFrames,
    thinnedFrames,
    droppedFrames,
    keptTimeMs: kept?.timeMs ?? null,
  };
  const sealedBytes = cache.pages.reduce((sum, page) => sum + page.bytes.length, 0);
  return withSections(header, sealedBytes, kept?.tokens.length ?? 0);
}

/** The sections' bytes in file order; large ones are views. */
export function* sectionsOf({ cache, window, kept }: StreamContent): Generator<Uint8Array> {
  yield bytesOf(cache.times);
  yield bytesOf(cache.ends);
  yield Uint8Array.from(cache.pages.flatMap((page) => [page.frames, page.isThinned ? 1 : 0]));
  for (const page of cache.pages) yield page.bytes;
  for (const part of [cache.hot.keys, cache.hot.values, cache.index.keys, cache.index.scales].flat()) {
    yield bytesOf(part);
  }
  yield bytesOf(window.keys);
  yield bytesOf(window.values);
  if (kept !== undefined) yield bytesOf(kept.tokens);
}

/** Bytes of a snapshot's cache, as `KvCache.bytes` counts them: known from the header, before the rest is read. */
export function cacheBytes(header: SnapshotHeader): number {
  return KvCache.bytesFor(header.shape, header.hotFrames, pageBytes(header), header.cells);
}

const pageBytes = ({ sections }: SnapshotHeader): number => sections.find(({ name }) => name === 'pages')?.bytes ?? 0;

/**
 * Reads the sections that a header lists. `fill` fills its target with the next bytes of the file. Throws what `fill`
 * throws, and `snapshot_damaged` if the pages or the times do not fit the header.
 */
export async function readContent(
  header: SnapshotHeader,
  fill: (target: Uint8Array) => Promise<void>,
): Promise<StreamContent> {
  const { shape, window, frames } = header;
  const read = async <T extends ArrayBufferView>(target: T): Promise<T> => {
    await fill(bytesOf(target));
    return target;
  };
  const each = async <T extends ArrayBufferView>(make: () => T): Promise<T[]> => {
    const all: T[] = [];
    for (let head = 0; head < shape.heads; head++) all.push(await read(make()));
    return all;
  };
  const times = await read(new Float64Array(frames));
  const ends = await read(new Float64Array(frames));
  checkTimes(header, times, ends);
  const table = await read(new Uint8Array(header.pages * 2));
  const pages = await readPages(header, table, read);
  const hotFloats = header.hotFrames * shape.tokensPerFrame * shape.headDim;
  const rows = header.cells * KEYS_PER_CELL;
  const hot = {
    keys: await each(() => new Float32Array(hotFloats)),
    values: await each(() => new Float32Array(hotFloats)),
  };
  const index = {
    keys: await each(() => new Int8Array(rows * shape.headDim)),
    scales: await each(() => new Float32Array(rows)),
  };
  const windowFloats = window.layers * window.length * window.tokenSize;
  const keys = await read(new Float32Array(windowFloats));
  const values = await read(new Float32Array(windowFloats));
  const keptBytes = header.sections.at(-1)?.bytes ?? 0;
  const tokens = await read(new Float32Array(keptBytes / 4));
  const { mergedFrames, thinnedFrames, droppedFrames, keptTimeMs } = header;
  return {
    cache: { times, ends, pages, hot, index, mergedFrames, thinnedFrames, droppedFrames },
    window: { keys, values, length: window.length },
    kept: keptTimeMs === null ? undefined : { tokens, timeMs: keptTimeMs },
  };
}

/** Frames are looked up by time, so times must rise, between the first and the last time in the header. */
function checkTimes({ stream }: SnapshotHeader, times: Float64Array, ends: Float64Array): void {
  let before = stream.firstMs;
  const rise = times.every((time, i) => {
    const end = ends[i] ?? NaN;
    const rises = time >= before && end >= time;
    before = end;
    return rises;
  });
  if (!rise || times[0] !== stream.firstMs || before !== stream.lastMs) {
    throw damagedError('The times of its frames do not rise, or are not those of its header.');
  }
}

async function readPages(
  header: SnapshotHeader,
  table: Uint8Array,
  read: (target: Uint8Array) => Promise<Uint8Array>,
): Promise<KvPage[]> {
  const sizes = Array.from({ length: header.pages }, (_, i) => table[i * 2] ?? 0);
  const bytes = sizes.reduce((sum, frames) => sum + KvPage.bytesFor(header.shape, frames), 0);
  // Checked before any page is read, so that a damaged table cannot determine the size of a page.
  if (bytes !== pageBytes(header)) throw damagedError('Its table of pages does not fit its pages.');
  const pages: KvPage[] = [];
  for (const [i, frames] of sizes.entries()) {
    const block = await read(new Uint8Array(KvPage.bytesFor(header.shape, frames)));
    pages.push(KvPage.from(header.shape, frames, table[i * 2 + 1] === 1, block));
  }
  return pages;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
