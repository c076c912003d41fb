/**
 * Kept streams: streams whose memory outlives the process. Each has a file in the snapshot folder, from which it starts
 * and from which it is restored after an engine loss. The file is written periodically and at shutdown. Problems with a
 * file are logged and never end the stream.
 */
import { once } from 'node:events';
import type { CacheLimits, RestoredStream } from '../engine/protocol.ts';
import type { Engine } from '../engine/supervisor.ts';
import { type ErrorCode, YocoError } from '../errors.ts';
import type { SourceStream } from './live-stream.ts';
import type { SnapshotFolder } from './snapshot-folder.ts';
import type { WarningFields } from './types.ts';

/**
 * Limit for writing all streams at shutdown, one after the other, ms. Files that are not written in time stay as they
 * were.
 */
const CLOSE_TIMEOUT_MS = 60_000;
/** How long a starting stream waits for an engine that is restarting, ms. */
const ENGINE_WAIT_MS = 60_000;
/** Attempts to restore a file if the engine is lost meanwhile. */
const RESTORE_ATTEMPTS = 2;
const ENGINE_LOST_ERRORS: readonly ErrorCode[] = ['engine_restarted', 'engine_unavailable'];

/** Errors that make a file unusable for later starts, too. */
const UNUSABLE_FILE_ERRORS: readonly ErrorCode[] = [
  'snapshot_not_found', // it exists, but is not a file or cannot be opened
  'snapshot_damaged',
  'snapshot_unsupported',
  'definition_invalid', // it holds more than the stream's limit
];
/** Errors of a write that are reported elsewhere, or are no fault. */
const UNREPORTED_ERRORS: readonly ErrorCode[] = [
  'engine_unavailable',
  'engine_restarted',
  'shutting_down',
  'stream_deleted',
  'stream_empty',
  'stream_ended',
];

export interface KeeperOptions {
  readonly engine: Engine;
  readonly folder: SnapshotFolder;
  readonly onWarning: (message: string, fields: WarningFields) => void;
}

interface KeptStream {
  readonly stream: SourceStream;
  timer: NodeJS.Timeout;
  everyMs: number;
  /**
   * Newest moment of the file, ms, if the stream in memory continues from that file. Null: if there is a file, it holds
   * frames that the stream does not.
   */
  savedUpToMs: number | null;
  /** Whether a failure to write the file was logged. */
  isFailing: boolean;
  /** Tail of the queue of operations on its file, and how many are not done yet. */
  tail: Promise<void>;
  pendingOperations: number;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #kept = new Map<string, KeptStream>();
  #closed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { engine } = options;
    engine.on('lost', () => {
      for (const kept of this.#kept.values()) kept.savedUpToMs = null;
    });
    engine.on('resumed', (name, { sizes }) => {
      const kept = this.#kept.get(name);
      if (kept !== undefined) kept.savedUpToMs = sizes.lastMs;
    });
    engine.on('resumeFailed', (name, error) => {
      const kept = this.#kept.get(name);
      if (kept !== undefined) void this.#enqueue(kept, () => this.#warnOfUnusable(name, error));
    });
  }

  /**
   * Restores a stream from its file. Undefined if there is no file or it cannot be used; the stream is then not open,
   * and starts empty. A file that no later start could use either is set aside. Throws `snapshots_off`, and
   * `shutting_down` while the engine is being stopped.
   */
  async restore(name: string, limits: CacheLimits): Promise<RestoredStream | undefined> {
    const { engine, folder } = this.#options;
    if (!(await folder.hasKept(name))) return undefined;
    for (let attempt = 1; ; attempt++) {
      if (!engine.ready) {
        await once(engine, 'ready', { signal: AbortSignal.timeout(ENGINE_WAIT_MS) }).catch(() => undefined);
      }
      try {
        return await engine.restore(name, folder.keptPath(name), limits);
      } catch (error) {
        const known = YocoError.from(error);
        if (known.code === 'shutting_down') throw known;
        // The file may be intact, so try again, but only once: it may be what killed the engine.
        if (ENGINE_LOST_ERRORS.includes(known.code) && attempt < RESTORE_ATTEMPTS) continue;
        await this.#warnOfUnusable(name, known);
        return undefined;
      }
    }
  }

  async #warnOfUnusable(name: string, error: YocoError): Promise<void> {
    const message = `its saved memory cannot be used, so it starts empty: ${describeError(error)}`;
    if (!UNUSABLE_FILE_ERRORS.includes(error.code)) {
      this.#warn(name, message, error.code);
      return;
    }
    try {
      const aside = await this.#options.folder.quarantine(name);
      this.#warn(name, aside === null ? message : `${message} The file is now ${aside}.`, error.code);
    } catch (cause) {
      this.#warn(name, `${message} ${YocoError.from(cause).detail}`, error.code);
    }
  }

  /** Starts writing a stream periodically. `restored`: what it was restored from; by default it started empty. */
  keep(stream: SourceStream, everyMs: number, restored?: RestoredStream): void {
    const kept: KeptStream = {
      stream,
      timer: this.#timer(stream.name, everyMs),
      everyMs,
      savedUpToMs: restored?.sizes.lastMs ?? null,
      isFailing: false,
      tail: Promise.resolve(),
      pendingOperations: 0,
    };
    const { engine, folder } = this.#options;
    this.#kept.set(stream.name, kept);
    if (restored !== undefined) engine.resumeFrom(stream.name, folder.keptPath(stream.name));
  }

  /**
   * Changes how often an existing stream is written. Undefined: it is no longer written; its file stays, but the stream
   * is not restored from it.
   */
  change(stream: SourceStream, everyMs: number | undefined): void {
    const { name } = stream;
    const kept = this.#kept.get(name);
    if (everyMs === undefined) {
      this.forget(name);
      this.#options.engine.resumeFrom(name, null);
    } else if (kept === undefined) this.keep(stream, everyMs);
    else if (kept.everyMs !== everyMs) {
      clearInterval(kept.timer);
      kept.everyMs = everyMs;
      kept.timer = this.#timer(name, everyMs);
    }
  }

  /** Writes the stream periodically, unless an operation on its file is pending. */
  #timer(name: string, everyMs: number): NodeJS.Timeout {
    const due = (): void => {
      const kept = this.#kept.get(name);
      if (kept?.pendingOperations === 0) void this.#enqueue(kept, () => this.#write(kept));
    };
    return setInterval(due, everyMs).unref();
  }

  /** Whether the last attempt to write a stream failed; null if it is not kept. */
  isFailing(name: string): boolean | null {
    return this.#kept.get(name)?.isFailing ?? null;
  }

  /** Stops writing a stream. Its file stays. */
  forget(name: string): void {
    clearInterval(this.#kept.get(name)?.timer);
    this.#kept.delete(name);
  }

  /** Writes a stream if it holds more than its file; resolves when that is done or has failed. */
  async write(name: string): Promise<void> {
    const kept = this.#kept.get(name);
    if (kept !== undefined) await this.#enqueue(kept, () => this.#write(kept));
  }

  /** `act` must not reject. */
  #enqueue(kept: KeptStream, act: () => Promise<void>): Promise<void> {
    kept.pendingOperations += 1;
    kept.tail = kept.tail.then(act).finally(() => (kept.pendingOperations -= 1));
    return kept.tail;
  }

  async #write(kept: KeptStream): Promise<void> {
    const { stream } = kept;
    try {
      if (!(await this.#hasMore(kept))) return;
      const { path, release } = await this.#options.folder.reserveKept(stream.name);
      try {
        if (kept.savedUpToMs === null) await this.#writeAndReplace(kept);
        else kept.savedUpToMs = (await stream.snapshot(path)).lastMs;
        if (this.#kept.get(stream.name) === kept) this.#options.engine.resumeFrom(stream.name, path);
      } finally {
        release();
      }
      if (kept.isFailing) this.#warn(stream.name, 'its memory is saved again.');
      kept.isFailing = false;
    } catch (error) {
      this.#warnOfFailure(kept, YocoError.from(error));
    }
  }

  /** Whether a stream holds more than its file, which somebody may have removed. */
  async #hasMore(kept: KeptStream): Promise<boolean> {
    const { name } = kept.stream;
    return (
      hasUnsavedFrames(kept) || (kept.stream.status().lastMs !== null && !(await this.#options.folder.hasKept(name)))
    );
  }

  /**
   * The existing file holds frames that are no longer in memory: minutes of new video must not overwrite it, and it
   * stays until they are written.
   */
  async #writeAndReplace(kept: KeptStream): Promise<void> {
    const { name } = kept.stream;
    const { folder } = this.#options;
    const temporary = folder.temporaryPath(name);
    // Set before the file takes its place: an engine loss from here on resets it to null.
    kept.savedUpToMs = (await kept.stream.snapshot(temporary)).lastMs;
    try {
      const old = await folder.replaceKept(name, temporary);
      if (old === null) return;
      const became = old.isSetAside ? `is now ${old.backupFile}` : `is gone, since ${old.backupFile} holds more`;
      this.#warn(name, `its earlier saved memory was not resumed; that file ${became}.`);
    } catch (error) {
      kept.savedUpToMs = null;
      throw error;
    }
  }

  #warnOfFailure(kept: KeptStream, error: YocoError): void {
    if (kept.isFailing || this.#closed || UNREPORTED_ERRORS.includes(error.code)) return;
    kept.isFailing = true;
    this.#warn(kept.stream.name, `its memory could not be saved: ${describeError(error)} Retrying.`, error.code);
  }

  /** Writes all kept streams a last time, within `limitMs`. */
  async close(limitMs: number = CLOSE_TIMEOUT_MS): Promise<void> {
    const all = [...this.#kept];
    for (const [, { timer }] of all) clearInterval(timer);
    const deadline = performance.now() + limitMs;
    for (const [name, kept] of all) {
      const newestMs = kept.stream.status().lastMs;
      // A write that fails now for the first time has just been logged.
      const wasFailing = kept.isFailing;
      // A write that starts too late would be aborted.
      const isDone =
        performance.now() < deadline ? await isDoneBy(deadline, this.write(name)) : !hasUnsavedFrames(kept);
      if (!isDone) this.#warn(name, 'its memory could not be saved in time; the file is unchanged.');
      else if (
        newestMs !== null &&
        kept.isFailing === wasFailing &&
        this.#kept.has(name) &&
        (kept.savedUpToMs ?? -1) < newestMs
      ) {
        this.#warn(name, 'its newest memory could not be saved; the file is unchanged.');
      }
    }
    this.#closed = true;
    this.#kept.clear();
  }

  #warn(name: string, message: string, code?: ErrorCode): void {
    this.#options.onWarning(`Stream ${name}: ${message}`, { stream: name, ...(code === undefined ? {} : { code }) });
  }
}

/** Whether a stream has frames that were not written to its file. */
function hasUnsavedFrames({ stream, savedUpToMs }: KeptStream): boolean {
  const { lastMs } = stream.status();
  return lastMs !== null && (savedUpToMs === null || lastMs > savedUpToMs);
}

/** The message of an unexpected error says nothing by itself, so its cause is added. */
function describeError({ code, message, cause }: YocoError): string {
  return code === 'internal' ? `${message} (${String(cause)})` : message;
}

/** Whether `work` is done by `deadline`, a time of `performance.now`. */
async function isDoneBy(deadline: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadline - performance.now()), false as const);
  });
  const isDone = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return isDone;
}
