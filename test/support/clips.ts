/** Tiny clips for tests, made by the ffmpeg that is tested. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';

export interface ClipFolder {
  readonly path: string;
  /** Runs ffmpeg with `args` and returns the path of the file `name` that they write. */
  make(name: string, ...args: string[]): Promise<string>;
  remove(): Promise<void>;
}

export async function clipFolder(): Promise<ClipFolder> {
  const path = await mkdtemp(join(tmpdir(), 'yoco-clips-'));
  return {
    path,
    async make(name, ...args) {
      const { path: ffmpeg } = await findFfmpeg();
      const file = join(path, name);
      await promisify(execFile)(ffmpeg, ['-nostdin', '-v', 'error', '-y', ...args, file]);
      return file;
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** Arguments for the test picture: `seconds` long, `rate` frames a second. */
export const testPicture = (seconds: number, rate: number, size = '64x48'): string[] => [
  ...['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=${rate}`, '-t', String(seconds)],
  ...['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast'],
];

/** Red on the left, blue on the right. */
export const redAndBlue = (seconds: number, rate: number): string[] => [
  ...['-f', 'lavfi', '-i', `color=red:s=128x64:r=${rate},drawbox=x=64:y=0:w=64:h=64:c=blue:t=fill`],
  ...['-t', String(seconds), '-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast'],
];

/**
 * Writes "show a quarter turn clockwise" into an MP4, as phones do; options for this differ between versions of ffmpeg.
 */
export async function rotateMp4(file: string): Promise<void> {
  const bytes = await readFile(file);
  const matrix = bytes.indexOf('tkhd') + 4 + 40;
  [0, 0x00010000, 0, -0x00010000, 0, 0, 0, 0, 0x40000000].forEach((value, index) => {
    bytes.writeInt32BE(value, matrix + index * 4);
  });
  await writeFile(file, bytes);
}
