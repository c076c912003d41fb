/** The reference's inputs and outputs for a bundle (models/training/export.py). */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const TINY_BUNDLE = path.resolve(import.meta.dirname, '../bundles/tiny');
/** The tiny bundle with a gated retention as its self-decoder. */
export const TINY_RETENTION_BUNDLE = path.resolve(import.meta.dirname, '../bundles/tiny-retention');

interface GoldenIndex {
  readonly frames: number;
  readonly intervalMs: number;
  /** Times whose codes `time_code` holds, ms. */
  readonly moments: readonly number[];
  readonly question: string;
  readonly questionIds: readonly number[];
  readonly answerIds: readonly number[];
}

export interface Golden extends GoldenIndex {
  /** The values of one tensor, row by row. */
  tensor(name: 'tokens' | 'k' | 'v' | 'first_logits' | 'last_logits' | 'first_evidence' | 'time_code'): Float32Array;
}

export function readGolden(bundle: string): Golden {
  const folder = path.join(bundle, 'golden');
  const index = JSON.parse(readFileSync(path.join(folder, 'golden.json'), 'utf8')) as GoldenIndex;
  return {
    ...index,
    tensor: (name) => new Float32Array(new Uint8Array(readFileSync(path.join(folder, `${name}.bin`))).buffer),
  };
}

/** Picture number `number` of the goldens: the same waves and disc as `picture` in models/training/export.py. */
export function goldenPicture(number: number, size = 224): Uint8Array {
  const rgb = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const disc = (x - 112) ** 2 + (y - 80 - 10 * number) ** 2 < (30 + 5 * number) ** 2;
      const pixel = disc
        ? [220, (40 * number) % 256, 30]
        : [x * (number + 1) + y * 2, x + y * (number + 2), Math.floor((x * y) / 64) + 40 * number].map((v) => v % 256);
      rgb.set(pixel, (y * size + x) * 3);
    }
  }
  return rgb;
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  return a.reduce((max, x, i) => Math.max(max, Math.abs(x - (b[i] ?? NaN))), 0);
}
