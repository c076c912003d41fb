/**
 * Checks end to end that the bundled model reads drawn signs in typefaces that it was not trained on: one video shows
 * the signs in turn, with questions about each while it is shown.
 */
import path from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { readSigns, type Sign, SIGNS } from '../../bench/signs.ts';
import { ShownPictures } from './shown-pictures.ts';

const MINUTE = 60_000;
const NUMBER = 16;
/**
 * Shares of 16 answers that must be right, for numbers and for one of eleven ground colours: two answers less than the
 * bundle reaches. The best constant answer gets one in 16, and one in eight.
 */
const READ_SHARE = 0.65;
const GROUND_SHARE = 0.75;

let signs: readonly Sign[];
let shown: ShownPictures;

beforeAll(async () => {
  signs = (await readSigns())
    .filter(({ says }) => /^\d+$/.test(says))
    .filter((_, i) => i % 2 === 0)
    .slice(0, NUMBER);
  shown = await ShownPictures.play(signs.map(({ file }) => path.join(SIGNS, file)));
}, 2 * MINUTE);
afterAll(() => shown.close(), MINUTE);

const expectRead = (question: string, of: (sign: Sign) => string, least: number): Promise<void> =>
  shown.expectRight(
    signs.map((sign) => ({ question, expected: of(sign) })),
    least,
  );

describe('The bundled model', () => {
  test('reads the number on a sign', () => expectRead('what does it say?', ({ says }) => says, READ_SHARE), MINUTE);

  test(
    'names the ground colour of a sign',
    () => expectRead('what colour is the background?', ({ ground }) => ground, GROUND_SHARE),
    MINUTE,
  );
});
