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
  /** What several names of its set have in common: "apple" for a Granny Smith. */
  readonly group?: string;
}

/** A picture with sentences instead of a name. */
export interface Scene {
  readonly set: string;
  readonly file: string;
  readonly captions: readonly string[];
}

/** An exercise as two pictures: its start and its end. */
export interface Exercise {
  readonly start: LabelledPicture;
  readonly end: LabelledPicture;
}

/**
 * Percentage of the pictures that the recipe holds out of training (`Sample.validation` in models/training/labels.py).
 */
const VALIDATION_PERCENT = 10;
/** Sets with one picture a name: the recipe holds none of them out. */
export const NOT_SPLIT = new Set(['emoji', 'stamps', 'imagenet-samples', 'exercises']);

/** Sets of cut-outs: one picture a name, on a transparent background. */
const CUT_OUT_SETS = ['emoji', 'stamps'];
/** Longer names are sentences, or not names at all ("squared cjk unified ideograph-6709"). */
const CUT_OUT_NAME = /^[a-z]+(?: [a-z]+){0,2}$/;

const row = z.object({
  image: z.string().min(1),
  class: z.string().optional(),
  name: z.string().optional(),
  caption: z.string().optional(),
  exercise: z.string().optional(),
  pose: z.string().optional(),
  group: z.string().min(1).optional(),
  captions: z.array(z.string()).optional(),
  qa: z.array(z.unknown()).optional(),
});

/** Same as `normalise` in models/training/labels.py: lower case, no article, no brackets, no final full stop. */
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

/** Whether the bundled model never trained on a picture. */
export function isHeldOut(set: string, file: string): boolean {
  if (NOT_SPLIT.has(set)) return false;
  const hash = createHash('sha256')
    .update(`${set}/${path.basename(file)}`)
    .digest();
  return hash.readUInt32LE(0) % 100 < VALIDATION_PERCENT;
}

/**
 * Reads the labelled pictures of the named sets (default: every folder that has labels), and skips scenes without a
 * label. Throws `data_invalid`, naming the file and the line.
 */
export async function readLabels(directory: string, sets?: readonly string[]): Promise<LabelledPicture[]> {
  const there = await setsIn(directory);
  const unknown = sets?.find((set) => !there.includes(set));
  if (unknown !== undefined) {
    const detail = `The set ${JSON.stringify(unknown)} is unknown; ${directory} holds ${there.join(', ') || 'none'}.`;
    throw new YocoError('data_invalid', { param: 'sets', detail });
  }
  const names = sets ?? there;
  if (names.length === 0) throw new YocoError('data_invalid', { param: 'data', detail: `${directory} holds no set.` });
  const pictures: LabelledPicture[] = [];
  for (const set of names) {
    for (const { file, label, group } of await readSet(directory, set))
      if (label !== null) pictures.push({ set, file, label, ...(group === undefined ? {} : { group }) });
  }
  return pictures;
}

/**
 * Reads what the folder holds besides names; each list is empty if its sets are missing. Throws what `readLabels`
 * throws.
 */
export async function readBoardPictures(
  directory: string,
): Promise<{ readonly cutOuts: LabelledPicture[]; readonly scenes: Scene[]; readonly exercises: Exercise[] }> {
  const cutOuts: LabelledPicture[] = [];
  const scenes: Scene[] = [];
  const exercises: Exercise[] = [];
  for (const set of await setsIn(directory)) {
    const starts = new Map<string, LabelledPicture>();
    for (const { file, label, captions, pose } of await readSet(directory, set)) {
      if (captions.length > 0) scenes.push({ set, file, captions });
      if (label === null) continue;
      if (CUT_OUT_SETS.includes(set) && CUT_OUT_NAME.test(label)) cutOuts.push({ set, file, label });
      const start = starts.get(label);
      if (pose === 'start') starts.set(label, { set, file, label });
      if (pose === 'end' && start !== undefined) exercises.push({ start, end: { set, file, label } });
    }
  }
  return { cutOuts, scenes, exercises };
}

interface Row {
  readonly file: string;
  readonly label: string | null;
  readonly captions: readonly string[];
  readonly pose: string | undefined;
  readonly group: string | undefined;
}

async function readSet(directory: string, set: string): Promise<Row[]> {
  const file = path.join(directory, set, 'labels.jsonl');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new YocoError('data_invalid', { param: 'data', detail: `${file} cannot be read.`, cause });
  });
  const rows: Row[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() !== '') rows.push(readRow(path.join(directory, set), line, `${file} line ${index + 1}`));
  });
  return rows;
}

function readRow(folder: string, line: string, where: string): Row {
  const invalid = (what: string): YocoError => new YocoError('data_invalid', { detail: `${where}: ${what}.` });
  const parsed = row.safeParse(parseLine(line, where));
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path[0] ?? 'image';
    throw invalid(field === 'image' ? 'image is missing' : `${String(field)} is wrong`);
  }
  const { image, class: className, name, caption, exercise, pose, captions = [], qa = [], ...rest } = parsed.data;
  const file = path.join(folder, image);
  if (!existsSync(file)) throw invalid(`${image} is missing`);
  const raw = className ?? name ?? caption ?? exercise;
  const label = raw === undefined ? null : normaliseLabel(raw);
  if (label === '' || captions.some((text) => text.trim() === '')) throw invalid('the label is empty');
  if (label === null && captions.length + qa.length === 0) throw invalid('the label is missing');
  const group = rest.group === undefined ? undefined : normaliseLabel(rest.group);
  return { file, label, captions, pose, group };
}

/** The folders that have labels. */
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
