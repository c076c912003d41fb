/**
 * The server's side of the engine: starts the engine process, watches it, and restarts it when it dies or hangs. Work
 * in progress then fails with `engine_restarted`. Streams are reopened before new frames go in, either empty or from a
 * file.
 */
import { EventEmitter } from 'node:events';
import { YocoError } from '../errors.ts';
import { systemReason } from '../system-code.ts';
import { EngineProcess, type EngineProcessOptions, type ForwardedMessage } from './engine-process.ts';
import { type PendingRequest, PendingRequests } from './pending-requests.ts';
import {
  type AnswerListener,
  type StreamSizes,
  type AskRequest,
  type CacheLimits,
  type EngineTimes,
  type LoadedBundle,
  NO_TIMES,
  type RestoredStream,
  type SnapshotFacts,
  type SnapshotSummary,
  type ToEngine,
} from './protocol.ts';

export interface EngineOptions extends EngineProcessOptions {
  /** A process that served for longer than this resets the restart backoff. */
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

/** What a lost process left undone, where the error code does not say it. */
const LOST_DETAIL: Partial<Record<PendingRequest['kind'], string>> = {
  snapshot: 'Look whether the snapshot was written.',
  restore: 'The stream was not restored.',
};

interface EngineEvents {
  progress: [share: number];
  ready: [bundle: LoadedBundle];
  /** The process is gone, and with it every stream's cache. */
  lost: [reason: string];
  /** After a restart, a stream was restored from its file. */
  resumed: [stream: string, restored: RestoredStream];
  /** After a restart, a stream's file could not be used; the stream continues empty. */
  resumeFailed: [stream: string, error: YocoError];
}

export class Engine extends EventEmitter<EngineEvents> {
  readonly #options: EngineOptions;
  readonly #pending = new PendingRequests();
  readonly #streams = new Map<string, CacheLimits>();
  /** Files from which streams are restored after a restart; the other streams start empty. */
  readonly #resumeFiles = new Map<string, string>();
  /** Streams that are being restored after a restart, and are not open yet. */
  readonly #restoring = new Set<string>();
  /** Whether this process restored streams from such files. */
  #hasResumed = false;
  /** Undefined after a loss, until the next start. */
  #process: EngineProcess | undefined;
  #bundle: LoadedBundle | undefined;
  #ready = false;
  #closing = false;
  #failures = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #losses = 0;

  private constructor(options: EngineOptions) {
    super();
    this.setMaxListeners(0);
    this.#options = options;
  }

  /** Starts the process and loads the bundle. Rejects with the loading error: a retry would not repair a bundle. */
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
      // Later processes load, too, but no caller of `start` waits for them.
      if (onProgress !== undefined) engine.off('progress', onProgress);
    }
    return engine;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Metadata of the bundle; available once `start` has resolved. */
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

  /** Number of losses of a process that had loaded the bundle. */
  get losses(): number {
    return this.#losses;
  }

  get rssBytes(): number {
    return this.#process?.rssBytes ?? 0;
  }

  open(stream: string, limits: CacheLimits): void {
    this.#streams.set(stream, limits);
    // A process that is still loading is told of all streams once it has loaded.
    if (this.#ready) this.#send({ type: 'open', stream, ...limits });
  }

  closeStream(stream: string): void {
    this.#streams.delete(stream);
    this.#resumeFiles.delete(stream);
    this.#restoring.delete(stream);
    this.#send({ type: 'close', stream });
    this.#pending.fail(
      (request) => request.kind === 'restore' && request.stream === stream,
      () => new YocoError('stream_deleted'),
    );
  }

  /**
   * Sets the snapshot file from which an open stream is restored when a lost process is restarted; null: it starts
   * empty. Files are not used after a process was killed for its memory, nor after one that had such files was lost
   * within `stableMs`: the next process would end the same way.
   */
  resumeFrom(stream: string, file: string | null): void {
    if (file === null) this.#resumeFiles.delete(stream);
    else if (this.#streams.has(stream)) this.#resumeFiles.set(stream, file);
  }

  /** Whether the engine takes a stream's frames and questions: it is ready, and it is not restoring the stream. */
  accepts(stream: string): boolean {
    return this.ready && !this.#restoring.has(stream);
  }

  /**
   * Resolves when the frame is in the cache. Rejects with `engine_unavailable`, `engine_restarted`, `shutting_down`,
   * `stream_not_found` or `stream_deleted`, and with `internal` if the frame could not be taken in.
   */
  append(stream: string, timeMs: number, rgb: Uint8Array): Promise<StreamSizes> {
    if (!this.accepts(stream)) return Promise.reject(new YocoError('engine_unavailable'));
    return new Promise((resolve, reject) => {
      const id = this.#pending.add({ kind: 'frame', resolve, reject });
      this.#send({ type: 'frame', id, stream, timeMs, rgb });
    });
  }

  /**
   * Writes a snapshot of a stream to the path `file`. Rejects with the errors of `Snapshots.write`, and with
   * `engine_unavailable`, `engine_restarted` or `shutting_down`.
   */
  snapshot(stream: string, file: string, facts: SnapshotFacts): Promise<SnapshotSummary> {
    if (!this.accepts(stream)) return Promise.reject(new YocoError('engine_unavailable'));
    return new Promise((resolve, reject) => {
      const id = this.#pending.add({ kind: 'snapshot', resolve, reject });
      this.#send({ type: 'snapshot', id, stream, file, ...facts });
    });
  }

  /**
   * Opens a stream from a snapshot instead of `open`. Rejects with the errors of `Snapshots.restore`, with
   * `engine_unavailable` or `engine_restarted`, and with `stream_deleted` once the stream is closed; it is then not
   * open.
   */
  restore(stream: string, file: string, limits: CacheLimits): Promise<RestoredStream> {
    if (!this.#ready) return Promise.reject(new YocoError('engine_unavailable'));
    return new Promise((resolve, reject) => {
      const done = (result: RestoredStream): void => {
        // From now on a stream like any other, which is reopened after a restart.
        this.#streams.set(stream, limits);
        resolve(result);
      };
      const id = this.#pending.add({ kind: 'restore', stream, resolve: done, reject });
      this.#send({ type: 'restore', id, stream, file, ...limits });
    });
  }

  /** Starts an answer and returns the function that cancels it. */
  ask(request: AskRequest, listener: AnswerListener): () => void {
    if (!this.#ready || request.streams.some(({ name }) => this.#restoring.has(name))) {
      queueMicrotask(() => {
        listener.failed(new YocoError(this.#closing ? 'shutting_down' : 'engine_unavailable'));
      });
      return () => undefined;
    }
    const id = this.#pending.add({ kind: 'answer', listener });
    this.#send({ type: 'ask', id, request });
    return () => {
      if (this.#pending.has(id)) this.#send({ type: 'cancel', id });
    };
  }

  /** Ends the process; work in progress fails with `shutting_down`. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#ready = false;
    clearTimeout(this.#restartTimer);
    await this.#process?.stop();
  }

  #send(message: ToEngine): void {
    this.#process?.send(message);
  }

  /** Also rejects if no process can be started; it then has no pid, and `#handleLost` is not called for it. */
  async #spawn(): Promise<void> {
    this.#process = new EngineProcess(this.#options, {
      received: (message) => {
        this.#receive(message);
      },
      ended: (reason) => {
        this.#handleLost(reason);
      },
    });
    await this.#process.loaded;
  }

  #handleLoaded(bundle: LoadedBundle): void {
    this.#bundle = bundle;
    this.#ready = true;
    this.#hasResumed = this.#resumeFiles.size > 0;
    for (const [stream, limits] of this.#streams) this.#reopen(stream, limits);
    this.emit('ready', bundle);
  }

  #reopen(stream: string, limits: CacheLimits): void {
    const [file, engineProcess] = [this.#resumeFiles.get(stream), this.#process];
    if (file === undefined) {
      this.#send({ type: 'open', stream, ...limits });
      return;
    }
    const restoring = this.restore(stream, file, limits);
    this.#restoring.add(stream);
    restoring.then(
      (restored) => {
        this.#restoring.delete(stream);
        this.emit('resumed', stream, restored);
      },
      (error: unknown) => {
        const known = YocoError.from(error);
        // The name may belong to another stream by now. If the process is gone, the next one reopens this stream.
        if (known.code === 'stream_deleted' || this.#process !== engineProcess || this.#closing) return;
        this.#resumeFiles.delete(stream);
        this.#restoring.delete(stream);
        this.#send({ type: 'open', stream, ...limits });
        this.emit('resumeFailed', stream, known);
      },
    );
  }

  #receive(message: ForwardedMessage): void {
    if (message.type === 'progress') this.emit('progress', message.share);
    else if (message.type === 'loaded') this.#handleLoaded(message.bundle);
    else this.#pending.settle(message);
  }

  #handleLost(reason: string): void {
    if (this.#restartTimer !== undefined) return; // the process exited while starting, and its `exit` came first
    const { servedMs, exceedsMemoryLimit = false } = this.#process ?? {};
    this.#ready = false;
    this.#process = undefined;
    this.#restoring.clear();
    const code = this.#closing ? 'shutting_down' : 'engine_restarted';
    this.#pending.fail(
      () => true,
      ({ kind }) => {
        const detail = LOST_DETAIL[kind];
        return new YocoError(code, detail === undefined ? {} : { detail });
      },
    );
    if (this.#closing) return;
    if (servedMs !== undefined) this.#losses++;
    this.emit('lost', reason);
    if (this.#bundle === undefined) return; // it never loaded: `start` has rejected
    const wasStable = servedMs !== undefined && servedMs > this.#options.stableMs;
    if (wasStable) this.#failures = 0;
    if (exceedsMemoryLimit) this.#forgetFiles('the engine would reach its memory limit again');
    else if (this.#hasResumed && !wasStable) this.#forgetFiles('the engine was lost soon after reading them');
    this.#hasResumed = false;
    const [first, longest] = this.#options.backoffMs;
    const wait = Math.min(longest, first * 2 ** this.#failures++);
    this.#options.onWarning(`${reason} Restarting it in ${wait} ms.`);
    this.#restartTimer = setTimeout(() => void this.#restart(), wait);
  }

  /** The next process would end the same way. */
  #forgetFiles(why: string): void {
    if (this.#resumeFiles.size === 0) return;
    this.#resumeFiles.clear();
    this.#options.onWarning(`Kept streams start empty and do not resume from their files, since ${why}.`);
  }

  async #restart(): Promise<void> {
    this.#restartTimer = undefined;
    try {
      await this.#spawn();
    } catch (error) {
      // A process that was started ends in `exit`, which schedules the next one. If none could be started, for lack of
      // processes, files or memory, there is no `exit`.
      if (this.#process?.pid === undefined) {
        const reason = systemReason(error instanceof YocoError ? error.cause : error);
        if (!this.#closing) this.#handleLost(`The engine process cannot be started (${reason}).`);
        return;
      }
      const { code, message, cause } = YocoError.from(error);
      // `exit` reports this one.
      if (code !== 'engine_unavailable') {
        const why = cause instanceof Error ? ` (${cause.message})` : '';
        this.#options.onWarning(`The engine cannot load its bundle: ${message}${why}`);
      }
      this.#process.kill();
    }
  }
}
