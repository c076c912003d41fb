/** Encodes a playlist as a video (H.264), as a camera's recording would be. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { YocoError } from '../errors.ts';
import { findFfmpeg } from '../ingest/ffmpeg-binary.ts';
import type { Span } from './playlist.ts';

export type Fit = 'fill' | 'contain' | 'cover';

export interface VideoOptions {
  readonly width: number;
  readonly height: number;
  /** How a picture fills the frame: stretched, with bars, or cropped. */
  readonly fit: Fit;
}

const FPS = 8;

/** Writes `file`; its folder holds the pictures meanwhile. Transparent pictures are shown on white. */
export async function encodeVideo(spans: readonly Span[], file: string, options: VideoOptions): Promise<void> {
  const folder = `${file}.pictures`;
  await mkdir(folder, { recursive: true });
  const list: string[] = [];
  for (const [i, span] of spans.entries()) {
    const picture = path.join(folder, `${i}.png`);
    await sharp(span.picture.file)
      .flatten({ background: '#fff' })
      .resize(options.width, options.height, { fit: options.fit, background: '#000' })
      .png({ compressionLevel: 1 })
      .toFile(picture);
    list.push(`file '${i}.png'`, `duration ${(span.endMs - span.startMs) / 1000}`);
  }
  // The concat demuxer forgets the last duration unless its file is named again.
  list.push(`file '${spans.length - 1}.png'`);
  const concat = path.join(folder, 'list.txt');
  await writeFile(concat, list.join('\n'));
  const seconds = (spans.at(-1)?.endMs ?? 0) / 1000;
  const { path: ffmpeg } = await findFfmpeg();
  const input = ['-v', 'error', '-y', '-nostdin', '-f', 'concat', '-safe', '0', '-i', concat];
  const filter = ['-vf', `fps=${FPS},format=yuv420p`, '-t', String(seconds)];
  const output = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '26', '-threads', '1', file];
  try {
    await promisify(execFile)(ffmpeg, [...input, ...filter, ...output]);
  } catch (cause) {
    throw new YocoError('internal', { detail: 'ffmpeg could not encode the evaluation’s video.', cause });
  }
}
