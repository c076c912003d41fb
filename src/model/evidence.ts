/** Turns shares of cross-attention into spans of time: the moments that an answer rests on. */
import type { FrameTimes } from './frame-times.ts';
import type { FrameRun, KvCache } from './kv-cache.ts';

/** Times of frames by their place, ms. */
type TimeLookup = Pick<FrameTimes, 'at'>;

/** Attention on frames of one stream, in the order of `times`, ms. `times` may go on after the last share. */
export interface FrameShares {
  readonly times: TimeLookup;
  readonly shares: Float32Array;
}

export interface EvidenceSpan {
  /** Name of the stream. */
  readonly stream: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Time of the span's frame with the most attention: the moment to show. */
  readonly peakMs: number;
  /** The span's share of the attention on all streams, 0..1. */
  readonly weight: number;
}

/** A stream of a question. The question sees nothing after `untilMs`, its moment on this stream, or before `fromMs`. */
export interface EvidenceStream {
  readonly name: string;
  readonly cache: KvCache;
  readonly untilMs?: number;
  readonly fromMs?: number | undefined;
}

/** A frame that got attention. */
export interface FrameShare {
  /** Its place among the kept frames. */
  readonly place: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly share: number;
}

/** A span begins at a frame with at least this share of the strongest frame's attention. */
const SEED_SHARE = 0.03;
/** Frames that it grows over also have at least this share of the strongest frame's attention. */
const MIN_SHARE_OF_STRONGEST = 0.002;
/**
 * They also have at least this share of the span's attention so far, in the geometric mean. A single threshold would
 * not separate moments: attention varies much within one, and what was shown before it may get more than its faintest
 * frame.
 */
const MIN_SHARE_OF_MEAN = 0.05;
/** Neighbouring frames of a span are at most this many places apart, so it may skip one weaker frame. */
const MAX_GAP_FRAMES = 2;
/** Frames this far apart, ms, are never in one span: the camera was away. A slow stream's frames are closer. */
const MAX_GAP_MS = 60_000;
const MAX_SPANS = 5;
const MIN_WEIGHT = 0.05;

/** Splits `evidence`, the attention on the frames of `runs`, stream by stream. */
export function splitByStream(
  evidence: Float32Array,
  caches: readonly KvCache[],
  runs: readonly (readonly FrameRun[])[],
): FrameShares[] {
  let at = 0;
  return caches.map((cache, i) => {
    const streamRuns = runs[i] ?? [];
    const count = streamRuns.reduce((sum, run) => sum + run.count, 0);
    const shares = evidence.subarray(at, at + count);
    at += count;
    // A reading of everything shares the cache's times. Copying them for each token of each asker took longer than all
    // else here.
    return {
      times: streamRuns.length === 1 && streamRuns[0]?.first === 0 ? cache.times : cache.timesIn(streamRuns),
      shares,
    };
  });
}

/** Sums the attention on the frames of one question's streams over the tokens of its answer. */
export class EvidenceTally {
  /** For each stream, the sums by frame time; a frame's place changes when older frames are dropped. */
  readonly #shares: Map<number, number>[];
  /** For each stream, the sums of the latest tokens, as long as they look at the same frames and newer ones. */
  readonly #latest: { times: TimeLookup; sums: Float32Array }[];

  constructor(streams: number) {
    this.#shares = Array.from({ length: streams }, () => new Map<number, number>());
    this.#latest = Array.from({ length: streams }, () => ({ times: [], sums: new Float32Array(0) }));
  }

  /** Adds one answer token's attention, `attention`, stream by stream. */
  add(attention: readonly FrameShares[]): void {
    attention.forEach(({ times, shares }, i) => {
      const { times: before, sums } = this.#latest[i] ?? { times, sums: new Float32Array(0) };
      const total = Float32Array.from(shares);
      if (extendsFrames(before, sums.length, times, total.length)) addTo(total, sums);
      else this.#flush(i);
      this.#latest[i] = { times, sums: total };
    });
  }

  #flush(stream: number): void {
    const { times, sums } = this.#latest[stream] ?? { times: [], sums: new Float32Array(0) };
    const shares = this.#shares[stream];
    sums.forEach((sum, frame) => {
      const time = times.at(frame) ?? 0;
      shares?.set(time, (shares.get(time) ?? 0) + sum);
    });
    this.#latest[stream] = { times: [], sums: new Float32Array(0) };
  }

  /** The spans, strongest first; their weights add up to at most 1. What no kept frame stands for is left out. */
  spans(streams: readonly EvidenceStream[]): EvidenceSpan[] {
    const attended = streams.map((stream, i) => {
      this.#flush(i);
      return { name: stream.name, frames: keptFrames(stream, this.#shares[i]) };
    });
    const all = attended.flatMap(({ frames }) => frames);
    const total = all.reduce((sum, frame) => sum + frame.share, 0);
    const strongest = all.reduce((most, frame) => Math.max(most, frame.share), 0);
    if (total <= 0) return [];
    return attended
      .flatMap(({ name, frames }) => evidenceSpans(name, frames, strongest, total))
      .filter((span) => span.weight >= MIN_WEIGHT)
      .sort((a, b) => b.weight - a.weight)
      .slice(0, MAX_SPANS);
  }
}

/**
 * Whether the first `count` of `times` begin with the first `known` of `before`. Compares all of them: an index chooses
 * anew for each token, so the frames in between may differ.
 */
function extendsFrames(before: TimeLookup, known: number, times: TimeLookup, count: number): boolean {
  if (known > count) return false;
  if (before === times) return true;
  for (let i = 0; i < known; i++) if (before.at(i) !== times.at(i)) return false;
  return true;
}

function addTo(total: Float32Array, some: Float32Array): void {
  for (let i = 0; i < some.length; i++) total[i] = (total[i] ?? 0) + (some[i] ?? 0);
}

/** A thinned frame's attention counts for the kept frame that stands for it; a device may still read thinned frames. */
function keptFrames(
  { cache, untilMs, fromMs = -Infinity }: EvidenceStream,
  shares: ReadonlyMap<number, number> | undefined,
): FrameShare[] {
  const byPlace = new Map<number, number>();
  for (const [time, share] of shares ?? []) {
    const place = cache.times.countUpTo(time) - 1;
    if (place >= 0 && time <= cache.times.endOf(place)) byPlace.set(place, (byPlace.get(place) ?? 0) + share);
  }
  return [...byPlace]
    .map(([place, share]) => ({
      place,
      startMs: Math.max(fromMs, cache.times.at(place) ?? 0),
      endMs: Math.max(fromMs, Math.min(cache.times.endOf(place), untilMs ?? Infinity)),
      share,
    }))
    .sort((a, b) => a.place - b.place);
}

/** The spans of one stream, strongest peak first. `strongest` and `total` cover all streams of the question. */
function evidenceSpans(
  stream: string,
  frames: readonly FrameShare[],
  strongest: number,
  total: number,
): EvidenceSpan[] {
  const taken = new Uint8Array(frames.length);
  const spans: EvidenceSpan[] = [];
  for (const peak of seeds(frames, strongest)) {
    if (taken[peak] === 1) continue;
    const first = grow(frames, taken, peak, -1, strongest);
    const last = grow(frames, taken, peak, 1, strongest);
    taken.fill(1, first, last + 1);
    const within = frames.slice(first, last + 1);
    const weight = within.reduce((sum, { share }) => sum + share, 0) / total;
    const [startMs, endMs] = [within[0]?.startMs ?? 0, within.at(-1)?.endMs ?? 0];
    spans.push({ stream, startMs, endMs, peakMs: frames[peak]?.startMs ?? 0, weight });
  }
  return spans;
}

/** Indices of the frames where spans may begin, strongest first. */
function seeds(frames: readonly FrameShare[], strongest: number): number[] {
  const shareOf = (i: number): number => frames[i]?.share ?? 0;
  return [...frames.keys()].filter((i) => shareOf(i) >= SEED_SHARE * strongest).sort((a, b) => shareOf(b) - shareOf(a));
}

/** Index of the last frame of the span around `peak` in direction `way` (1 or -1). */
function grow(frames: readonly FrameShare[], taken: Uint8Array, peak: number, way: number, strongest: number): number {
  let last = peak;
  let logs = Math.log(frames[peak]?.share ?? 0);
  let count = 1;
  for (let i = peak + way; ; i += way) {
    const [frame, edge] = [frames[i], frames[last]];
    if (frame === undefined || edge === undefined || taken[i] === 1) return last;
    if (Math.abs(frame.place - edge.place) > MAX_GAP_FRAMES) return last;
    if (Math.max(frame.startMs - edge.endMs, edge.startMs - frame.endMs) > MAX_GAP_MS) return last;
    if (frame.share < Math.max(MIN_SHARE_OF_STRONGEST * strongest, MIN_SHARE_OF_MEAN * Math.exp(logs / count)))
      continue;
    last = i;
    logs += Math.log(frame.share);
    count++;
  }
}
