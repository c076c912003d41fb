/** The operator's snapshot folder: its file names and contents. The engine writes and restores the files. */
import { access, constants, link, lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { partialPathOf } from '../engine/partial-file.ts';
import { readSnapshot } from '../engine/snapshot-file.ts';
import { YocoError } from '../errors.ts';
import { snapshotName } from '../ingest/definition.ts';
import { systemCode, systemReason } from '../system-code.ts';
import type { SnapshotInfo } from './types.ts';

/** Limit of files in the folder, so that clients cannot fill it without end. */
export const MAX_SNAPSHOTS = 1_000;

/**
 * Suffixes of a kept stream's files: the current file, one that could not be used, and one that was set aside because
 * the stream in memory does not continue from it.
 */
const KEPT_SUFFIXES = { current: '.keep.snap', bad: '.keep.bad', before: '.keep.before.snap' } as const;
/** Case-insensitive, as some file systems are. */
const KEPT_NAME = /\.keep\.(?:snap|bad|before\.snap)$/i;

/** What became of a kept stream's current file when another took its place. */
export interface ReplacedFile {
  /** Name of the file that keeps the earlier memory. */
  readonly backupFile: string;
  /** Whether that is the replaced file. If not, the replaced file was discarded because this one held more. */
  readonly isSetAside: boolean;
}

/** A snapshot to be written. */
export interface NewSnapshot {
  readonly file: string;
  readonly path: string;
  readonly release: () => void;
}

export class SnapshotFolder {
  readonly #folder: string | undefined;
  /** Names of files being written, once per writer. */
  readonly #reservedNames: string[] = [];

  constructor(folder: string | undefined) {
    this.#folder = folder === undefined ? undefined : path.resolve(folder);
  }

  get #path(): string {
    if (this.#folder === undefined) throw new YocoError('snapshots_off');
    return this.#folder;
  }

  /** Throws `snapshots_off`, or `invalid_request` if `file` is not a plain name. */
  pathOf(file: string, param: string): string {
    const parsed = snapshotName.safeParse(file);
    if (!parsed.success) {
      const detail = `${param}: ${parsed.error.issues[0]?.message ?? ''}.`;
      throw new YocoError('invalid_request', { param, detail });
    }
    return path.join(this.#path, parsed.data);
  }

  /**
   * Reserves a file for a new snapshot of a stream. It counts as a file of the folder until `release` is called, even
   * if writing fails. Without a name it gets an unused one. Creates the folder. Throws the errors of `pathOf`,
   * `invalid_request` for a name reserved for kept streams, and `snapshot_failed`.
   */
  async reserveNew(stream: string, name?: string, nowMs = Date.now()): Promise<NewSnapshot> {
    const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace('.', '-');
    const base = `${stream}-${stamp}`;
    this.pathOf(name ?? `${base}.snap`, 'file');
    if (name !== undefined && KEPT_NAME.test(name)) {
      const detail = `file: names that end in ${Object.values(KEPT_SUFFIXES).join(', ')} are those of kept streams; choose another.`;
      throw new YocoError('invalid_request', { param: 'file', detail });
    }
    const others = new Set([...(await this.#createAndList()), ...this.#reservedNames]);
    let file = name ?? `${base}.snap`;
    for (let i = 2; name === undefined && others.has(file); i++) file = `${base}-${i}.snap`;
    if (others.size >= MAX_SNAPSHOTS && !others.has(file)) {
      const detail = `The folder holds ${others.size} files, and the limit is ${MAX_SNAPSHOTS}.`;
      throw new YocoError('snapshot_failed', { detail });
    }
    return this.#reserve(file);
  }

  /**
   * Reserves a kept stream's file. The limit of files does not apply, since each kept stream has one. Creates the
   * folder. Throws `snapshots_off` and `snapshot_failed`.
   */
  async reserveKept(stream: string): Promise<NewSnapshot> {
    await this.#createAndList();
    return this.#reserve(stream + KEPT_SUFFIXES.current);
  }

  /** The path of a kept stream's file. Throws `snapshots_off`. */
  keptPath(stream: string): string {
    return this.pathOf(stream + KEPT_SUFFIXES.current, 'keep');
  }

  /** Whether anything has the name of a kept stream's file, readable or not. */
  async hasKept(stream: string): Promise<boolean> {
    return lstat(this.keptPath(stream)).then(
      () => true,
      (error: unknown) => systemCode(error) !== 'ENOENT',
    );
  }

  /**
   * Renames a kept stream's file, if there is one, to `.keep.bad`, replacing an earlier file of that name. Returns the
   * new name, or null. Throws `snapshot_failed`.
   */
  async quarantine(stream: string): Promise<string | null> {
    const file = stream + KEPT_SUFFIXES.bad;
    try {
      await rename(this.keptPath(stream), this.pathOf(file, 'keep'));
      return file;
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return null;
      const detail = `Its older file cannot be renamed to ${file} (${systemReason(cause)}).`;
      throw new YocoError('snapshot_failed', { detail, cause });
    }
  }

  /**
   * Temporary path for a file that is to replace a kept stream's file. A leftover is removed by the next write of that
   * file, or by any write once it is an hour old.
   */
  temporaryPath(stream: string): string {
    return partialPathOf(path.join(this.#path, stream + KEPT_SUFFIXES.current));
  }

  /**
   * Moves the file written at `temporary` into the place of a kept stream's current file. First the current file is
   * moved to `.keep.before.snap`, unless the file there holds more frames; then `temporary` gets the current name. That
   * name always refers to one of the two files, except for a moment where hard links are not supported. Null if there
   * was no current file. Throws `snapshot_failed`; `temporary` is then deleted.
   */
  async replaceKept(stream: string, temporary: string): Promise<ReplacedFile | null> {
    const current = this.keptPath(stream);
    const file = stream + KEPT_SUFFIXES.before;
    const backupPath = this.pathOf(file, 'keep');
    try {
      const isThere = await this.hasKept(stream);
      const isSetAside = isThere && (await framesIn(current)) >= (await framesIn(backupPath));
      if (isSetAside) await linkAs(current, backupPath);
      await rename(temporary, current);
      return isThere ? { backupFile: file, isSetAside } : null;
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => undefined);
      const detail = `It cannot take the place of its older file (${systemReason(cause)}).`;
      throw new YocoError('snapshot_failed', { detail, cause });
    }
  }

  /**
   * Removes a snapshot, complete or damaged. Throws the errors of `pathOf`, `snapshot_not_found`, and `snapshot_failed`
   * if it cannot be removed.
   */
  async delete(file: string): Promise<void> {
    const target = this.pathOf(file, 'file');
    if ((await this.#readInfo(file)) === null) throw notFoundError(file, 'file');
    try {
      await rm(target, { force: true });
    } catch (cause) {
      const detail = `It cannot be removed (${systemReason(cause)}). The name was "${file}".`;
      throw new YocoError('snapshot_failed', { param: 'file', detail, cause });
    }
  }

  /** Creates the folder. Throws `snapshots_off`, and `snapshot_failed` if it is not writable. */
  async checkWritable(): Promise<void> {
    await this.#withFolder((folder) => access(folder, constants.W_OK));
  }

  /** Creates the folder; returns the names in it. Throws `snapshots_off` and `snapshot_failed`. */
  #createAndList(): Promise<string[]> {
    return this.#withFolder((folder) => readdir(folder));
  }

  async #withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const folder = this.#path;
    try {
      await mkdir(folder, { recursive: true });
      return await use(folder);
    } catch (cause) {
      throw new YocoError('snapshot_failed', { detail: 'The snapshot folder cannot be used.', cause });
    }
  }

  #reserve(file: string): NewSnapshot {
    this.#reservedNames.push(file);
    const release = (): void => {
      const at = this.#reservedNames.indexOf(file);
      if (at >= 0) this.#reservedNames.splice(at, 1);
    };
    return { file, path: this.pathOf(file, 'file'), release };
  }

  /** Newest first; files that are not snapshots are left out. Throws `snapshots_off` and `snapshot_failed`. */
  async list(): Promise<SnapshotInfo[]> {
    const names = await readdir(this.#path).catch((cause: unknown) => {
      // There is no folder yet: the first snapshot creates it.
      if (systemCode(cause) === 'ENOENT') return [];
      throw new YocoError('snapshot_failed', { detail: 'The snapshot folder cannot be read.', cause });
    });
    const all: SnapshotInfo[] = [];
    for (const file of names.sort()) {
      if (!snapshotName.safeParse(file).success) continue;
      const info = await this.#readInfo(file);
      if (info !== null) all.push(info);
    }
    return all.sort((a, b) => (b.summary?.createdAtMs ?? 0) - (a.summary?.createdAtMs ?? 0));
  }

  /** Reads only the header: the checksum is verified when the snapshot is restored. */
  async #readInfo(file: string): Promise<SnapshotInfo | null> {
    const target = path.join(this.#path, file);
    try {
      const summary = await readSnapshot(target, (reader) => Promise.resolve(reader.summary));
      return { file, bytes: summary.bytes, summary, error: null };
    } catch (error) {
      const { code, detail } = YocoError.from(error);
      if (code === 'snapshot_not_found' || detail === 'It is not a snapshot.') return null;
      const found = await stat(target).catch(() => null);
      return found === null ? null : { file, bytes: found.size, summary: null, error: code };
    }
  }

  /**
   * Completes a definition that names a snapshot: name, sampling and memory default to the snapshot's. Returns any
   * other as it is. Throws `snapshots_off`, `snapshot_not_found`, `snapshot_damaged`, `snapshot_unsupported`.
   */
  async complete(definition: unknown): Promise<unknown> {
    if (typeof definition !== 'object' || definition === null || !('restore' in definition)) return definition;
    const parsed = snapshotName.safeParse(definition.restore);
    if (!parsed.success) return definition; // refused later, with the other fields
    const target = this.pathOf(parsed.data, 'restore');
    const { stream, fps, limitBytes, mergeBelow } = await readSnapshot(target, (reader) =>
      Promise.resolve(reader.summary),
    ).catch((error: unknown) => {
      const isMissing = error instanceof YocoError && error.code === 'snapshot_not_found' && error.detail === '';
      throw isMissing ? notFoundError(parsed.data, 'restore', error.cause) : error;
    });
    const own = definition as { readonly sampling?: unknown; readonly memory?: unknown };
    const memory = { limit_mb: Math.max(16, Math.ceil(limitBytes / 2 ** 20)), merge_below: mergeBelow };
    return {
      name: stream,
      ...definition,
      sampling: withDefaults({ fps }, own.sampling),
      memory: withDefaults(memory, own.memory),
    };
  }
}

/** The error for a missing snapshot. It repeats the name, since a request may concern several. */
const notFoundError = (file: string, param: string, cause?: unknown): YocoError =>
  new YocoError('snapshot_not_found', { param, detail: `The name was "${file}".`, cause });

/** Number of frames in a snapshot's header; 0 if the file is missing or cannot be read. */
const framesIn = (file: string): Promise<number> =>
  readSnapshot(file, ({ summary }) => Promise.resolve(summary.frames)).catch(() => 0);

/**
 * Gives a file a second name beside its own, replacing any file that has it. Where hard links are not supported, the
 * file loses its own name.
 */
async function linkAs(file: string, name: string): Promise<void> {
  await rm(name, { force: true });
  await link(file, name).catch(() => rename(file, name));
}

function withDefaults(defaults: object, given: unknown): unknown {
  if (given === undefined) return defaults;
  return typeof given === 'object' && given !== null && !Array.isArray(given) ? { ...defaults, ...given } : given;
}
