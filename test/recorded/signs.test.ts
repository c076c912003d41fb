/** That the bundled model reads drawn signs, in faces that it was not trained on, through the whole path: a video of each, and questions about it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSigns, type Sign, SIGNS } from '../../bench/signs.ts';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { encodeVideo } from '../../src/evaluation/video.ts';
import { Streams } from '../../src/live/live-service.ts';

const SHOWN_MS = 2_000;
const MINUTE = 60_000;
/** Numbers; each is in a video of its own, since among many signs this bundle takes an earlier one for what is there now. */
const NUMBER = 16;
/** Of 16 numbers; of eleven colours. An answer that is always the same would get one in 16, and one in eight. */
const READ_SHARE = 0.35;
const GROUND_SHARE = 0.75;

let folder: string;
let live: Streams;
let signs: readonly Sign[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-signs-'));
  signs = (await readSigns())
    .filter(({ says }) => /^\d+$/.test(says))
    .filter((_, i) => i % 2 === 0)
    .slice(0, NUMBER);
  live = await Streams.start({ engine: { bundle: DEFAULT_BUNDLE } });
  for (const { file, says } of signs) {
    const picture = { set: 'signs', file: path.join(SIGNS, file), label: says };
    const video = path.join(folder, `${says}.mp4`);
    await encodeVideo([{ picture, startMs: 0, endMs: SHOWN_MS }], video, { width: 480, height: 360, fit: 'contain' });
    const stream = await live.create({ name: `sign-${says}`, source: { file: video, pace: 'fastest' } }, 'operator');
    await stream.ended();
  }
}, 2 * MINUTE);
afterAll(async () => {
  await live.close();
  await rm(folder, { recursive: true, force: true });
}, MINUTE);

/** The wrong answers are in the message of a failure. */
async function expectRead(question: string, of: (sign: Sign) => string, least: number): Promise<void> {
  const answers = await Promise.all(signs.map(({ says }) => live.get(`sign-${says}`).converse().ask(question).result));
  const wrong = signs.flatMap((sign, i) => {
    const said = answers[i]?.text.trim() ?? '';
    return said === of(sign) ? [] : [`${of(sign)}: ${said}`];
  });
  const share = 1 - wrong.length / signs.length;
  expect(share, `${question} wrong: ${wrong.join(', ')}`).toBeGreaterThanOrEqual(least);
}

describe('A sign that is shown', () => {
  test('is read', () => expectRead('what does it say?', ({ says }) => says, READ_SHARE), MINUTE);

  test(
    'has the colour of its ground',
    () => expectRead('what colour is the background?', ({ ground }) => ground, GROUND_SHARE),
    MINUTE,
  );
});
