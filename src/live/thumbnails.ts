/** The pictures that the model saw, as JPEG, oldest dropped first. */
import sharp from 'sharp';
import { YocoError } from '../errors.ts';
import type { Frame } from '../ingest/frame.ts';
import type { Thumbnail } from './types.ts';

export interface ThumbnailOptions {
  /** Pixels of a side. */
  readonly size: number;
  /** Bytes of JPEG kept. */
  readonly limitBytes: number;
}

const QUALITY = 75;

export class Thumbnails {
  readonly #options: ThumbnailOptions;
  #kept: Thumbnail[] = [];
  #bytes = 0;

  constructor(options: ThumbnailOptions) {
    this.#options = options;
  }

  async add(frame: Frame): Promise<void> {
    const { size, limitBytes } = this.#options;
    const raw = { width: size, height: size, channels: 3 } as const;
    const jpeg = await sharp(frame.rgb, { raw }).jpeg({ quality: QUALITY }).toBuffer();
    // Pictures are compressed concurrently: a later one may be done first.
    const after = this.#kept.findLastIndex((kept) => kept.timeMs <= frame.timeMs) + 1;
    this.#kept.splice(after, 0, { timeMs: frame.timeMs, jpeg });
    this.#bytes += jpeg.byteLength;
    if (this.#bytes <= limitBytes) return;
    let dropped = 0;
    while (this.#bytes > limitBytes && dropped < this.#kept.length - 1) {
      this.#bytes -= this.#kept[dropped++]?.jpeg.byteLength ?? 0;
    }
    this.#kept = this.#kept.slice(dropped);
  }

  get range(): { readonly firstMs: number; readonly lastMs: number } | null {
    const [first, last] = [this.#kept[0], this.#kept.at(-1)];
    return first === undefined || last === undefined ? null : { firstMs: first.timeMs, lastMs: last.timeMs };
  }

  clear(): void {
    this.#kept = [];
    this.#bytes = 0;
  }

  /** The picture at or before `timeMs`, by default the newest. Throws `stream_empty` or `time_out_of_range`. */
  at(timeMs?: number): Thumbnail {
    const first = this.#kept[0];
    const last = this.#kept.at(-1);
    if (first === undefined || last === undefined) throw new YocoError('stream_empty');
    if (timeMs === undefined) return last;
    if (timeMs < first.timeMs) {
      const detail = `The first kept picture is of ${(first.timeMs / 1000).toFixed(3)} s.`;
      throw new YocoError('time_out_of_range', { param: 't', detail });
    }
    let low = 0;
    let high = this.#kept.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#kept[middle]?.timeMs ?? Infinity) <= timeMs) low = middle;
      else high = middle;
    }
    return this.#kept[low] ?? first;
  }
}
