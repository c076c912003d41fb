/**
 * Long caches of real video tokens: photographs of the recorded tests, each in several crops, shown scene after scene.
 * Each picture goes through vision once; every frame goes through the self-decoder with its own time, many in one run.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { PACKAGE_ROOT } from '../src/config.ts';
import { isHeldOut, readLabels } from '../src/evaluation/labels.ts';
import type { KvCache } from '../src/model/kv-cache.ts';
import type { Model } from '../src/model/model.ts';

/** Frames in one run of the self-decoder: this saves runs and leaves K and V the same up to rounding. */
const FRAMES_PER_RUN = 16;
/** Crops of each photograph. */
export const CROPS = 6;

export interface Photograph {
  /** Its path. */
  readonly file: string;
  readonly class: string;
  /** The name that questions use for it. */
  readonly asked: string;
  /** General words for what it certainly shows, and words that it might also be called. */
  readonly kinds: readonly string[];
  readonly maybe?: readonly string[];
}

/** One thing shown for `frames` frames. */
export interface Scene {
  readonly class: string;
  readonly frames: number;
  /** The first frame of a shot of footage; undefined for a photograph, whose crops alternate. */
  readonly from?: number;
}

/** Visual tokens by class: one entry for each crop of each of its photographs, or for each frame of a video. */
export type SceneTokens = ReadonlyMap<string, readonly Float32Array[]>;

/** How the photographs were chosen: errors on them point to the memory rather than to the vision encoder. */
export const PHOTOGRAPHS_NOTE =
  'photographs whose class the frozen EfficientNet-Lite0 puts first (test/recorded/photos/SOURCES.md): of others more would be wrong';

const PHOTOGRAPHS = path.join(PACKAGE_ROOT, 'test', 'recorded', 'photos');
/** Sets of a data folder whose pictures each show one named thing that a question can ask for. */
const NAMED_SETS = ['grocery', 'clothing'];

/**
 * The photographs of the recorded tests; with a data folder, its pictures of named things that training did not see.
 * Throws what `readLabels` throws.
 */
export async function readPhotographs(data?: string): Promise<Photograph[]> {
  if (data !== undefined) {
    const pictures = await readLabels(data, NAMED_SETS);
    const unseen = pictures.filter(({ set, file }) => isHeldOut(set, file));
    return unseen.map(({ file, label }) => ({ file, class: label, asked: label, kinds: [] }));
  }
  const listed = JSON.parse(await readFile(path.join(PHOTOGRAPHS, 'photos.json'), 'utf8')) as Photograph[];
  return listed.map((photograph) => ({ ...photograph, file: path.join(PHOTOGRAPHS, photograph.file) }));
}

export async function sceneTokens(model: Model, photographs: readonly Photograph[]): Promise<SceneTokens> {
  const all = new Map<string, Float32Array[]>();
  for (const { file, class: name } of photographs) {
    const mine = all.get(name) ?? [];
    for (let crop = 0; crop < CROPS; crop++) {
      mine.push(await model.vision.encode(await cropped(file, model.config.imageSize, crop)));
    }
    all.set(name, mine);
  }
  return all;
}

/** RGB at the model's size: centre crops of 100, 90 and 80% of each side, then the same mirrored. Crop 0 is whole. */
export async function cropped(file: string, size: number, crop: number): Promise<Uint8Array> {
  const { width, height } = await sharp(file).metadata();
  const share = 1 - 0.1 * (crop % 3);
  const [w, h] = [Math.floor(width * share), Math.floor(height * share)];
  const picture = sharp(file)
    .extract({ left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h })
    .resize(size, size, { fit: 'fill' });
  const turned = crop < CROPS / 2 ? picture : picture.flop();
  return new Uint8Array(await turned.removeAlpha().raw().toBuffer());
}

/** Appends scene after scene: alternating crops, or consecutive frames. Returns the first frame of each scene. */
export async function appendScenes(
  model: Model,
  cache: KvCache,
  tokens: SceneTokens,
  scenes: readonly Scene[],
  fps: number,
): Promise<number[]> {
  const { config, selfDecoder } = model;
  const { tokensPerFrame, width, kvHeads, headDim } = config;
  const window = selfDecoder.newWindow();
  const starts: number[] = [];
  const frames: Float32Array[] = [];
  for (const { class: name, frames: count, from } of scenes) {
    starts.push(frames.length);
    const seen = tokens.get(name);
    if (seen === undefined) throw new RangeError(`no photograph of ${name}`);
    for (let i = 0; i < count; i++) {
      const which = from === undefined ? starts.length + (i >> 1) : from + i;
      frames.push(seen[which % seen.length] ?? new Float32Array(0));
    }
  }
  const size = tokensPerFrame * kvHeads * headDim;
  for (let first = 0; first < frames.length; first += FRAMES_PER_RUN) {
    const some = frames.slice(first, first + FRAMES_PER_RUN);
    const input = new Float32Array(some.length * tokensPerFrame * width);
    some.forEach((frame, i) => {
      input.set(frame, i * tokensPerFrame * width);
    });
    const time = (frame: number): number => Math.round((frame * 1000) / fps);
    const timesMs = some.flatMap((_, i) => new Array<number>(tokensPerFrame).fill(time(first + i)));
    const [step] = await selfDecoder.step([{ window, tokens: input, timesMs }]);
    if (step === undefined) throw new RangeError('the self-decoder gave no output');
    some.forEach((_, i) => {
      cache.append(
        time(first + i),
        step.k.subarray(i * size, (i + 1) * size),
        step.v.subarray(i * size, (i + 1) * size),
      );
    });
  }
  return starts;
}
