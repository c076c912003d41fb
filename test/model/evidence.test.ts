import { describe, expect, test } from 'vitest';
import { type EvidenceSpan, EvidenceTally, frameShares } from '../../src/model/evidence.ts';
import { KvCache } from '../../src/model/kv-cache.ts';

/** Spans of shares on frames that are half a second apart. */
function spans(...shares: number[]): EvidenceSpan[] {
  const cache = new KvCache({ heads: 1, headDim: 1, tokensPerFrame: 1, limitBytes: 2 ** 20 });
  for (const i of shares.keys()) cache.append(i * 500, new Float32Array(1), new Float32Array(1));
  const tally = new EvidenceTally(1);
  tally.add(frameShares(Float32Array.from(shares), [cache], [[{ first: 0, count: shares.length }]]));
  return tally.spans([{ name: 'a', cache }]);
}

const times = (found: readonly EvidenceSpan[]): number[][] => found.map((s) => [s.startMs, s.endMs]);

describe('The evidence of an answer', () => {
  test('is nothing where nothing was read', () => {
    expect(spans()).toEqual([]);
    expect(spans(0, 0, 0)).toEqual([]);
  });

  test('is the run of frames that were read most', () => {
    expect(times(spans(0.01, 0.01, 0.3, 0.4, 0.2, 0.01, 0.01))).toEqual([[1000, 2000]]);
  });

  test('has as weight its share of what was read of the stream', () => {
    const [span] = spans(0, 0.1, 0.3, 0);
    expect(span?.weight).toBeCloseTo(1);
    const found = spans(0.3, 0, 0, 0, 0, 0.1);
    expect(found.map(({ weight }) => weight)).toEqual([expect.closeTo(0.75), expect.closeTo(0.25)]);
  });

  test('begins with the strongest', () => {
    expect(times(spans(0.2, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0.3))).toEqual([
      [2000, 2500],
      [4500, 4500],
      [0, 0],
    ]);
  });

  test('joins frames with one or none between them, and parts those further away', () => {
    expect(times(spans(0.5, 0, 0.5))).toEqual([[0, 1000]]);
    expect(times(spans(0.5, 0, 0, 0.5))).toHaveLength(2);
  });

  test('leaves out faint spans, and gives at most five', () => {
    const far = (share: number): number[] => [share, 0, 0, 0];
    expect(spans(...far(1), ...far(0.02))).toHaveLength(1);
    expect(spans(...[1, 2, 3, 4, 5, 6, 7].flatMap(() => far(0.14)))).toHaveLength(5);
    const wide = spans(...Array.from({ length: 30 }, () => far(0.03)).flat());
    expect(wide).toEqual([]);
  });

  test('never weighs more than all that was read', () => {
    const found = spans(...Array.from({ length: 40 }, (_, i) => (i * 7919) % 13));
    expect(found.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(1);
  });
});
