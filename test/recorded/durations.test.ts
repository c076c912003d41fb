/** Questions about how long something was shown, at several sampling rates. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { secondsOf } from '../../src/evaluation/score.ts';
import { encodeVideo } from '../../src/evaluation/video.ts';
import { Streams } from '../../src/live/live-service.ts';
import { readPhotos } from './photo-videos.ts';
import { SIZE } from './shown-pictures.ts';

/** Seconds for which each thing is shown, all different: a constant answer gets at most two of a video's five right. */
const SHOWN_S = [4, 9, 6, 12, 3, 7];
const VIDEOS = 3;
/** Frames a second to the share of 15 answers that must be right: one or two answers less than the bundle reaches. */
const PASS_SHARE = new Map([
  [1, 0.6],
  [2, 0.66],
  [4, 0.66],
]);

describe.each([...PASS_SHARE])('At %i frames a second', (fps, share) => {
  let folder: string;
  let live: Streams;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'yoco-durations-'));
    live = await Streams.start({ engine: { bundle: DEFAULT_BUNDLE } });
  });
  afterAll(async () => {
    await live.close();
    await rm(folder, { recursive: true });
  });

  test('"how long" is answered to within one second', async () => {
    const photos = readPhotos();
    const answers: { readonly said: number | null; readonly expected: number }[] = [];
    for (let video = 0; video < VIDEOS; video++) {
      let endMs = 0;
      const spans = SHOWN_S.map((seconds, i) => {
        const photo = photos[i * VIDEOS + video];
        if (photo === undefined) throw new Error('too few photographs');
        const startMs = endMs;
        endMs += seconds * 1000;
        const file = path.join(import.meta.dirname, 'photos', photo.file);
        return { picture: { set: 'photos', file, label: photo.class }, startMs, endMs };
      });
      const file = path.join(folder, `${video}.mp4`);
      await encodeVideo(spans, file, SIZE);
      const name = `durations-${video}`;
      const stream = await live.create({ name, source: { file, pace: 'fastest' }, sampling: { fps } }, 'operator');
      await stream.ended();
      for (const { picture, startMs, endMs: until } of spans.slice(0, -1)) {
        const { text } = await stream.converse().ask(`How long was the ${picture.label.toLowerCase()} shown?`).result;
        answers.push({ said: secondsOf(text), expected: (until - startMs) / 1000 });
      }
      await live.delete(name);
    }
    const right = answers.filter(({ said, expected }) => said !== null && Math.abs(said - expected) <= 1);
    expect(right.length / answers.length, JSON.stringify(answers)).toBeGreaterThanOrEqual(share);
  }, 300_000);
});
