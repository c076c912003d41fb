/** Builds the command of one ffmpeg run. The only file that knows fluent-ffmpeg and the workarounds it needs. */
import ffmpeg from 'fluent-ffmpeg';
import type { FfmpegBinary } from './ffmpeg-binary.ts';
import type { FfmpegInput } from './ffmpeg-input.ts';
import { systemCode } from '../system-code.ts';
import { regionFilters, type Regions } from './regions.ts';

export type FfmpegCommand = ffmpeg.FfmpegCommand;

export interface FfmpegCommandOptions {
  readonly binary: FfmpegBinary;
  readonly input: FfmpegInput;
  /** Width and height of the pictures, pixels. */
  readonly imageSize: number;
  /** Maximum number of pictures per second. */
  readonly fps: number;
  /** Which parts of the pictures are watched; default: all. */
  readonly regions?: Regions;
}

/** Containers such as Matroska round timestamps to this unit. */
export const SLOT_TOLERANCE_MS = 1;

/**
 * Largest block of memory that ffmpeg may allocate, bytes: an endless packet or picture would otherwise grow to
 * gigabytes. An 8K picture takes 50 MB.
 */
const MAX_ALLOC_BYTES = 2 ** 28;

/** The command writes raw RGB to stdout, and the pictures' timestamps (`PictureTimes`) among the messages on stderr. */
export function buildCommand({ binary, input, imageSize, fps, regions }: FfmpegCommandOptions): FfmpegCommand {
  const [major, minor] = binary.libavformat;
  const hasFpsMode = major > 59 || (major === 59 && minor >= 27);
  // Takes the first frame in each slot of 1/fps seconds: the rate is exact on average and no frame is duplicated.
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
    .inputOptions('-nostdin', '-hide_banner', '-nostats', '-loglevel', 'info', '-max_alloc', String(MAX_ALLOC_BYTES))
    .inputOptions(...input.optionsFor(binary))
    .outputOptions(
      // `V` selects video tracks, but not the cover art of a song.
      ...['-map', '0:V:0', '-an', '-sn', '-dn', '-map_metadata', '-1'],
      ...['-filter:v', filters.join(','), hasFpsMode ? '-fps_mode' : '-vsync', 'passthrough'],
      ...['-f', 'rawvideo', '-flush_packets', '1'],
    );
  disableProbes(command);
  reportSpawnFailures(command);
  detachFromProcessGroup(command);
  // fluent-ffmpeg stores the path globally and reads it when a command is run, which happens right after this.
  return command.setFfmpegPath(binary.path);
}

type EndCallback = (error: Error | null, stdout?: { get(): string }, stderr?: { get(): string }) => void;

interface CommandInternals {
  ffmpegProc?: { readonly pid?: number };
  _spawnFfmpeg: (args: string[], options: object, started: (...values: unknown[]) => void, ended: EndCallback) => void;
  _checkCapabilities: (done: (error: Error | null) => void) => void;
  availableEncoders: (done: (error: Error | null, encoders: object) => void) => void;
}

/**
 * fluent-ffmpeg would first run ffmpeg several times to list its formats and codecs. The command needs only what every
 * ffmpeg has, and fluent-ffmpeg misreads the lists of ffmpeg 7 (it finds no v4l2 in them).
 */
function disableProbes(command: FfmpegCommand): void {
  const internals = command as unknown as CommandInternals;
  internals._checkCapabilities = (done) => {
    done(null);
  };
  internals.availableEncoders = (done) => {
    done(null, {});
  };
}

/**
 * When no process can be started, fluent-ffmpeg would use the missing process's output or pipes and throw where nobody
 * can catch it.
 */
function reportSpawnFailures(command: FfmpegCommand): void {
  const internals = command as unknown as CommandInternals;
  const spawn = internals._spawnFfmpeg.bind(command);
  const nothing = { get: () => '' };
  internals._spawnFfmpeg = (args, options, started, ended) => {
    const onEnd: EndCallback = (error, stdout = nothing, stderr = nothing) => {
      ended(error, stdout, stderr);
    };
    try {
      spawn(args, options, started, onEnd);
    } catch (error) {
      // The spawn error that explains the missing pipes, if there is one, is reported first; only the first report
      // counts.
      setImmediate(onEnd, error instanceof Error ? error : new Error(String(error)));
    }
  };
}

/**
 * Ctrl-C in a terminal signals the whole process group, and would end ffmpeg while work in progress may still finish.
 * On Windows a detached process would get its own console.
 */
function detachFromProcessGroup(command: FfmpegCommand): void {
  const internals = command as unknown as CommandInternals;
  const spawn = internals._spawnFfmpeg.bind(command);
  internals._spawnFfmpeg = (args, options, started, ended) => {
    spawn(args, { ...options, detached: process.platform !== 'win32' }, started, ended);
  };
}

/** Process id of a running command. */
export function pidOf(command: FfmpegCommand): number | undefined {
  return (command as unknown as CommandInternals).ffmpegProc?.pid;
}

/**
 * Signals the process group of a running command: `YOCO_FFMPEG` may name a script that starts ffmpeg as its child, and
 * this would outlive the script and hold its camera and our pipes. Does nothing if no process was started or none is
 * left.
 */
export function signalCommand(command: FfmpegCommand, signal: 'SIGTERM' | 'SIGKILL'): void {
  const pid = pidOf(command);
  if (pid === undefined) return;
  if (process.platform === 'win32') {
    command.kill(signal);
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // macOS answers EPERM for a group of processes that have ended and are not collected yet.
    if (!['ESRCH', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
  }
}
