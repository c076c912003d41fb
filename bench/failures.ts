/**
 * What the bundle gets wrong: shows each photograph of the recorded tests for two seconds, asks "What is shown now?",
 * and lists the answers that are not its class. The frozen vision encoder ranks the class of these photographs first
 * (PHOTOGRAPHS_NOTE). `--picture FILE` draws the failures with their answers, as PNG or JPEG by the file extension.
 */
import path from 'node:path';
import sharp, { type OverlayOptions } from 'sharp';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { loadModel } from '../src/model/model.ts';
import { greedyText } from './greedy-answer.ts';
import { PHOTOGRAPHS_NOTE, readPhotographs, sceneTokens, appendScenes } from './haystack.ts';
import type { BenchOptions } from './options.ts';

const FPS = 2;
const FRAMES = 4;
const LIMIT_BYTES = 2 ** 24;
/** Pixels of a photograph's side and of the height of the two text lines below it; photographs in a row. */
const [TILE, TEXT, COLUMNS] = [192, 40, 4];

interface Failure {
  readonly file: string;
  readonly shows: string;
  readonly answer: string;
}

export async function failures(options: BenchOptions): Promise<Record<string, unknown>> {
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const photographs = await readPhotographs();
    const failed: Failure[] = [];
    for (const photograph of photographs) {
      const tokens = await sceneTokens(model, [photograph]);
      const cache = model.newCache(LIMIT_BYTES);
      await appendScenes(model, cache, tokens, [{ class: photograph.class, frames: FRAMES }], FPS);
      const answer = await greedyText(model, cache, 'What is shown now?');
      if (answer !== photograph.class.toLowerCase()) failed.push({ ...photograph, shows: photograph.class, answer });
    }
    if (options.picture !== undefined && failed.length > 0) await draw(failed, options.picture);
    return {
      photographs: photographs.length,
      note: PHOTOGRAPHS_NOTE,
      wrong: failed.length,
      answers: Object.fromEntries(
        failed.map(({ file, shows, answer }) => [path.basename(file), `${shows}: ${answer}`]),
      ),
    };
  } finally {
    await model.release();
  }
}

async function draw(failed: readonly Failure[], file: string): Promise<void> {
  const parts: OverlayOptions[] = [];
  for (const [i, { file: photograph, shows, answer }] of failed.entries()) {
    const [left, top] = [(i % COLUMNS) * TILE, Math.floor(i / COLUMNS) * (TILE + TEXT)];
    const input = await sharp(photograph).resize(TILE, TILE, { fit: 'cover' }).toBuffer();
    const line = (text: string, y: number, colour: string): string =>
      `<text x="4" y="${y}" font-family="sans-serif" font-size="13" fill="${colour}">${escapeXml(text)}</text>`;
    const words = `<svg width="${TILE}" height="${TEXT}">${line(shows, 15, '#000')}${line(answer, 32, '#b00')}</svg>`;
    parts.push({ input, left, top }, { input: Buffer.from(words), left, top: top + TILE });
  }
  const rows = Math.ceil(failed.length / COLUMNS);
  await sharp({ create: { width: COLUMNS * TILE, height: rows * (TILE + TEXT), channels: 3, background: '#fff' } })
    .composite(parts)
    .toFile(file);
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
