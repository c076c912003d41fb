/** Visual tokens of real videos, decoded and encoded as in the service: footage to make haystacks of. */
import path from 'node:path';
import { findFfmpeg } from '../src/ingest/ffmpeg-binary.ts';
import { ffmpegInput } from '../src/ingest/ffmpeg-input.ts';
import { FfmpegRun } from '../src/ingest/ffmpeg.ts';
import type { Model } from '../src/model/model.ts';
import type { Scene, SceneTokens } from './haystack.ts';

/**
 * Maps the base name of each file to its frames in order. Throws the YocoError of a file that cannot be read, and
 * RangeError for a file without frames.
 */
export async function footageTokens(model: Model, files: readonly string[], fps: number): Promise<SceneTokens> {
  const binary = await findFfmpeg();
  const all = new Map<string, Float32Array[]>();
  for (const file of files) {
    const frames: Float32Array[] = [];
    const run = new FfmpegRun({
      binary,
      input: ffmpegInput({ file, pace: 'fastest', loop: false }),
      imageSize: model.config.imageSize,
      fps,
      onFrame: async (rgb) => {
        frames.push(await model.vision.encode(rgb));
      },
    });
    const { error } = await run.done;
    if (error !== null) throw error;
    if (frames.length === 0) throw new RangeError(`${path.basename(file)} has no frame`);
    all.set(path.basename(file), frames);
  }
  return all;
}

/** Makes shots of a given number of frames, each from a random frame of a random video on. */
export function shotsOf(footage: SceneTokens, random: () => number): (frames: number) => Scene {
  const names = [...footage.keys()];
  return (frames) => {
    const name = names[Math.floor(random() * names.length)] ?? '';
    return { class: name, frames, from: Math.floor(random() * (footage.get(name)?.length ?? 1)) };
  };
}
