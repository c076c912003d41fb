/**
 * Reads and writes snapshot files in bounded memory. A file is written under a temporary name, synced and then renamed,
 * so its own name holds a complete snapshot or nothing. Each piece is awaited: the engine does other work in between.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { YocoError } from '../errors.ts';
import {
  damagedError,
  DIGEST_BYTES,
  encodePreamble,
  isSnapshot,
  readPreamble,
  type SnapshotHeader,
} from '../model/snapshot-format.ts';
import { systemCode } from '../system-code.ts';
import { partialPathOf, targetOfPartial } from './partial-file.ts';
import type { SnapshotSummary } from './protocol.ts';

/**
 * Bytes hashed and written (or read) at once, a few milliseconds' work. On a busy engine one model run passes between
 * two pieces, so smaller pieces would make a large file take minutes.
 */
const PIECE_BYTES = 2 ** 22;

/** Age at which a partial file of any name counts as abandoned, ms. A younger one may still be being written. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * Writes a snapshot and returns its size, bytes. A snapshot of this name is replaced once the new one is complete.
 * Throws `snapshot_failed`, also when aborted, and `invalid_request` if a file of this name is not a snapshot.
 */
export async function writeSnapshot(
  file: string,
  header: SnapshotHeader,
  sections: Iterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  const temporary = partialPathOf(file);
  try {
    await checkTarget(file);
    await removeLeftovers(file);
    const handle = await open(temporary, 'wx', 0o600);
    let bytes: number;
    try {
      bytes = await writeAll(handle, header, sections, signal);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
    return bytes;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error instanceof YocoError ? error : writeError(error);
  }
}

async function writeAll(
  handle: FileHandle,
  header: SnapshotHeader,
  sections: Iterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let filled = 0;
  let total = 0;
  const flush = async (): Promise<void> => {
    if (signal?.aborted === true) throw engineStoppingError();
    const bytes = piece.subarray(0, filled);
    hash.update(bytes);
    await writeFully(handle, bytes);
    total += filled;
    filled = 0;
  };
  for (const part of withHead(encodePreamble(header), sections)) {
    for (let at = 0; at < part.length;) {
      const take = Math.min(part.length - at, PIECE_BYTES - filled);
      piece.set(part.subarray(at, at + take), filled);
      at += take;
      filled += take;
      if (filled === PIECE_BYTES) await flush();
    }
  }
  await flush();
  await writeFully(handle, hash.digest());
  return total + DIGEST_BYTES;
}

/** The error of a snapshot whose writing was aborted. */
export const engineStoppingError = (): YocoError =>
  new YocoError('snapshot_failed', { detail: 'The engine is shutting down.' });

function* withHead(head: Uint8Array, sections: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield head;
  yield* sections;
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}

/** The folder may hold other files: only a snapshot, complete or damaged, is replaced. */
async function checkTarget(file: string): Promise<void> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (handle === null) return;
  try {
    const begin = Buffer.alloc(16);
    const { bytesRead } = await handle.read(begin, 0, begin.length, 0);
    if (isSnapshot(begin.subarray(0, bytesRead))) return;
  } finally {
    await handle.close();
  }
  const detail = `${path.basename(file)} exists and is not a snapshot; choose another name.`;
  throw new YocoError('invalid_request', { param: 'file', detail });
}

/** Removes partial files of processes that ended while writing: any of this name, and old ones of any name. */
async function removeLeftovers(file: string): Promise<void> {
  const folder = path.dirname(file);
  for (const name of await readdir(folder)) {
    const target = targetOfPartial(name);
    if (target === undefined) continue;
    const part = path.join(folder, name);
    if (target === path.basename(file) || (await isOld(part))) await rm(part, { force: true });
  }
}

async function isOld(file: string): Promise<boolean> {
  const info = await stat(file).catch(() => null);
  return info?.isFile() === true && Date.now() - info.mtimeMs > ABANDONED_AFTER_MS;
}

/** Makes the rename durable. Best effort: not every system can sync a folder. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    return;
  }
}

/** Reasons by system error code; the system's own messages contain paths. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full.',
  EDQUOT: 'The disk quota is exceeded.',
  EFBIG: 'The file would exceed a size limit.',
  EACCES: 'The snapshot folder is not writable.',
  EPERM: 'The snapshot folder is not writable.',
  EROFS: 'The snapshot folder is not writable.',
  ENOENT: 'The snapshot folder does not exist, or another process removed the file.',
  ENOTDIR: 'The path of the snapshot folder is not a folder.',
  EISDIR: 'A folder has this name.',
};

function writeError(cause: unknown): YocoError {
  const code = systemCode(cause);
  if (code === undefined) return new YocoError('internal', { cause });
  return new YocoError('snapshot_failed', { param: 'file', detail: REASONS[code] ?? `(${code})`, cause });
}

/** A snapshot being read: its header, then the rest piece by piece. */
export interface SnapshotReader {
  readonly header: SnapshotHeader;
  readonly summary: SnapshotSummary;
  /**
   * Fills the whole target with the next bytes. Throws `snapshot_damaged` at the end of the file and `shutting_down`
   * once aborted.
   */
  fill(target: Uint8Array): Promise<void>;
  /** To be called once all sections are read. Throws `snapshot_damaged` if the checksum does not match. */
  verify(): Promise<void>;
}

/**
 * Opens a snapshot for `use`; `signal` aborts the reading. Throws `snapshot_not_found`, `snapshot_damaged` or
 * `snapshot_unsupported`.
 */
export async function readSnapshot<T>(
  file: string,
  use: (reader: SnapshotReader) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    const detail = systemCode(cause) === 'ENOENT' ? {} : { detail: 'It cannot be opened.' };
    throw new YocoError('snapshot_not_found', { param: 'restore', ...detail, cause });
  });
  try {
    const info = await handle.stat();
    if (!info.isFile()) {
      throw new YocoError('snapshot_not_found', { param: 'restore', detail: 'It is not a file.' });
    }
    const { header, bytes } = await readPreamble(async (length) => {
      const buffer = Buffer.alloc(length);
      return buffer.subarray(0, await readFully(handle, buffer));
    }, info.size);
    const hash = createHash('sha256').update(bytes);
    const take = pieceReader(handle);
    const fill = async (target: Uint8Array): Promise<void> => {
      if (signal?.aborted === true) throw new YocoError('shutting_down');
      await take(target);
      hash.update(target);
    };
    const verify = async (): Promise<void> => {
      const digest = Buffer.alloc(DIGEST_BYTES);
      await take(digest);
      if (!hash.digest().equals(digest)) throw damagedError('It does not match its checksum.');
    };
    return await use({ header, summary: summaryOf(header, info.size), fill, verify });
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof YocoError || code === undefined) throw error;
    throw damagedError(`It cannot be read (${code}).`, error);
  } finally {
    // A failure loses nothing that was read, and must not hide that `use` has opened a stream.
    await handle.close().catch(() => undefined);
  }
}

/** Fills consecutive targets, reading the file in pieces. */
function pieceReader(handle: FileHandle): (target: Uint8Array) => Promise<void> {
  let buffer: Buffer | undefined;
  let piece: Buffer = Buffer.alloc(0);
  return async (target) => {
    for (let at = 0; at < target.length;) {
      if (piece.length === 0) {
        buffer ??= Buffer.allocUnsafe(PIECE_BYTES);
        piece = buffer.subarray(0, await readFully(handle, buffer));
        if (piece.length === 0) throw damagedError('It is cut short.');
      }
      const taken = piece.subarray(0, target.length - at);
      target.set(taken, at);
      at += taken.length;
      piece = piece.subarray(taken.length);
    }
  };
}

/** Reads until the target is full or the file ends; returns the bytes read. */
async function readFully(handle: FileHandle, target: Uint8Array): Promise<number> {
  let at = 0;
  while (at < target.length) {
    const { bytesRead } = await handle.read(target, at, target.length - at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}

export function summaryOf(header: SnapshotHeader, bytes: number): SnapshotSummary {
  const { name, taken, ...stream } = header.stream;
  return {
    ...stream,
    bytes,
    createdAtMs: header.createdAtMs,
    bundle: header.bundle.name,
    stream: name,
    frames: taken,
  };
}
