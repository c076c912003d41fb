/** From the cross-attention's shares to spans of time: the moments that an answer rests on. */

export interface EvidenceSpan {
  readonly startMs: number;
  readonly endMs: number;
  /** Share of the attention on the stream that fell into the span, 0..1. */
  readonly weight: number;
}

/** A frame belongs to a span when it holds at least this share of the strongest frame's attention. */
const FRAME_THRESHOLD = 0.25;
/** Spans closer than this are one. */
const GAP_FRAMES = 2;
const MAX_SPANS = 5;
const MIN_WEIGHT = 0.05;

/**
 * `shares`: attention on each frame (not necessarily adding up to 1); `timesMs`: their times, rising.
 * Returns the spans, strongest first. Their weights add up to at most 1.
 */
export function evidenceSpans(shares: Float32Array, timesMs: readonly number[]): EvidenceSpan[] {
  const total = shares.reduce((sum, x) => sum + x, 0);
  const strongest = shares.reduce((max, x) => Math.max(max, x), 0);
  if (total <= 0) return [];
  const spans: { first: number; last: number; weight: number }[] = [];
  shares.forEach((share, frame) => {
    if (share < FRAME_THRESHOLD * strongest) return;
    const open = spans.at(-1);
    if (open !== undefined && frame - open.last <= GAP_FRAMES) {
      open.last = frame;
      open.weight += share;
    } else spans.push({ first: frame, last: frame, weight: share });
  });
  return spans
    .map(({ first, last, weight }) => ({
      startMs: timesMs[first] ?? 0,
      endMs: timesMs[last] ?? 0,
      weight: weight / total,
    }))
    .filter((span) => span.weight >= MIN_WEIGHT)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, MAX_SPANS);
}
