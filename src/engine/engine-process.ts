/**
 * One engine process as the server sees it: starts it, talks to it, watches it and stops it. Restarts are in
 * supervisor.ts.
 */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { YocoError } from '../errors.ts';
import type { DeviceName } from '../model/device/device.ts';
import { forkLean } from './child.ts';
import { fromEngineError } from './engine-error.ts';
import { Outbox } from './outbox.ts';
import { type EngineTimes, type FromEngine, NO_TIMES, type ToEngine } from './protocol.ts';

export interface EngineProcessOptions {
  /** Folder of the model bundle. */
  readonly bundle: string;
  /** Threads inside one operator; default: one per core. */
  readonly threads?: number;
  /** Where the caches live and the decoders run; default: `cpu`. */
  readonly device?: DeviceName;
  /** Bytes of caches on a device; default: the model's. */
  readonly deviceBytes?: number;
  /** Limit of answers in progress and waiting, over all streams. */
  readonly maxAnswers: number;
  /** The engine process is killed and restarted when its resident memory exceeds this. */
  readonly memoryLimitBytes: number;
  readonly heartbeatMs: number;
  /** The engine counts as hung after this long without a message. One run takes well under a second. */
  readonly hangMs: number;
  /** The same limit while the bundle loads; progress messages count. */
  readonly loadMs: number;
  readonly onWarning: (message: string) => void;
}

/** Messages passed on to the supervisor. `pong` is handled here, and `load_failed` rejects `loaded`. */
export type ForwardedMessage = Exclude<FromEngine, { type: 'pong' | 'load_failed' }>;

export interface EngineProcessHost {
  received(message: ForwardedMessage): void;
  /** The process is gone; no message follows. Not called if it could not be started. */
  ended(reason: string): void;
}

const STOP_MS = 5_000;
/**
 * If checks are further apart than this many heartbeats, this process itself stalled: it was paused, or its event loop
 * was blocked.
 */
const STALL_HEARTBEATS = 3;
const fromSource = import.meta.url.endsWith('.ts');
const entry = fileURLToPath(new URL(`./process${fromSource ? '.ts' : '.js'}`, import.meta.url));

export class EngineProcess {
  /**
   * Resolves when the bundle is loaded, after the host was told. Rejects with the loading error, or with
   * `engine_unavailable` if the process ended first or could not be started; in the latter case it has no `pid`.
   */
  readonly loaded: Promise<void>;
  readonly #options: EngineProcessOptions;
  readonly #host: EngineProcessHost;
  readonly #child: ChildProcess;
  readonly #outbox: Outbox<ToEngine>;
  readonly #heartbeatTimer: NodeJS.Timeout;
  #ended = false;
  #loadedAt: number | undefined;
  #lastMessageAt = performance.now();
  /** When the last check for a hang ran. */
  #lastCheckAt = this.#lastMessageAt;
  #times = NO_TIMES;
  #rssBytes = 0;
  #exceedsMemoryLimit = false;

  /** Some failures to start a process throw here; the others reject `loaded`. */
  constructor(options: EngineProcessOptions, host: EngineProcessHost) {
    this.#options = options;
    this.#host = host;
    const child = forkLean(entry, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    this.#outbox = new Outbox((messages) => {
      if (child.connected) child.send(messages, () => undefined);
    });
    this.loaded = this.#listen();
    const { bundle, threads = null, device = 'cpu', deviceBytes = null, maxAnswers, heartbeatMs } = options;
    this.send({ type: 'load', bundle, threads, device, deviceBytes, maxAnswers });
    this.#heartbeatTimer = setInterval(() => {
      this.#check();
    }, heartbeatMs);
    this.#heartbeatTimer.unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Since the process started, as of its last heartbeat. */
  get times(): EngineTimes {
    return this.#times;
  }

  get rssBytes(): number {
    return this.#rssBytes;
  }

  /** Time since the bundle was loaded, ms; undefined before that. */
  get servedMs(): number | undefined {
    return this.#loadedAt === undefined ? undefined : performance.now() - this.#loadedAt;
  }

  /** Whether the process is being killed because it exceeds its memory limit. */
  get exceedsMemoryLimit(): boolean {
    return this.#exceedsMemoryLimit;
  }

  send(message: ToEngine): void {
    if (this.#child.connected) this.#outbox.add(message);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Asks the process to end, and kills it if that takes too long; resolves when it is gone. */
  async stop(): Promise<void> {
    clearInterval(this.#heartbeatTimer);
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.send({ type: 'stop' });
    const force = setTimeout(() => {
      this.kill();
    }, STOP_MS);
    await gone;
    clearTimeout(force);
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#child.on('message', (messages) => {
        if (this.#ended) return;
        this.#lastMessageAt = performance.now();
        for (const message of messages as readonly FromEngine[]) {
          if (message.type === 'pong') this.#handlePong(message);
          else if (message.type === 'load_failed') reject(fromEngineError(message.error));
          else {
            if (message.type === 'loaded') this.#loadedAt = performance.now();
            this.#host.received(message);
            if (message.type === 'loaded') resolve();
          }
        }
      });
      this.#child.on('error', (cause) => {
        if (this.pid === undefined) clearInterval(this.#heartbeatTimer); // it never started, so no `exit` follows
        reject(new YocoError('engine_unavailable', { cause }));
      });
      this.#child.on('exit', (code, signal) => {
        const reason = `The engine process ended (${signal ?? `exit code ${code ?? '?'}`}).`;
        this.#ended = true;
        clearInterval(this.#heartbeatTimer);
        reject(new YocoError('engine_unavailable', { detail: reason }));
        this.#host.ended(reason);
      });
    });
  }

  #check(): void {
    const { heartbeatMs, hangMs, loadMs, onWarning } = this.#options;
    const now = performance.now();
    // Messages that arrived while this process stalled are read only after this timer.
    if (now - this.#lastCheckAt > STALL_HEARTBEATS * heartbeatMs) this.#lastMessageAt = now;
    this.#lastCheckAt = now;
    const isLoaded = this.#loadedAt !== undefined;
    if (now - this.#lastMessageAt > (isLoaded ? hangMs : loadMs)) {
      onWarning('The engine stopped responding and is being killed.');
      this.kill();
    } else if (isLoaded) this.send({ type: 'ping' });
  }

  #handlePong({ times, rssBytes }: Extract<FromEngine, { type: 'pong' }>): void {
    this.#times = times;
    this.#rssBytes = rssBytes;
    const { memoryLimitBytes, onWarning } = this.#options;
    if (rssBytes <= memoryLimitBytes) return;
    this.#exceedsMemoryLimit = true;
    onWarning(`The engine holds ${rssBytes} bytes, more than its limit, and is being restarted.`);
    this.kill();
  }
}
