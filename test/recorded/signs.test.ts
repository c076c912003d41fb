/** That the bundled model reads drawn signs, in faces that it was not trained on, through the whole path: a video of them all, and questions about each while it is shown. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSigns, type Sign, SIGNS } from '../../bench/signs.ts';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { encodeVideo } from '../../src/evaluation/video.ts';
import { Streams } from '../../src/live/live-service.ts';

const SHOWN_MS = 2_000;
/** A frame of slack, where an encoder may mix two pictures. */
const BEFORE_THE_NEXT_MS = 600;
const MINUTE = 60_000;
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
  const spans = signs.map(({ file, says }, i) => ({
    picture: { set: 'signs', file: path.join(SIGNS, file), label: says },
    startMs: i * SHOWN_MS,
    endMs: (i + 1) * SHOWN_MS,
  }));
  const video = path.join(folder, 'signs.mp4');
  await encodeVideo(spans, video, { width: 480, height: 360, fit: 'contain' });
  const stream = await live.create({ name: 'signs', source: { file: video, pace: 'fastest' } }, 'operator');
  await stream.ended();
}, 2 * MINUTE);
afterAll(async () => {
  await live.close();
  await rm(folder, { recursive: true, force: true });
}, MINUTE);

/** The wrong answers are in the message of a failure. */
async function expectRead(question: string, of: (sign: Sign) => string, least: number): Promise<void> {
  const asked = signs.map((_, i) => {
    const asOfMs = (i + 1) * SHOWN_MS - BEFORE_THE_NEXT_MS;
    return live.get('signs').converse().ask(question, { asOfMs }).result;
  });
  const answers = await Promise.all(asked);
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
