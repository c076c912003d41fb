/** That the bundled model tells the colour of things, through the whole path: drawn shapes, which it was not trained on, each painted in every colour. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { COLOURS } from '../../src/evaluation/paint.ts';
import type { Span } from '../../src/evaluation/playlist.ts';
import { encodeVideo } from '../../src/evaluation/video.ts';
import { Streams } from '../../src/live/live-service.ts';

const SHOWN_MS = 2_000;
const MINUTE = 60_000;
const SIZE = { width: 480, height: 360, fit: 'contain' } as const;
/** Outlines in a square of 100. */
const SHAPES = {
  shirt: 'M30 10 L42 16 L58 16 L70 10 L95 28 L84 44 L74 38 L74 92 L26 92 L26 38 L16 44 L5 28 Z',
  car: 'M4 62 L16 58 L28 38 L68 38 L82 58 L96 62 L96 76 L84 76 A9 9 0 0 1 66 76 L34 76 A9 9 0 0 1 16 76 L4 76 Z',
  mug: 'M18 20 L70 20 L70 34 L84 34 L84 66 L70 66 L70 84 L18 84 Z',
};
/** What is hard to see on a pale ground is shown on a dark one. */
const PALE = new Set(['white', 'grey']);
/** Of 33: plain shapes are harder than the cut-outs that it learned from. The answer that is most often right would get one in eleven. */
const RIGHT_SHARE = 0.35;

interface Shown {
  readonly shape: string;
  readonly colour: string;
  readonly asOfMs: number;
}

let folder: string;
let live: Streams;
const shown: Shown[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-colours-'));
  const spans: Span[] = [];
  for (const [shape, outline] of Object.entries(SHAPES)) {
    for (const [colour, rgb] of Object.entries(COLOURS)) {
      const file = path.join(folder, `${colour}-${shape}.png`);
      const ground = PALE.has(colour) ? '#1e3a5f' : '#e8e8e8';
      const drawn = `<rect width="133" height="100" fill="${ground}"/><path transform="translate(16 0)" d="${outline}" fill="rgb(${rgb.join(',')})"/>`;
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="480" height="360" viewBox="0 0 133 100">${drawn}</svg>`;
      await sharp(Buffer.from(svg)).png().toFile(file);
      const startMs = spans.length * SHOWN_MS;
      spans.push({ picture: { set: 'drawn', file, label: shape }, startMs, endMs: startMs + SHOWN_MS });
      shown.push({ shape, colour, asOfMs: startMs + SHOWN_MS - 600 });
    }
  }
  const video = path.join(folder, 'colours.mp4');
  await encodeVideo(spans, video, SIZE);
  live = await Streams.start({ engine: { bundle: DEFAULT_BUNDLE } });
  const stream = await live.create({ name: 'colours', source: { file: video, pace: 'fastest' } }, 'operator');
  await stream.ended();
}, 2 * MINUTE);
afterAll(async () => {
  await live.close();
  await rm(folder, { recursive: true, force: true });
}, MINUTE);

describe('A thing that is shown', () => {
  test(
    'has the colour that it was painted in',
    async () => {
      const stream = live.get('colours');
      const wrong: string[] = [];
      for (const { shape, colour, asOfMs } of shown) {
        const { text } = await stream.converse().ask(`what colour is the ${shape}?`, { asOfMs }).result;
        if (text.trim() !== colour) wrong.push(`${colour} ${shape}: ${text.trim()}`);
      }
      expect(1 - wrong.length / shown.length, `wrong: ${wrong.join(', ')}`).toBeGreaterThanOrEqual(RIGHT_SHARE);
    },
    MINUTE,
  );
});
