/** A source whose pictures a client pushes. */
import sharp, { type Sharp } from 'sharp';
import { YocoError } from '../../errors.ts';
import { checkCaptureTime } from '../capture-time.ts';
import { FrameQueue, QUEUE_LIMIT } from '../frame-queue.ts';
import type { Frame, FrameSource, SourceState, SourceStatus } from '../frame.ts';
import { type ClockStart, firstTimeMs, MAX_TIME_MS } from '../source-clock.ts';
import { Semaphore } from '../semaphore.ts';
import { applyMasks, pixelRectOf, type Regions } from '../regions.ts';
import type { SourceOptions } from './ffmpeg-source.ts';

export type PushOutcome =
  | { readonly accepted: true; readonly timeMs: number }
  | { readonly accepted: false; readonly reason: 'late' | 'out_of_order' };

/** A larger picture is refused before it is decoded, pixels. */
const MAX_PICTURE_PIXELS = 50_000_000;

const JPEG = Buffer.from([0xff, 0xd8, 0xff]);
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

export class PushSource implements FrameSource {
  readonly #size: number;
  readonly #regions: Regions;
  readonly #now: () => number;
  readonly #resumeFrom: ClockStart | undefined;
  /** Wall time of the stream's time 0 by this machine's clock, once the stream knows it. */
  readonly #startByClockMs: () => number | undefined;
  readonly #queue = new FrameQueue('hold');
  #state: SourceState = 'connecting';
  #hasReader = false;
  #late = 0;
  /** Pushes that are being decoded or wait for it. */
  #pending = 0;
  #lastPush: Promise<unknown> = Promise.resolve();
  #lastMs: number | null = null;
  /** Reading of `#now` at time 0. */
  #originMs = 0;
  /** Wall time of time 0 according to the first picture: the stream may not have processed its frame yet. */
  #startByFirstPictureMs: number | undefined;
  #startedAtMs: number | undefined;

  constructor({ imageSize, clock, resumeFrom, startedAtMs }: SourceOptions, regions: Regions) {
    this.#size = imageSize;
    this.#regions = regions;
    this.#resumeFrom = resumeFrom;
    this.#startByClockMs = startedAtMs ?? (() => undefined);
    this.#now = clock ?? (() => performance.now());
  }

  get status(): SourceStatus {
    return { state: this.#state, frames: this.#queue.delivered, dropped: this.#late, reconnects: 0, error: null };
  }

  /**
   * Set by the first picture that states when it was taken. It is then fixed, since the next such picture might
   * otherwise come before it.
   */
  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  readonly isRecording = false;

  async *frames(): AsyncGenerator<Frame, void> {
    if (this.#hasReader) throw new Error('The frames of a source can be read once.');
    this.#hasReader = true;
    try {
      for (let frame = await this.#queue.next(); frame !== null; frame = await this.#queue.next()) yield frame;
    } finally {
      await this.stop();
    }
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#queue.cancel();
    await this.#lastPush;
  }

  /**
   * Takes a JPEG or PNG. `time` is when it was taken, in ms since the stream began or as a wall time; the wall time of
   * a stream's first picture is time 0. Without it, the arrival `waitedMs` ago counts, continuing from pictures that
   * stated a time. Not accepted: `late` when too many pictures already wait, `out_of_order` when it is not newer than
   * the last. Throws `image_undecodable`, `invalid_request` for an invalid time, `stream_deleted` after `stop`.
   */
  async push(image: Uint8Array, time?: number | Date, waitedMs = 0): Promise<PushOutcome> {
    checkCaptureTime(time, 'time');
    if (typeof time === 'number' && !(time >= 0 && time < MAX_TIME_MS)) {
      throw new YocoError('invalid_request', {
        param: 'time',
        detail: `The time must be a number of ms that is not negative, and below ${MAX_TIME_MS}.`,
      });
    }
    if (this.#state === 'stopped') throw new YocoError('stream_deleted');
    if (this.#pending + this.#queue.size >= QUEUE_LIMIT) {
      this.#late += 1;
      return { accepted: false, reason: 'late' };
    }
    const arrivedMs = this.#now() - waitedMs;
    this.#pending += 1;
    // One after the other, so that pictures keep their order of arrival.
    const push = this.#lastPush.then(() => this.#accept(image, time, arrivedMs));
    this.#lastPush = push.catch(() => undefined);
    return push.finally(() => (this.#pending -= 1));
  }

  async #accept(image: Uint8Array, captureTime: number | Date | undefined, arrivedMs: number): Promise<PushOutcome> {
    const timeMs = captureTime instanceof Date ? this.#toStreamMs(captureTime) : captureTime;
    const beforeMs = this.#lastMs ?? this.#resumeFrom?.lastMs ?? null;
    if (timeMs !== undefined && beforeMs !== null && timeMs <= beforeMs) {
      return { accepted: false, reason: 'out_of_order' };
    }
    const rgb = await decode(image, this.#size, this.#regions);
    if (this.#isStopped()) throw new YocoError('stream_deleted');
    // Decoding, slow for a large picture, does not delay the arrival time.
    const wallMs = Date.now() - Math.round(this.#now() - arrivedMs);
    if (this.#lastMs === null) this.#originMs = arrivedMs - (timeMs ?? firstTimeMs(this.#resumeFrom, true, 1, wallMs));
    // The clock moves up to a stated time that is ahead of it. Otherwise pictures without a time would bunch up until
    // the clock caught up.
    else if (timeMs !== undefined) this.#originMs = Math.min(this.#originMs, arrivedMs - timeMs);
    const time = timeMs ?? Math.max(Math.round(arrivedMs - this.#originMs), (this.#lastMs ?? -1) + 1);
    if (captureTime instanceof Date) this.#startedAtMs ??= captureTime.getTime() - time;
    this.#startByFirstPictureMs ??= this.#startedAtMs ?? wallMs - time;
    this.#lastMs = time;
    this.#state = 'playing';
    // Not awaited: the limit was checked on arrival.
    void this.#queue.push({ timeMs: time, rgb, arrivedAtMs: wallMs });
    return { accepted: true, timeMs: time };
  }

  /** ms since the stream began; 0 for a picture that begins it. */
  #toStreamMs(captureTime: Date): number {
    const start =
      this.#startedAtMs ?? this.#startByClockMs() ?? this.#startByFirstPictureMs ?? this.#resumeFrom?.startedAtMs;
    return start === undefined ? 0 : Math.round(captureTime.getTime() - start);
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }
}

/**
 * Whole pictures in memory at once, across all streams: each takes three bytes per pixel or more, up to some hundred
 * MB. Masks or a crop require decoding the whole picture; so may any large picture, which can be interlaced or
 * progressive.
 */
const MAX_WHOLE_PICTURES = 2;
const wholePictureSemaphore = new Semaphore(MAX_WHOLE_PICTURES);
/** A picture with more pixels is large; four-megapixel cameras send none. */
const LARGE_PICTURE_PIXELS = 5_000_000;
const SHARP_OPTIONS = { limitInputPixels: MAX_PICTURE_PIXELS, failOn: 'error' } as const;

/** The upright picture, squashed to the model's square; transparent areas become black. */
async function decode(image: Uint8Array, size: number, regions: Regions): Promise<Uint8Array> {
  // Checked first, so that client data never reaches libvips' other readers.
  const hasSignature = (signature: Buffer): boolean => signature.equals(image.subarray(0, signature.length));
  if (!hasSignature(JPEG) && !hasSignature(PNG)) throw undecodable('It is neither JPEG nor PNG.');
  const read = (): Promise<Uint8Array> => decodePixels(image, size, regions);
  try {
    const needsWholePicture = regions.crop !== undefined || regions.masks.length > 0 || (await isLarge(image));
    return await (needsWholePicture ? wholePictureSemaphore.run(read) : read());
  } catch (cause) {
    throw undecodable(await rejectionReason(image), cause);
  }
}

async function isLarge(image: Uint8Array): Promise<boolean> {
  const { width, height } = await sharp(image, SHARP_OPTIONS).metadata();
  return width * height > LARGE_PICTURE_PIXELS;
}

async function decodePixels(image: Uint8Array, size: number, regions: Regions): Promise<Uint8Array> {
  const upright = sharp(image, SHARP_OPTIONS).rotate().flatten({ background: '#000' }).toColourspace('srgb');
  return resizeToSquare(await maskAndCrop(upright, regions), size)
    .raw()
    .toBuffer();
}

function resizeToSquare(picture: Sharp, size: number): Sharp {
  return picture.resize(size, size, { fit: 'fill', kernel: 'cubic' });
}

/** The part of a picture that the model may see. */
async function maskAndCrop(picture: Sharp, { crop, masks }: Regions): Promise<Sharp> {
  if (crop === undefined && masks.length === 0) return picture;
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  applyMasks(data, width, height, masks);
  const whole = sharp(data, { raw: { width, height, channels: 3 } });
  return crop === undefined ? whole : whole.extract(pixelRectOf(crop, width, height));
}

/** Why a picture could not be decoded. sharp's own error does not say by how much the limit was exceeded. */
async function rejectionReason(image: Uint8Array): Promise<string> {
  const { width, height } = await sharp(image, { limitInputPixels: false })
    .metadata()
    .catch(() => ({ width: 0, height: 0 }));
  if (width * height <= MAX_PICTURE_PIXELS) return 'It is cut off or damaged.';
  // Rounded up, so that a picture just above the limit does not appear to be at it.
  const millions = Math.ceil((width * height) / 100_000) / 10;
  return `It has ${millions} million pixels; the limit is ${MAX_PICTURE_PIXELS / 1_000_000} million.`;
}

function undecodable(detail: string, cause?: unknown): YocoError {
  return new YocoError('image_undecodable', { detail, cause });
}
