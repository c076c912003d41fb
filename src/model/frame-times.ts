/**
 * When each kept frame of a stream was shown, and until when it stood. Frames are numbered by their place.
 *
 * A day has two hundred thousand frames, so their times lie in bytes that grow in place. A JavaScript array grows by
 * half, and would leave as much unused.
 */
import { GrowingBytes } from './growing-bytes.ts';

/**
 * A frame stands until the next one, but at most this long, in ms, after it was last seen: while a camera is away,
 * nothing is shown. The same as in training (LONGEST in time_code.py).
 */
export const MAX_STAND_MS = 10_000;
/** Capacity grows in steps of this many frames. */
const STEP_FRAMES = 4_096;
const BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Frames are appended and merged in place; removing frames returns a new instance (`thin`, `sliceFrom`). */
export class FrameTimes {
  #length = 0;
  readonly #bytes = { times: new GrowingBytes(0), ends: new GrowingBytes(0) };
  #times = new Float64Array(0);
  #ends = new Float64Array(0);

  /** From each frame's time and the time until which it stood, ms. Copies both. */
  static from(times: ArrayLike<number>, ends: ArrayLike<number>): FrameTimes {
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

  /** The time of the frame at `place`, ms; undefined if there is none. */
  at(place: number): number | undefined {
    return place < this.#length ? this.#times[place] : undefined;
  }

  /** The time of the newest frame, ms. */
  get newest(): number | undefined {
    return this.at(this.#length - 1);
  }

  /** Until when a frame stood, ms: its own time, or that of the last frame merged into it. */
  endOf(place: number): number {
    return place < this.#length ? (this.#ends[place] ?? 0) : 0;
  }

  /** The times of the frames from place `first` up to, but not including, place `end`; by default all. */
  slice(first = 0, end = this.#length): number[] {
    return Array.from(this.#times.subarray(first, Math.min(end, this.#length)));
  }

  /** Copies of each frame's time and the time until which it stood. */
  content(): { readonly times: Float64Array; readonly ends: Float64Array } {
    return { times: this.#times.slice(0, this.#length), ends: this.#ends.slice(0, this.#length) };
  }

  /** Appends a frame. Throws what `checkOrder` throws. */
  append(timeMs: number): void {
    this.checkOrder(timeMs);
    this.#reserve(this.#length + 1);
    this.#times[this.#length] = timeMs;
    this.#ends[this.#length++] = timeMs;
  }

  /** Merges a frame into the last one, which then stands until `timeMs`. Throws what `checkOrder` throws. */
  extend(timeMs: number): void {
    this.checkOrder(timeMs);
    if (this.#length === 0) throw new RangeError('nothing to merge into');
    this.#ends[this.#length - 1] = timeMs;
  }

  /** Throws RangeError for a time before the newest: frames are looked up by time, so times must not fall. */
  checkOrder(timeMs: number): void {
    const newest = this.#length === 0 ? -Infinity : this.endOf(this.#length - 1);
    if (timeMs < newest) throw new RangeError(`a frame at ${timeMs} ms after one at ${newest} ms`);
  }

  /**
   * How long a frame stood, ms: until the next one came, at most MAX_STAND_MS after it was last seen, as for the
   * newest.
   */
  durationOf(place: number): number {
    const end = this.endOf(place);
    return end - (this.at(place) ?? 0) + Math.min(MAX_STAND_MS, (this.at(place + 1) ?? Infinity) - end);
  }

  /** The same for the frame at `timeMs`, even if it is no longer kept. */
  durationAt(timeMs: number): number {
    const after = this.countUpTo(timeMs);
    if (this.at(after - 1) === timeMs) return this.durationOf(after - 1);
    return Math.min(MAX_STAND_MS, (this.at(after) ?? Infinity) - timeMs);
  }

  /** How many frames were shown at or before `timeMs`. */
  countUpTo(timeMs: number): number {
    return countUpTo(this.#times, timeMs, this.#length);
  }

  /** How many frames were shown before `timeMs`. */
  countBefore(timeMs: number): number {
    return countBefore(this.#times, timeMs, this.#length);
  }

  /** Place of the frame that stood at `timeMs`, else of the first one after it, else `length`. */
  firstShownFrom(timeMs: number): number {
    const after = this.countUpTo(timeMs);
    return after > 0 && timeMs - this.endOf(after - 1) < MAX_STAND_MS ? after - 1 : after;
  }

  /**
   * A copy without the frames from `start` on for which `keep` is false. The kept frame before them stands for them
   * too, unless nothing was seen in between for MAX_STAND_MS.
   */
  thin(start: number, keep: readonly boolean[]): FrameTimes {
    const { times, ends } = this.content();
    let standing = start - 1;
    keep.forEach((kept, i) => {
      const frame = start + i;
      const end = ends[standing] ?? 0;
      if (kept) standing = frame;
      else if (standing >= 0 && (times[frame] ?? 0) - end <= MAX_STAND_MS) ends[standing] = ends[frame] ?? 0;
    });
    const stays = (_: number, place: number): boolean => place < start || (keep[place - start] ?? true);
    return FrameTimes.from(times.filter(stays), ends.filter(stays));
  }

  /** A copy without the frames before place `first`. */
  sliceFrom(first: number): FrameTimes {
    const cut = (all: Float64Array): Float64Array => all.subarray(first, this.#length);
    return FrameTimes.from(cut(this.#times), cut(this.#ends));
  }

  #reserve(frames: number): void {
    if (frames <= this.#times.length) return;
    const bytes = Math.ceil(frames / STEP_FRAMES) * STEP_FRAMES * BYTES;
    this.#times = growTo(this.#bytes.times, bytes);
    this.#ends = growTo(this.#bytes.ends, bytes);
  }
}

/** Grows `buffer` to `length` and returns them as numbers. */
function growTo(buffer: GrowingBytes, length: number): Float64Array<ArrayBuffer> {
  buffer.grow(length);
  return new Float64Array(buffer.bytes.buffer as ArrayBuffer, 0, length / BYTES);
}

/** How many of the first `count` of rising numbers are below `value`. */
export function countBefore(rising: ArrayLike<number>, value: number, count = rising.length): number {
  return countWhile(count, (place) => (rising[place] ?? Infinity) < value);
}

/** How many of the first `count` of rising numbers are at most `value`. */
export function countUpTo(rising: ArrayLike<number>, value: number, count = rising.length): number {
  return countWhile(count, (place) => (rising[place] ?? Infinity) <= value);
}

/** How many of `count` places hold, where those that do come before those that do not. */
function countWhile(count: number, holds: (place: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
