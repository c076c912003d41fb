/** Which streams an evaluation plays: how many, how long each is, and which are also asked without their memory. */
import { YocoError } from '../errors.ts';
import { parseNumber } from '../parse-number.ts';

export interface PlannedStream {
  readonly number: number;
  readonly seconds: number;
  /** The length under which it is reported. */
  readonly length: string;
  /** Whether it is also asked without its memory. */
  readonly controlled: boolean;
}

const MIN_SECONDS = 4;
const MAX_SECONDS = 3_600;

/**
 * `seconds`: a length, several (`10,30,60`), or a range (`10-300`), which the streams cover evenly on a logarithmic
 * scale. `streams`: the total, with the lengths taking turns, or one number for each length. `controls`: share of the
 * streams of each length that are controlled, 0..1. Throws `invalid_request`, naming the option.
 */
export function planStreams(streams: string, seconds: string, controls: number): PlannedStream[] {
  const [low = NaN, high = NaN, ...more] = seconds.split('-').map(parseNumber);
  const lengths = seconds.includes('-') ? [low, high] : seconds.split(',').map(parseNumber);
  if (more.length > 0 || !lengths.every((length) => length >= MIN_SECONDS && length <= MAX_SECONDS) || low > high) {
    const detail = `--seconds must be numbers from ${MIN_SECONDS} to ${MAX_SECONDS}, such as 30, 10,30,60 or 10-300.`;
    throw new YocoError('invalid_request', { param: 'seconds', detail });
  }
  const counts = streams.split(',').map(parseNumber);
  const several = counts.length > 1;
  if (
    !counts.every((count) => Number.isInteger(count)) ||
    !counts.some((count) => count > 0) ||
    (several && counts.length !== lengths.length) ||
    (several && seconds.includes('-'))
  ) {
    const detail = '--streams must be a whole number above 0, or one for each length of --seconds, not all 0.';
    throw new YocoError('invalid_request', { param: 'streams', detail });
  }
  const planned = seconds.includes('-')
    ? acrossRange(counts[0] ?? 0, low, high)
    : roundRobin(several ? counts : distribute(counts[0] ?? 0, lengths.length), lengths);
  const ofLength = new Map<string, number>();
  return planned.map((stream, number) => {
    const key = seconds.includes('-') ? '' : stream.length;
    const k = ofLength.get(key) ?? 0;
    ofLength.set(key, k + 1);
    return { number, ...stream, controlled: Math.ceil((k + 1) * controls) > Math.ceil(k * controls) };
  });
}

type Length = Pick<PlannedStream, 'seconds' | 'length'>;

/** Lengths are reported in bins whose bounds double. */
function acrossRange(count: number, low: number, high: number): Length[] {
  return Array.from({ length: count }, (_, i) => {
    const seconds = Math.round(low * (high / low) ** ((i + 0.5) / count));
    const from = low * 2 ** Math.floor(Math.log2(Math.max(1, seconds / low)));
    return { seconds, length: `${from}-${Math.min(high, from * 2)}` };
  });
}

function roundRobin(counts: readonly number[], lengths: readonly number[]): Length[] {
  const planned: Length[] = [];
  for (let round = 0; round < Math.max(...counts); round++) {
    lengths.forEach((seconds, i) => {
      if (round < (counts[i] ?? 0)) planned.push({ seconds, length: String(seconds) });
    });
  }
  return planned;
}

function distribute(total: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, i) => Math.ceil((total - i) / parts));
}
