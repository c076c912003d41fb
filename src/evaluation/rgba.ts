/** Pixels of a picture, whatever its format: RGB and opacity. */
import sharp, { type Sharp } from 'sharp';

export const CHANNELS = 4;

export interface Rgba {
  /** `[height, width, 4]`, 0..255. */
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
}

/** Throws sharp's error for a picture that cannot be decoded. */
export async function readRgba(picture: string | Buffer): Promise<Rgba> {
  const pixels = sharp(picture).toColourspace('srgb').ensureAlpha().raw();
  const { data, info } = await pixels.toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

export function pictureOf({ data, width, height }: Rgba): Sharp {
  return sharp(data, { raw: { width, height, channels: CHANNELS } });
}
