/** The operator's folder of snapshots: which names it takes, what lies in it. The files themselves are the engine's. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { readSnapshot } from '../engine/snapshot-file.ts';
import { YocoError } from '../errors.ts';
import { snapshotName } from '../ingest/definition.ts';
import type { SnapshotInfo } from './types.ts';

/** Files of the folder; with as many there is no new one, so that clients cannot add to it without end. */
export const MAX_SNAPSHOTS = 1_000;

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
   * Where a new snapshot of a stream goes; it counts as a file of the folder from now on until `written` is called, whatever came of it. Without a
   * name it gets one that no other has. Makes the folder. Throws what `pathOf` throws, and `snapshot_failed`.
   */
  async forNew(stream: string, name?: string, nowMs = Date.now()): Promise<NewSnapshot> {
    const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace('.', '-');
    const base = `${stream}-${stamp}`;
    this.pathOf(name ?? `${base}.snap`, 'file');
    let others: Set<string>;
    try {
      await mkdir(this.#path, { recursive: true });
      others = new Set([...(await readdir(this.#path)), ...this.#coming]);
    } catch (cause) {
      throw new YocoError('snapshot_failed', { detail: 'The folder for snapshots cannot be used.', cause });
    }
    let file = name ?? `${base}.snap`;
    for (let i = 2; name === undefined && others.has(file); i++) file = `${base}-${i}.snap`;
    if (others.size >= MAX_SNAPSHOTS && !others.has(file)) {
      const detail = `The folder holds ${others.size} files, and the limit is ${MAX_SNAPSHOTS}.`;
      throw new YocoError('snapshot_failed', { detail });
    }
    this.#coming.push(file);
    const written = (): void => {
      const at = this.#coming.indexOf(file);
      if (at >= 0) this.#coming.splice(at, 1);
    };
    return { file, path: this.pathOf(file, 'file'), written };
  }

  /** Newest first; files that are no snapshots are left out. Throws `snapshots_off`. */
  async list(): Promise<SnapshotInfo[]> {
    // No folder yet: it is made with the first snapshot.
    const names = await readdir(this.#path).catch(() => []);
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
    );
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

function withDefaults(defaults: object, given: unknown): unknown {
  if (given === undefined) return defaults;
  return typeof given === 'object' && given !== null && !Array.isArray(given) ? { ...defaults, ...given } : given;
}
