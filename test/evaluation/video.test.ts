import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp, { type Sharp } from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Span } from '../../src/evaluation/playlist.ts';
import { encodeVideo } from '../../src/evaluation/video.ts';
import { findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';

const run = promisify(execFile);
const SIZE = { width: 96, height: 72, fit: 'contain' } as const;

describe('An encoded video', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'yoco-video-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Grey values of the frame shown at this time. */
  async function frameAt(ms: number, file: string): Promise<Buffer> {
    const { path: ffmpeg } = await findFfmpeg();
    const input = ['-v', 'error', '-ss', String(ms / 1000), '-i', file];
    const output = ['-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'gray', '-'];
    return (await run(ffmpeg, [...input, ...output], { encoding: 'buffer' })).stdout;
  }

  test('shows each picture in its turn, whatever its pixel format', async () => {
    const plain = (grey: number): Sharp =>
      sharp({ create: { width: 32, height: 24, channels: 3, background: { r: grey, g: grey, b: grey } } });
    const pictures = {
      'colour.jpg': plain(40).jpeg(),
      'grey.png': plain(90).toColourspace('b-w').png(),
      'transparent.png': plain(140).ensureAlpha().png(),
      'palette.png': plain(190).png({ palette: true }),
      'deep.png': plain(240).toColourspace('rgb16').png(),
    };
    const spans: Span[] = [];
    for (const [name, picture] of Object.entries(pictures)) {
      await picture.toFile(path.join(folder, name));
      const startMs = spans.length * 1000;
      spans.push({ picture: { set: 'x', file: path.join(folder, name), label: name }, startMs, endMs: startMs + 1000 });
    }
    const board = { background: '#101010', things: [{ x: 0.5, y: 0.5, size: 0.3 }] };
    const last = { picture: { set: 'x', file: path.join(folder, 'colour.jpg'), label: 'board' }, board };
    const file = path.join(folder, 'all.mp4');
    await encodeVideo([...spans, { ...last, startMs: 5000, endMs: 6000 }], file, SIZE);
    const corners = await Promise.all(
      [500, 1500, 2500, 3500, 4500, 5500].map(async (ms) => (await frameAt(ms, file))[0]),
    );
    for (const [i, grey] of [40, 90, 140, 190, 240, 16].entries())
      expect(Math.abs((corners[i] ?? 0) - grey)).toBeLessThan(12);
  });

  test('pastes the cut-out of a board at its place on the background, without its transparent margin', async () => {
    // A black square in the corner of a transparent picture: unless its margin is cropped, it is off its place.
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
    const grey = await frameAt(0, file);
    const dark = [...grey.keys()].filter((i) => (grey[i] ?? 255) < 100);
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(dark.map((i) => i % SIZE.width)) / SIZE.width).toBeCloseTo(5 / 6, 1);
    expect(mean(dark.map((i) => Math.floor(i / SIZE.width))) / SIZE.height).toBeCloseTo(1 / 6, 1);
    expect(Math.sqrt(dark.length) / SIZE.height).toBeCloseTo(0.3, 1);
  });

  test('is rejected when a picture cannot be decoded, naming that picture', async () => {
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
