import { describe, expect, test } from 'vitest';
import { askChanges } from '../../src/evaluation/changes.ts';
import type { Span } from '../../src/evaluation/playlist.ts';
import type { EvaluationQuestion } from '../../src/evaluation/questions.ts';
import { randomOfStream } from '../../src/evaluation/random.ts';

/** Things of these many seconds, one after the other. */
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

describe('The questions about changes', () => {
  test('are one for what has changed, and a yes and a no over the same time', () => {
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
  ])('of a %s stream expect what is shown', (_, playlist) => {
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

  test('come in a fifth of the streams before anything has changed', () => {
    const changed = STREAMS.flatMap((stream) => asked(SHORT, stream)).filter(({ task }) => task === 'changed');
    expect(changed.filter(({ expected }) => expected === 'nothing')).toHaveLength(STREAMS.length / 5);
    for (const { chance } of changed) expect(chance).toBe(1 / (SHORT.spans.length + 1));
  });

  test('say no of what has been there for longer too', () => {
    const noes = STREAMS.flatMap((stream) => asked(LONG, stream)).filter(({ expected }) => expected === 'no');
    const later = noes.filter(({ asOfMs }) => asOfMs > 20_000).length / noes.length;
    expect(later).toBeGreaterThan(0.3);
    expect(later).toBeLessThan(0.7);
  });

  test('take words that training uses, and words that it never does, in turn', () => {
    const held = STREAMS.flatMap((stream) => asked(SHORT, stream)).map(({ task, heldOut }) => ({ task, heldOut }));
    for (const name of ['changed', 'haschanged']) {
      const mine = held.filter(({ task }) => task === name);
      expect(mine.filter(({ heldOut }) => heldOut)).toHaveLength(mine.length / 2);
    }
  });

  test('are none where one thing is all that is shown', () => {
    expect(askChanges(shown(10), randomOfStream(1, 0), 0)).toEqual([]);
  });

  test('look back no further than the stream is long', () => {
    for (const stream of STREAMS) {
      for (const { task, text } of asked(shown(4, 4, 4), stream))
        if (task === 'haschanged') expect(secondsOf(text)).toBeLessThanOrEqual(10);
    }
  });
});

describe('A branch of a stream’s generator', () => {
  test('leaves the first as it is', () => {
    expect(randomOfStream(1, 3)()).toBe(randomOfStream(1, 3, 0)());
    expect(randomOfStream(1, 3)()).not.toBe(randomOfStream(1, 3, 1)());
  });
});
