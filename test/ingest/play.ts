/** Helpers for the tests of this folder. */
import { parseDefinition } from '../../src/ingest/definition.ts';
import type { Frame, FrameSource, SourceStatus } from '../../src/ingest/frame.ts';
import { createSource } from '../../src/ingest/sources/create-source.ts';
import type { SourceOptions } from '../../src/ingest/sources/ffmpeg-source.ts';

export const SIZE = 32;

export function open(source: object, fps = 2, options: Partial<SourceOptions> = {}): FrameSource {
  return createSource(parseDefinition({ name: 'test', source, sampling: { fps } }), { imageSize: SIZE, ...options });
}

export const openFile = (file: string, fps = 2): FrameSource => open({ file, pace: 'fastest' }, fps);

/** The first `count` frames, after which the source is stopped. */
export async function take(source: FrameSource, count = Infinity): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of source.frames()) {
    frames.push(frame);
    if (frames.length >= count) break;
  }
  return frames;
}

export const times = (frames: readonly Frame[]): number[] => frames.map((frame) => frame.timeMs);

/** The name of the colour at `x`, `y` (0..1). */
export function colourAt(frame: Frame | undefined, x: number, y: number): string {
  const offset = (Math.floor(y * SIZE) * SIZE + Math.floor(x * SIZE)) * 3;
  const [red = 0, green = 0, blue = 0] = frame?.rgb.subarray(offset, offset + 3) ?? [];
  const names = [red > 128 && 'red', green > 128 && 'green', blue > 128 && 'blue'].filter((name) => name !== false);
  return names.join('+') || 'black';
}

/** Resolves when the status fulfils the condition; throws with the status after `limitMs`. */
export async function until(
  source: FrameSource,
  condition: (status: SourceStatus) => boolean,
  limitMs = 15_000,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!condition(source.status)) {
    if (Date.now() > end) throw new Error(`Waited in vain: ${JSON.stringify(source.status)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
