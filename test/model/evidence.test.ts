import { describe, expect, test } from 'vitest';
import { type EvidenceSpan, EvidenceTally, splitByStream } from '../../src/model/evidence.ts';
import { KvCache } from '../../src/model/kv-cache.ts';

/** The spans of these shares on frames half a second apart. */
function spans(...shares: number[]): EvidenceSpan[] {
  const cache = new KvCache({ heads: 1, headDim: 1, tokensPerFrame: 1, limitBytes: 2 ** 20 });
  for (const i of shares.keys()) cache.append(i * 500, new Float32Array(1), new Float32Array(1));
  const tally = new EvidenceTally(1);
  tally.add(splitByStream(Float32Array.from(shares), [cache], [[{ first: 0, count: shares.length }]]));
  return tally.spans([{ name: 'a', cache }]);
}

const times = (found: readonly EvidenceSpan[]): number[][] => found.map((s) => [s.startMs, s.endMs]);

/** A cache with frames at these times. */
function cacheOf(timesMs: readonly number[]): KvCache {
  const cache = new KvCache({ heads: 1, headDim: 1, tokensPerFrame: 1, limitBytes: 2 ** 20 });
  for (const time of timesMs) cache.append(time, new Float32Array(1), new Float32Array(1));
  return cache;
}

test('A frame that arrives between two tokens of an answer does not shift the evidence of the first', () => {
  const cache = cacheOf([0, 10_000, 20_000, 30_000]);
  const tally = new EvidenceTally(1);
  const looks = (...shares: number[]): void => {
    tally.add(splitByStream(Float32Array.from(shares), [cache], [[{ first: 0, count: shares.length }]]));
  };
  looks(0, 0.8, 0, 0);
  cache.append(40_000, new Float32Array(1), new Float32Array(1));
  looks(0, 0.2, 0, 0);
  looks(0, 0, 0, 0, 1);
  expect(tally.spans([{ name: 'a', cache }]).map(({ startMs, weight }) => [startMs, weight])).toEqual([
    [10_000, 0.5],
    [40_000, 0.5],
  ]);
});

describe('The evidence of several tokens', () => {
  const looked = (
    timesMs: readonly number[],
    shares: readonly number[],
  ): { times: number[]; shares: Float32Array } => ({
    times: [...timesMs],
    shares: Float32Array.from(shares),
  });
  const together = (...tokens: { times: number[]; shares: Float32Array }[]): Map<number, number> => {
    const tally = new EvidenceTally(1);
    for (const token of tokens) tally.add([token]);
    // The frames looked at lie far apart, each a span of its own.
    const cache = cacheOf(Array.from({ length: 40 }, (_, i) => i * 100));
    return new Map(
      tally.spans([{ name: 'a', cache }]).map(({ startMs, weight }) => [startMs, Number(weight.toFixed(4))]),
    );
  };
  const FAR = [0, 1000, 2000, 3000];

  test('is the sum of their attention', () => {
    expect(together(looked(FAR, [0.5, 0, 0.2, 0]), looked(FAR, [0.1, 0, 0.2, 0]))).toEqual(
      new Map([
        [0, 0.6],
        [2000, 0.4],
      ]),
    );
  });

  test.each([
    ['new frames came', looked([...FAR, 3900], [0.2, 0, 0, 0, 0.2])],
    ['the oldest went', looked(FAR.slice(2), [0.2, 0.2])],
    ['one in the middle went', looked([0, 2000, 3000], [0.2, 0.2, 0])],
    ['one went and one came', looked([0, 2000, 3000, 3900], [0.2, 0, 0, 0.2])],
    ['other frames were chosen', looked([1000, 3000], [0.2, 0.2])],
    ['other frames were chosen in between', looked([0, 1500, 2500, 3000], [0.1, 0.2, 0.1, 0])],
  ])('keeps each share with its frame when %s meanwhile', (_, second) => {
    const first = looked(FAR, [0.4, 0, 0.2, 0]);
    const expected = new Map<number, number>();
    for (const { times: at, shares } of [first, second]) {
      at.forEach((time, i) => expected.set(time, (expected.get(time) ?? 0) + (shares[i] ?? 0)));
    }
    const found = together(first, second, looked(FAR, [0, 0, 0, 0]));
    for (const [time, share] of expected) if (share > 0) expect(found.get(time)).toBeCloseTo(share, 4);
    expect(found.size).toBe([...expected.values()].filter((share) => share > 0).length);
  });

  test('credits a thinned frame to the frame that stands for it, and omits dropped frames', () => {
    const cache = new KvCache({ heads: 1, headDim: 8, tokensPerFrame: 1, limitBytes: 7_500 });
    const all = Array.from({ length: 161 }, (_, i) => i * 100);
    for (const time of all) cache.append(time, new Float32Array(8), new Float32Array(8));
    expect([cache.thinnedFrames > 0, cache.droppedFrames > 0]).toEqual([true, true]);
    const dropped = 0;
    const thinned = all.find((time) => time > (cache.times.at(0) ?? 0) && !cache.times.slice().includes(time)) ?? NaN;
    const place = cache.times.countUpTo(thinned) - 1;
    const standing = cache.times.at(place) ?? NaN;
    const newest = cache.times.newest ?? NaN;
    const shares = all.map((time) => ({ [dropped]: 2, [standing]: 0.25, [thinned]: 0.5, [newest]: 0.25 })[time] ?? 0);
    const tally = new EvidenceTally(1);
    tally.add([looked(all, shares)]);
    expect(tally.spans([{ name: 'a', cache }])).toEqual([
      { stream: 'a', startMs: standing, endMs: cache.times.endOf(place), peakMs: standing, weight: 0.75 },
      { stream: 'a', startMs: newest, endMs: newest, peakMs: newest, weight: 0.25 },
    ]);
  });

  test('ends at the moment of the question, even if its last frame stood for longer', () => {
    const cache = cacheOf([0, 500]);
    cache.merge(9_500);
    const tally = new EvidenceTally(1);
    tally.add([looked([0, 500], [0, 1])]);
    expect(times(tally.spans([{ name: 'a', cache, untilMs: 2_000 }]))).toEqual([[500, 2_000]]);
    expect(times(tally.spans([{ name: 'a', cache }]))).toEqual([[500, 9_500]]);
  });
});

describe('The evidence of an answer', () => {
  test('is empty without any attention', () => {
    expect(spans()).toEqual([]);
    expect(spans(0, 0, 0)).toEqual([]);
  });

  test('is the run of frames with the most attention', () => {
    expect(times(spans(0.01, 0.01, 0.3, 0.4, 0.2, 0.01, 0.01))).toEqual([[1000, 2000]]);
  });

  test('peaks at the frame with the most attention, not in its middle', () => {
    const found = spans(0.1, 0.1, 0.2, 0.5, 0.1, 0, 0, 0, 0.2, 0.1);
    expect(found.map(({ startMs, endMs, peakMs }) => [startMs, endMs, peakMs])).toEqual([
      [0, 2000, 1500],
      [4000, 4500, 4000],
    ]);
  });

  test('includes the faint end of a moment', () => {
    expect(times(spans(0, 0.5, 0.2, 0.06, 0.02, 0.008, 0))).toEqual([[500, 2500]]);
  });

  test('excludes frames before the moment, even with more attention than such an end', () => {
    expect(times(spans(0.018, 0.018, 0.018, 0.5, 0.4, 0.3))).toEqual([[1500, 2500]]);
  });

  test('is weighted by its share of the attention', () => {
    const [span] = spans(0, 0.1, 0.3, 0);
    expect(span?.weight).toBeCloseTo(1);
    const found = spans(0.3, 0, 0, 0, 0, 0.1);
    expect(found.map(({ weight }) => weight)).toEqual([expect.closeTo(0.75), expect.closeTo(0.25)]);
  });

  test('lists the strongest span first', () => {
    expect(times(spans(0.2, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0.3))).toEqual([
      [2000, 2500],
      [4500, 4500],
      [0, 0],
    ]);
  });

  test('joins frames across a gap of at most one frame', () => {
    expect(times(spans(0.5, 0, 0.5))).toEqual([[0, 1000]]);
    expect(times(spans(0.5, 0, 0, 0.5))).toHaveLength(2);
  });

  test('does not extend over the time for which a camera was away', () => {
    const evening = 8 * 3_600_000;
    const cache = cacheOf([0, 30_000, 60_000, evening, evening + 500]);
    const tally = new EvidenceTally(1);
    tally.add(splitByStream(new Float32Array(5).fill(0.2), [cache], [[{ first: 0, count: 5 }]]));
    expect(times(tally.spans([{ name: 'a', cache }]))).toEqual([
      [0, 60_000],
      [evening, evening + 500],
    ]);
  });

  test('omits faint spans, and has at most five', () => {
    const far = (share: number): number[] => [share, 0, 0, 0];
    expect(spans(...far(1), ...far(0.02))).toHaveLength(1);
    expect(spans(...[1, 2, 3, 4, 5, 6, 7].flatMap(() => far(0.14)))).toHaveLength(5);
    const wide = spans(...Array.from({ length: 30 }, () => far(0.03)).flat());
    expect(wide).toEqual([]);
  });

  test('has weights that add up to at most 1', () => {
    const found = spans(...Array.from({ length: 40 }, (_, i) => (i * 7919) % 13));
    expect(found.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(1);
  });
});
