/** One run of ffmpeg: a source in, sampled pictures with their times out. The only file that knows fluent-ffmpeg. */
import { Writable } from 'node:stream';
import ffmpeg from 'fluent-ffmpeg';
import { YocoError } from '../errors.ts';
import type { FfmpegBinary } from './ffmpeg-binary.ts';
import { cutShortOf, errorOfFfmpeg } from './ffmpeg-errors.ts';
import type { FfmpegInput } from './ffmpeg-input.ts';
import { redact } from './redact.ts';
import { regionFilters, type Regions } from './regions.ts';

/** What ffmpeg found out about its input, before the first frame. */
export interface InputInfo {
  /** ffmpeg's name of the container, such as `hls` or `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  /** null: unknown, as for anything live. */
  readonly durationMs: number | null;
}

export interface FfmpegJob {
  readonly binary: FfmpegBinary;
  readonly input: FfmpegInput;
  /** Width and height of the pictures, pixels. */
  readonly imageSize: number;
  /** Pictures a second at most. */
  readonly fps: number;
  /** What of them is watched; default: all. */
  readonly regions?: Regions;
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
/** Containers such as Matroska round their times to it. */
const SLOT_TOLERANCE_MS = 1;

/** Those that run. This process takes them with it, since the signal that ends it does not reach them. */
const running = new Set<ffmpeg.FfmpegCommand>();
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
  readonly #command: ffmpeg.FfmpegCommand;
  readonly #times = new FrameTimes();
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
          pid = processOf(this.#command)?.pid;
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
    if (signal !== undefined) return new YocoError('ffmpeg_failed', { detail: `It was ended by ${signal}.` });
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

interface FrameTime {
  /** null: it has none. */
  readonly ptsMs: number | null;
  /**
   * Whether it is the first one from its filters. Where the size or format of the pictures changes ffmpeg makes its
   * filters anew, which take the first picture whenever the one before it came.
   */
  readonly beginsFilters: boolean;
}

/** The times of the pictures, which `showinfo` writes to stderr in the order of the pictures on stdout. */
class FrameTimes {
  readonly #times: FrameTime[] = [];
  #filtersBegin = false;
  #msPerTick: number | null = null;
  #wake: (() => void) | null = null;
  #ended = false;

  /** True when the line was showinfo's. Another thread may write into the line, so it is looked for anywhere in it. */
  hear(line: string): boolean {
    const timeBase = /config in time_base: (\d+)\/(\d+)/.exec(line);
    if (timeBase !== null) {
      this.#msPerTick = (Number(timeBase[1]) / Number(timeBase[2])) * 1000;
      this.#filtersBegin = true;
    }
    // Two spaces begin the dump of the input, whose metadata anybody may have written.
    const found = line.startsWith('  ') ? [] : [...line.matchAll(/n: *\d+ pts: *(-?\d+|NOPTS) +pts_time:(\S+)/g)];
    for (const [, pts = 'NOPTS', seconds = ''] of found) {
      // pts_time has six digits only, which after a day no longer tell seconds apart.
      const time = this.#msPerTick === null ? Number(seconds) * 1000 : Number(pts) * this.#msPerTick;
      this.#times.push({ ptsMs: Number.isFinite(time) ? time : null, beginsFilters: this.#filtersBegin });
      this.#filtersBegin = false;
    }
    if (found.length > 0) this.#wake?.();
    return line.includes('Parsed_showinfo') || found.length > 0;
  }

  /** Time of the next picture. */
  async next(): Promise<FrameTime> {
    while (this.#times.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#times.shift() ?? { ptsMs: null, beginsFilters: false };
  }

  /** No line comes any more. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}

/**
 * ffmpeg takes no larger block of memory: a packet or a picture of an endless one would grow to gigabytes. A picture of
 * 8K has 50 MB.
 */
const LARGEST_BLOCK = 2 ** 28;

function buildCommand({ binary, input, imageSize, fps, regions }: FfmpegJob): ffmpeg.FfmpegCommand {
  const [major, minor] = binary.libavformat;
  const hasFpsMode = major > 59 || (major === 59 && minor >= 27);
  // A frame is taken when it is the first in its slot of 1/fps seconds: exact on average, nothing is duplicated.
  const slot = (time: string): string => `floor((${time}-start_t+${SLOT_TOLERANCE_MS / 1000})*${fps})`;
  const filters = [
    `select=1-eq(${slot('t')}\\,${slot('prev_selected_t')})`,
    ...(regions === undefined ? [] : regionFilters(regions)),
    `scale=${imageSize}:${imageSize}:flags=bicubic+accurate_rnd+full_chroma_int`,
    'format=rgb24',
    'showinfo',
  ];
  const command = ffmpeg()
    .input(input.address)
    .inputOptions('-nostdin', '-hide_banner', '-nostats', '-loglevel', 'info', '-max_alloc', String(LARGEST_BLOCK))
    .inputOptions(...input.optionsFor(binary))
    .outputOptions(
      // V: a video track, but not the cover of a song.
      ...['-map', '0:V:0', '-an', '-sn', '-dn', '-map_metadata', '-1'],
      ...['-filter:v', filters.join(','), hasFpsMode ? '-fps_mode' : '-vsync', 'passthrough'],
      ...['-f', 'rawvideo', '-flush_packets', '1'],
    );
  withoutProbes(command);
  tellingOfFailedStarts(command);
  outOfOurGroup(command);
  // fluent-ffmpeg keeps the path for all commands together; it is read when the command is run, right after this.
  return command.setFfmpegPath(binary.path);
}

type Ended = (error: Error | null, stdout?: { get(): string }, stderr?: { get(): string }) => void;

interface CommandInternals {
  ffmpegProc?: { readonly pid?: number };
  _spawnFfmpeg: (args: string[], options: object, started: (...of: unknown[]) => void, ended: Ended) => void;
  _checkCapabilities: (done: (error: Error | null) => void) => void;
  availableEncoders: (done: (error: Error | null, encoders: object) => void) => void;
}

/**
 * fluent-ffmpeg would first run ffmpeg several times to ask for its formats and codecs. The command needs none but what
 * every ffmpeg has, and the lists of ffmpeg 7 are misread (it finds no v4l2 in them).
 */
function withoutProbes(command: ffmpeg.FfmpegCommand): void {
  const internals = command as unknown as CommandInternals;
  internals._checkCapabilities = (done) => {
    done(null);
  };
  internals.availableEncoders = (done) => {
    done(null, {});
  };
}

/**
 * Where no process can be started fluent-ffmpeg would ask for its output, of which there is none, or for its pipes, and
 * throw where nobody can catch it.
 */
function tellingOfFailedStarts(command: ffmpeg.FfmpegCommand): void {
  const internals = command as unknown as CommandInternals;
  const spawn = internals._spawnFfmpeg.bind(command);
  const nothing = { get: () => '' };
  internals._spawnFfmpeg = (args, options, started, ended) => {
    const tell: Ended = (error, stdout = nothing, stderr = nothing) => {
      ended(error, stdout, stderr);
    };
    try {
      spawn(args, options, started, tell);
    } catch (error) {
      // Why there are no pipes is told first, if it is; of two ends the first counts.
      setImmediate(tell, error instanceof Error ? error : new Error(String(error)));
    }
  };
}

/**
 * A Ctrl-C in a terminal goes to all of a process group, and would end ffmpeg while what is in progress may still be
 * done. On Windows such a process would get a console of its own.
 */
function outOfOurGroup(command: ffmpeg.FfmpegCommand): void {
  const internals = command as unknown as CommandInternals;
  const spawn = internals._spawnFfmpeg.bind(command);
  internals._spawnFfmpeg = (args, options, started, ended) => {
    spawn(args, { ...options, detached: process.platform !== 'win32' }, started, ended);
  };
}

function processOf(command: ffmpeg.FfmpegCommand): CommandInternals['ffmpegProc'] {
  return (command as unknown as CommandInternals).ffmpegProc;
}
