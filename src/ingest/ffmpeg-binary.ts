/** Finds the ffmpeg to run: YOCO_FFMPEG, else the one on PATH, else the one that npm installed. */
import { execFile } from 'node:child_process';
import { accessSync, chmodSync, constants, copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { YocoError } from '../errors.ts';

export interface FfmpegBinary {
  readonly path: string;
  /** As it reports itself, such as `5.1.9-0+deb12u1`. */
  readonly version: string;
  readonly origin: 'YOCO_FFMPEG' | 'PATH' | 'bundled';
  /** Major and minor version of libavformat, a more reliable sign of features than `version`. 58 is ffmpeg 4. */
  readonly libavformat: readonly [major: number, minor: number];
}

const VERSION_TIMEOUT_MS = 20_000;

const lookups = new Map<string, Promise<FfmpegBinary>>();

/**
 * The ffmpeg of this process, looked up once per value of YOCO_FFMPEG and PATH unless that fails. Throws
 * `ffmpeg_missing`.
 */
export function findFfmpeg(): Promise<FfmpegBinary> {
  const key = JSON.stringify([process.env['YOCO_FFMPEG'], process.env['PATH']]);
  let binary = lookups.get(key);
  if (binary === undefined) {
    binary = locate();
    lookups.set(key, binary);
    binary.catch(() => lookups.delete(key));
  }
  return binary;
}

async function locate(): Promise<FfmpegBinary> {
  const chosen = process.env['YOCO_FFMPEG'];
  if (chosen !== undefined && chosen !== '') return inspect(chosen, 'YOCO_FFMPEG');
  const onPath = findOnPath('ffmpeg');
  if (onPath !== null) return inspect(onPath, 'PATH');
  return inspect(ensureExecutable(bundledPath()), 'bundled');
}

async function inspect(path: string, origin: FfmpegBinary['origin']): Promise<FfmpegBinary> {
  let output: string;
  try {
    output = (await promisify(execFile)(path, ['-version'], { timeout: VERSION_TIMEOUT_MS, windowsHide: true })).stdout;
  } catch (cause) {
    // A machine that swaps may take long to start a program that is there.
    const isKilled = (cause as { readonly killed?: boolean }).killed === true;
    const problem = isKilled ? `did not say its version within ${VERSION_TIMEOUT_MS / 1_000} s` : 'cannot be run';
    throw new YocoError('ffmpeg_missing', { detail: `${path} (from ${origin}) ${problem}.`, cause });
  }
  const version = /^ffmpeg version (\S+)/.exec(output)?.[1];
  const libavformat = /^libavformat\s+(\d+)\.\s*(\d+)/m.exec(output);
  if (version === undefined || libavformat === null) {
    throw new YocoError('ffmpeg_missing', { detail: `${path} (from ${origin}) is not an ffmpeg.` });
  }
  return { path, version, origin, libavformat: [Number(libavformat[1]), Number(libavformat[2])] };
}

function findOnPath(name: string): string | null {
  const suffixes = process.platform === 'win32' ? ['.exe'] : [''];
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter((part) => part !== '')) {
    for (const suffix of suffixes) {
      const path = join(folder, name + suffix);
      if (isExecutable(path)) return path;
    }
  }
  return null;
}

function bundledPath(): string {
  try {
    const installer = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string };
    return installer.path;
  } catch (cause) {
    throw new YocoError('ffmpeg_missing', {
      detail: 'There is none on PATH, and npm has none for this platform; install ffmpeg or set YOCO_FFMPEG.',
      cause,
    });
  }
}

/**
 * The installer's script sets the executable bit. Where scripts are disabled, sets it here; if that fails, on a copy.
 */
function ensureExecutable(path: string): string {
  if (isExecutable(path)) return path;
  try {
    chmodSync(path, 0o755);
    return path;
  } catch {
    const folder = mkdtempSync(join(tmpdir(), 'yoco-ffmpeg-'));
    process.once('exit', () => {
      rmSync(folder, { recursive: true, force: true });
    });
    const copy = join(folder, basename(path));
    copyFileSync(path, copy);
    chmodSync(copy, 0o755);
    return copy;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
