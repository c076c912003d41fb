/**
 * One process of the engine, as the server's process sees it: started, spoken to, watched, and ended. What is done when
 * it is gone: supervisor.ts.
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
  /** Threads inside one operator; default: one a core. */
  readonly threads?: number;
  /** Where the caches lie and the decoders run; default: `cpu`. */
  readonly device?: DeviceName;
  /** Bytes of caches on a device; default: that of the model. */
  readonly deviceBytes?: number;
  /** Answers in progress and waiting, over all streams. */
  readonly maxAnswers: number;
  /** The engine process is ended and started again when its resident memory passes this. */
  readonly memoryLimitBytes: number;
  readonly heartbeatMs: number;
  /** Without a heartbeat for this long the engine counts as hung. One run takes well under a second. */
  readonly hangMs: number;
  /** A process that has not loaded its bundle after this long counts as hung, too. */
  readonly loadMs: number;
  readonly onWarning: (message: string) => void;
}

/** What it says to its supervisor: not how it is, and not that it could not load, which `loaded` rejects with. */
export type Said = Exclude<FromEngine, { type: 'pong' | 'load_failed' }>;

export interface EngineProcessHost {
  said(message: Said): void;
  /** It is gone, and says nothing any more. Not called for one that could not be started. */
  ended(reason: string): void;
}

const STOP_MS = 5_000;
/**
 * So many heartbeats after the last look at the engine this process itself stood still: it was paused, or its event
 * loop was blocked.
 */
const STOOD_STILL_BEATS = 3;
const fromSource = import.meta.url.endsWith('.ts');
const entry = fileURLToPath(new URL(`./process${fromSource ? '.ts' : '.js'}`, import.meta.url));

export class EngineProcess {
  /**
   * Resolves when the bundle is loaded, after the host has heard it. Rejects with the loading error, and
   * `engine_unavailable` for a process that ended before, or could not be started: then it has no `pid`.
   */
  readonly loaded: Promise<void>;
  readonly #options: EngineProcessOptions;
  readonly #host: EngineProcessHost;
  readonly #child: ChildProcess;
  readonly #outbox: Outbox<ToEngine>;
  readonly #watch: NodeJS.Timeout;
  #ended = false;
  #loadedAt: number | undefined;
  #heardAt = performance.now();
  /** When it was last looked at whether it hangs. */
  #checkedAt = this.#heardAt;
  #times = NO_TIMES;
  #rssBytes = 0;
  #isTooLarge = false;

  /** Throws, too, where no process can be started. */
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
    this.#watch = setInterval(() => {
      this.#check();
    }, heartbeatMs);
    this.#watch.unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Since it started, as of its last heartbeat. */
  get times(): EngineTimes {
    return this.#times;
  }

  get rssBytes(): number {
    return this.#rssBytes;
  }

  /** How long ago it had loaded its bundle, ms; undefined before. */
  get servedMs(): number | undefined {
    return this.#loadedAt === undefined ? undefined : performance.now() - this.#loadedAt;
  }

  /** Whether it is ended for the memory that it holds. */
  get isTooLarge(): boolean {
    return this.#isTooLarge;
  }

  send(message: ToEngine): void {
    if (this.#child.connected) this.#outbox.add(message);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets it end by itself, and kills it if that takes too long; resolves when it is gone. */
  async stop(): Promise<void> {
    clearInterval(this.#watch);
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
        this.#heardAt = performance.now();
        for (const message of messages as readonly FromEngine[]) {
          if (message.type === 'pong') this.#measure(message);
          else if (message.type === 'load_failed') reject(fromEngineError(message.error));
          else {
            if (message.type === 'loaded') this.#loadedAt = performance.now();
            this.#host.said(message);
            if (message.type === 'loaded') resolve();
          }
        }
      });
      this.#child.on('error', (cause) => {
        if (this.pid === undefined) clearInterval(this.#watch); // it was not started, and no `exit` follows
        reject(new YocoError('engine_unavailable', { cause }));
      });
      this.#child.on('exit', (code, signal) => {
        const reason = `The engine process ended (${signal ?? `exit code ${code ?? '?'}`}).`;
        this.#ended = true;
        clearInterval(this.#watch);
        reject(new YocoError('engine_unavailable', { detail: reason }));
        this.#host.ended(reason);
      });
    });
  }

  #check(): void {
    const { heartbeatMs, hangMs, loadMs, onWarning } = this.#options;
    const now = performance.now();
    // What the engine sent while this process stood still is read only after this timer.
    if (now - this.#checkedAt > STOOD_STILL_BEATS * heartbeatMs) this.#heardAt = now;
    this.#checkedAt = now;
    const isLoaded = this.#loadedAt !== undefined;
    if (now - this.#heardAt > (isLoaded ? hangMs : loadMs)) {
      onWarning('The engine stopped responding and is being killed.');
      this.kill();
    } else if (isLoaded) this.send({ type: 'ping' });
  }

  #measure({ times, rssBytes }: Extract<FromEngine, { type: 'pong' }>): void {
    this.#times = times;
    this.#rssBytes = rssBytes;
    const { memoryLimitBytes, onWarning } = this.#options;
    if (rssBytes <= memoryLimitBytes) return;
    this.#isTooLarge = true;
    onWarning(`The engine holds ${rssBytes} bytes, more than its limit, and is being restarted.`);
    this.kill();
  }
}
