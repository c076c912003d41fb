/**
 * When the kept frames of a stream were shown, and until when each stood. Frames are numbered by their place.
 *
 * A day's are two hundred thousand: they lie in bytes that grow in their place. An array of JavaScript grows by half,
 * and would leave as much unused.
 */
import { GrowingBytes } from './growing-bytes.ts';

/**
 * A frame stands until the next one, but for no longer than this after it was last seen: a camera that was away showed
 * nothing, ms. As trained (LONGEST of model.py).
 */
export const LONGEST_MS = 10_000;
/** Room is made for so many frames at once. */
const STEP_FRAMES = 4_096;
const BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Frames are added to it; where kept ones go there is another one (`thinned`, `from`). */
export class FrameTimes {
  #length = 0;
  readonly #bytes = { times: new GrowingBytes(0), ends: new GrowingBytes(0) };
  #times = new Float64Array(0);
  #ends = new Float64Array(0);

  /** Of each frame its time, and until when it stood, ms; they are copied. */
  static of(times: ArrayLike<number>, ends: ArrayLike<number>): FrameTimes {
    const all = new FrameTimes();
    all.#reserve(times.length);
    all.#times.set(times);
    all.#ends.set(ends);
    all.#length = times.length;
    return all;
  }

  get length(): number {
    return this.#length;
  }

  /** The time of a frame, ms; undefined where there is none. */
  at(place: number): number | undefined {
    return place < this.#length ? this.#times[place] : undefined;
  }

  /** The time of the newest frame, ms. */
  get newest(): number | undefined {
    return this.at(this.#length - 1);
  }

  /** Until when a frame stood, ms: its own time, or that of the last frame that was merged into it. */
  endOf(place: number): number {
    return place < this.#length ? (this.#ends[place] ?? 0) : 0;
  }

  /** The times of the frames from place `first` on, up to and without place `end`; by default all of them. */
  slice(first = 0, end = this.#length): number[] {
    return Array.from(this.#times.subarray(first, Math.min(end, this.#length)));
  }

  /** Copies: of each frame its time, and until when it stood. */
  content(): { readonly times: Float64Array; readonly ends: Float64Array } {
    return { times: this.#times.slice(0, this.#length), ends: this.#ends.slice(0, this.#length) };
  }

  /** A frame after all others. Throws what `check` throws. */
  append(timeMs: number): void {
    this.check(timeMs);
    this.#reserve(this.#length + 1);
    this.#times[this.#length] = timeMs;
    this.#ends[this.#length++] = timeMs;
  }

  /** The last frame stands until `timeMs`, too. Throws what `check` throws. */
  extend(timeMs: number): void {
    this.check(timeMs);
    if (this.#length === 0) throw new RangeError('nothing to merge into');
    this.#ends[this.#length - 1] = timeMs;
  }

  /** Throws RangeError for a time before the newest: frames are found by their times, which therefore rise. */
  check(timeMs: number): void {
    const newest = this.#length === 0 ? -Infinity : this.endOf(this.#length - 1);
    if (timeMs < newest) throw new RangeError(`a frame at ${timeMs} ms after one at ${newest} ms`);
  }

  /**
   * For how long a frame stood, ms: until the next one came; of the newest, which goes on, LONGEST_MS from when it was
   * last seen.
   */
  stoodOf(place: number): number {
    const end = this.endOf(place);
    return end - (this.at(place) ?? 0) + Math.min(LONGEST_MS, (this.at(place + 1) ?? Infinity) - end);
  }

  /** The same of the frame at `timeMs`, also where it is not kept any more. */
  stoodAt(timeMs: number): number {
    const after = this.upTo(timeMs);
    if (this.at(after - 1) === timeMs) return this.stoodOf(after - 1);
    return Math.min(LONGEST_MS, (this.at(after) ?? Infinity) - timeMs);
  }

  /** How many frames lie at or before `timeMs`. */
  upTo(timeMs: number): number {
    return lastUpTo(this.#times, timeMs, this.#length) + 1;
  }

  /** The frame that stood at `timeMs`, or the first one after it; as many as there are where none is. */
  firstFrom(timeMs: number): number {
    const after = this.upTo(timeMs);
    return after > 0 && timeMs - this.endOf(after - 1) < LONGEST_MS ? after - 1 : after;
  }

  /**
   * Without those of the frames from `start` on for which `keep` says no. The one before them stands for them, too,
   * unless nothing was seen in between.
   */
  thinned(start: number, keep: readonly boolean[]): FrameTimes {
    const { times, ends } = this.content();
    let standing = start - 1;
    keep.forEach((kept, i) => {
      const frame = start + i;
      const end = ends[standing] ?? 0;
      if (kept) standing = frame;
      else if (standing >= 0 && (times[frame] ?? 0) - end <= LONGEST_MS) ends[standing] = ends[frame] ?? 0;
    });
    const stays = (_: number, place: number): boolean => place < start || (keep[place - start] ?? true);
    return FrameTimes.of(times.filter(stays), ends.filter(stays));
  }

  /** Without the frames before place `first`. */
  from(first: number): FrameTimes {
    const cut = (all: Float64Array): Float64Array => all.subarray(first, this.#length);
    return FrameTimes.of(cut(this.#times), cut(this.#ends));
  }

  #reserve(frames: number): void {
    if (frames <= this.#times.length) return;
    const bytes = Math.ceil(frames / STEP_FRAMES) * STEP_FRAMES * BYTES;
    this.#times = grown(this.#bytes.times, bytes);
    this.#ends = grown(this.#bytes.ends, bytes);
  }
}

/** The numbers in bytes that were made `length`. */
function grown(bytes: GrowingBytes, length: number): Float64Array<ArrayBuffer> {
  bytes.grow(length);
  return new Float64Array(bytes.all.buffer as ArrayBuffer, 0, length / BYTES);
}

/** Where among the first `count` of rising numbers the last one up to `value` is; -1: all are above it. */
export function lastUpTo(rising: ArrayLike<number>, value: number, count = rising.length): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] ?? Infinity) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
