/** How the scheduler takes frames into caches: in turn, beside answers, within a memory limit, merged, refused. */
import { describe, expect, test, vi } from 'vitest';
import { MERGE_MAX_MS, OVERDUE_MS } from '../../src/engine/frames.ts';
import { FRAME_BATCH } from '../../src/model/intake.ts';
import { PAGE_FRAMES } from '../../src/model/kv-cache.ts';
import { type Outcome, request } from '../support/asking.ts';
import {
  answer,
  ask,
  frameOf,
  LEAST,
  model,
  MUCH,
  newId,
  onStep,
  open,
  QUESTIONS,
  scheduler,
  stopClock,
  useScheduler,
  watch,
} from '../support/scheduling.ts';
import { bitsOf, picture } from '../support/tiny.ts';

useScheduler();

describe('The cache of a stream', () => {
  test('has the same bits with and without askers', async () => {
    const quiet = open('quiet');
    await watch('quiet', 0, 12);
    const asked = open('qasked');
    const asking: Promise<Outcome>[] = [];
    for (let i = 0; i < 12; i++) {
      await scheduler.append('qasked', i * 500, frameOf('quiet', i));
      for (const question of QUESTIONS.slice(0, 1 + (i % 3)))
        asking.push(ask(request('qasked', question, { seed: i, maxTokens: 6 })));
      if (asking.length >= 12) await Promise.all(asking.splice(0));
    }
    await Promise.all(asking);
    expect(bitsOf(asked).equals(bitsOf(quiet))).toBe(true);
    expect(quiet.frames).toBe(12);
  });

  test('has the same bits alone and beside other streams', async () => {
    const alone = open('alone');
    await watch('alone', 0, 10);
    const beside = open('a');
    const others = ['b', 'c', 'd', 'e', 'f', 'g'];
    for (const name of others) open(name);
    await Promise.all([
      (async () => {
        for (let i = 0; i < 10; i++) await scheduler.append('a', i * 500, frameOf('alone', i));
      })(),
      ...others.map((name, i) => watch(name, 0, 4 + i)),
    ]);
    expect(bitsOf(beside).equals(bitsOf(alone))).toBe(true);
  });

  test('differs when the pictures or the times differ', async () => {
    const [a, b, late] = [open('a'), open('b'), open('late')];
    await watch('a', 0, 6);
    await watch('b', 0, 6);
    for (let i = 0; i < 6; i++) await scheduler.append('late', 60_000 + i * 500, frameOf('a', i));
    expect(bitsOf(a).equals(bitsOf(b))).toBe(false);
    expect(bitsOf(a).equals(bitsOf(late))).toBe(false);
  });

  test('takes frames submitted at once in order, and reports what it holds', async () => {
    const cache = open('a');
    const all = await Promise.all([0, 1, 2, 3, 4].map((i) => scheduler.append('a', i * 500, frameOf('a', i))));
    expect(cache.times.slice()).toEqual([0, 500, 1000, 1500, 2000]);
    expect(all.map(({ frames, cacheTokens }) => [frames, cacheTokens])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [n, n * 10]),
    );
    expect(all[4]).toMatchObject({ firstMs: 0, lastMs: 2000, cacheBytes: cache.bytes });
  });

  test('gets its frames in turn: a flooding stream does not starve another', async () => {
    const names = Array.from({ length: FRAME_BATCH + 2 }, (_, i) => `s${i}`);
    for (const name of names) open(name);
    const order: string[] = [];
    await Promise.all(
      names.flatMap((name) =>
        [0, 1, 2].map(async (i) => {
          await scheduler.append(name, i * 500, frameOf(name, i));
          order.push(name);
        }),
      ),
    );
    expect(new Set(order.slice(0, names.length))).toEqual(new Set(names));
  });
});

describe('While answers are written, frames', () => {
  const names = Array.from({ length: FRAME_BATCH + 2 }, (_, i) => `s${i}`);

  /**
   * For each step, how many frames were taken in before it. One frame of each stream arrives with the first step; a
   * step takes `stepMs`.
   */
  async function takenBeforeSteps(stepMs: number): Promise<number[]> {
    for (const name of names) open(name);
    open('asked');
    await watch('asked', 0, 3);
    let taken = 0;
    const before: number[] = [];
    const frames: Promise<unknown>[] = [];
    const step = model.crossDecoder.step.bind(model.crossDecoder);
    vi.spyOn(model.crossDecoder, 'step').mockImplementation(async (...args) => {
      if (before.push(taken) === 1) {
        for (const name of names) frames.push(scheduler.append(name, 0, frameOf(name, 0)).then(() => taken++));
      }
      await new Promise((done) => setTimeout(done, stepMs));
      return step(...args);
    });
    await answer(request('asked', 'what is shown now?', { maxTokens: 4 }));
    await Promise.all(frames);
    return before;
  }

  test('are taken in a few at a time', async () => {
    stopClock();
    expect(await takenBeforeSteps(0)).toEqual([0, 3, 5, 6]);
  });

  test('that are overdue are taken in before the next token, at most one batch', async () => {
    expect(await takenBeforeSteps(OVERDUE_MS + 20)).toEqual([0, FRAME_BATCH, names.length, names.length]);
  });

  test('that are overdue go before those whose turn it is', async () => {
    for (const name of names) open(name);
    open('asked');
    await watch('asked', 0, 3);
    const order: string[] = [];
    const frames: Promise<unknown>[] = [];
    const arrive = (name: string): void => {
      frames.push(scheduler.append(name, 0, frameOf(name, 0)).then(() => order.push(name)));
    };
    const step = model.crossDecoder.step.bind(model.crossDecoder);
    vi.spyOn(model.crossDecoder, 'step').mockImplementationOnce(async (...args) => {
      const [last = '', ...others] = [...names].reverse();
      arrive(last);
      await new Promise((done) => setTimeout(done, OVERDUE_MS + 20));
      others.reverse().forEach(arrive);
      return step(...args);
    });
    await answer(request('asked', 'what is shown now?', { maxTokens: 4 }));
    await Promise.all(frames);
    expect(order.slice(0, 3)).toEqual(['s5', 's0', 's1']);
  });
});

describe('A question that arrives while frames are processed', () => {
  const names = ['s0', 's1', 's2'];

  /**
   * Calls back after the first run of vision, one turn of the event loop later, when messages of other processes
   * arrive.
   */
  function onFirstSeen(callback: () => void): void {
    const see = model.vision.encode.bind(model.vision);
    vi.spyOn(model.vision, 'encode').mockImplementationOnce(async (...args) => {
      const tokens = await see(...args);
      setImmediate(callback);
      return tokens;
    });
  }

  test('goes before the remaining frames and before the next self-decoder step, and leaves the bits of frames unchanged', async () => {
    stopClock();
    const quiet = open('quiet');
    await watch('quiet', 0, 4);
    const asked = open('qasked');
    for (const name of names) open(name);
    for (let i = 0; i < 3; i++) await scheduler.append('qasked', i * 500, frameOf('quiet', i));
    const order: string[] = [];
    onFirstSeen(() => {
      void ask(request('qasked', 'what is shown now?', { maxTokens: 1 })).then(() => order.push('answer'));
    });
    const see = vi.spyOn(model.vision, 'encode');
    onStep(() => order.push(`step after ${see.mock.calls.length}`));
    await Promise.all([
      scheduler.append('qasked', 1500, frameOf('quiet', 3)).then(() => order.push('qasked')),
      ...names.map((name) => scheduler.append(name, 0, frameOf(name, 0)).then(() => order.push(name))),
    ]);
    expect(order.slice(0, 2)).toEqual(['step after 1', 'answer']);
    expect(order.slice(2).sort()).toEqual(['qasked', ...names]);
    expect(bitsOf(asked).equals(bitsOf(quiet))).toBe(true);
  });

  test('does not starve frames, even when another arrives at each step', async () => {
    open('asked');
    open('s0');
    await watch('asked', 0, 3);
    const asking: Promise<Outcome>[] = [];
    let taken = false;
    const again = (): void => {
      if (!taken) asking.push(ask(request('asked', 'what is shown now?', { maxTokens: 1 })));
    };
    onFirstSeen(again);
    const step = model.crossDecoder.step.bind(model.crossDecoder);
    vi.spyOn(model.crossDecoder, 'step').mockImplementation(async (...args) => {
      await new Promise((done) => setTimeout(done, OVERDUE_MS / 5));
      again();
      return step(...args);
    });
    await scheduler.append('s0', 0, frameOf('s0', 0));
    taken = true;
    expect((await Promise.all(asking)).every(({ end }) => end !== undefined)).toBe(true);
  });

  test('does not keep a frame whose stream is closed meanwhile', async () => {
    stopClock();
    open('asked');
    open('s0');
    await watch('asked', 0, 3);
    let answered: Promise<Outcome> | undefined;
    onFirstSeen(() => {
      answered = ask(request('asked', 'what is shown now?', { maxTokens: 1 }));
    });
    onStep((steps) => {
      if (steps === 1) scheduler.close('s0');
    });
    await expect(scheduler.append('s0', 0, frameOf('s0', 0))).rejects.toMatchObject({ code: 'stream_deleted' });
    expect((await answered)?.end?.finish).toBe('length');
  });
});

describe('When the memory limit is reached', () => {
  /** Half of the oldest page's frames are thinned first; then the rest are dropped. */
  const half = PAGE_FRAMES / 2;
  const keptFromMs = PAGE_FRAMES * 500;

  test('the oldest frames go, and the newest stay and can be asked about', async () => {
    const cache = open('a', LEAST);
    await watch('a', 0, 65);
    expect([cache.droppedFrames, cache.thinnedFrames, cache.frames]).toEqual([half, half, 65 - PAGE_FRAMES]);
    const appended = await scheduler.append('a', 65 * 500, frameOf('a', 65));
    expect(appended).toMatchObject({
      firstMs: keptFromMs,
      lastMs: 32_500,
      frames: 66,
      cacheTokens: (66 - PAGE_FRAMES) * 10,
      droppedFrames: half,
      thinnedFrames: half,
    });
    expect((await ask(request('a', 'what is this?', { asOfMs: keptFromMs - 1 }))).error?.code).toBe(
      'time_out_of_range',
    );
    expect((await answer(request('a', 'what is this?', { asOfMs: keptFromMs }))).asOfMs).toBe(keptFromMs);
  });

  test('a question as of a moment that is dropped meanwhile fails, and others continue with what is kept', async () => {
    open('a', LEAST);
    await watch('a', 0, 64);
    const frames: Promise<unknown>[] = [];
    onStep((steps) => {
      if (steps === 2) frames.push(scheduler.append('a', 64 * 500, frameOf('a', 64)));
    });
    const [old, recent] = await Promise.all([
      ask(request('a', 'what is this?', { temperature: 0, asOfMs: 1000 })),
      ask(request('a', 'what is this?', { temperature: 0 })),
    ]);
    await Promise.all(frames);
    expect(old.error).toMatchObject({ code: 'time_out_of_range', param: 'as_of' });
    expect(recent.end?.asOfMs).toBe(63 * 500);
    expect(recent.end?.evidence.length ?? 0).toBeGreaterThan(0);
    expect(recent.end?.evidence.every(({ startMs }) => startMs >= keptFromMs)).toBe(true);
  });

  test('a cancelled answer cites only frames that are still kept, at their times', async () => {
    open('a', LEAST);
    await watch('a', 0, 64);
    const id = newId();
    onStep((steps) => {
      if (steps === 2) {
        void scheduler.append('a', 64 * 500, frameOf('a', 64)).then(() => {
          scheduler.cancel(id);
        });
      }
    });
    const { end } = await ask(request('a', 'what is this?', { temperature: 0 }), id);
    expect(end?.finish).toBe('cancelled');
    expect(end?.evidence.length ?? 0).toBeGreaterThan(0);
    for (const { startMs, endMs } of end?.evidence ?? []) {
      expect(startMs).toBeGreaterThanOrEqual(keptFromMs);
      expect(endMs).toBeLessThanOrEqual(63 * 500);
    }
  });
});

describe('Frames that hardly differ', () => {
  const show = (i: number, number: number) => scheduler.append('a', i * 500, picture(number));

  test('are merged when the limits say so, and the scene stands until the last of them', async () => {
    const cache = open('a', MUCH, 0.02);
    for (let i = 0; i < 6; i++) await show(i, 1);
    const appended = await show(6, 2);
    expect(cache.times.slice()).toEqual([0, 3000]);
    expect(cache.times.endOf(0)).toBe(2500);
    expect(appended).toMatchObject({ frames: 7, cacheTokens: 20, mergedFrames: 5, firstMs: 0, lastMs: 3000 });
    const still = await answer(request('a', 'what is this?', { asOfMs: 2400 }));
    expect(still.asOfMs).toBe(2400);
    for (const { startMs, endMs } of still.evidence) expect([startMs, endMs]).toEqual([0, 2400]);
  });

  test('are all kept when the limits do not merge', async () => {
    const cache = open('a');
    for (let i = 0; i < 4; i++) await show(i, 1);
    expect([cache.frames, cache.mergedFrames]).toEqual([4, 0]);
  });

  test('are still kept at least every MERGE_MAX_MS', async () => {
    const cache = open('a', MUCH, 0.02);
    const still = MERGE_MAX_MS / 500;
    for (let i = 0; i <= 2 * still; i++) await show(i, 1);
    expect(cache.times.slice()).toEqual([0, MERGE_MAX_MS, 2 * MERGE_MAX_MS]);
  });

  test('are compared with the last kept frame, so that slow changes are not lost', async () => {
    const cache = open('a', MUCH, 0.02);
    for (const [i, number] of [1, 2, 1, 1, 2].entries()) await show(i, number);
    expect(cache.times.slice()).toEqual([0, 500, 1000, 2000]);
    expect(cache.times.endOf(2)).toBe(1500);
  });
});

describe('A frame older than the newest one of its stream', () => {
  test('is refused alone, before it enters the window of the stream', async () => {
    for (const name of ['a', 'plain']) open(name);
    const order = [0, 1000, 500, 1500];
    const outcomes = await Promise.allSettled(order.map((ms) => scheduler.append('a', ms, frameOf('a', ms / 500))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[2]).toMatchObject({
      reason: { code: 'internal', cause: new RangeError('a frame at 500 ms after one at 1000 ms') },
    });
    for (const ms of [0, 1000, 1500]) await scheduler.append('plain', ms, frameOf('a', ms / 500));
    const question = 'what is shown now?';
    expect((await answer(request('a', question))).text).toBe((await answer(request('plain', question))).text);
    expect((await answer(request('a', question, { asOfMs: 1200 }))).asOfMs).toBe(1000);
  });
});

describe('A picture of the wrong size', () => {
  test('fails alone: its stream and the others continue', async () => {
    const cache = open('a');
    open('b');
    const bad = scheduler.append('a', 0, new Uint8Array(10));
    const good = scheduler.append('b', 0, frameOf('b', 0));
    await expect(bad).rejects.toMatchObject({ code: 'internal' });
    await good;
    await watch('a', 1, 3);
    expect(cache.frames).toBe(2);
  });
});
