import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeVideo } from '../../src/evaluation/video.ts';
import { findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';

const SIZE = { width: 96, height: 72, fit: 'contain' } as const;

describe('A video of a board', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'yoco-video-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Grey values of the first frame. */
  async function firstFrame(file: string): Promise<Buffer> {
    const { path: ffmpeg } = await findFfmpeg();
    const args = ['-v', 'error', '-i', file, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'gray', '-'];
    return (await promisify(execFile)(ffmpeg, args, { encoding: 'buffer' })).stdout;
  }

  test('shows the cut-out at its place, without its transparent margin, on the background', async () => {
    // A black square in the corner of a transparent picture: with its margin it would be off its place.
    const square = { create: { width: 8, height: 8, channels: 4, background: '#000' } } as const;
    const cutOut = path.join(folder, 'cut-out.png');
    await sharp({ create: { width: 64, height: 64, channels: 4, background: '#0000' } })
      .composite([{ input: await sharp(square).png().toBuffer(), left: 0, top: 0 }])
      .png()
      .toFile(cutOut);
    const board = { background: '#ffffff', things: [{ x: 5 / 6, y: 1 / 6, size: 0.3 }] };
    const file = path.join(folder, 'board.mp4');
    const picture = { set: 'emoji', file: cutOut, label: 'square' };
    await encodeVideo([{ picture, startMs: 0, endMs: 1000, board }], file, SIZE);
    const grey = await firstFrame(file);
    const dark = [...grey.keys()].filter((i) => (grey[i] ?? 255) < 100);
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(dark.map((i) => i % SIZE.width)) / SIZE.width).toBeCloseTo(5 / 6, 1);
    expect(mean(dark.map((i) => Math.floor(i / SIZE.width))) / SIZE.height).toBeCloseTo(1 / 6, 1);
    expect(Math.sqrt(dark.length) / SIZE.height).toBeCloseTo(0.3, 1);
  });

  test('is refused where its picture cannot be decoded, which is named', async () => {
    const broken = path.join(folder, 'broken.png');
    await writeFile(broken, 'no picture');
    const picture = { set: 'emoji', file: broken, label: 'square' };
    const span = { picture, startMs: 0, endMs: 1000 };
    const refused = { code: 'data_invalid', detail: expect.stringContaining('broken.png') as string };
    const file = path.join(folder, 'x.mp4');
    await expect(encodeVideo([span], file, SIZE)).rejects.toMatchObject(refused);
    const board = { background: '#fff', things: [{ x: 0.5, y: 0.5, size: 0.3 }] };
    await expect(encodeVideo([{ ...span, board }], file, SIZE)).rejects.toMatchObject(refused);
  });
});
