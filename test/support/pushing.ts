/** Push streams that have taken their pictures. */
import sharp from 'sharp';
import { expect, vi } from 'vitest';
import type { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';
import { picture } from './tiny.ts';

export const png = (number: number): Promise<Buffer> =>
  sharp(picture(number), { raw: { width: 224, height: 224, channels: 3 } })
    .png()
    .toBuffer();

/** A push stream that has taken `frames` pictures, half a second apart; `numberOf` says which picture a frame is. */
export async function pushed(
  live: Streams,
  name: string,
  frames: number,
  memory: object = {},
  numberOf = (frame: number): number => frame,
): Promise<SourceStream> {
  const stream = await live.create({ name, source: { push: true }, memory }, 'operator');
  for (let i = 0; i < frames; i++) {
    await stream.push(await png(numberOf(i)), i * 500);
    await vi.waitFor(() => {
      expect(stream.status().frames).toBe(i + 1);
    }, 10_000);
  }
  return stream;
}
