/** One run of ffmpeg: a source in, sampled pictures with their times out. */
import { Writable } from 'node:stream';
import { YocoError } from '../errors.ts';
import {
  buildCommand,
  type FfmpegCommand,
  type FfmpegCommandOptions,
  pidOf,
  signalCommand,
  SLOT_TOLERANCE_MS,
} from './ffmpeg-command.ts';
import { truncationErrorOf, errorFromStderr } from './ffmpeg-errors.ts';
import { PictureTimes } from './picture-times.ts';
import { redact } from './redact.ts';

/** What ffmpeg reports about its input before the first frame. */
export interface InputInfo {
  /** ffmpeg's name for the container, such as `hls` or `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  /** null when unknown, as for anything live. */
  readonly durationMs: number | null;
}

export interface FfmpegJob extends FfmpegCommandOptions {
  readonly onInput?: (info: InputInfo) => void;
  /**
   * Called for each picture in order. `rgb` has `imageSize * imageSize * 3` bytes and belongs to the callee; `ptsMs` is
   * the source's timestamp, ms, or null if it has none. ffmpeg is held back until the promise resolves, and ended if it
   * rejects.
   */
  readonly onFrame: (rgb: Uint8Array, ptsMs: number | null) => Promise<void>;
}

export interface FfmpegResult {
  readonly frames: number;
  /** Why ffmpeg failed or `onFrame` rejected; null when the input ended or ffmpeg was stopped. */
  readonly error: YocoError | null;
  /** A sign that the input ended early, even if ffmpeg did not fail; null when there is none or ffmpeg was stopped. */
  readonly truncationError: YocoError | null;
}

/** ffmpeg has this long to exit after SIGTERM, ms, before it is killed. */
const KILL_AFTER_MS = 2_000;
/**
 * A process that still exists this long after SIGKILL, ms, is left behind: it is held by the system, as on a disk that
 * no longer answers.
 */
const ABANDON_AFTER_MS = 3_000;
const MAX_STDERR_LINES = 60;

/** Running commands. This process kills them when it exits, since the signal that ends it does not reach them. */
const runningCommands = new Set<FfmpegCommand>();
process.on('exit', () => {
  for (const command of runningCommands) signalCommand(command, 'SIGKILL');
});

/** Newer versions detect raw MJPEG as a sequence of JPEG pictures, which they read in the same way. */
const FORMAT_ALIASES: Readonly<Record<string, string>> = { jpeg_pipe: 'mjpeg' };
/** ffmpeg names the detected format only in front of the message, which then lists the entire whitelist. */
const NOT_ON_WHITELIST = /^\[(\S+) @ 0x[0-9a-f]+\] Format not on whitelist.*$/i;
/** The description of the input, whose name and metadata may read like an error. */
const INPUT_DUMP = /^(?: {2}|Input #)/;
const DURATION = /^ {2}Duration: (?:N\/A|(\d+):(\d+):([\d.]+))(?:, start: (-?[\d.]+))?/;

/** ms; null when unknown or 0, as for a live FLV. */
function durationOf(format: string, [, hours, minutes, seconds, start]: RegExpExecArray): number | null {
  // Matroska states its end time, not its length.
  const before = format.startsWith('matroska') ? Number(start ?? 0) : 0;
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) - before) * 1000;
  return ms > 0 ? ms : null;
}

export class FfmpegRun {
  /** Resolves when ffmpeg has exited and the last picture was taken; never rejects. */
  readonly done: Promise<FfmpegResult>;
  readonly #job: FfmpegJob;
  readonly #command: FfmpegCommand;
  readonly #times = new PictureTimes();
  readonly #stderrLines: string[] = [];
  #truncationError: YocoError | null = null;
  readonly #stop = new AbortController();
  #cancelWait: (() => void) | null = null;
  /** Ends the run although its process goes on. */
  #abandon: (() => void) | null = null;
  #picture: Buffer;
  #filled = 0;
  #frames = 0;
  #firstPtsMs: number | null = null;
  /** Slot of the last delivered picture; null before the first one, and when that picture has no timestamp. */
  #slot: number | null = null;
  #format = '';

  constructor(job: FfmpegJob) {
    this.#job = job;
    this.#picture = this.#emptyPicture();
    this.#command = buildCommand(job);
    this.done = this.#run();
  }

  /** Undefined when no process was started. */
  get pid(): number | undefined {
    return pidOf(this.#command);
  }

  /**
   * Sends SIGTERM, then SIGKILL; resolves when the process is gone, or cannot be ended. Pictures not yet taken are
   * discarded.
   */
  async stop(): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      this.#cancelWait?.();
      this.#signal('SIGTERM');
    }
    const killTimer = setTimeout(() => {
      this.#signal('SIGKILL');
    }, KILL_AFTER_MS);
    const abandonTimer = setTimeout(() => this.#abandon?.(), KILL_AFTER_MS + ABANDON_AFTER_MS);
    await this.done;
    clearTimeout(killTimer);
    clearTimeout(abandonTimer);
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    // Once the process is gone, the system may give its id to another.
    if (runningCommands.has(this.#command)) signalCommand(this.#command, signal);
  }

  async #run(): Promise<FfmpegResult> {
    // On 'close' fluent-ffmpeg would kill a process that is about to exit by itself, hence no automatic destruction.
    const sink = new Writable({
      autoDestroy: false,
      emitClose: false,
      write: (chunk: Buffer, _encoding, done) => {
        this.#consumeChunk(chunk).then(() => {
          done();
        }, done);
      },
    });
    const sinkDone = new Promise<Error | null>((resolve) => {
      sink.once('finish', () => {
        resolve(null);
      });
      sink.once('error', (error) => {
        this.#signal('SIGKILL');
        resolve(error);
      });
    });
    let pid: number | undefined;
    const hasSpawned = (): boolean => pid !== undefined;
    const failure = await new Promise<Error | null>((resolve) => {
      this.#abandon = () => {
        resolve(null);
      };
      this.#command
        .on('start', () => {
          pid = pidOf(this.#command);
          runningCommands.add(this.#command);
          if (this.#stop.signal.aborted) this.#signal('SIGTERM');
        })
        .on('stderr', (line: string) => {
          this.#onStderrLine(line);
        })
        .on('error', resolve)
        .on('end', () => {
          resolve(null);
        });
      this.#command.pipe(sink, { end: true });
    });
    runningCommands.delete(this.#command);
    this.#times.end();
    const didSpawn = hasSpawned();
    // Of a stopped run nothing more is wanted, and what an abandoned process holds never ends.
    const sinkError = didSpawn && !this.#stop.signal.aborted ? await sinkDone : null;
    if (this.#stop.signal.aborted) return { frames: this.#frames, error: null, truncationError: null };
    const error =
      sinkError !== null ? YocoError.from(sinkError) : failure !== null ? this.#errorOf(failure, didSpawn) : null;
    return { frames: this.#frames, error, truncationError: this.#truncationError };
  }

  #errorOf(failure: Error, didSpawn: boolean): YocoError {
    const { kind, secrets } = this.#job.input;
    if (!didSpawn) return new YocoError('ffmpeg_missing', { detail: redact(failure.message, secrets) });
    const signal = /^ffmpeg was killed with signal (\w+)$/.exec(failure.message)?.[1];
    if (signal !== undefined) return new YocoError('ffmpeg_failed', { detail: `It was killed by ${signal}.` });
    return errorFromStderr(this.#stderrLines, kind, secrets);
  }

  #onStderrLine(line: string): void {
    if (this.#times.parseLine(line)) return;
    const format = /^Input #0, (.+), from '/.exec(line)?.[1];
    if (format !== undefined) this.#format = FORMAT_ALIASES[format] ?? format;
    const duration = DURATION.exec(line);
    if (duration !== null) {
      const durationMs = durationOf(this.#format, duration);
      this.#job.onInput?.({ format: this.#format, durationMs });
    }
    if (line.trim() === '' || /^Last message repeated/.test(line.trim()) || INPUT_DUMP.test(line)) return;
    this.#truncationError ??= truncationErrorOf(line, this.#job.input.secrets);
    this.#stderrLines.push(line.replace(NOT_ON_WHITELIST, 'Format $1 not on whitelist'));
    if (this.#stderrLines.length > MAX_STDERR_LINES) this.#stderrLines.shift();
  }

  /** Splits the bytes of stdout into pictures. */
  async #consumeChunk(chunk: Buffer): Promise<void> {
    let offset = 0;
    while (offset < chunk.length && !this.#stop.signal.aborted) {
      const copied = chunk.copy(this.#picture, this.#filled, offset);
      offset += copied;
      this.#filled += copied;
      if (this.#filled === this.#picture.length) await this.#deliver();
    }
  }

  async #deliver(): Promise<void> {
    const rgb = this.#picture;
    this.#picture = this.#emptyPicture();
    this.#filled = 0;
    const time = await this.#unlessStopped(this.#times.next());
    if (time === undefined) return;
    const { ptsMs, startsFilterGraph } = time;
    const slot = this.#slotOf(ptsMs);
    if (startsFilterGraph && slot !== null && slot === this.#slot) return;
    this.#slot = slot;
    this.#frames += 1;
    await this.#unlessStopped(this.#job.onFrame(rgb, ptsMs));
  }

  /** The slot of 1/fps seconds that contains a picture, counted as the filter does. */
  #slotOf(ptsMs: number | null): number | null {
    if (ptsMs === null) return null;
    this.#firstPtsMs ??= ptsMs;
    return Math.floor(((ptsMs - this.#firstPtsMs + SLOT_TOLERANCE_MS) * this.#job.fps) / 1000);
  }

  /**
   * Resolves to undefined on stop. Not `Promise.race` with a shared stop promise: each race would stay registered on it
   * for as long as ffmpeg runs.
   */
  #unlessStopped<T>(waiting: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#cancelWait = () => {
        resolve(undefined);
      };
      waiting.then(resolve, reject);
    });
  }

  #emptyPicture(): Buffer {
    // Not from Node's shared pool, since the picture may be kept and passed on.
    return Buffer.from(new ArrayBuffer(this.#job.imageSize ** 2 * 3));
  }
}
