import { describe, expect, test } from 'vitest';
import { askChanges } from '../../src/evaluation/changes.ts';
import type { Span } from '../../src/evaluation/playlist.ts';
import type { EvaluationQuestion } from '../../src/evaluation/questions.ts';
import { randomOfStream } from '../../src/evaluation/random.ts';

/** Things shown one after the other, each for this many seconds. */
function shown(...seconds: number[]): { spans: Span[]; durationMs: number } {
  let endMs = 0;
  const spans = seconds.map((length, i) => {
    const picture = { set: 'many', file: `/${i}.jpg`, label: `thing ${i}` };
    const startMs = endMs;
    endMs += length * 1000;
    return { picture, startMs, endMs };
  });
  return { spans, durationMs: endMs };
}

const SHORT = shown(4, 3, 5, 2, 4, 7, 5);
const LONG = shown(20, 3, 40, 70, 2, 5, 10);
const STREAMS = Array.from({ length: 200 }, (_, stream) => stream);

const asked = (playlist: ReturnType<typeof shown>, stream: number): readonly EvaluationQuestion[] =>
  askChanges(playlist, randomOfStream(1, stream, 1), stream);
const secondsOf = (text: string): number =>
  /\bminute\b/.test(text) ? 60 : Number(/(\d+) seconds\b/.exec(text)?.[1] ?? NaN);

const changesOf = (playlist: ReturnType<typeof shown>): EvaluationQuestion[] =>
  STREAMS.flatMap((stream) => asked(playlist, stream)).filter(({ task }) => task === 'haschanged');
const share = (questions: readonly EvaluationQuestion[], answer: (question: EvaluationQuestion) => string): number =>
  questions.filter((question) => answer(question) === question.expected).length / questions.length;

describe('Questions about changes', () => {
  test('are one for what has changed, and a yes/no pair over the same number of seconds', () => {
    for (const stream of STREAMS) {
      const [changed, yes, no, ...more] = asked(LONG, stream);
      expect([changed?.task, yes?.task, no?.task, more]).toEqual(['changed', 'haschanged', 'haschanged', []]);
      expect([yes?.expected, no?.expected]).toEqual(['yes', 'no']);
      expect(secondsOf(yes?.text ?? '')).toBe(secondsOf(no?.text ?? ''));
    }
  });

  test.each([
    ['short', SHORT],
    ['long', LONG],
  ])('of a %s stream expect answers that match what is shown', (_, playlist) => {
    for (const stream of STREAMS) {
      for (const { task, text, asOfMs, expected, moment } of asked(playlist, stream)) {
        const seen = playlist.spans.filter(({ startMs }) => startMs <= asOfMs);
        const onsets = seen.slice(1).map(({ startMs }) => startMs);
        for (const { startMs } of playlist.spans.slice(1))
          expect(Math.abs(asOfMs - startMs)).toBeGreaterThanOrEqual(500);
        expect(asOfMs).toBeLessThan(playlist.durationMs);
        if (task === 'changed') {
          expect(expected).toBe(onsets.length === 0 ? 'nothing' : seen.at(-1)?.picture.label);
          expect(moment).toEqual(onsets.length === 0 ? null : { set: 'many', startMs: onsets.at(-1), endMs: asOfMs });
        } else {
          const within = onsets.some((startMs) => asOfMs - startMs <= secondsOf(text) * 1000);
          expect(expected, `${text} as of ${asOfMs}`).toBe(within ? 'yes' : 'no');
        }
      }
    }
  });

  test('ask before anything has changed in a fifth of the streams', () => {
    const changed = STREAMS.flatMap((stream) => asked(SHORT, stream)).filter(({ task }) => task === 'changed');
    expect(changed.filter(({ expected }) => expected === 'nothing')).toHaveLength(STREAMS.length / 5);
    for (const { chance } of changed) expect(chance).toBe(1 / (SHORT.spans.length + 1));
  });

  test.each([
    ['short', SHORT],
    ['long', LONG],
  ])(
    'of a %s stream pair one later thing with itself or the next, on either side of the seconds asked about',
    (_, playlist) => {
      const spanAt = (ms: number) => playlist.spans.findIndex(({ startMs, endMs }) => startMs <= ms && ms < endMs);
      const apart = new Set<number>();
      for (const stream of STREAMS) {
        const [, yes, no] = asked(playlist, stream);
        if (yes === undefined || no === undefined) throw new Error('it asks no pair');
        const withinMs = secondsOf(yes.text) * 1000;
        const [came, stands] = [spanAt(yes.asOfMs), spanAt(no.asOfMs)];
        apart.add(came - stands);
        expect(stands).toBeGreaterThan(0);
        expect(yes.asOfMs).toBeLessThanOrEqual((playlist.spans[came]?.startMs ?? NaN) + withinMs - 500);
        expect(no.asOfMs).toBeGreaterThanOrEqual((playlist.spans[stands]?.startMs ?? NaN) + withinMs + 500);
      }
      expect([...apart].sort()).toEqual([0, 1]);
    },
  );

  test('cannot be answered from whether the first thing is still shown, nor from the number of seconds', () => {
    for (const playlist of [SHORT, LONG]) {
      const questions = changesOf(playlist);
      const [first] = playlist.spans;
      expect(share(questions, ({ asOfMs }) => (asOfMs < (first?.endMs ?? 0) ? 'no' : 'yes'))).toBe(0.5);
      for (const limit of [5, 10, 20, 30]) {
        expect(share(questions, ({ text }) => (secondsOf(text) > limit ? 'yes' : 'no'))).toBe(0.5);
      }
    }
  });

  test('record the answers of rules that see no change', () => {
    const questions = changesOf(LONG);
    const names = Object.keys(questions[0]?.rules ?? {});
    expect(names).toContain('no while the first thing is shown');
    for (const name of names) expect(share(questions, ({ rules }) => rules?.[name] ?? '')).toBeLessThan(0.66);
    const wide = shown(4, 200);
    for (const { text, asOfMs, rules } of changesOf(wide)) {
      const young = asOfMs <= 2 * secondsOf(text) * 1000;
      expect(rules?.['yes up to 2 x the seconds asked about']).toBe(young ? 'yes' : 'no');
      expect(rules?.['no while the first thing is shown']).toBe('yes');
    }
  });

  test('include no yes/no pair when no later thing is shown for long enough', () => {
    for (const stream of STREAMS) {
      expect(asked(shown(30, 4, 6), stream).map(({ task }) => task)).toEqual(['changed']);
    }
  });

  test('alternate between trained and held-out phrasings', () => {
    const held = STREAMS.flatMap((stream) => asked(SHORT, stream)).map(({ task, heldOut }) => ({ task, heldOut }));
    for (const name of ['changed', 'haschanged']) {
      const mine = held.filter(({ task }) => task === name);
      expect(mine.filter(({ heldOut }) => heldOut)).toHaveLength(mine.length / 2);
    }
  });

  test('are not asked of a stream that shows a single thing', () => {
    expect(askChanges(shown(10), randomOfStream(1, 0), 0)).toEqual([]);
  });
});

describe('A second random generator of a stream', () => {
  test('draws different numbers and leaves the first one unchanged', () => {
    expect(randomOfStream(1, 3)()).toBe(randomOfStream(1, 3, 0)());
    expect(randomOfStream(1, 3)()).not.toBe(randomOfStream(1, 3, 1)());
  });
});
