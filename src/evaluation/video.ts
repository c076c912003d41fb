/** Encodes a playlist as a video (H.264), like a camera's recording. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp, { type Sharp } from 'sharp';
import { YocoError } from '../errors.ts';
import { findFfmpeg } from '../ingest/ffmpeg-binary.ts';
import { paintCutOut } from './paint.ts';
import type { Board, Span } from './playlist.ts';
import { CHANNELS, pictureOf, readRgba } from './rgba.ts';

export type Fit = 'fill' | 'contain' | 'cover';

export interface VideoOptions {
  readonly width: number;
  readonly height: number;
  /** How a picture fills the frame: stretched, with bars, or cropped. */
  readonly fit: Fit;
}

/** Frames a second of the videos. */
export const VIDEO_FPS = 8;

/**
 * Writes `file`. The folder `FILE.pictures` holds its pictures, and the caller deletes it. Transparent pictures are
 * shown on white. Throws `data_invalid`, naming a picture that cannot be decoded, `internal` if ffmpeg fails, and the
 * reason of `signal` when it is aborted.
 */
export async function encodeVideo(
  spans: readonly Span[],
  file: string,
  options: VideoOptions,
  signal?: AbortSignal,
): Promise<void> {
  const folder = `${file}.pictures`;
  await mkdir(folder, { recursive: true });
  const list: string[] = [];
  for (const [i, span] of spans.entries()) {
    signal?.throwIfAborted();
    const picture = path.join(folder, `${i}.png`);
    try {
      const drawn =
        span.board === undefined
          ? fitToFrame(span.picture.file, options)
          : await pasteOnBoard(span, span.board, options);
      // All in one pixel format: when it changes, ffmpeg rebuilds its filters and drops the previous picture.
      await drawn.toColourspace('srgb').removeAlpha().png({ compressionLevel: 1 }).toFile(picture);
    } catch (cause) {
      throw new YocoError('data_invalid', { param: 'data', detail: `${span.picture.file} cannot be decoded.`, cause });
    }
    list.push(`file '${i}.png'`, `duration ${(span.endMs - span.startMs) / 1000}`);
  }
  // The concat demuxer ignores the last duration unless its file is named again.
  list.push(`file '${spans.length - 1}.png'`);
  const concat = path.join(folder, 'list.txt');
  await writeFile(concat, list.join('\n'));
  const seconds = (spans.at(-1)?.endMs ?? 0) / 1000;
  const { path: ffmpeg } = await findFfmpeg();
  const input = ['-v', 'error', '-y', '-nostdin', '-f', 'concat', '-safe', '0', '-i', concat];
  const filter = ['-vf', `fps=${VIDEO_FPS},format=yuv420p`, '-t', String(seconds)];
  const output = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '26', '-threads', '1', file];
  try {
    await promisify(execFile)(ffmpeg, [...input, ...filter, ...output], { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new YocoError('internal', { detail: 'ffmpeg could not encode the evaluation’s video.', cause });
  }
}

/** Number of frames that a stream takes in from the video when it samples `fps` frames a second, at most VIDEO_FPS. */
export function sampledFrames(spans: readonly Span[], fps: number): number {
  const lastS = (spans.at(-1)?.endMs ?? 0) / 1000 - 1 / VIDEO_FPS;
  // The first picture in each slot of 1/fps seconds, with the sampling's tolerance of 1 ms.
  return Math.floor((lastS + 0.001) * fps) + 1;
}

function fitToFrame(file: string, { width, height, fit }: VideoOptions): Sharp {
  return sharp(file).flatten({ background: '#fff' }).resize(width, height, { fit, background: '#000' });
}

async function pasteOnBoard({ picture }: Span, board: Board, { width, height }: VideoOptions): Promise<Sharp> {
  const found = await trimMargin(picture.file);
  const cutOut = board.paint === undefined ? found : await paintCutOut(found, board.paint);
  const pasted = board.things.map(async ({ x, y, size }) => {
    const side = Math.max(1, Math.round(size * Math.min(width, height)));
    const { data, info } = await sharp(cutOut)
      .resize(side, side, { fit: 'inside' })
      .png()
      .toBuffer({ resolveWithObject: true });
    const left = Math.min(width - info.width, Math.max(0, Math.round(x * width - info.width / 2)));
    const top = Math.min(height - info.height, Math.max(0, Math.round(y * height - info.height / 2)));
    return { input: data, left, top };
  });
  const background = sharp({ create: { width, height, channels: 3, background: board.background } });
  return background.composite(await Promise.all(pasted));
}

/** The visible part of a cut-out, as PNG: the transparent margin would shift its centre. */
async function trimMargin(file: string): Promise<Buffer> {
  const pixels = await readRgba(file);
  const { data, width, height } = pixels;
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((data[(y * width + x) * CHANNELS + 3] ?? 0) === 0) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  const whole = pictureOf(pixels);
  if (right < 0) return whole.png().toBuffer();
  return whole
    .extract({ left, top, width: right - left + 1, height: bottom - top + 1 })
    .png()
    .toBuffer();
}
