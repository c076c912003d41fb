import { describe, expect, test } from 'vitest';
import { confidenceReport } from '../../src/evaluation/confidence.ts';

const answer = (confidence: number, right: boolean, task: 'now' | 'first' = 'now') => ({ task, right, confidence });

describe('The confidence of answers', () => {
  test('is scored by how often a right answer is surer than a wrong one, ties counting half', () => {
    const sure = confidenceReport([answer(0.9, true), answer(0.6, true), answer(0.6, false), answer(0.2, false)]);
    expect(sure.rightIsSurer).toBe(0.875);
    expect(confidenceReport([answer(0.1, true), answer(0.9, false)]).rightIsSurer).toBe(0);
    expect(confidenceReport([answer(0.5, true), answer(0.5, false)]).rightIsSurer).toBe(0.5);
  });

  test('is also scored within each task, so that easy tasks do not count as confidence', () => {
    const easy = [answer(0.9, true), answer(0.9, false)];
    const hard = [answer(0.1, true, 'first'), answer(0.1, false, 'first'), answer(0.1, false, 'first')];
    const report = confidenceReport([...easy, ...hard]);
    expect(report.rightIsSurer).toBeGreaterThan(0.5);
    expect(report.withinTask).toBe(0.5);
  });

  test('is tabulated: how many answers reach a threshold, and how many of those are right', () => {
    const { atLeast } = confidenceReport([
      answer(0.95, true),
      answer(0.8, false),
      answer(0.4, true),
      answer(0.3, true),
    ]);
    expect(atLeast['0.8']).toMatchObject({ correct: 1, total: 2, share: 0.5 });
    expect(atLeast['0.95']).toMatchObject({ correct: 1, total: 1, share: 0.25 });
  });

  test('is not scored when all answers are right or there are none', () => {
    expect(confidenceReport([answer(0.9, true)])).toMatchObject({ rightIsSurer: null, withinTask: null });
    expect(confidenceReport([])).toMatchObject({ rightIsSurer: null, atLeast: { '0.5': { total: 0, share: 0 } } });
  });
});
