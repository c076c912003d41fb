/**
 * What the index knows of the time of a cell: the features that the cross-decoder computes of a frame's time
 * (`time_code` in models/training/model.py), in int8.
 *
 * One-hot digits of the clock, hours to seconds; sine and cosine of the time in periods of powers of two of a second.
 */

/** Milliseconds of a digit's unit, and how many digits there are. */
const DIGITS: readonly (readonly [unit: number, base: number])[] = [
  [36_000_000, 3],
  [3_600_000, 10],
  [600_000, 6],
  [60_000, 10],
  [10_000, 6],
  [1_000, 10],
];
const DAY_MS = 86_400_000;
const PERIODS_MS = Array.from({ length: 18 }, (_, i) => 2_000 * 2 ** i);
const DIGITS_SIZE = DIGITS.reduce((sum, [, base]) => sum + base, 0);

export const TIME_CODE_SIZE = DIGITS_SIZE + 2 * PERIODS_MS.length;
/** Values of a code are its int8 divided by this. */
export const TIME_CODE_ONE = 127;

/**
 * Writes the code of a cell, `[TIME_CODE_SIZE]`, to `out` at `at`. It has every digit that one of its frames has, so that
 * a question for one second finds a cell of several; its waves are those of the middle of its time.
 */
export function writeTimeCode(timesMs: readonly number[], out: Int8Array, at: number): void {
  out.fill(0, at, at + TIME_CODE_SIZE);
  for (const time of timesMs) {
    let digits = at;
    for (const [unit, base] of DIGITS) {
      out[digits + (Math.floor((Math.round(time) % DAY_MS) / unit) % base)] = TIME_CODE_ONE;
      digits += base;
    }
  }
  const middle = ((timesMs[0] ?? 0) + (timesMs.at(-1) ?? 0)) / 2;
  const waves = at + DIGITS_SIZE;
  PERIODS_MS.forEach((period, i) => {
    const phase = ((middle % period) / period) * 2 * Math.PI;
    out[waves + i] = Math.round(Math.sin(phase) * TIME_CODE_ONE);
    out[waves + PERIODS_MS.length + i] = Math.round(Math.cos(phase) * TIME_CODE_ONE);
  });
}
