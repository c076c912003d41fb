/**
 * The snapshot file format. Numbers are little-endian:
 *
 *     8    magic `YOCOSNAP`
 *     4    version, uint32
 *     4    bytes of the header, uint32
 *     n    header, JSON in UTF-8
 *     32   SHA-256 of everything before
 *          sections, in the order of the header, without gaps
 *     32   SHA-256 of everything before
 *
 * The header has a checksum of its own, so that its description of the snapshot can be trusted without reading the
 * whole file.
 */
import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import type { BundleConfig } from './bundle.ts';
import { KEYS_PER_CELL } from './kv-index.ts';

const SNAPSHOT_VERSION = 2;
export const DIGEST_BYTES = 32;
const MAGIC = Buffer.from('YOCOSNAP', 'latin1');
const FIXED_BYTES = MAGIC.length + 8;
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * Where a stream's wall times come from. `live`: when its frames arrived or were taken. `recorded`: the stated date of
 * a recording. `unknown`: when a recording without one was read.
 */
const WALL_TIMES = ['live', 'recorded', 'unknown'] as const;
export type WallTimes = (typeof WALL_TIMES)[number];

/**
 * A quarter of the range of `Date`, ms, so that the sum of two times, and times after it, are valid dates. A time
 * beyond would break every report on the stream, and on those listed with it.
 */
const MAX_TIME_MS = 2.16e15;
const timeMs = z.number().min(-MAX_TIME_MS).max(MAX_TIME_MS);
/** Text that people see. The file may come from a stranger, so control characters must not reach a terminal. */
const shown = z.string().regex(/^\P{Cc}+$/u);
const count = z.int().nonnegative();
const size = z.int().positive();
const SECTIONS = [
  'times', // float64 [frames], ms
  'ends', // float64 [frames], ms
  'page_table', // uint8 [pages, 2]: frames of the page, 1 if it was thinned
  'pages', // the pages' blocks, see kv-page.ts
  'hot_keys', // float32 [heads, tokens, headDim] of the frames after the pages
  'hot_values',
  'index_keys', // int8 [heads, cells * KEYS_PER_CELL, headDim]
  'index_scales', // float32 [heads, cells * KEYS_PER_CELL]
  'window_keys', // float32 [layers, length, tokenSize]
  'window_values',
  'kept_tokens', // float32 [tokensPerFrame, width]: visual tokens of the last kept frame; empty if none is known
] as const;
export type SectionName = (typeof SECTIONS)[number];

const headerSchema = z.object({
  /** Wall time, ms since 1970. */
  createdAtMs: timeMs,
  bundle: z.object({ name: shown, files: z.record(shown, z.string()) }),
  stream: z.object({
    name: shown,
    fps: z.number().positive(),
    /** Wall time of the stream's time 0, ms since 1970. */
    startedAtMs: timeMs,
    /** Absent in files of earlier releases. */
    wallTimes: z.enum(WALL_TIMES).optional(),
    limitBytes: z.number().positive(),
    mergeBelow: z.number().nonnegative(),
    firstMs: timeMs,
    lastMs: timeMs,
    /** Frames taken in since the stream began, whether kept or not. */
    taken: count,
  }),
  shape: z.object({ heads: size, headDim: size, tokensPerFrame: size }),
  window: z.object({ layers: size, tokenSize: size, limit: size, length: count }),
  frames: size,
  hotFrames: count,
  pages: count,
  cells: count,
  mergedFrames: count,
  thinnedFrames: count,
  droppedFrames: count,
  keptTimeMs: timeMs.nullable(),
  sections: z.array(z.object({ name: z.enum(SECTIONS), bytes: count })),
});

export type SnapshotHeader = z.output<typeof headerSchema>;

export const damagedError = (detail: string, cause?: unknown): YocoError =>
  new YocoError('snapshot_damaged', { param: 'restore', detail, cause });
const unsupportedError = (detail: string): YocoError =>
  new YocoError('snapshot_unsupported', { param: 'restore', detail });

/** Identifies a bundle by the checksums of its files. A snapshot of a different bundle is useless. */
export function bundleIdentity({ name, files }: BundleConfig): SnapshotHeader['bundle'] {
  const listed = Object.entries(files).flatMap(([file, entry]) => (entry === undefined ? [] : [[file, entry.sha256]]));
  return { name, files: Object.fromEntries(listed) as Record<string, string> };
}

/** Bytes of every section except `pages`, whose length is the sum of its pages' bytes. */
function sectionBytes(header: Omit<SnapshotHeader, 'sections'>, keptFloats: number): Record<SectionName, number> {
  const { heads, headDim, tokensPerFrame } = header.shape;
  const hot = header.hotFrames * tokensPerFrame * heads * headDim * 4;
  const rows = header.cells * KEYS_PER_CELL * heads;
  const window = header.window.layers * header.window.length * header.window.tokenSize * 4;
  return {
    times: header.frames * 8,
    ends: header.frames * 8,
    page_table: header.pages * 2,
    pages: 0,
    hot_keys: hot,
    hot_values: hot,
    index_keys: rows * headDim,
    index_scales: rows * 4,
    window_keys: window,
    window_values: window,
    kept_tokens: header.keptTimeMs === null ? 0 : keptFloats * 4,
  };
}

/** The header with its sections: their names in order, and their lengths in bytes. */
export function withSections(
  header: Omit<SnapshotHeader, 'sections'>,
  pageBytes: number,
  keptFloats: number,
): SnapshotHeader {
  const bytes = { ...sectionBytes(header, keptFloats), pages: pageBytes };
  return { ...header, sections: SECTIONS.map((name) => ({ name, bytes: bytes[name] })) };
}

/** The beginning of the file, up to the first section. */
export function encodePreamble(header: SnapshotHeader): Buffer {
  if (endianness() !== 'LE') throw unsupportedError('This machine stores numbers the other way round.');
  const json = Buffer.from(JSON.stringify(header), 'utf8');
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32LE(SNAPSHOT_VERSION, 0);
  numbers.writeUInt32LE(json.length, 4);
  const head = Buffer.concat([MAGIC, numbers, json]);
  return Buffer.concat([head, createHash('sha256').update(head).digest()]);
}

export interface SnapshotPreamble {
  readonly header: SnapshotHeader;
  /** The beginning of the file, up to the first section. */
  readonly bytes: Buffer;
}

/**
 * Reads the beginning of a file of `fileBytes` bytes. `read` returns the next bytes of it, fewer at the end. Throws
 * `snapshot_damaged` if the file is no snapshot, is cut short or does not match its checksum, and
 * `snapshot_unsupported` for another version.
 */
export async function readPreamble(
  read: (bytes: number) => Promise<Buffer>,
  fileBytes: number,
): Promise<SnapshotPreamble> {
  const fixed = await read(FIXED_BYTES);
  if (!isSnapshot(fixed)) throw damagedError('It is not a snapshot.');
  if (fixed.length < FIXED_BYTES) throw damagedError('It is cut short.');
  const version = fixed.readUInt32LE(MAGIC.length);
  if (version !== SNAPSHOT_VERSION) {
    throw unsupportedError(`Its version is ${version}; this version of yoco-live reads ${SNAPSHOT_VERSION}.`);
  }
  if (endianness() !== 'LE') throw unsupportedError('This machine stores numbers the other way round.');
  const length = fixed.readUInt32LE(MAGIC.length + 4);
  if (length > MAX_HEADER_BYTES) throw damagedError('Its header is larger than any.');
  const rest = await read(length + DIGEST_BYTES);
  if (rest.length < length + DIGEST_BYTES) throw damagedError('It is cut short.');
  const json = rest.subarray(0, length);
  const digest = createHash('sha256').update(fixed).update(json).digest();
  if (!digest.equals(rest.subarray(length))) throw damagedError('Its header does not match its checksum.');
  const header = parseHeader(json);
  const bytes = Buffer.concat([fixed, rest]);
  const whole = header.sections.reduce((sum, section) => sum + section.bytes, bytes.length + DIGEST_BYTES);
  if (whole !== fileBytes) throw damagedError(`It has ${fileBytes} bytes, expected ${whole}.`);
  return { header, bytes };
}

/** Whether bytes begin like a snapshot, as far as they go. */
export function isSnapshot(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.equals(bytes.subarray(0, MAGIC.length));
}

function parseHeader(json: Buffer): SnapshotHeader {
  let header: SnapshotHeader;
  try {
    header = headerSchema.parse(JSON.parse(json.toString('utf8')));
  } catch (cause) {
    throw damagedError('Its header does not hold what it should.', cause);
  }
  // The lengths determine what is read into which buffer, so they must follow from the counts.
  const bytesOf = new Map(header.sections.map(({ name, bytes }) => [name, bytes]));
  const expected = withSections(header, bytesOf.get('pages') ?? 0, (bytesOf.get('kept_tokens') ?? 0) / 4);
  if (JSON.stringify(expected.sections) !== JSON.stringify(header.sections)) {
    throw damagedError('The sections of its header do not fit its counts.');
  }
  return header;
}

/** Holds no trained weights, and this code makes the cells: a better index graph reads older cells, too. */
const READS_ONLY = 'kv_index.onnx';

/** Throws `snapshot_unsupported` if the snapshot belongs to another model. */
export function checkModel(header: SnapshotHeader, config: BundleConfig): void {
  const own = bundleIdentity(config);
  const files = Object.keys({ ...own.files, ...header.bundle.files });
  const other = files.find((file) => file !== READS_ONLY && own.files[file] !== header.bundle.files[file]);
  if (other !== undefined) {
    const names = header.bundle.name === own.name ? `another ${own.name}` : header.bundle.name;
    throw unsupportedError(`It is of the bundle ${names}, whose ${other} differs from that of the loaded bundle.`);
  }
  const { shape, window } = header;
  const same =
    shape.heads === config.kvHeads &&
    shape.headDim === config.headDim &&
    shape.tokensPerFrame === config.tokensPerFrame &&
    window.layers === config.selfLayers &&
    window.tokenSize === config.selfKvHeads * config.headDim &&
    window.limit === config.window;
  if (!same) throw unsupportedError('It is of a model of another shape.');
}
