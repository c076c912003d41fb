/** The command that one run of ffmpeg is. The only file that knows fluent-ffmpeg, and what it has to be kept from. */
import ffmpeg from 'fluent-ffmpeg';
import type { FfmpegBinary } from './ffmpeg-binary.ts';
import type { FfmpegInput } from './ffmpeg-input.ts';
import { regionFilters, type Regions } from './regions.ts';

export type FfmpegCommand = ffmpeg.FfmpegCommand;

export interface FfmpegCommandOptions {
  readonly binary: FfmpegBinary;
  readonly input: FfmpegInput;
  /** Width and height of the pictures, pixels. */
  readonly imageSize: number;
  /** Pictures a second at most. */
  readonly fps: number;
  /** What of them is watched; default: all. */
  readonly regions?: Regions;
}

/** Containers such as Matroska round their times to it. */
export const SLOT_TOLERANCE_MS = 1;

/**
 * ffmpeg takes no larger block of memory: a packet or a picture of an endless one would grow to gigabytes. A picture of
 * 8K has 50 MB.
 */
const LARGEST_BLOCK = 2 ** 28;

/** Writes raw RGB to stdout, and their times (`PictureTimes`) among what it says on stderr. */
export function buildCommand({ binary, input, imageSize, fps, regions }: FfmpegCommandOptions): FfmpegCommand {
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
function withoutProbes(command: FfmpegCommand): void {
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
function tellingOfFailedStarts(command: FfmpegCommand): void {
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
function outOfOurGroup(command: FfmpegCommand): void {
  const internals = command as unknown as CommandInternals;
  const spawn = internals._spawnFfmpeg.bind(command);
  internals._spawnFfmpeg = (args, options, started, ended) => {
    spawn(args, { ...options, detached: process.platform !== 'win32' }, started, ended);
  };
}

/** The process of a command that runs. */
export function pidOf(command: FfmpegCommand): number | undefined {
  return (command as unknown as CommandInternals).ffmpegProc?.pid;
}
