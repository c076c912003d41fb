/**
 * Checks end to end that the bundled model names the colour of things: drawn shapes that it was not trained on, each
 * painted in every colour.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type Colour, COLOURS, DARK, PALE } from '../../src/evaluation/paint.ts';
import { ShownPictures, SIZE } from './shown-pictures.ts';

const MINUTE = 60_000;
/** SVG paths in a 100 x 100 square. */
const SHAPES = {
  shirt: 'M30 10 L42 16 L58 16 L70 10 L95 28 L84 44 L74 38 L74 92 L26 92 L26 38 L16 44 L5 28 Z',
  car: 'M4 62 L16 58 L28 38 L68 38 L82 58 L96 62 L96 76 L84 76 A9 9 0 0 1 66 76 L34 76 A9 9 0 0 1 16 76 L4 76 Z',
  mug: 'M18 20 L70 20 L70 34 L84 34 L84 66 L70 66 L70 84 L18 84 Z',
};
/**
 * Share of the 33 answers that must be right: one answer less than the bundle reaches. Plain shapes are harder than the
 * cut-outs that it learned from. The best constant answer gets one in eleven.
 */
const RIGHT_SHARE = 0.5;

interface Drawn {
  readonly shape: keyof typeof SHAPES;
  readonly colour: Colour;
}

const drawn: readonly Drawn[] = (Object.keys(SHAPES) as Drawn['shape'][]).flatMap((shape) =>
  (Object.keys(COLOURS) as Colour[]).map((colour) => ({ shape, colour })),
);
let folder: string;
let shown: ShownPictures;

/** Writes the shape as a PNG, on a ground against which it is visible. */
async function draw({ shape, colour }: Drawn): Promise<string> {
  const file = path.join(folder, `${colour}-${shape}.png`);
  const ground = `<rect width="133" height="100" fill="${PALE.has(colour) ? DARK : '#e8e8e8'}"/>`;
  const thing = `<path transform="translate(16 0)" d="${SHAPES[shape]}" fill="rgb(${COLOURS[colour].join(',')})"/>`;
  const size = `width="${SIZE.width}" height="${SIZE.height}" viewBox="0 0 133 100"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${ground}${thing}</svg>`;
  await sharp(Buffer.from(svg)).png().toFile(file);
  return file;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-colours-'));
  shown = await ShownPictures.play(await Promise.all(drawn.map(draw)));
}, 2 * MINUTE);
afterAll(async () => {
  await shown.close();
  await rm(folder, { recursive: true, force: true });
}, MINUTE);

describe('The bundled model', () => {
  test(
    'names the colour that a drawn shape was painted in',
    () =>
      shown.expectRight(
        drawn.map(({ shape, colour }) => ({ question: `what colour is the ${shape}?`, expected: colour })),
        RIGHT_SHARE,
      ),
    MINUTE,
  );
});
