/**
 * Which part of a source's pictures is watched, and what is masked. The model, thumbnails and snapshots see nothing
 * else.
 */
import { z } from 'zod';

/** Minimum share of a side that a region covers. */
const MIN_SIDE_SHARE = 0.02;
export const MAX_MASKS = 16;

const offset = z.number().min(0).max(1);
const length = z.number().min(MIN_SIDE_SHARE).max(1);

/** A rectangle in shares of the upright picture's width and height. */
export const regionSchema = z
  .strictObject({ left: offset, top: offset, width: length, height: length })
  .refine(({ left, width }) => left + width <= 1 + Number.EPSILON, {
    error: 'left + width must be at most 1',
    path: ['width'],
  })
  .refine(({ top, height }) => top + height <= 1 + Number.EPSILON, {
    error: 'top + height must be at most 1',
    path: ['height'],
  });

export type Region = z.output<typeof regionSchema>;

export interface Regions {
  /** The part that is watched; default: all of the picture. */
  readonly crop?: Region | undefined;
  /** Blackened before the crop, hence also in shares of the whole picture. */
  readonly masks: readonly Region[];
}

/** ffmpeg filters for pictures of any size. A mask includes pixels that it covers only in part. */
export function regionFilters({ crop, masks }: Regions): string[] {
  return [
    ...masks.map(
      ({ left, top, width, height }) =>
        `drawbox=x=floor(iw*${left})-1:y=floor(ih*${top})-1:w=ceil(iw*${width})+2:h=ceil(ih*${height})+2:color=black:t=fill`,
    ),
    ...(crop === undefined ? [] : [`crop=w=iw*${crop.width}:h=ih*${crop.height}:x=iw*${crop.left}:y=ih*${crop.top}`]),
  ];
}

interface PixelRect {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Blackens the masks in a picture of `width * height` RGB pixels. */
export function applyMasks(rgb: Uint8Array, width: number, height: number, masks: readonly Region[]): void {
  for (const mask of masks) {
    const left = Math.max(0, Math.floor(width * mask.left) - 1);
    const right = Math.min(width, left + Math.ceil(width * mask.width) + 2);
    const top = Math.max(0, Math.floor(height * mask.top) - 1);
    const bottom = Math.min(height, top + Math.ceil(height * mask.height) + 2);
    for (let row = top; row < bottom; row++) rgb.fill(0, (row * width + left) * 3, (row * width + right) * 3);
  }
}

/** A region in pixels, at least one in each direction. */
export function pixelRectOf(region: Region, width: number, height: number): PixelRect {
  const left = Math.min(width - 1, Math.floor(width * region.left));
  const top = Math.min(height - 1, Math.floor(height * region.top));
  return {
    left,
    top,
    width: Math.max(1, Math.min(width - left, Math.round(width * region.width))),
    height: Math.max(1, Math.min(height - top, Math.round(height * region.height))),
  };
}
