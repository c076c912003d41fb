/**
 * The server's side of the engine: starts the engine process, watches it, and starts it again when it dies or hangs.
 * What was in progress then fails with `engine_restarted`; streams are opened again before new frames go in: empty, or
 * from a file.
 */
import { EventEmitter } from 'node:events';
import { YocoError } from '../errors.ts';
import { systemReason } from '../system-code.ts';
import { fromEngineError } from './engine-error.ts';
import { EngineProcess, type EngineProcessOptions, type Said } from './engine-process.ts';
import {
  type AnswerListener,
  type Appended,
  type AskRequest,
  type CacheLimits,
  type EngineTimes,
  type LoadedBundle,
  NO_TIMES,
  type Restored,
  type SnapshotFacts,
  type SnapshotSummary,
  type ToEngine,
} from './protocol.ts';

export interface EngineOptions extends EngineProcessOptions {
  /**
   * A process that served for longer than this was no failure to start: the pause before the next one is the first
   * again.
   */
  readonly stableMs: number;
  /** First and longest pause before a restart; it doubles with each failure in a row. */
  readonly backoffMs: readonly [number, number];
}

export const ENGINE_DEFAULTS = {
  maxAnswers: 64,
  memoryLimitBytes: 8 * 2 ** 30,
  heartbeatMs: 1_000,
  hangMs: 30_000,
  loadMs: 180_000,
  stableMs: 60_000,
  backoffMs: [500, 30_000] as const,
  onWarning: (): void => undefined,
} satisfies Partial<EngineOptions>;

type Pending =
  | {
      readonly kind: 'frame';
      readonly resolve: (result: Appended) => void;
      readonly reject: (error: YocoError) => void;
    }
  | {
      readonly kind: 'snapshot';
      readonly resolve: (result: SnapshotSummary) => void;
      readonly reject: (error: YocoError) => void;
    }
  | {
      readonly kind: 'restore';
      readonly stream: string;
      readonly resolve: (result: Restored) => void;
      readonly reject: (error: YocoError) => void;
    }
  | { readonly kind: 'answer'; readonly listener: AnswerListener };

/** What a lost process left undone, where it is not plain. */
const LOST_DETAIL: Partial<Record<Pending['kind'], string>> = {
  snapshot: 'No snapshot was written.',
  restore: 'The stream was not restored.',
};

interface EngineEvents {
  progress: [share: number];
  ready: [bundle: LoadedBundle];
  /** The process is gone; every stream's cache went with it. */
  lost: [reason: string];
  /** A stream of the lost process goes on from its file. */
  wentOn: [stream: string, restored: Restored];
  /** Its file could not be used, and it goes on empty. */
  notGoneOn: [stream: string, error: YocoError];
}

export class Engine extends EventEmitter<EngineEvents> {
  readonly #options: EngineOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<string, CacheLimits>();
  /** Paths of the files from which streams go on when the process is started again; the others are then empty. */
  readonly #files = new Map<string, string>();
  /** Streams that are being read from them: not open yet. */
  readonly #reading = new Set<string>();
  /** Whether this process began with such a file. */
  #wentOn = false;
  /** Undefined while there is none, before it is started again. */
  #process: EngineProcess | undefined;
  #bundle: LoadedBundle | undefined;
  #ready = false;
  #closing = false;
  #nextId = 1;
  #failures = 0;
  #restart: NodeJS.Timeout | undefined;
  #losses = 0;

  private constructor(options: EngineOptions) {
    super();
    this.setMaxListeners(0);
    this.#options = options;
  }

  /** Starts the process and loads the bundle. Rejects with the loading error: a bundle does not mend itself. */
  static async start(
    options: Partial<EngineOptions> & Pick<EngineOptions, 'bundle'>,
    onProgress?: (share: number) => void,
  ): Promise<Engine> {
    const engine = new Engine({ ...ENGINE_DEFAULTS, ...options });
    if (onProgress !== undefined) engine.on('progress', onProgress);
    try {
      await engine.#spawn();
    } catch (error) {
      await engine.close();
      throw error;
    } finally {
      // Later processes load, too, and are nobody's start.
      if (onProgress !== undefined) engine.off('progress', onProgress);
    }
    return engine;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** What is known of the bundle; loaded before `start` resolves. */
  get bundle(): LoadedBundle {
    if (this.#bundle === undefined) throw new YocoError('engine_unavailable');
    return this.#bundle;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Since the process started, as of its last heartbeat. */
  get times(): EngineTimes {
    return this.#process?.times ?? NO_TIMES;
  }

  /** How often a process that had loaded the bundle was lost. */
  get losses(): number {
    return this.#losses;
  }

  get rssBytes(): number {
    return this.#process?.rssBytes ?? 0;
  }

  open(stream: string, limits: CacheLimits): void {
    this.#streams.set(stream, limits);
    // While the process starts again it is told of all streams once it has loaded.
    if (this.#ready) this.#send({ type: 'open', stream, ...limits });
  }

  closeStream(stream: string): void {
    this.#streams.delete(stream);
    this.#files.delete(stream);
    this.#reading.delete(stream);
    this.#send({ type: 'close', stream });
    for (const [id, pending] of this.#pending) {
      if (pending.kind !== 'restore' || pending.stream !== stream) continue;
      this.#pending.delete(id);
      pending.reject(new YocoError('stream_deleted'));
    }
  }

  /**
   * Where a stream that is open goes on when a lost process is started again: from the snapshot at this path, in place
   * of empty. Not where the process was ended for its memory, nor where one that began with files was lost within
   * `stableMs`: each would be again. Null: empty.
   */
  goOnFrom(stream: string, file: string | null): void {
    if (file === null) this.#files.delete(stream);
    else if (this.#streams.has(stream)) this.#files.set(stream, file);
  }

  /** Whether the engine takes frames and questions of a stream: it is ready, and does not read the stream's file. */
  takes(stream: string): boolean {
    return this.ready && !this.#reading.has(stream);
  }

  /**
   * Resolves when the frame is in the cache; rejects with `engine_unavailable`, `engine_restarted`, `shutting_down`,
   * `stream_not_found`, `stream_deleted`, and `internal` where it was not taken.
   */
  append(stream: string, timeMs: number, rgb: Uint8Array): Promise<Appended> {
    if (!this.takes(stream)) return Promise.reject(new YocoError('engine_unavailable'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { kind: 'frame', resolve, reject });
      this.#send({ type: 'frame', id, stream, timeMs, rgb });
    });
  }

  /**
   * Writes a snapshot of a stream to `file`, a path. Rejects with what `Snapshots.write` rejects with, and with
   * `engine_unavailable` or `engine_restarted`: then there is no new file of that name.
   */
  snapshot(stream: string, file: string, facts: SnapshotFacts): Promise<SnapshotSummary> {
    if (!this.takes(stream)) return Promise.reject(new YocoError('engine_unavailable'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { kind: 'snapshot', resolve, reject });
      this.#send({ type: 'snapshot', id, stream, file, ...facts });
    });
  }

  /**
   * Opens a stream from a snapshot in place of `open`. Rejects with what `Snapshots.restore` rejects with, with
   * `engine_unavailable` or `engine_restarted`, and with `stream_deleted` once it is closed: then the stream is not
   * open.
   */
  restore(stream: string, file: string, limits: CacheLimits): Promise<Restored> {
    if (!this.#ready) return Promise.reject(new YocoError('engine_unavailable'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const done = (result: Restored): void => {
        // From now on it is a stream like any other: if the engine starts again, it is opened there.
        this.#streams.set(stream, limits);
        resolve(result);
      };
      this.#pending.set(id, { kind: 'restore', stream, resolve: done, reject });
      this.#send({ type: 'restore', id, stream, file, ...limits });
    });
  }

  /** Begins an answer and returns the function that cancels it. */
  ask(request: AskRequest, listener: AnswerListener): () => void {
    if (!this.#ready || request.streams.some(({ name }) => this.#reading.has(name))) {
      queueMicrotask(() => {
        listener.failed(new YocoError(this.#closing ? 'shutting_down' : 'engine_unavailable'));
      });
      return () => undefined;
    }
    const id = this.#nextId++;
    this.#pending.set(id, { kind: 'answer', listener });
    this.#send({ type: 'ask', id, request });
    return () => {
      if (this.#pending.has(id)) this.#send({ type: 'cancel', id });
    };
  }

  /** Ends the process; what is in progress fails with `shutting_down`. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#ready = false;
    clearTimeout(this.#restart);
    await this.#process?.stop();
  }

  #send(message: ToEngine): void {
    this.#process?.send(message);
  }

  /** Rejects, too, where no process can be started; it then has no id, and `#lost` is not called for it. */
  async #spawn(): Promise<void> {
    this.#process = new EngineProcess(this.#options, {
      said: (message) => {
        this.#receive(message);
      },
      ended: (reason) => {
        this.#lost(reason);
      },
    });
    await this.#process.loaded;
  }

  #loaded(bundle: LoadedBundle): void {
    this.#bundle = bundle;
    this.#ready = true;
    this.#wentOn = this.#files.size > 0;
    for (const [stream, limits] of this.#streams) this.#openAgain(stream, limits);
    this.emit('ready', bundle);
  }

  #openAgain(stream: string, limits: CacheLimits): void {
    const [file, reader] = [this.#files.get(stream), this.#process];
    if (file === undefined) {
      this.#send({ type: 'open', stream, ...limits });
      return;
    }
    const reading = this.restore(stream, file, limits);
    this.#reading.add(stream);
    reading.then(
      (restored) => {
        this.#reading.delete(stream);
        this.emit('wentOn', stream, restored);
      },
      (error: unknown) => {
        const known = YocoError.from(error);
        // Another stream may have the name of a closed one by now; a process that is gone is followed by one that opens
        // it.
        if (known.code === 'stream_deleted' || this.#process !== reader || this.#closing) return;
        this.#files.delete(stream);
        this.#reading.delete(stream);
        this.#send({ type: 'open', stream, ...limits });
        this.emit('notGoneOn', stream, known);
      },
    );
  }

  #receive(message: Said): void {
    if (message.type === 'progress') {
      this.emit('progress', message.share);
      return;
    }
    if (message.type === 'loaded') {
      this.#loaded(message.bundle);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if (message.type === 'delta') {
      if (pending.kind === 'answer') pending.listener.delta(message.text);
      return;
    }
    this.#pending.delete(message.id);
    if (message.type === 'failed') this.#fail(pending, fromEngineError(message.error));
    else if (message.type === 'appended' && pending.kind === 'frame') pending.resolve(message.result);
    else if (message.type === 'snapshot_done' && pending.kind === 'snapshot') pending.resolve(message.summary);
    else if (message.type === 'restored' && pending.kind === 'restore') pending.resolve(message.result);
    else if (message.type === 'done' && pending.kind === 'answer') pending.listener.done(message.end);
  }

  #fail(pending: Pending, error: YocoError): void {
    if (pending.kind === 'answer') pending.listener.failed(error);
    else pending.reject(error);
  }

  #lost(reason: string): void {
    if (this.#restart !== undefined) return; // of a process that ended as it was being started its `exit` was heard first
    const { servedMs, isTooLarge = false } = this.#process ?? {};
    this.#ready = false;
    this.#process = undefined;
    this.#reading.clear();
    for (const [id, pending] of [...this.#pending]) {
      this.#pending.delete(id);
      const detail = LOST_DETAIL[pending.kind];
      const details = detail === undefined ? {} : { detail };
      this.#fail(pending, new YocoError(this.#closing ? 'shutting_down' : 'engine_restarted', details));
    }
    if (this.#closing) return;
    if (servedMs !== undefined) this.#losses++;
    this.emit('lost', reason);
    if (this.#bundle === undefined) return; // it never loaded: `start` has rejected
    const wasStable = servedMs !== undefined && servedMs > this.#options.stableMs;
    if (wasStable) this.#failures = 0;
    if (isTooLarge) this.#forgetFiles('the engine would reach its memory limit again');
    else if (this.#wentOn && !wasStable) this.#forgetFiles('the engine was lost soon after reading them');
    this.#wentOn = false;
    const [first, longest] = this.#options.backoffMs;
    const wait = Math.min(longest, first * 2 ** this.#failures++);
    this.#options.onWarning(`${reason} Restarting it in ${wait} ms.`);
    this.#restart = setTimeout(() => void this.#startAgain(), wait);
  }

  /** The next process would come to the same end. */
  #forgetFiles(why: string): void {
    if (this.#files.size === 0) return;
    this.#files.clear();
    this.#options.onWarning(`Kept streams start empty and do not resume from their files, since ${why}.`);
  }

  async #startAgain(): Promise<void> {
    this.#restart = undefined;
    try {
      await this.#spawn();
    } catch (error) {
      // A process that was started ends in `exit`, which sees to the next one. For lack of processes, files or memory
      // there is none.
      if (this.#process?.pid === undefined) {
        const reason = systemReason(error instanceof YocoError ? error.cause : error);
        if (!this.#closing) this.#lost(`The engine process cannot be started (${reason}).`);
        return;
      }
      const { code, message, cause } = YocoError.from(error);
      // Where `exit` came first it is told there.
      if (code !== 'engine_unavailable') {
        const why = cause instanceof Error ? ` (${cause.message})` : '';
        this.#options.onWarning(`The engine cannot load its bundle: ${message}${why}`);
      }
      this.#process.kill();
    }
  }
}
