/** Crops and masks apply to ffmpeg's pictures and to pushed ones alike. */
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { YocoError } from '../../src/errors.ts';
import { parseDefinition } from '../../src/ingest/definition.ts';
import type { Frame } from '../../src/ingest/frame.ts';
import { createSource } from '../../src/ingest/sources/create-source.ts';
import { PushSource } from '../../src/ingest/sources/push-source.ts';
import { type ClipFolder, clipFolder, redAndBlue } from '../support/clips.ts';
import { colourAt, SIZE, take } from './play.ts';

let clips: ClipFolder;
let file: string;
/** Red on the left, blue on the right, like the clip. */
let image: Buffer;
beforeAll(async () => {
  clips = await clipFolder();
  file = await clips.make('regions.mp4', ...redAndBlue(1, 5));
  const red = { create: { width: 128, height: 64, channels: 3, background: 'red' } } as const;
  const blue = { create: { width: 64, height: 64, channels: 3, background: 'blue' } } as const;
  image = await sharp(red)
    .composite([{ input: blue, left: 64, top: 0 }])
    .png()
    .toBuffer();
});
afterAll(() => clips.remove());

async function ofFile(sampling: object): Promise<Frame | undefined> {
  const definition = parseDefinition({ name: 'test', source: { file, pace: 'fastest' }, sampling });
  const [frame] = await take(createSource(definition, { imageSize: SIZE }), 1);
  return frame;
}

async function pushed(sampling: object): Promise<Frame | undefined> {
  const source = createSource(parseDefinition({ name: 'test', source: { push: true }, sampling }), { imageSize: SIZE });
  if (!(source instanceof PushSource)) throw new Error('expected a PushSource');
  const taken = take(source, 1);
  await source.push(image);
  const [frame] = await taken;
  return frame;
}

describe.each([
  ['a file', ofFile],
  ['a client', pushed],
])('Pictures of %s', (_, frameOf) => {
  const colours = async (sampling: object): Promise<string[]> => {
    const frame = await frameOf(sampling);
    return [0.1, 0.4, 0.6, 0.9].flatMap((x) => [0.1, 0.9].map((y) => colourAt(frame, x, y)));
  };

  test('are whole by default', async () => {
    expect(await colours({})).toEqual(['red', 'red', 'red', 'red', 'blue', 'blue', 'blue', 'blue']);
  });

  test('are cropped to the part that is watched, which fills the frame', async () => {
    const crop = { left: 0.25, top: 0, width: 0.5, height: 0.5 };
    expect(await colours({ crop })).toEqual(['red', 'red', 'red', 'red', 'blue', 'blue', 'blue', 'blue']);
    expect(new Set(await colours({ crop: { left: 0.5, top: 0.5, width: 0.5, height: 0.5 } }))).toEqual(
      new Set(['blue']),
    );
  });

  test('are black where they are masked, within a crop too', async () => {
    const masks = [
      { left: 0, top: 0, width: 0.25, height: 1 },
      { left: 0.75, top: 0.5, width: 0.25, height: 0.5 },
    ];
    expect(await colours({ masks })).toEqual(['black', 'black', 'red', 'red', 'blue', 'blue', 'blue', 'black']);
    const crop = { left: 0.5, top: 0, width: 0.5, height: 1 };
    expect(await colours({ masks, crop })).toEqual(['blue', 'blue', 'blue', 'blue', 'blue', 'black', 'blue', 'black']);
  });
});

test.each([
  [{ crop: { left: 0.6, top: 0, width: 0.5, height: 1 } }, 'sampling.crop.width', 'at most 1'],
  [{ crop: { left: 0, top: 0.1, width: 1, height: 1 } }, 'sampling.crop.height', 'at most 1'],
  [{ crop: { left: -0.1, top: 0, width: 1, height: 1 } }, 'sampling.crop.left', '>=0'],
  [{ crop: { left: 0, top: 0, width: 0, height: 1 } }, 'sampling.crop.width', '>=0.02'],
  [{ crop: { left: 0, top: 0, width: 1 } }, 'sampling.crop.height', 'number'],
  [{ masks: [{ left: 0, top: 0, width: 2, height: 1 }] }, 'sampling.masks.0.width', '<=1'],
  [{ masks: Array.from({ length: 17 }, () => ({ left: 0, top: 0, width: 1, height: 1 })) }, 'sampling.masks', '<=16'],
])('The sampling %j is refused with the field %s', (sampling, param, detail) => {
  const parse = (): unknown => parseDefinition({ name: 'test', source: { push: true }, sampling });
  expect(parse).toThrow(YocoError);
  expect(parse).toThrow(expect.objectContaining({ code: 'definition_invalid', param }) as Error);
  expect(parse).toThrow(detail);
});
