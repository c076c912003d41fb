import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseDefinition } from '../../src/ingest/definition.ts';
import { createSource } from '../../src/ingest/sources/create-source.ts';
import { PushSource } from '../../src/ingest/sources/push-source.ts';
import type { ClockStart } from '../../src/ingest/source-clock.ts';
import { colourAt, SIZE, take, times } from './play.ts';

const NO_PICTURE = 'It is neither JPEG nor PNG.';
const DAMAGED = 'It is cut off or damaged.';

let jpeg: Buffer;
let png: Buffer;
beforeAll(async () => {
  const red = { create: { width: 40, height: 20, channels: 3, background: 'red' } } as const;
  const blue = await sharp({ create: { width: 20, height: 20, channels: 3, background: 'blue' } })
    .png()
    .toBuffer();
  const both = sharp(red).composite([{ input: blue, left: 20, top: 0 }]);
  jpeg = await both.clone().jpeg().toBuffer();
  png = await both.clone().png().toBuffer();
});

function pushSource(clock?: () => number, resumeFrom?: ClockStart): PushSource {
  const definition = parseDefinition({ name: 'pushed', source: { push: true } });
  const source = createSource(definition, {
    imageSize: SIZE,
    ...(clock === undefined ? {} : { clock }),
    ...(resumeFrom === undefined ? {} : { resumeFrom }),
  });
  if (!(source instanceof PushSource)) throw new Error('expected a PushSource');
  return source;
}

test('Pushed JPEG and PNG become frames with the times of their arrival', async () => {
  let now = 5000;
  const source = pushSource(() => now);
  expect(source.status.state).toBe('connecting');
  const taken = take(source, 3);
  expect(await source.push(jpeg)).toEqual({ accepted: true, timeMs: 0 });
  expect(source.status.state).toBe('playing');
  now = 5250;
  expect(await source.push(png)).toEqual({ accepted: true, timeMs: 250 });
  now = 5100;
  // Even when the clock stands still or goes back, no two frames have the same time.
  expect(await source.push(png)).toEqual({ accepted: true, timeMs: 251 });
  const frames = await taken;
  expect(times(frames)).toEqual([0, 250, 251]);
  for (const frame of frames) {
    expect(frame.rgb).toHaveLength(SIZE * SIZE * 3);
    expect([colourAt(frame, 0.1, 0.9), colourAt(frame, 0.9, 0.1)]).toEqual(['red', 'blue']);
  }
  expect(source.status).toMatchObject({ state: 'stopped', frames: 3 });
});

test('Large pictures are decoded two at a time, over all streams', async () => {
  const large = await sharp({ create: { width: 3_000, height: 2_000, channels: 3, background: 'red' } })
    .jpeg({ progressive: true })
    .toBuffer();
  const sources = Array.from({ length: 6 }, () => pushSource());
  let most = 0;
  const look = setInterval(() => (most = Math.max(most, sharp.counters().process)), 1);
  const pushed = await Promise.all(sources.map((source) => source.push(large)));
  clearInterval(look);
  expect(pushed).toEqual(Array.from({ length: 6 }, () => ({ accepted: true, timeMs: 0 })));
  expect([1, 2]).toContain(most);
});

test('The wall time of an arrival is that before the picture was decoded', async () => {
  let now = 0;
  const startedAtMs = Date.now() - 100_000;
  for (const resumeFrom of [undefined, { lastMs: 60_000, startedAtMs }]) {
    const source = pushSource(() => now, resumeFrom);
    const taken = take(source, 1);
    const arrivedAtMs = Date.now();
    const pushing = source.push(jpeg);
    now += 30_000;
    const outcome = await pushing;
    const [frame] = await taken;
    const sinceMs = (frame?.arrivedAtMs ?? 0) - (arrivedAtMs - 30_000);
    expect(sinceMs).toBeGreaterThanOrEqual(0);
    expect(sinceMs).toBeLessThan(10_000);
    // A resumed stream places it by the wall clock, also as of its arrival.
    if (resumeFrom !== undefined && outcome.accepted) expect(outcome.timeMs).toBeLessThan(80_000);
  }
});

test('Given times are kept, and pictures not newer than the last one are refused', async () => {
  let now = 0;
  const source = pushSource(() => now);
  expect(await source.push(jpeg, 1000)).toEqual({ accepted: true, timeMs: 1000 });
  expect(await source.push(jpeg, 1000)).toEqual({ accepted: false, reason: 'out_of_order' });
  expect(await source.push(jpeg, 999)).toEqual({ accepted: false, reason: 'out_of_order' });
  expect(await source.push(jpeg, 1500.5)).toEqual({ accepted: true, timeMs: 1500.5 });
  // 1500.5 moved the clock of the stream ahead from 1000, and it continues from there.
  now = 2000;
  expect(await source.push(jpeg)).toEqual({ accepted: true, timeMs: 3501 });
  await expect(source.push(jpeg, NaN)).rejects.toMatchObject({ code: 'invalid_request', param: 'time' });
  await expect(source.push(jpeg, -1)).rejects.toMatchObject({ code: 'invalid_request' });
});

test('A given time that is ahead does not hold up later pictures without one', async () => {
  let now = 0;
  const source = pushSource(() => now);
  const pushed: number[] = [];
  for (const [at, given] of [[0], [1000], [2000, 60_000], [3000], [4000, 60_500], [5000]] as const) {
    now = at;
    const outcome = await source.push(jpeg, given);
    if (outcome.accepted) pushed.push(outcome.timeMs);
  }
  // 60.5 s is refused, since it is not after 61 s.
  expect(pushed).toEqual([0, 1000, 60_000, 61_000, 63_000]);
  now = 6000;
  expect(await source.push(jpeg, 64_500)).toEqual({ accepted: true, timeMs: 64_500 });
  now = 6250;
  expect(await source.push(jpeg)).toEqual({ accepted: true, timeMs: 64_750 });
});

test('A resumed stream takes given times after its newest moment, and places others by the wall clock', async () => {
  let now = 0;
  const given = pushSource(() => now, { lastMs: 60_000, startedAtMs: Date.now() - 100_000 });
  expect(await given.push(jpeg, 60_000)).toEqual({ accepted: false, reason: 'out_of_order' });
  expect(await given.push(jpeg, 60_500)).toEqual({ accepted: true, timeMs: 60_500 });
  now = 250;
  expect(await given.push(jpeg)).toEqual({ accepted: true, timeMs: 60_750 });
  await given.stop();

  const arrived = pushSource(() => now, { lastMs: 60_000, startedAtMs: Date.now() - 100_000 });
  const outcome = await arrived.push(jpeg);
  expect(outcome.accepted && outcome.timeMs).toBeGreaterThanOrEqual(100_000);
  expect(outcome.accepted && outcome.timeMs).toBeLessThan(110_000);
  await arrived.stop();

  // The wall clock was set back, or the stream's clock ran ahead of it.
  const ahead = pushSource(() => now, { lastMs: 60_000, startedAtMs: Date.now() });
  expect(await ahead.push(jpeg)).toEqual({ accepted: true, timeMs: 60_001 });
  await ahead.stop();
});

describe('Pictures with a wall time', () => {
  const AN_HOUR_AGO = Date.now() - 3_600_000;
  const after = (ms: number): Date => new Date(AN_HOUR_AGO + ms);
  const taken = async (source: PushSource, time?: number | Date): Promise<number | string> => {
    const outcome = await source.push(jpeg, time);
    return outcome.accepted ? outcome.timeMs : outcome.reason;
  };

  test('start a stream with the first, and count from it', async () => {
    let now = 0;
    const source = pushSource(() => now);
    expect(source.startedAtMs).toBeUndefined();
    expect(await taken(source, after(0))).toBe(0);
    expect(source.startedAtMs).toBe(AN_HOUR_AGO);
    // They may arrive faster or slower than they were taken.
    expect(await taken(source, after(60_000))).toBe(60_000);
    now = 300_000;
    expect(await taken(source, after(60_500))).toBe(60_500);
    expect(await taken(source, after(60_500))).toBe('out_of_order');
    expect(await taken(source, after(-1))).toBe('out_of_order');
    expect(await taken(source, 61.5)).toBe('out_of_order');
    expect(await taken(source, 61_000)).toBe(61_000);
    expect(source.startedAtMs).toBe(AN_HOUR_AGO);
  });

  test('continue after others, whose stream began by the clock of this machine', async () => {
    let beganMs: number | undefined;
    const definition = parseDefinition({ name: 'pushed', source: { push: true } });
    const source = createSource(definition, { imageSize: SIZE, clock: () => 0, startedAtMs: () => beganMs });
    if (!(source instanceof PushSource)) throw new Error('expected a PushSource');
    expect(await taken(source)).toBe(0);
    expect(source.startedAtMs).toBeUndefined();
    beganMs = AN_HOUR_AGO;
    expect(await taken(source, after(2_000))).toBe(2_000);
    // From now on, setting the clock of this machine changes nothing.
    beganMs += 3_600_000;
    expect(await taken(source, after(3_000))).toBe(3_000);
    expect(source.startedAtMs).toBe(AN_HOUR_AGO);
  });

  test('continue from a snapshot by its wall times', async () => {
    const source = pushSource(() => 0, { lastMs: 60_000, startedAtMs: AN_HOUR_AGO });
    expect(await taken(source, after(60_000))).toBe('out_of_order');
    expect(await taken(source, after(70_000))).toBe(70_000);
    expect(source.startedAtMs).toBe(AN_HOUR_AGO);
  });

  test('are followed by pictures without one at the distance of their arrivals', async () => {
    let now = 0;
    const source = pushSource(() => now);
    expect(await taken(source, after(0))).toBe(0);
    now = 250;
    expect(await taken(source)).toBe(250);
  });

  test.each([
    ['before 1970', new Date(-1)],
    ['at no time', new Date(NaN)],
    ['tomorrow', new Date(Date.now() + 86_400_000)],
  ])('are refused when it is %s, and the next picture is accepted', async (_when, time) => {
    const source = pushSource(() => 0);
    const refusal = { code: 'invalid_request', param: 'time', message: expect.stringContaining('1970') as string };
    await expect(source.push(jpeg, time)).rejects.toMatchObject(refusal);
    expect(await taken(source, new Date())).toBe(0);
  });
});

test('Pictures that nobody takes are refused as late, and those before them are kept in order', async () => {
  const source = pushSource();
  const outcomes = await Promise.all(Array.from({ length: 12 }, (_, index) => source.push(jpeg, index)));
  expect(outcomes.filter(({ accepted }) => accepted)).toHaveLength(8);
  expect(outcomes.at(-1)).toEqual({ accepted: false, reason: 'late' });
  expect(source.status.dropped).toBe(4);
  expect(times(await take(source, 8))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('A picture is rotated as its EXIF says', async () => {
  const source = pushSource();
  await source.push(await sharp(jpeg).withMetadata({ orientation: 6 }).toBuffer());
  const [frame] = await take(source, 1);
  expect([colourAt(frame, 0.5, 0.1), colourAt(frame, 0.5, 0.9)]).toEqual(['red', 'blue']);
});

test.each(['grey', 'transparent', '16-bit', 'cmyk'])('A %s picture becomes RGB', async (kind) => {
  const plain = sharp({
    create: { width: 9, height: 7, channels: 4, background: { r: 255, g: 255, b: 255, alpha: 0 } },
  });
  const white = plain.clone().flatten({ background: 'white' });
  const images: Record<string, Sharp> = {
    grey: white.clone().greyscale().jpeg(),
    transparent: plain.clone().png(),
    '16-bit': white.clone().toColourspace('rgb16').png(),
    cmyk: white.clone().toColourspace('cmyk').jpeg(),
  };
  const source = pushSource();
  await source.push(await (images[kind] ?? plain).toBuffer());
  const [frame] = await take(source, 1);
  expect(frame?.rgb).toHaveLength(SIZE * SIZE * 3);
  expect(colourAt(frame, 0.5, 0.5)).toBe(kind === 'transparent' ? 'black' : 'red+green+blue');
});

test.each([
  ['nothing', NO_PICTURE, () => Buffer.alloc(0)],
  ['text', NO_PICTURE, () => Buffer.from('no picture')],
  ['SVG', NO_PICTURE, () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
  ['half a JPEG', DAMAGED, () => jpeg.subarray(0, jpeg.length / 2)],
  ['the beginning of a PNG', DAMAGED, () => png.subarray(0, 12)],
  ['WebP', NO_PICTURE, () => sharp(jpeg).webp().toBuffer()],
  ['a PNG of 10 000 x 10 000', 'It has 100 million pixels; the limit is 50 million.', () => pngOf(10_000, 10_000)],
  ['one of 8 000 x 6 251', 'It has 50.1 million pixels; the limit is 50 million.', () => pngOf(8_000, 6_251)],
  // Valid but for its size.
  [
    'one of as many pixels that is whole',
    'It has 50.1 million pixels; the limit is 50 million.',
    () =>
      sharp({ create: { width: 8_000, height: 6_251, channels: 3, background: '#123456' } })
        .png()
        .toBuffer(),
  ],
])('%s is refused with the reason, and the next picture is accepted', async (_name, detail, image) => {
  const source = pushSource();
  await expect(source.push(await image(), 10)).rejects.toMatchObject({ code: 'image_undecodable', detail });
  expect(await source.push(jpeg, 5)).toEqual({ accepted: true, timeMs: 5 });
});

/** A PNG whose header claims a size that would need hundreds of megabytes. */
function pngOf(width: number, height: number): Buffer {
  const bytes = Buffer.from(png);
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
}

test('A stopped source refuses pictures', async () => {
  const source = pushSource();
  await source.stop();
  await expect(source.push(jpeg)).rejects.toMatchObject({ code: 'stream_deleted' });
  expect(await take(source)).toEqual([]);
});
