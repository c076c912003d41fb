/** The operator's folder of snapshots: which names it takes, what lies in it. The files themselves are the engine's. */
import { randomBytes } from 'node:crypto';
import { access, constants, link, lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { readSnapshot } from '../engine/snapshot-file.ts';
import { YocoError } from '../errors.ts';
import { snapshotName } from '../ingest/definition.ts';
import { systemCode, systemReason } from '../system-code.ts';
import type { SnapshotInfo } from './types.ts';

/** Files of the folder; with as many there is no new one, so that clients cannot add to it without end. */
export const MAX_SNAPSHOTS = 1_000;

/**
 * After the name of a kept stream: its file, one that could not be used, and one that the stream in memory does not go
 * on from.
 */
const KEPT = { current: '.keep.snap', bad: '.keep.bad', before: '.keep.before.snap' } as const;
/** Also on file systems that do not tell capitals apart. */
const IS_KEPT = /\.keep\.(?:snap|bad|before\.snap)$/i;

/** What became of a kept stream's file whose place another took. */
export interface TakenPlace {
  /** The name of what is kept of before. */
  readonly before: string;
  /** Whether that is the file; else it was given up, since one that had the name holds more. */
  readonly setAside: boolean;
}

/** A snapshot that is to be written. */
export interface NewSnapshot {
  readonly file: string;
  readonly path: string;
  readonly written: () => void;
}

export class SnapshotFolder {
  readonly #folder: string | undefined;
  /** Names of files that are being written, one for each. */
  readonly #coming: string[] = [];

  constructor(folder: string | undefined) {
    this.#folder = folder === undefined ? undefined : path.resolve(folder);
  }

  get #path(): string {
    if (this.#folder === undefined) throw new YocoError('snapshots_off');
    return this.#folder;
  }

  /** Throws `snapshots_off`, or `invalid_request` for what is no plain name. */
  pathOf(file: string, param: string): string {
    const parsed = snapshotName.safeParse(file);
    if (!parsed.success) {
      const detail = `${param}: ${parsed.error.issues[0]?.message ?? ''}.`;
      throw new YocoError('invalid_request', { param, detail });
    }
    return path.join(this.#path, parsed.data);
  }

  /**
   * Where a new snapshot of a stream goes; it counts as a file of the folder from now on until `written` is called,
   * whatever came of it. Without a name it gets one that no other has. Makes the folder. Throws what `pathOf` throws,
   * `invalid_request` for a name of a kept stream's files, and `snapshot_failed`.
   */
  async forNew(stream: string, name?: string, nowMs = Date.now()): Promise<NewSnapshot> {
    const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace('.', '-');
    const base = `${stream}-${stamp}`;
    this.pathOf(name ?? `${base}.snap`, 'file');
    if (name !== undefined && IS_KEPT.test(name)) {
      const detail = `file: names that end in ${Object.values(KEPT).join(', ')} are those of kept streams; choose another.`;
      throw new YocoError('invalid_request', { param: 'file', detail });
    }
    const others = new Set([...(await this.#madeAndRead()), ...this.#coming]);
    let file = name ?? `${base}.snap`;
    for (let i = 2; name === undefined && others.has(file); i++) file = `${base}-${i}.snap`;
    if (others.size >= MAX_SNAPSHOTS && !others.has(file)) {
      const detail = `The folder holds ${others.size} files, and the limit is ${MAX_SNAPSHOTS}.`;
      throw new YocoError('snapshot_failed', { detail });
    }
    return this.#reserved(file);
  }

  /**
   * Where a kept stream's file goes, however full the folder is: each has one. Makes the folder. Throws `snapshots_off`
   * and `snapshot_failed`.
   */
  async forKept(stream: string): Promise<NewSnapshot> {
    await this.#madeAndRead();
    return this.#reserved(stream + KEPT.current);
  }

  /** The path of a kept stream's file. Throws `snapshots_off`. */
  keptPath(stream: string): string {
    return this.pathOf(stream + KEPT.current, 'keep');
  }

  /** Whether a kept stream has something under the name of its file, be it one that can be read or not. */
  async hasKept(stream: string): Promise<boolean> {
    return lstat(this.keptPath(stream)).then(
      () => true,
      (error: unknown) => systemCode(error) !== 'ENOENT',
    );
  }

  /**
   * Gives a kept stream's file, if there is one, the name of one that cannot be used, in the place of an earlier one of
   * that name. Returns the new name, or null. Throws `snapshot_failed`.
   */
  async setBad(stream: string): Promise<string | null> {
    const file = stream + KEPT.bad;
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
   * Where what is to take the place of a kept stream's file is written first. Where it is left there, it goes when the
   * next file is written.
   */
  pathBeside(stream: string): string {
    return path.join(this.#path, `.${stream}${KEPT.current}.${randomBytes(6).toString('hex')}.part`);
  }

  /**
   * Puts what was written beside a kept stream's file in its place. The file gets another name first, unless what has
   * that name holds more frames; under its own there is one or the other at any time. Null where there was none. Throws
   * `snapshot_failed`: then what was written is gone.
   */
  async takePlace(stream: string, beside: string): Promise<TakenPlace | null> {
    const current = this.keptPath(stream);
    const file = stream + KEPT.before;
    const before = this.pathOf(file, 'keep');
    try {
      const isThere = await this.hasKept(stream);
      const setAside = isThere && (await framesIn(current)) >= (await framesIn(before));
      if (setAside) await giveName(current, before);
      await rename(beside, current);
      return isThere ? { before: file, setAside } : null;
    } catch (cause) {
      await rm(beside, { force: true }).catch(() => undefined);
      const detail = `It cannot take the place of its older file (${systemReason(cause)}).`;
      throw new YocoError('snapshot_failed', { detail, cause });
    }
  }

  /**
   * Removes a snapshot, whole or damaged. Throws what `pathOf` throws, `snapshot_not_found`, and `snapshot_failed`
   * where it cannot be removed.
   */
  async delete(file: string): Promise<void> {
    const target = this.pathOf(file, 'file');
    if ((await this.#look(file)) === null) throw notThere(file, 'file');
    try {
      await rm(target, { force: true });
    } catch (cause) {
      const detail = `It cannot be removed (${systemReason(cause)}). The name was "${file}".`;
      throw new YocoError('snapshot_failed', { param: 'file', detail, cause });
    }
  }

  /** Makes the folder. Throws `snapshots_off`, and `snapshot_failed` where nothing can be written in it. */
  async checkWritable(): Promise<void> {
    await this.#made((folder) => access(folder, constants.W_OK));
  }

  /** Makes the folder; returns the names in it. Throws `snapshots_off` and `snapshot_failed`. */
  #madeAndRead(): Promise<string[]> {
    return this.#made((folder) => readdir(folder));
  }

  async #made<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const folder = this.#path;
    try {
      await mkdir(folder, { recursive: true });
      return await use(folder);
    } catch (cause) {
      throw new YocoError('snapshot_failed', { detail: 'The snapshot folder cannot be used.', cause });
    }
  }

  #reserved(file: string): NewSnapshot {
    this.#coming.push(file);
    const written = (): void => {
      const at = this.#coming.indexOf(file);
      if (at >= 0) this.#coming.splice(at, 1);
    };
    return { file, path: this.pathOf(file, 'file'), written };
  }

  /** Newest first; files that are no snapshots are left out. Throws `snapshots_off` and `snapshot_failed`. */
  async list(): Promise<SnapshotInfo[]> {
    const names = await readdir(this.#path).catch((cause: unknown) => {
      // No folder yet: it is made with the first snapshot.
      if (systemCode(cause) === 'ENOENT') return [];
      throw new YocoError('snapshot_failed', { detail: 'The snapshot folder cannot be read.', cause });
    });
    const all: SnapshotInfo[] = [];
    for (const file of names.sort()) {
      if (!snapshotName.safeParse(file).success) continue;
      const info = await this.#look(file);
      if (info !== null) all.push(info);
    }
    return all.sort((a, b) => (b.summary?.createdAtMs ?? 0) - (a.summary?.createdAtMs ?? 0));
  }

  /** Reads the beginning only: that the rest matches its checksum is seen when it is restored. */
  async #look(file: string): Promise<SnapshotInfo | null> {
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
   * A definition that names a snapshot, with the snapshot's name, sampling and memory where it has none of its own; any
   * other as it is. Throws `snapshots_off`, `snapshot_not_found`, `snapshot_damaged`, `snapshot_unsupported`.
   */
  async complete(definition: unknown): Promise<unknown> {
    if (typeof definition !== 'object' || definition === null || !('restore' in definition)) return definition;
    const parsed = snapshotName.safeParse(definition.restore);
    if (!parsed.success) return definition; // refused with the other fields
    const target = this.pathOf(parsed.data, 'restore');
    const { stream, fps, limitBytes, mergeBelow } = await readSnapshot(target, (reader) =>
      Promise.resolve(reader.summary),
    ).catch((error: unknown) => {
      const isMissing = error instanceof YocoError && error.code === 'snapshot_not_found' && error.detail === '';
      throw isMissing ? notThere(parsed.data, 'restore', error.cause) : error;
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

/** That there is no snapshot of this name, which a request for several does not tell from the others. */
const notThere = (file: string, param: string, cause?: unknown): YocoError =>
  new YocoError('snapshot_not_found', { param, detail: `The name was "${file}".`, cause });

/** Frames of a snapshot, by its beginning; none of what is not there, or cannot be read. */
const framesIn = (file: string): Promise<number> =>
  readSnapshot(file, ({ summary }) => Promise.resolve(summary.frames)).catch(() => 0);

/**
 * Gives a file another name beside its own, in the place of what has it. Where a file can have one name only, it has
 * its own no more.
 */
async function giveName(file: string, name: string): Promise<void> {
  await rm(name, { force: true });
  await link(file, name).catch(() => rename(file, name));
}

function withDefaults(defaults: object, given: unknown): unknown {
  if (given === undefined) return defaults;
  return typeof given === 'object' && given !== null && !Array.isArray(given) ? { ...defaults, ...given } : given;
}
