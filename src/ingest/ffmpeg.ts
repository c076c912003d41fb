/** One run of ffmpeg: a source in, sampled pictures with their times out. */
import { Writable } from 'node:stream';
import { YocoError } from '../errors.ts';
import {
  buildCommand,
  type FfmpegCommand,
  type FfmpegCommandOptions,
  pidOf,
  SLOT_TOLERANCE_MS,
} from './ffmpeg-command.ts';
import { cutShortOf, errorOfFfmpeg } from './ffmpeg-errors.ts';
import { PictureTimes } from './picture-times.ts';
import { redact } from './redact.ts';

/** What ffmpeg found out about its input, before the first frame. */
export interface InputInfo {
  /** ffmpeg's name of the container, such as `hls` or `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  /** null: unknown, as for anything live. */
  readonly durationMs: number | null;
}

export interface FfmpegJob extends FfmpegCommandOptions {
  readonly onInput?: (info: InputInfo) => void;
  /**
   * Called for each picture in order: `imageSize * imageSize * 3` bytes of RGB that belong to the callee, and the time
   * of the source in ms, or null where it has none. ffmpeg is held back until the promise resolves, and ended where it
   * rejects.
   */
  readonly onFrame: (rgb: Uint8Array, ptsMs: number | null) => Promise<void>;
}

export interface FfmpegResult {
  readonly frames: number;
  /** Why ffmpeg failed, or a picture was not taken; null when it reached the end or was stopped. */
  readonly error: YocoError | null;
  /**
   * What tells that the input ended before its end, though ffmpeg did not fail; null when nothing does, or it was
   * stopped.
   */
  readonly cutShort: YocoError | null;
}

/** After SIGTERM ffmpeg has this long to leave, ms, before it is killed. */
const KILL_AFTER_MS = 2_000;
const KEPT_LINES = 60;

/** Those that run. This process takes them with it, since the signal that ends it does not reach them. */
const running = new Set<FfmpegCommand>();
process.on('exit', () => {
  for (const command of running) command.kill('SIGKILL');
});

/** Raw MJPEG is recognised by newer versions as pictures in a row, which are read in the same way. */
const SAME_FORMAT: Readonly<Record<string, string>> = { jpeg_pipe: 'mjpeg' };
/** ffmpeg names the format that it has recognised only before the message, and then the whole list. */
const NOT_ON_WHITELIST = /^\[(\S+) @ 0x[0-9a-f]+\] Format not on whitelist.*$/i;
const DURATION = /^ {2}Duration: (?:N\/A|(\d+):(\d+):([\d.]+))(?:, start: (-?[\d.]+))?/;

/** ms; null where it is unknown, or 0, as that of a live FLV is. */
function durationOf(format: string, [, hours, minutes, seconds, start]: RegExpExecArray): number | null {
  // Matroska does not say how long it is, but when it ends.
  const before = format.startsWith('matroska') ? Number(start ?? 0) : 0;
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) - before) * 1000;
  return ms > 0 ? ms : null;
}

export class FfmpegRun {
  /** Resolves when ffmpeg is gone and the last picture was taken; never rejects. */
  readonly done: Promise<FfmpegResult>;
  readonly #job: FfmpegJob;
  readonly #command: FfmpegCommand;
  readonly #times = new PictureTimes();
  readonly #lines: string[] = [];
  #cutShort: YocoError | null = null;
  readonly #stop = new AbortController();
  #release: (() => void) | null = null;
  #picture: Buffer;
  #filled = 0;
  #frames = 0;
  #firstPtsMs: number | null = null;
  /** Slot of the newest picture that was delivered; null before the first, and where it has no time. */
  #slot: number | null = null;
  #format = '';

  constructor(job: FfmpegJob) {
    this.#job = job;
    this.#picture = this.#emptyPicture();
    this.#command = buildCommand(job);
    this.done = this.#run();
  }

  /** Undefined where it was not started. */
  get pid(): number | undefined {
    return pidOf(this.#command);
  }

  /** SIGTERM, then SIGKILL; resolves when the process is gone. Pictures that were not taken yet are discarded. */
  async stop(): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      this.#release?.();
      this.#command.kill('SIGTERM');
    }
    const timer = setTimeout(() => this.#command.kill('SIGKILL'), KILL_AFTER_MS);
    await this.done;
    clearTimeout(timer);
  }

  async #run(): Promise<FfmpegResult> {
    // 'close' would make fluent-ffmpeg kill a process that is about to leave by itself, hence no automatic destruction.
    const sink = new Writable({
      autoDestroy: false,
      emitClose: false,
      write: (chunk: Buffer, _encoding, done) => {
        this.#take(chunk).then(() => {
          done();
        }, done);
      },
    });
    const read = new Promise<Error | null>((resolve) => {
      sink.once('finish', () => {
        resolve(null);
      });
      // fluent-ffmpeg kills the process then.
      sink.once('error', resolve);
    });
    let pid: number | undefined;
    const spawned = (): boolean => pid !== undefined;
    const failure = await new Promise<Error | null>((resolve) => {
      this.#command
        .on('start', () => {
          pid = pidOf(this.#command);
          running.add(this.#command);
          if (this.#stop.signal.aborted) this.#command.kill('SIGTERM');
        })
        .on('stderr', (line: string) => {
          this.#hear(line);
        })
        .on('error', resolve)
        .on('end', () => {
          resolve(null);
        });
      this.#command.pipe(sink, { end: true });
    });
    running.delete(this.#command);
    this.#times.end();
    const ran = spawned();
    const refused = ran ? await read : null;
    if (this.#stop.signal.aborted) return { frames: this.#frames, error: null, cutShort: null };
    const error = refused !== null ? YocoError.from(refused) : failure !== null ? this.#errorOf(failure, ran) : null;
    return { frames: this.#frames, error, cutShort: this.#cutShort };
  }

  #errorOf(failure: Error, ran: boolean): YocoError {
    const { kind, secrets } = this.#job.input;
    if (!ran) return new YocoError('ffmpeg_missing', { detail: redact(failure.message, secrets) });
    const signal = /^ffmpeg was killed with signal (\w+)$/.exec(failure.message)?.[1];
    if (signal !== undefined) return new YocoError('ffmpeg_failed', { detail: `It was killed by ${signal}.` });
    return errorOfFfmpeg(this.#lines, kind, secrets);
  }

  #hear(line: string): void {
    if (this.#times.hear(line)) return;
    const format = /^Input #0, (.+), from '/.exec(line)?.[1];
    if (format !== undefined) this.#format = SAME_FORMAT[format] ?? format;
    const duration = DURATION.exec(line);
    if (duration !== null) {
      const durationMs = durationOf(this.#format, duration);
      this.#job.onInput?.({ format: this.#format, durationMs });
    }
    if (line.trim() === '' || /^Last message repeated/.test(line.trim())) return;
    this.#cutShort ??= cutShortOf(line, this.#job.input.secrets);
    this.#lines.push(line.replace(NOT_ON_WHITELIST, 'Format $1 not on whitelist'));
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
  }

  /** Cuts the bytes of stdout into pictures. */
  async #take(chunk: Buffer): Promise<void> {
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
    const { ptsMs, beginsFilters } = time;
    const slot = this.#slotOf(ptsMs);
    if (beginsFilters && slot !== null && slot === this.#slot) return;
    this.#slot = slot;
    this.#frames += 1;
    await this.#unlessStopped(this.#job.onFrame(rgb, ptsMs));
  }

  /** The slot of 1/fps seconds that a picture lies in, as the filter counts them. */
  #slotOf(ptsMs: number | null): number | null {
    if (ptsMs === null) return null;
    this.#firstPtsMs ??= ptsMs;
    return Math.floor(((ptsMs - this.#firstPtsMs + SLOT_TOLERANCE_MS) * this.#job.fps) / 1000);
  }

  /**
   * Not `Promise.race` with one promise for the stop: each race would stay registered there for as long as ffmpeg runs.
   */
  #unlessStopped<T>(waiting: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#release = () => {
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
