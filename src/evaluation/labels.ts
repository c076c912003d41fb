/** Labelled pictures on disk: `DATA/<set>/labels.jsonl`, one JSON object a line with `image` and its labels. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { YocoError } from '../errors.ts';

export interface LabelledPicture {
  readonly set: string;
  readonly file: string;
  /** What a person would answer to "What is shown now?". */
  readonly label: string;
}

/** Percent of the pictures that the recipe keeps out of training (`Sample.validation` in models/training/labels.py). */
const VALIDATION_PERCENT = 10;
/** Sets with one picture a name: the recipe keeps none of them out. */
const NOT_SPLIT = new Set(['emoji', 'stamps', 'imagenet-samples', 'exercises']);

const row = z.object({
  image: z.string().min(1),
  class: z.string().optional(),
  name: z.string().optional(),
  caption: z.string().optional(),
  exercise: z.string().optional(),
});

/** The same as `normalise` in models/training/labels.py: lower case, no article, no bracket, no final stop. */
export function normaliseLabel(label: string): string {
  let text = label.replaceAll('_', ' ').replace(/\([^)]*\)/g, ' ');
  if (!text.toLowerCase().includes('t-shirt')) text = text.replaceAll('-', ' ');
  text = text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^[.!]+|[.!]+$/g, '')
    .trim()
    .toLowerCase();
  return text.replace(/^(a|an|the|some)\s+/, '');
}

/** True for pictures that the bundled model never trained on. */
export function isHeldOut(set: string, file: string): boolean {
  if (NOT_SPLIT.has(set)) return false;
  const hash = createHash('sha256')
    .update(`${set}/${path.basename(file)}`)
    .digest();
  return hash.readUInt32LE(0) % 100 < VALIDATION_PERCENT;
}

/**
 * The labelled pictures of the named sets (default: every folder that has labels).
 * Throws `data_invalid` that names the file and the line.
 */
export async function readLabels(directory: string, sets?: readonly string[]): Promise<LabelledPicture[]> {
  const names = sets ?? (await setsIn(directory));
  if (names.length === 0) throw new YocoError('data_invalid', { param: 'data', detail: `${directory} holds no set.` });
  const pictures: LabelledPicture[] = [];
  for (const set of names) {
    const file = path.join(directory, set, 'labels.jsonl');
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new YocoError('data_invalid', { param: 'data', detail: `${file} cannot be read.`, cause });
    });
    text.split('\n').forEach((line, index) => {
      if (line.trim() === '') return;
      const where = `${file} line ${index + 1}`;
      const parsed = row.safeParse(parseLine(line, where));
      if (!parsed.success) throw new YocoError('data_invalid', { detail: `${where}: image is missing.` });
      const picture = path.join(directory, set, parsed.data.image);
      if (!existsSync(picture))
        throw new YocoError('data_invalid', { detail: `${where}: ${parsed.data.image} is missing.` });
      const { class: className, name, caption, exercise } = parsed.data;
      const raw = className ?? name ?? caption ?? exercise;
      if (raw === undefined) return; // scenes have captions or questions, not one label
      const label = normaliseLabel(raw);
      if (label === '') throw new YocoError('data_invalid', { detail: `${where}: the label is empty.` });
      pictures.push({ set, file: picture, label });
    });
  }
  return pictures;
}

async function setsIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
    throw new YocoError('data_invalid', { param: 'data', detail: `${directory} cannot be read.`, cause });
  });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return folders.filter((name) => existsSync(path.join(directory, name, 'labels.jsonl'))).sort();
}

function parseLine(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new YocoError('data_invalid', { detail: `${where}: not JSON.`, cause });
  }
}
