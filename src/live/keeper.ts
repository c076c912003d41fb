/**
 * Streams whose memory outlives the process: each has a file in the folder of snapshots from which it begins, which is
 * written every so often and at the end, and from which it goes on when the engine is lost. What goes wrong with a file
 * is told in the log, and ends nothing.
 */
import { once } from 'node:events';
import type { CacheLimits, Restored } from '../engine/protocol.ts';
import type { Engine } from '../engine/supervisor.ts';
import { type ErrorCode, YocoError } from '../errors.ts';
import type { SourceStream } from './live-stream.ts';
import type { SnapshotFolder } from './snapshot-folder.ts';
import type { WarningFields } from './types.ts';

/**
 * All streams are written within this time at the end, one after the other, ms; the files of those that are not stay as
 * they were.
 */
const KEEP_AT_END_MS = 60_000;
/** A stream that begins waits so long for an engine that is started again, ms. */
const ENGINE_WAIT_MS = 60_000;
/** How often its file is read where the engine is lost meanwhile. */
const RESTORE_ATTEMPTS = 2;
const ENGINE_LOST: readonly ErrorCode[] = ['engine_restarted', 'engine_unavailable'];

/** Errors of a file that no later start can use either. */
const UNUSABLE: readonly ErrorCode[] = [
  'snapshot_not_found', // it is there, but is no file, or may not be opened
  'snapshot_damaged',
  'snapshot_unsupported',
  'definition_invalid', // it holds more than the stream's limit
];
/** Why a stream is not written that is told elsewhere, or is no fault. */
const NO_FAULT: readonly ErrorCode[] = [
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

interface Kept {
  readonly stream: SourceStream;
  timer: NodeJS.Timeout;
  everyMs: number;
  /**
   * The newest moment of the file from which the stream in memory goes on, ms; null: if there is a file, it holds what
   * the stream does not.
   */
  keptMs: number | null;
  /** Whether the log was told that it cannot be written. */
  failing: boolean;
  /** What is done with its file, one after the other, and how much of that is not done yet. */
  last: Promise<void>;
  undone: number;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #kept = new Map<string, Kept>();
  #closed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { engine } = options;
    engine.on('lost', () => {
      for (const kept of this.#kept.values()) kept.keptMs = null;
    });
    engine.on('wentOn', (name, { appended }) => {
      const kept = this.#kept.get(name);
      if (kept !== undefined) kept.keptMs = appended.lastMs;
    });
    engine.on('notGoneOn', (name, error) => {
      const kept = this.#kept.get(name);
      if (kept !== undefined) void this.#next(kept, () => this.#tellOfUnusable(name, error));
    });
  }

  /**
   * Opens a stream in the engine from its file. Undefined where there is none, or none that can be used, which is then
   * set aside: the stream begins empty, and is not open. Throws `snapshots_off`, and `shutting_down` where the engine
   * is being ended.
   */
  async restore(name: string, limits: CacheLimits): Promise<Restored | undefined> {
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
        // The file is as good as it was. Once more only: it may be what the engine was lost of.
        if (ENGINE_LOST.includes(known.code) && attempt < RESTORE_ATTEMPTS) continue;
        await this.#tellOfUnusable(name, known);
        return undefined;
      }
    }
  }

  async #tellOfUnusable(name: string, error: YocoError): Promise<void> {
    const begins = `its saved memory cannot be used, so it starts empty: ${why(error)}`;
    if (!UNUSABLE.includes(error.code)) {
      this.#warn(name, begins, error.code);
      return;
    }
    try {
      const aside = await this.#options.folder.setBad(name);
      this.#warn(name, aside === null ? begins : `${begins} The file is now ${aside}.`, error.code);
    } catch (cause) {
      this.#warn(name, `${begins} ${YocoError.from(cause).detail}`, error.code);
    }
  }

  /** Writes a stream from now on. `restored`: what it began from; by default it began empty. */
  keep(stream: SourceStream, everyMs: number, restored?: Restored): void {
    const kept: Kept = {
      stream,
      timer: this.#timer(stream.name, everyMs),
      everyMs,
      keptMs: restored?.appended.lastMs ?? null,
      failing: false,
      last: Promise.resolve(),
      undone: 0,
    };
    const { engine, folder } = this.#options;
    this.#kept.set(stream.name, kept);
    if (restored !== undefined) engine.goOnFrom(stream.name, folder.keptPath(stream.name));
  }

  /**
   * From now on writes a stream that is there every so often, or no longer: then its file stays, and the stream does
   * not go on from it.
   */
  change(stream: SourceStream, everyMs: number | undefined): void {
    const { name } = stream;
    const kept = this.#kept.get(name);
    if (everyMs === undefined) {
      this.forget(name);
      this.#options.engine.goOnFrom(name, null);
    } else if (kept === undefined) this.keep(stream, everyMs);
    else if (kept.everyMs !== everyMs) {
      clearInterval(kept.timer);
      kept.everyMs = everyMs;
      kept.timer = this.#timer(name, everyMs);
    }
  }

  /** Writes it every so often, but where something is done with its file already. */
  #timer(name: string, everyMs: number): NodeJS.Timeout {
    const due = (): void => {
      const kept = this.#kept.get(name);
      if (kept?.undone === 0) void this.#next(kept, () => this.#write(kept));
    };
    return setInterval(due, everyMs).unref();
  }

  /** Whether the newest attempt to write a stream failed; null for one that is not kept. */
  fails(name: string): boolean | null {
    return this.#kept.get(name)?.failing ?? null;
  }

  /** Forgets a stream that is deleted: its file stays, and is no longer written. */
  forget(name: string): void {
    clearInterval(this.#kept.get(name)?.timer);
    this.#kept.delete(name);
  }

  /** Writes what a stream holds now, if that is more than its file does; resolves when it is written, or cannot be. */
  async write(name: string): Promise<void> {
    const kept = this.#kept.get(name);
    if (kept !== undefined) await this.#next(kept, () => this.#write(kept));
  }

  /** `act` rejects never. */
  #next(kept: Kept, act: () => Promise<void>): Promise<void> {
    kept.undone += 1;
    kept.last = kept.last.then(act).finally(() => (kept.undone -= 1));
    return kept.last;
  }

  async #write(kept: Kept): Promise<void> {
    const { stream } = kept;
    try {
      if (!(await this.#hasMore(kept))) return;
      const { path, written } = await this.#options.folder.forKept(stream.name);
      try {
        if (kept.keptMs === null) await this.#writeBeside(kept);
        else kept.keptMs = (await stream.snapshot(path)).lastMs;
        if (this.#kept.get(stream.name) === kept) this.#options.engine.goOnFrom(stream.name, path);
      } finally {
        written();
      }
      if (kept.failing) this.#warn(stream.name, 'its memory is saved again.');
      kept.failing = false;
    } catch (error) {
      this.#tellOfFailure(kept, YocoError.from(error));
    }
  }

  /** Whether a stream holds what its file does not: all of it, where somebody has removed that. */
  async #hasMore(kept: Kept): Promise<boolean> {
    const { name } = kept.stream;
    return isNewer(kept) || (kept.stream.status().lastMs !== null && !(await this.#options.folder.hasKept(name)));
  }

  /**
   * The file holds what is in no memory any more: minutes of video must not take its place, and it stays until they are
   * written.
   */
  async #writeBeside(kept: Kept): Promise<void> {
    const { name } = kept.stream;
    const { folder } = this.#options;
    const beside = folder.pathBeside(name);
    // Where the engine is lost from here on, the stream does not go on from this file either.
    kept.keptMs = (await kept.stream.snapshot(beside)).lastMs;
    try {
      const old = await folder.takePlace(name, beside);
      if (old === null) return;
      const became = old.setAside ? `is now ${old.before}` : `is gone, since ${old.before} holds more`;
      this.#warn(name, `its earlier saved memory was not resumed; that file ${became}.`);
    } catch (error) {
      kept.keptMs = null;
      throw error;
    }
  }

  #tellOfFailure(kept: Kept, error: YocoError): void {
    if (kept.failing || this.#closed || NO_FAULT.includes(error.code)) return;
    kept.failing = true;
    this.#warn(kept.stream.name, `its memory could not be saved: ${why(error)} Retrying.`, error.code);
  }

  /** Writes all of them a last time, within `limitMs`. */
  async close(limitMs: number = KEEP_AT_END_MS): Promise<void> {
    const all = [...this.#kept];
    for (const [, { timer }] of all) clearInterval(timer);
    const end = performance.now() + limitMs;
    for (const [name, kept] of all) {
      const newestMs = kept.stream.status().lastMs;
      // Where it fails now for the first time the log has just heard of it.
      const toldLongAgo = kept.failing;
      // What is begun too late would be given up.
      const over = performance.now() < end ? await isOverBy(end, this.write(name)) : !isNewer(kept);
      if (!over) this.#warn(name, 'its memory could not be saved in time; the file is unchanged.');
      else if (
        newestMs !== null &&
        kept.failing === toldLongAgo &&
        this.#kept.has(name) &&
        (kept.keptMs ?? -1) < newestMs
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

/** Whether a stream holds what was not written to its file. */
function isNewer({ stream, keptMs }: Kept): boolean {
  const { lastMs } = stream.status();
  return lastMs !== null && (keptMs === null || lastMs > keptMs);
}

/** An error nobody expected says nothing by itself. */
function why({ code, message, cause }: YocoError): string {
  return code === 'internal' ? `${message} (${String(cause)})` : message;
}

/** Whether something is over by a time of `performance.now`. */
async function isOverBy(end: number, something: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, end - performance.now()), false as const);
  });
  const over = await Promise.race([something.then(() => true), late]);
  clearTimeout(timer);
  return over;
}
