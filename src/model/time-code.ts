/**
 * Times as features, as the decoders compute them (models/training/time_code.py): one-hot digits of the clock, then
 * sine and cosine of the time at periods of powers of two seconds. The index keeps those of its cells in int8. Device
 * graphs get them as inputs, since those compute no 64-bit integers.
 */

/** The clock digits that a question can ask for: each one's unit in ms, and its base. */
const DIGITS: readonly (readonly [unit: number, base: number])[] = [
  [36_000_000, 3],
  [3_600_000, 10],
  [600_000, 6],
  [60_000, 10],
  [10_000, 6],
  [1_000, 10],
];
const DAY_MS = 86_400_000;
/** The clock digits that the self-decoder gets. */
const CLOCK_DIGITS: typeof DIGITS = [[10 * DAY_MS, 10], [DAY_MS, 10], ...DIGITS, [100, 10]];
const PERIODS_MS = Array.from({ length: 18 }, (_, i) => 2_000 * 2 ** i);
const DIGITS_SIZE = DIGITS.reduce((sum, [, base]) => sum + base, 0);

export const TIME_CODE_SIZE = DIGITS_SIZE + 2 * PERIODS_MS.length;
export const CLOCK_CODE_SIZE = CLOCK_DIGITS.reduce((sum, [, base]) => sum + base, 0) + 2 * PERIODS_MS.length;
/** An int8 code divided by this gives the feature's value. */
export const TIME_CODE_ONE = 127;

/**
 * Writes the code of a cell, `[TIME_CODE_SIZE]`, to `out` at `offset`. It has every digit that any of its frames has,
 * so that a question for one second finds a cell that spans several. Its waves are those of the middle of its time.
 */
export function writeTimeCode(timesMs: readonly number[], out: Int8Array, offset: number): void {
  out.fill(0, offset, offset + TIME_CODE_SIZE);
  for (const time of timesMs) {
    let digits = offset;
    for (const [unit, base] of DIGITS) {
      out[digits + digitOf(time, unit, base)] = TIME_CODE_ONE;
      digits += base;
    }
  }
  const middle = ((timesMs[0] ?? 0) + (timesMs.at(-1) ?? 0)) / 2;
  wavesOf(middle).forEach((wave, i) => (out[offset + DIGITS_SIZE + i] = Math.round(wave * TIME_CODE_ONE)));
}

/** The features of a frame's time that the cross-decoder reads, `[TIME_CODE_SIZE]`. */
export const timeCode = (timeMs: number): Float32Array => codeOf(timeMs, DIGITS, TIME_CODE_SIZE);

/** The features of a token's time that the self-decoder adds, `[CLOCK_CODE_SIZE]`. */
export const clockCode = (timeMs: number): Float32Array => codeOf(timeMs, CLOCK_DIGITS, CLOCK_CODE_SIZE);

function codeOf(timeMs: number, digits: typeof DIGITS, size: number): Float32Array {
  const out = new Float32Array(size);
  let at = 0;
  for (const [unit, base] of digits) {
    out[at + digitOf(timeMs, unit, base)] = 1;
    at += base;
  }
  out.set(wavesOf(Math.round(timeMs)), at);
  return out;
}

function digitOf(timeMs: number, unit: number, base: number): number {
  const time = Math.round(timeMs);
  return Math.floor((unit < DAY_MS ? time % DAY_MS : time) / unit) % base;
}

/** Sines of all periods, then cosines. */
function wavesOf(timeMs: number): number[] {
  const phases = PERIODS_MS.map((period) => ((timeMs % period) / period) * 2 * Math.PI);
  return [...phases.map(Math.sin), ...phases.map(Math.cos)];
}
