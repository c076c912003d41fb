import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { COLOURS, paintCutOut } from '../../src/evaluation/paint.ts';

const recipe = readFileSync(new URL('../../models/training/colours.py', import.meta.url), 'utf8');

describe('Paint', () => {
  test('has the colours of the recipe', () => {
    const [, table = ''] = /^COLOURS = \{([^}]*)\}/m.exec(recipe) ?? [];
    const known = [...table.matchAll(/"(\w+)": \((\d+), (\d+), (\d+)\)/g)].map(([, name, ...rgb]) => [
      name,
      rgb.map(Number),
    ]);
    expect(known).toEqual(Object.entries(COLOURS));
  });

  test('recolours a cut-out, keeping its light and shade and its transparent surroundings', async () => {
    const half = (grey: number): Promise<Buffer> =>
      sharp({ create: { width: 2, height: 4, channels: 3, background: { r: grey, g: grey, b: grey } } })
        .png()
        .toBuffer();
    const cutOut = await sharp({ create: { width: 6, height: 4, channels: 4, background: '#0000' } })
      .composite([
        { input: await half(100), left: 0, top: 0 },
        { input: await half(150), left: 2, top: 0 },
      ])
      .png()
      .toBuffer();
    const pixels = await sharp(await paintCutOut(cutOut, 'blue'))
      .raw()
      .toBuffer();
    const at = (x: number): number[] => [...pixels.subarray(x * 4, x * 4 + 4)];
    expect(at(0)).toEqual([30, 75, 195, 255]);
    expect(at(2)).toEqual([40, 85, 205, 255]);
    expect(at(5)[3]).toBe(0);
  });
});
