import { describe, expect, test } from 'vitest';
import { planStreams } from '../../src/evaluation/plan.ts';

const lengths = (streams: string, seconds: string): number[] =>
  planStreams(streams, seconds, 0).map((stream) => stream.seconds);

describe('The streams of an evaluation', () => {
  test('all have one length, or alternate between several', () => {
    expect(lengths('3', '30')).toEqual([30, 30, 30]);
    expect(lengths('5', '10,30')).toEqual([10, 30, 10, 30, 10]);
  });

  test('can be counted separately for each length', () => {
    expect(lengths('3,1,2', '10,30,300')).toEqual([10, 30, 300, 10, 300, 10]);
  });

  test('cover a range of lengths evenly on a logarithmic scale, reported in doublings', () => {
    const covered = lengths('10', '10-320');
    expect(covered).toEqual([...covered].sort((a, b) => a - b));
    expect(covered[0]).toBeGreaterThanOrEqual(10);
    expect(covered.at(-1)).toBeLessThanOrEqual(320);
    const reported = planStreams('10', '10-320', 0).map(({ length }) => length);
    expect(reported).toEqual(['10-20', '20-40', '40-80', '80-160', '160-320'].flatMap((length) => [length, length]));
    expect(planStreams('9', '10-30', 0).map(({ length }) => length)).toContain('20-30');
  });

  test('are controlled in the same share of every length', () => {
    const planned = planStreams('20', '10,30', 0.3);
    for (const seconds of [10, 30]) {
      expect(planned.filter((stream) => stream.seconds === seconds && stream.controlled)).toHaveLength(3);
    }
    expect(planStreams('3', '30', 0).some(({ controlled }) => controlled)).toBe(false);
    expect(planStreams('3', '30', 1).every(({ controlled }) => controlled)).toBe(true);
  });

  test.each([
    ['x', '30', 'streams'],
    ['1.5', '30', 'streams'],
    ['-1', '30', 'streams'],
    ['1,2', '30', 'streams'],
    ['1,2', '10-30', 'streams'],
    ['3', 'x', 'seconds'],
    ['3', '', 'seconds'],
    ['3', '1', 'seconds'],
    ['3', '30-10', 'seconds'],
    ['3', '10-20-30', 'seconds'],
    ['3', '10,x', 'seconds'],
  ])('are rejected for --streams %j and --seconds %j, naming %s', (streams, seconds, param) => {
    expect(() => planStreams(streams, seconds, 0)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });
});
