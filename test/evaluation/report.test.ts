import { describe, expect, test } from 'vitest';
import { planStreams } from '../../src/evaluation/plan.ts';
import type { Evaluation } from '../../src/evaluation/report.ts';
import { makeReport } from '../../src/evaluation/report.ts';
import type { AnsweredQuestion, ControlAnswer, DescribedScene, StreamResult } from '../../src/evaluation/results.ts';
import { overlapOf } from '../../src/evaluation/results.ts';
import { formatTable } from '../../src/evaluation/table.ts';

const answer = (
  task: AnsweredQuestion['task'],
  right: boolean,
  more: Partial<AnsweredQuestion> = {},
): AnsweredQuestion => ({
  task,
  heldOut: false,
  expected: 'apple',
  answer: right ? 'apple' : 'pear',
  right,
  confidence: 0.9,
  chance: 0.25,
  set: 'grocery',
  absent: false,
  inside: true,
  overlap: { iou: 0.5, uniform: 0.1, length: 1.5 },
  firstTokenMs: 10,
  ...more,
});
const stream = (number: number, answered: AnsweredQuestion[], more: Partial<StreamResult> = {}): StreamResult => ({
  stream: number,
  seconds: 30,
  answered,
  described: [],
  controls: null,
  ...more,
});
const report = (results: readonly StreamResult[], seconds = '30', streams = String(results.length)): Evaluation =>
  makeReport(results, {
    bundle: 'tiny',
    seed: 1,
    seconds,
    plan: results.length === 0 ? [] : planStreams(streams, seconds, 0),
    lastFrames: 4,
    corpus: [['a dog runs'], ['a man sits']],
    typical: 'a dog',
  });

describe('A report', () => {
  test('scores each task beside a uniformly random answer and the best single answer', () => {
    const { tasks, nowBySet, questions } = report([
      stream(0, [answer('now', true), answer('now', true, { expected: 'pear', answer: 'pear', set: 'market' })]),
      stream(1, [answer('now', false), answer('first', false, { chance: 0.5 })]),
    ]);
    expect(questions).toBe(4);
    expect(tasks.now).toMatchObject({ correct: 2, total: 3, random: 0.25, mostFrequent: 0.667 });
    expect(tasks.first).toMatchObject({ correct: 0, total: 1, random: 0.5, mostFrequent: 1 });
    expect(nowBySet).toMatchObject({ grocery: { correct: 1, total: 2 }, market: { correct: 1, total: 1 } });
  });

  test('scores the best single answer within the tolerance of its task', () => {
    const when = (expected: string) => answer('when', false, { expected });
    expect(report([stream(0, [when('4'), when('5'), when('6'), when('9')])]).tasks.when?.mostFrequent).toBe(0.75);
  });

  test('also tries numbers between the expected ones as the best single answer', () => {
    const duration = (expected: string) => answer('duration', false, { expected });
    const { tasks } = report([stream(0, [duration('3'), duration('5'), duration('9'), duration('10.5')])]);
    expect(tasks.duration?.mostFrequent).toBe(0.5);
    const times = (expected: string) => answer('repetitions', false, { expected });
    expect(report([stream(0, [times('2'), times('4'), times('6')])]).tasks.repetitions?.mostFrequent).toBe(0.667);
  });

  test('gives the best rule that needs no memory beside a task', () => {
    const changed = (expected: string, rules: Record<string, string>) =>
      answer('haschanged', false, { expected, answer: 'no', rules });
    const results = [
      stream(0, [
        changed('yes', { early: 'yes', first: 'no' }),
        changed('yes', { early: 'yes', first: 'no' }),
        changed('no', { early: 'yes', first: 'no' }),
        answer('now', true),
      ]),
    ];
    const { tasks } = report(results);
    expect(tasks.haschanged?.rule).toEqual({ name: 'early', accuracy: 0.667 });
    expect(tasks.now?.rule).toBeNull();
    expect(formatTable(report(results))).toMatch(/^haschanged, best rule +66\.7% {2}\(early\)$/m);
  });

  test('counts each yes about a thing that was never shown as a hallucination', () => {
    const asked = (text: string, absent = true): AnsweredQuestion =>
      answer('seen', text === 'no', { expected: 'no', answer: text, absent });
    const { hallucination } = report([stream(0, [asked('yes'), asked('no'), asked('No.'), asked('yes', false)])]);
    expect(hallucination).toMatchObject({ count: 1, total: 3, share: 0.333 });
  });

  test('compares trained and held-out phrasings over all tasks', () => {
    const { phrasings } = report([
      stream(0, [answer('now', true), answer('first', true)]),
      stream(1, [answer('now', true, { heldOut: true }), answer('first', false, { heldOut: true })]),
    ]);
    expect(phrasings.trained).toMatchObject({ correct: 2, total: 2 });
    expect(phrasings.heldOut).toMatchObject({ correct: 1, total: 2 });
    expect(phrasings.difference).toBe(-0.5);
    expect(phrasings.interval[0]).toBeLessThan(-0.5);
  });

  test('gives recall beside its controls without memory and beside chance', () => {
    const control = (task: ControlAnswer['task'], right: boolean): ControlAnswer => {
      return { task, expected: 'apple', answer: right ? 'apple' : 'pear', right };
    };
    const { recall, lastFrames, conversation } = report([
      stream(0, [answer('first', true), answer('now', true)], {
        controls: {
          emptied: [control('first', false)],
          shuffled: [control('first', true)],
          lastFrames: [control('first', false), control('now', true)],
          afterAnother: [control('first', true), control('now', false)],
        },
      }),
      stream(1, [answer('first', false)]),
    ]);
    expect(recall).toMatchObject({
      ...{ correct: 1, total: 2, chance: 0.25 },
      controlled: { correct: 1, total: 1 },
      emptied: { correct: 0, total: 1 },
      shuffled: { correct: 1, total: 1 },
    });
    expect(lastFrames).toMatchObject({ frames: 4, now: { correct: 1, total: 1 }, recall: { correct: 0, total: 1 } });
    expect(conversation).toMatchObject({ alone: { correct: 2, total: 2 }, afterAnother: { correct: 1, total: 2 } });
  });

  test('also gives intervals over streams, since questions of one stream are correlated', () => {
    const results = Array.from({ length: 8 }, (_, i) =>
      stream(i, [answer('first', i < 4), answer('before', i < 4), answer('now', i % 2 === 0)]),
    );
    const { recall, tasks } = report(results);
    const width = ([low, high]: readonly [number, number]): number => high - low;
    expect(width(recall.overStreams ?? [0, 0])).toBeGreaterThan(width(recall.interval));
    expect(tasks.now?.overStreams).toEqual(tasks.first?.overStreams);
    expect(formatTable(report(results))).toMatch(/^ {2}over streams +\[ +12\.5%, +87\.5% \]$/m);
    expect(report(results.slice(0, 1)).recall.overStreams).toBeNull();
  });

  test('gives the accuracy of naming past things relative to present ones', () => {
    const { relativeToNow } = report([
      stream(0, [answer('now', true), answer('now', true), answer('before', true), answer('before', false)]),
    ]);
    expect(relativeToNow.before).toMatchObject({ ratio: 0.5 });
    expect(relativeToNow.first).toBeNull();
  });

  test('gives recall by length, also for the steps of a range', () => {
    const results = [stream(0, [answer('first', true)]), stream(1, [answer('first', false)])];
    expect(report(results, '10,60').byLength).toMatchObject({
      10: { streams: 1, recall: { correct: 1, total: 1 } },
      60: { streams: 1, recall: { correct: 0, total: 1 } },
    });
    expect(Object.keys(report(results, '10-40').byLength)).toEqual(['10-20', '20-40']);
  });

  test('scores descriptions beside baselines without a model', () => {
    const described: DescribedScene = { captions: ['a dog runs'], answer: 'a dog runs', nearest: 'a man sits' };
    const { describe: captions } = report([stream(0, [], { described: [described] })]);
    expect(captions).toMatchObject({
      tokenF1: { mean: 1, total: 1 },
      nearest: { tokenF1: { mean: 0.333 } },
      typical: { tokenF1: { mean: 0.8 } },
    });
    expect(captions?.ciderD.mean).toBeGreaterThan(captions?.nearest.ciderD.mean ?? Infinity);
    expect(report([stream(0, [])]).describe).toBeNull();
  });

  test('scores evidence only for right answers that have a moment', () => {
    const { evidence } = report([
      stream(0, [
        answer('now', true),
        answer('now', true, { inside: false }),
        answer('now', false),
        answer('seen', true, { inside: null }),
      ]),
    ]);
    expect(evidence.ofAll).toMatchObject({ correct: 2, total: 3 });
    expect(evidence).toMatchObject({ correct: 1, total: 2, iou: { mean: 0.5, total: 2 }, uniformIou: { mean: 0.1 } });
  });
});

describe('The overlap of evidence with its moment', () => {
  test('is 1 when the evidence covers exactly the moment', () => {
    expect(overlapOf([[2_000, 3_500]], [2_000, 4_000], 9_500, 500)).toEqual({ iou: 1, uniform: 0.2, length: 1 });
  });

  test('falls when evidence misses part of the moment or exceeds it', () => {
    expect(overlapOf([[3_000, 4_500]], [2_000, 4_000], 9_500, 500)).toEqual({ iou: 1 / 3, uniform: 0.2, length: 1 });
    expect(overlapOf([], [2_000, 4_000], 9_500, 500)).toEqual({ iou: 0, uniform: 0.2, length: 0 });
  });
});

describe('The table', () => {
  test('gives every accuracy with its count and its interval', () => {
    const text = formatTable(
      report([
        stream(0, [answer('now', true), answer('first', true), answer('duration', false)], {
          described: [{ captions: ['a dog'], answer: 'a dog', nearest: null }],
        }),
      ]),
    );
    expect(text).toMatch(/^tiny, seed 1: 1 streams of 30 s, 4 questions\n/);
    expect(text).toMatch(/^now +100\.0% +1\/1 +\[ +20\.7%, +100\.0% \] +25\.0% +100\.0%$/m);
    expect(text).toMatch(/^duration +0\.0% +0\/1 /m);
    expect(text).toMatch(/^first \/ now +1\.00 +\[/m);
    expect(text).toMatch(/^before \/ now +-$/m);
    expect(text).toMatch(/^describe, CIDEr-D +\d+\.\d{3} of 1 +\[/m);
    expect(text).toMatch(/^intervals: 95%, Wilson, .* of one stream hang together/m);
    for (const line of text.split('\n')) if (/\d+\/\d+/.test(line)) expect(line).toMatch(/\[ *-?\d+\.\d%,/);
  });

  test('can be printed without any stream', () => {
    expect(formatTable(report([]))).toContain('0 streams of 30 s, 0 questions');
  });
});
