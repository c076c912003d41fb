/**
 * Cut-outs painted in one colour, as the recipe paints them (`models/training/colours.py`): no name tells their colour.
 */
import { pick, type Random } from './random.ts';
import { CHANNELS, pictureOf, readRgba } from './rgba.ts';

type Rgb = readonly [number, number, number];

/** A test compares these with the recipe. */
export const COLOURS = {
  red: [205, 30, 35],
  orange: [245, 140, 25],
  yellow: [245, 220, 40],
  green: [35, 150, 60],
  blue: [35, 80, 200],
  purple: [125, 45, 150],
  pink: [245, 150, 185],
  brown: [120, 72, 35],
  black: [12, 12, 12],
  white: [248, 248, 248],
  grey: [128, 128, 128],
} as const satisfies Readonly<Record<string, Rgb>>;

export type Colour = keyof typeof COLOURS;

const NAMES = Object.keys(COLOURS) as Colour[];
/** How much of a cut-out's own light and shade remains. */
const SHADE = 0.2;
const MAX_SHADE = 110;
/** Colours that are hard to see on a pale background, and a background for them. */
export const PALE: ReadonlySet<Colour> = new Set<Colour>(['white', 'grey']);
export const DARK = '#1e3a5f';

export function pickColour(random: Random): Colour {
  return pick(NAMES, random);
}

/** A cut-out (any picture that sharp reads, with its transparency) in this colour, as PNG. */
export async function paintCutOut(cutOut: Buffer, colour: Colour): Promise<Buffer> {
  const pixels = await readRgba(cutOut);
  const { data } = pixels;
  const light = (i: number): number => 0.3 * (data[i] ?? 0) + 0.59 * (data[i + 1] ?? 0) + 0.11 * (data[i + 2] ?? 0);
  let [sum, shown] = [0, 0];
  for (let i = 0; i < data.length; i += CHANNELS) {
    if ((data[i + 3] ?? 0) === 0) continue;
    sum += light(i);
    shown++;
  }
  const middle = sum / Math.max(1, shown);
  for (let i = 0; i < data.length; i += CHANNELS) {
    const shade = SHADE * Math.min(MAX_SHADE, Math.max(-MAX_SHADE, light(i) - middle));
    COLOURS[colour].forEach((value, channel) => (data[i + channel] = Math.min(255, Math.max(0, value + shade))));
  }
  return pictureOf(pixels).png().toBuffer();
}
