/** What a question about one stream reads, how it joins others, and when it is refused. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Answers } from '../../src/engine/answers.ts';
import type { AnswerEnd } from '../../src/engine/protocol.ts';
import { MAX_SEGMENT_TOKENS } from '../../src/engine/questions.ts';
import { Scheduler } from '../../src/engine/scheduler.ts';
import { FULL_READ_TOKENS } from '../../src/model/kv-reader.ts';
import { QuestionSegment } from '../../src/model/question.ts';
import { sceneStart } from '../../src/model/scene.ts';
import { listen, type Outcome, request } from '../support/asking.ts';
import {
  answer,
  ask,
  fill,
  frameOf,
  model,
  onStep,
  open,
  QUESTIONS,
  rounded,
  scheduler,
  useScheduler,
  watch,
} from '../support/scheduling.ts';

vi.mock(import('../../src/model/scene.ts'), { spy: true });

useScheduler();
afterEach(() => {
  vi.mocked(sceneStart).mockReset();
});

describe('Questions about a stream', () => {
  test.each([
    ['greedy', 0],
    ['sampled', 1],
  ])('asked together get the answers that each gets alone (%s)', async (_name, temperature) => {
    open('a');
    open('b');
    await watch('a', 0, 9);
    await watch('b', 0, 7);
    const asks = QUESTIONS.flatMap((question, i) => [
      request('a', question, { temperature, seed: i }),
      request('b', question, { temperature, seed: i }),
      request('a', question, { temperature, seed: i, asOfMs: 2000 }),
    ]);
    const alone: AnswerEnd[] = [];
    for (const one of asks) alone.push(await answer(one));
    const together = await Promise.all(asks.map(answer));
    const essence = (end: AnswerEnd): unknown[] => [
      end.text,
      end.finish,
      end.asOfMs,
      end.inputTokens,
      end.outputTokens,
    ];
    expect(together.map(essence)).toEqual(alone.map(essence));
    for (const [i, { evidence }] of together.entries()) {
      expect(evidence.map((e) => [e.startMs, e.endMs])).toEqual(alone[i]?.evidence.map((e) => [e.startMs, e.endMs]));
    }
    if (temperature > 0) expect(new Set(alone.map(({ text }) => text)).size).toBeGreaterThan(4);
  });

  test('that join while another is answered do not change its answer', async () => {
    open('a');
    await watch('a', 0, 9);
    const alone = await answer(request('a', 'what is shown now?'));
    const joining: Promise<Outcome>[] = [];
    onStep((steps) => {
      if (steps < 6) joining.push(ask(request('a', QUESTIONS[steps % 4] ?? '', { seed: steps, maxTokens: 1 + steps })));
    });
    const among = await answer(request('a', 'what is shown now?'));
    // Other lengths in the batch pad its segment, which may change how a sum rounds.
    expect(rounded(among)).toEqual(rounded(alone));
    expect((await Promise.all(joining)).every(({ end }) => end !== undefined)).toBe(true);
  });

  test('that arrive while others are opened get their first token in the same step', async () => {
    open('cam');
    await watch('cam', 0, 4);
    const step = model.selfDecoder.step.bind(model.selfDecoder);
    let late: Promise<Outcome> | undefined;
    vi.spyOn(model.selfDecoder, 'step').mockImplementation((...args) => {
      late ??= ask(request('cam', QUESTIONS[1] ?? '', { maxTokens: 1 }));
      return step(...args);
    });
    const together = vi.spyOn(model.crossDecoder, 'step');
    await ask(request('cam', QUESTIONS[0] ?? '', { maxTokens: 1 }));
    await late;
    expect(together.mock.calls.map(([, inputs]) => inputs.length)).toEqual([2]);
  });

  test('that arrive while a run blocks the event loop get their first token in the same step', async () => {
    open('cam');
    await watch('cam', 0, 4);
    const step = model.selfDecoder.step.bind(model.selfDecoder);
    let late: Promise<Outcome> | undefined;
    vi.spyOn(model.selfDecoder, 'step').mockImplementationOnce(async (...args) => {
      const opened = await step(...args);
      setImmediate(() => {
        late = ask(request('cam', QUESTIONS[1] ?? '', { maxTokens: 1 }));
      });
      return opened;
    });
    const together = vi.spyOn(model.crossDecoder, 'step');
    await ask(request('cam', QUESTIONS[0] ?? '', { maxTokens: 1 }));
    await late;
    expect(together.mock.calls.map(([, inputs]) => inputs.length)).toEqual([2]);
  });

  test('that are long are opened a few at a time, and all are answered', async () => {
    open('a');
    await watch('a', 0, 3);
    const openings = vi.spyOn(QuestionSegment, 'openAll');
    const long = Array.from({ length: 300 }, () => 'dog').join(' ');
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => ask(request('a', `what is this ${long}?`, { maxTokens: 1 }))),
    );
    expect(outcomes.every(({ end }) => end !== undefined)).toBe(true);
    const sizes = openings.mock.calls.map(([, , , asked]) => asked.reduce((sum, { ids }) => sum + ids.length, 0));
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_SEGMENT_TOKENS);
  });

  test('stream deltas that add up to the final text', async () => {
    open('a');
    await watch('a', 0, 6);
    for (let seed = 0; seed < 8; seed++) {
      const { end, deltas } = await ask(request('a', 'what is this?', { seed }));
      expect(deltas.join('')).toBe(end?.text);
    }
  });

  test('as of a past moment get, token by token, the answer given at that moment', async () => {
    open('a');
    const live: AnswerEnd[] = [];
    for (let i = 0; i < 12; i++) {
      await scheduler.append('a', i * 500, frameOf('a', i));
      live.push(await answer(request('a', 'what was shown first?', { seed: i })));
    }
    for (let i = 0; i < 12; i++) {
      const later = await answer(request('a', 'what was shown first?', { seed: i, asOfMs: i * 500 }));
      expect(later).toEqual(live[i]);
    }
    expect(new Set(live.map(({ text }) => text)).size).toBeGreaterThan(6);
  });

  test('as of a moment between two frames read up to the earlier one', async () => {
    open('a');
    await watch('a', 0, 6);
    const end = await answer(request('a', 'what is this?', { asOfMs: 1499 }));
    expect(end.asOfMs).toBe(1000);
    expect(end).toEqual(await answer(request('a', 'what is this?', { asOfMs: 1000 })));
  });

  test('do not see frames that arrive while they are answered', async () => {
    open('a');
    await watch('a', 0, 6);
    const alone = await answer(request('a', 'what is shown now?'));
    const frames: Promise<unknown>[] = [];
    onStep((steps) => {
      if (steps <= 8) frames.push(scheduler.append('a', (5 + steps) * 500, frameOf('b', steps)));
    });
    const end = await answer(request('a', 'what is shown now?'));
    await Promise.all(frames);
    expect(end.asOfMs).toBe(2500);
    expect(end.text).toBe(alone.text);
    expect(end.evidence.length).toBeGreaterThan(0);
    expect(end.evidence.every(({ endMs }) => endMs <= 2500)).toBe(true);
  });

  test('with the same seed get the same sampled answer', async () => {
    open('a');
    await watch('a', 0, 3);
    const texts = await Promise.all(
      [7, 7, 8].map(async (seed) => (await answer(request('a', 'what is this?', { seed }))).text),
    );
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe(texts[2]);
  });

  test('get at most as many tokens as they allow', async () => {
    open('a');
    await watch('a', 0, 3);
    const end = await answer(request('a', 'what is this?', { temperature: 0, maxTokens: 3 }));
    expect(end).toMatchObject({ finish: 'length', outputTokens: 3 });
  });

  test('with earlier turns take those turns into account', async () => {
    open('a');
    await watch('a', 0, 6);
    const first = await answer(request('a', 'and now?'));
    const turns = [{ question: 'what is this?', timeMs: 1000, answer: 'a dog' }];
    const second = await answer(request('a', 'and now?', { turns }));
    expect(second.inputTokens).toBeGreaterThan(first.inputTokens);
    expect(second.text).not.toBe(first.text);
    const otherTurns = [{ question: 'what is this?', timeMs: 1000, answer: 'a cat sat on the mat at 0:07' }];
    expect((await answer(request('a', 'and now?', { turns: otherTurns }))).text).not.toBe(second.text);
  });

  test('with a start time rest on no earlier frames', async () => {
    open('a');
    await watch('a', 0, 12);
    const reads = vi.spyOn(model.crossDecoder, 'step');
    for (let seed = 0; seed < 4; seed++) {
      const end = await answer(request('a', 'what was shown first?', { sinceMs: 4_000, seed }));
      expect(end.streams).toEqual([{ name: 'a', asOfMs: 5_500, sinceMs: 4_000 }]);
      for (const { startMs } of end.evidence) expect(startMs).toBeGreaterThanOrEqual(4_000);
    }
    expect(reads.mock.calls.flatMap(([view]) => view.times).every((time) => time >= 4_000)).toBe(true);
  });

  test('read from the frame standing at their start time, and report no start when it precedes the oldest frame', async () => {
    open('a');
    await watch('a', 0, 12);
    const since = async (sinceMs: number): Promise<number | null | undefined> =>
      (await answer(request('a', 'what is this?', { sinceMs }))).streams[0]?.sinceMs;
    expect([await since(5_700), await since(700), await since(0), await since(-60_000)]).toEqual([
      5_500,
      500,
      null,
      null,
    ]);
  });

  test('read the scene standing at their start time from its beginning, unless they ask for changes', async () => {
    open('a');
    await watch('a', 0, 12);
    vi.mocked(sceneStart).mockReturnValue(2);
    const reads = vi.spyOn(model.crossDecoder, 'step');
    const timesRead = async (ofChanges: boolean): Promise<readonly number[] | undefined> => {
      reads.mockClear();
      await answer(request('a', 'what is this?', { sinceMs: 3_000, asksForChange: ofChanges }));
      return reads.mock.calls[0]?.[0].times;
    };
    const after = [3_000, 3_500, 4_000, 4_500, 5_000, 5_500];
    expect(await timesRead(true)).toEqual(after);
    // Earlier frames of the scene are read with the start time of the question.
    expect(await timesRead(false)).toEqual([3_000, 3_000, 3_000, 3_000, ...after]);
  });

  test('with many different start times take turns, and all are answered', async () => {
    open('a');
    await watch('a', 0, 12);
    const begins = Array.from({ length: 10 }, (_, i) => 500 + i * 500);
    const asked = begins.map((sinceMs) => request('a', 'what is this?', { sinceMs, temperature: 0 }));
    const alone: AnswerEnd[] = [];
    for (const one of asked) alone.push(await answer(one));
    const together = await Promise.all(asked.map((one) => answer(one)));
    expect(together.map(rounded)).toEqual(alone.map(rounded));
  });

  test('about a cache too long to read whole are read four per turn, in rotation', async () => {
    fill(open('long'), 0, FULL_READ_TOKENS / model.config.tokensPerFrame + 1);
    const read = vi.spyOn(model.reader, 'read');
    const decode = Reflect.get(Answers.prototype, 'decode');
    /** The number of readings in each turn in which all six are being answered. */
    const turns: number[] = [];
    vi.spyOn(Answers.prototype, 'decode').mockImplementation(async function (this: Answers) {
      const before = read.mock.calls.length;
      const answering = this.size;
      const any = await decode.call(this);
      if (answering === 6) turns.push(read.mock.calls.length - before);
      return any;
    });
    const asked = Array.from({ length: 6 }, (_, seed) =>
      ask(request('long', 'what is this?', { seed, maxTokens: 6, ignoreEndToken: true })),
    );
    const ends = (await Promise.all(asked)).map(({ end }) => end);
    expect(ends.map((end) => end?.outputTokens)).toEqual(ends.map(() => 6));
    expect(turns).toEqual(turns.map(() => 4));
    // Without rotation, the first four answers would have all their tokens after six turns.
    expect(turns.length).toBeGreaterThan(6);
  });

  test('fail when nothing is kept of their span', async () => {
    open('a');
    await watch('a', 0, 12);
    const gone = answer(request('a', 'what is this?', { sinceMs: 60_000 }));
    await expect(gone).rejects.toMatchObject({ code: 'time_out_of_range', param: 'since' });
  });

  test('get the same answers while others read from another start time', async () => {
    open('a');
    await watch('a', 0, 12);
    const asked = [null, 2_000, 2_000, 4_000].map((sinceMs, i) =>
      request('a', i === 1 ? 'what is this?' : 'what was shown first?', { sinceMs, temperature: 0 }),
    );
    const alone: AnswerEnd[] = [];
    for (const one of asked) alone.push(await answer(one));
    const together = await Promise.all(asked.map((one) => answer(one)));
    expect(together.map(rounded)).toEqual(alone.map(rounded));
  });

  test('of one conversation do not change the answers of another', async () => {
    open('a');
    await watch('a', 0, 6);
    const before = await answer(request('a', 'what is this?'));
    await answer(request('a', 'forget everything', { turns: [{ question: 'x', timeMs: 0, answer: 'y' }] }));
    expect(await answer(request('a', 'what is this?'))).toEqual(before);
  });
});

describe('The precision of an answer', () => {
  /** Room for the 64 frames always kept in full precision, and for some pages. */
  const SOME = 2 * 64 * 2_560;

  test('is full until frames are sealed, int8 when sealed frames were read, and thinned when some are gone', async () => {
    const cache = open('a', SOME);
    fill(cache, 0, 64);
    const full = await answer(request('a', 'what is this?', { maxTokens: 3 }));
    fill(cache, 64, 100);
    expect([cache.sealedFrames > 0, cache.thinnedFrames, cache.droppedFrames]).toEqual([true, 0, 0]);
    const int8 = await answer(request('a', 'what is this?', { maxTokens: 3 }));
    while (cache.thinnedFrames === 0)
      fill(cache, (cache.times.newest ?? 0) / 500 + 1, (cache.times.newest ?? 0) / 500 + 2);
    const thinned = await answer(request('a', 'what is this?', { maxTokens: 3 }));
    expect([full.precision, int8.precision, thinned.precision]).toEqual(['full', 'int8', 'thinned']);
    expect(cache.bytes).toBeLessThanOrEqual(SOME);
  });

  test('is the worst of the streams asked; one asked alone has its own', async () => {
    fill(open('old', SOME), 0, 100);
    fill(open('new', SOME), 0, 10);
    const [both, one] = await Promise.all([
      answer(request(['new', 'old'], 'what is this?', { maxTokens: 3 })),
      answer(request('new', 'what is this?', { maxTokens: 3 })),
    ]);
    expect([both.precision, one.precision]).toEqual(['int8', 'full']);
  });

  test('is that of the frames read: an early moment of a sealed cache is int8', async () => {
    fill(open('a', SOME), 0, 100);
    const end = await answer(request('a', 'what is this?', { asOfMs: 1000, maxTokens: 3 }));
    expect([end.asOfMs, end.precision]).toEqual([1000, 'int8']);
  });
});

describe('A question is refused', () => {
  test('about an unknown stream', async () => {
    expect((await ask(request('nobody', 'what is this?'))).error).toMatchObject({
      code: 'stream_not_found',
      param: 'stream',
    });
    await expect(scheduler.append('nobody', 0, frameOf('a', 0))).rejects.toMatchObject({ code: 'stream_not_found' });
  });

  test('about a stream without a frame', async () => {
    open('a');
    expect((await ask(request('a', 'what is this?'))).error).toMatchObject({ code: 'stream_empty', retryable: true });
  });

  test.each([-1, 2500.5, 1e12])('as of %d ms, out of range, with the times that are kept', async (asOfMs) => {
    open('a');
    await watch('a', 0, 6);
    const { error } = await ask(request('a', 'what is this?', { asOfMs }));
    expect(error).toMatchObject({ code: 'time_out_of_range', param: 'as_of', detail: 'Kept are 0.0 s to 2.5 s.' });
  });

  test('when no person asks it and half of the places are taken, which leaves the rest to people', async () => {
    open('a');
    await watch('a', 0, 2);
    const unattended = Array.from({ length: 10 }, () => ask({ ...request('a', 'what is this?'), unattended: true }));
    const people = Array.from({ length: 8 }, () => ask(request('a', 'what is this?')));
    const refused = async (all: ReturnType<typeof ask>[]): Promise<number> =>
      (await Promise.all(all)).filter(({ error }) => error?.code === 'too_many_questions').length;
    expect([await refused(unattended), await refused(people)]).toEqual([2, 0]);
  });

  test.each([
    [1, 1],
    [2, 1],
    [3, 1],
    [5, 2],
  ])('when no person asks it beyond half of the places: of %d beyond %d', async (maxAnswers, places) => {
    const few = new Scheduler(model, { maxAnswers });
    const codes: unknown[] = [];
    for (let id = 0; id < maxAnswers; id++) {
      const { listener, outcome } = listen();
      few.ask(id, { ...request('a', 'what is this?'), unattended: true }, listener);
      void outcome.then(({ error }) => codes.push(error?.code));
    }
    await few.stop();
    // Those that got a place are abandoned.
    expect(codes).toEqual(Array<string>(maxAnswers - places).fill('too_many_questions'));
  });

  test('when as many as the limit are in progress, and those are answered', async () => {
    open('a');
    await watch('a', 0, 2);
    const outcomes = await Promise.all(Array.from({ length: 18 }, () => ask(request('a', 'what is this?'))));
    expect(outcomes.filter(({ end }) => end !== undefined)).toHaveLength(16);
    const refused = outcomes.slice(16).map(({ error }) => error);
    expect(refused).toMatchObject(
      [1, 2].map(() => ({ code: 'too_many_questions', retryable: true, detail: 'The limit is 16.' })),
    );
    expect((await ask(request('a', 'what is this?'))).end).toBeDefined();
  });

  test('when it has too many tokens, alone or with its earlier turns', async () => {
    open('a');
    await watch('a', 0, 2);
    const long = 'é'.repeat(1200);
    expect((await ask(request('a', long))).error?.code).toBe('question_too_long');
    const turns = [{ question: 'x', timeMs: 0, answer: long }];
    const { error } = await ask(request('a', 'what is this?', { turns }));
    expect(error?.code).toBe('conversation_full');
    expect(error?.detail).toMatch(/^It has \d+ tokens with its earlier turns; the limit is 1024\.$/);
  });

  test('for its length without holding up others: the next one is encoded a turn of the event loop later', async () => {
    open('a');
    await watch('a', 0, 2);
    const order: string[] = [];
    const long = (id: number): Promise<void> =>
      new Promise((resolve) => {
        scheduler.ask(id, request('a', 'é'.repeat(1200)), {
          delta: () => undefined,
          done: () => undefined,
          failed: ({ code }) => {
            order.push(code);
            setImmediate(() => order.push('turn'));
            resolve();
          },
        });
      });
    await Promise.all([long(9_001), long(9_002)]);
    expect(order).toEqual(['question_too_long', 'turn', 'question_too_long']);
  });

  test('never for its script, nor for emoji', async () => {
    open('a');
    await watch('a', 0, 2);
    for (const question of ['这是什么？', 'что это?', 'ما هذا؟', '🐶❓']) {
      expect((await answer(request('a', question))).inputTokens).toBeGreaterThan(2);
    }
  });
});
