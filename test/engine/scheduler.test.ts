import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Answers } from '../../src/engine/answers.ts';
import type { AnswerEnd, AskRequest } from '../../src/engine/protocol.ts';
import { MERGE_MAX_MS, OVERDUE_MS } from '../../src/engine/frames.ts';
import { MAX_SEGMENT_TOKENS } from '../../src/engine/questions.ts';
import { Scheduler } from '../../src/engine/scheduler.ts';
import { FRAME_BATCH } from '../../src/model/intake.ts';
import { type KvCache, PAGE_FRAMES } from '../../src/model/kv-cache.ts';
import { FULL_READ_TOKENS } from '../../src/model/kv-reader.ts';
import type { Model } from '../../src/model/model.ts';
import { QuestionSegment } from '../../src/model/question.ts';
import { sceneStart } from '../../src/model/scene.ts';
import { listen, type Outcome, request } from '../support/asking.ts';
import { seededRandom } from '../../src/model/sampling.ts';
import { bitsOf, loadTiny, picture } from '../support/tiny.ts';

vi.mock(import('../../src/model/scene.ts'), { spy: true });

const QUESTIONS = ['what is shown now?', 'have you seen a dog?', 'what was shown first?', 'when did the cat appear?'];
const MUCH = 2 ** 24;
/** Rounded up to the smallest cache: it keeps 64 frames, and lets go of a page of 32 at a time. */
const LEAST = 1;

let model: Model;
let scheduler: Scheduler;
let nextId = 1;

beforeAll(async () => {
  model = await loadTiny();
});
afterAll(() => model.release());
beforeEach(() => {
  scheduler = new Scheduler(model, { maxAnswers: 16 });
});
afterEach(async () => {
  await scheduler.stop();
  vi.restoreAllMocks();
  vi.mocked(sceneStart).mockReset();
});

/** Opens a stream and returns its cache. */
function open(name: string, limitBytes = MUCH, mergeBelow = 0): KvCache {
  const spy = vi.spyOn(model, 'newCache');
  scheduler.open(name, { limitBytes, mergeBelow });
  const made = spy.mock.results[0];
  spy.mockRestore();
  if (made?.type !== 'return') throw new Error('no cache was made');
  return made.value;
}

const pictures = Array.from({ length: 6 }, (_, i) => picture(i));

async function watch(name: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await scheduler.append(name, i * 500, frameOf(name, i));
}

/** Each stream shows different pictures, each picture for three frames. */
function frameOf(name: string, i: number): Uint8Array {
  return pictures[(Math.floor(i / 3) + name.charCodeAt(0)) % pictures.length] ?? new Uint8Array();
}

/** Exact in its words; shares of attention and probabilities differ in their last digits with the batch shape. */
const rounded = (end: AnswerEnd): AnswerEnd => ({
  ...end,
  evidence: end.evidence.map((span) => ({ ...span, weight: Number(span.weight.toFixed(6)) })),
  confidence: Number(end.confidence.toFixed(4)),
});

function ask(what: AskRequest, id = nextId++): Promise<Outcome> {
  const { listener, outcome } = listen();
  scheduler.ask(id, what, listener);
  return outcome;
}

async function answer(what: AskRequest): Promise<AnswerEnd> {
  const { end, error } = await ask(what);
  if (end === undefined) throw error ?? new Error('no end');
  return end;
}

/** Frames of random keys and values, half a second apart: a long cache without the cost of real frames. */
function fill(cache: KvCache, from: number, to: number): void {
  const { heads, headDim, tokensPerFrame } = cache.shape;
  const random = seededRandom(from + 1);
  const rows = (): Float32Array =>
    Float32Array.from({ length: heads * headDim * tokensPerFrame }, () => random() - 0.5);
  for (let i = from; i < to; i++) cache.append(i * 500, rows(), rows());
}

/** Calls back after each decode step on a stream's cache, with the number of steps so far. */
function onStep(callback: (steps: number) => void): void {
  const step = model.crossDecoder.step.bind(model.crossDecoder);
  let steps = 0;
  vi.spyOn(model.crossDecoder, 'step').mockImplementation(async (...args) => {
    const result = await step(...args);
    callback(++steps);
    return result;
  });
}

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

/** Stops the clock: no frame becomes overdue, however slow this machine is. */
function stopClock(): void {
  vi.spyOn(performance, 'now').mockReturnValue(performance.now());
}

test('An endless answer runs to its token limit, past the end token', async () => {
  open('cam');
  await watch('cam', 0, 3);
  const { answerTokens, endToken } = model.config;
  const read = model.reader.readShared.bind(model.reader);
  vi.spyOn(model.reader, 'readShared').mockImplementation(async (...args) => {
    const readings = await read(...args);
    for (const { logits } of readings) logits[answerTokens.indexOf(endToken)] = 100;
    return readings;
  });
  const asked = request('cam', 'what is shown now?', { maxTokens: 30 });
  expect(await answer(asked)).toMatchObject({ outputTokens: 0, finish: 'stop' });
  expect(await answer({ ...asked, ignoreEndToken: true })).toMatchObject({ outputTokens: 30, finish: 'length' });
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

describe('A question over several streams', () => {
  const NAMES = ['front', 'yard', 'attic'];
  beforeEach(async () => {
    for (const [i, name] of NAMES.entries()) {
      open(name);
      await watch(name, 0, 4 + 2 * i);
    }
  });

  test('reports the moment of each stream, and cites only streams of the question', async () => {
    for (let seed = 0; seed < 4; seed++) {
      const end = await answer(request(NAMES, 'which camera shows the dog?', { seed }));
      expect(end.streams).toEqual([
        { name: 'front', asOfMs: 1500, sinceMs: null },
        { name: 'yard', asOfMs: 2500, sinceMs: null },
        { name: 'attic', asOfMs: 3500, sinceMs: null },
      ]);
      expect([end.asOfMs, end.precision]).toEqual([3500, 'full']);
      expect(end.evidence.length).toBeGreaterThan(0);
      for (const { stream, startMs, endMs } of end.evidence) {
        expect(NAMES).toContain(stream);
        expect(startMs).toBeLessThanOrEqual(endMs);
        expect(endMs).toBeLessThanOrEqual(end.streams.find(({ name }) => name === stream)?.asOfMs ?? -1);
      }
      expect(end.evidence.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(1.0001);
    }
  });

  test('reads each stream, in order, up to its own moment', async () => {
    const texts = async (...asked: [string, number | null][]): Promise<string> => {
      const streams = asked.map(([name, asOfMs]) => ({ name, asOfMs, sinceMs: null }));
      const ends = [1, 2, 3].map((seed) => answer({ ...request('front', 'what is this?', { seed }), streams }));
      return (await Promise.all(ends)).map(({ text }) => text).join('|');
    };
    const both = await texts(['front', null], ['yard', null]);
    const others = await Promise.all([
      texts(['yard', null], ['front', null]),
      texts(['front', null], ['attic', null]),
      texts(['front', null], ['yard', 1000]),
      texts(['front', 500], ['yard', null]),
      texts(['front', null]),
    ]);
    expect(others).not.toContain(both);
    expect(await texts(['front', 1500], ['yard', 2500])).toBe(both);
  });

  test('reads each stream from its own start time, and fails when none has later frames', async () => {
    const from = (...begins: number[]): AskRequest => ({
      ...request('front', 'what is this?'),
      streams: begins.map((sinceMs, i) => ({ name: NAMES[i] ?? '', asOfMs: null, sinceMs })),
    });
    const { streams, evidence } = await answer(from(1_000, 13_000));
    // The yard has stalled: nothing of it is read.
    expect(streams.map(({ sinceMs }) => sinceMs)).toEqual([1_000, 2_500]);
    expect(new Set(evidence.map(({ stream }) => stream))).toEqual(new Set(['front']));
    await expect(answer(from(20_000, 20_000))).rejects.toMatchObject({ code: 'time_out_of_range', param: 'since' });
  });

  test('as of a past moment gets the answer given at that moment', async () => {
    const then = await answer(request(NAMES, 'what was shown first?'));
    const streams = then.streams;
    for (const name of NAMES) await watch(name, 8, 10);
    expect(await answer({ ...request(NAMES, 'what was shown first?'), streams })).toEqual(then);
  });

  test('gets the same greedy answer while others ask about the same streams or one of them', async () => {
    const several = request(['front', 'yard'], 'which camera shows the dog?', { temperature: 0 });
    const alone = await answer(several);
    const single = request('yard', 'what is shown now?', { temperature: 0 });
    const singleAlone = await answer(single);
    const [together, again, one, ...rest] = await Promise.all([
      answer(several),
      answer(several),
      answer(single),
      ...QUESTIONS.map((question) => answer(request(NAMES, question))),
      ...QUESTIONS.map((question) => answer(request('front', question))),
    ]);
    expect(rounded(together)).toEqual(rounded(alone));
    expect(rounded(again)).toEqual(rounded(alone));
    expect([one.text, one.outputTokens]).toEqual([singleAlone.text, singleAlone.outputTokens]);
    expect(rest).toHaveLength(8);
  });

  test('leaves the caches unchanged', async () => {
    const quiet = open('quiet');
    const asked = open('qasked');
    await watch('quiet', 0, 6);
    await watch('qasked', 0, 6);
    await answer(request(['qasked', 'front'], 'what is this?'));
    expect(bitsOf(asked).equals(bitsOf(quiet))).toBe(true);
  });

  test('fails alone when one of its streams is closed, and names that stream', async () => {
    onStep((steps) => {
      if (steps === 4) scheduler.close('yard');
    });
    const [gone, waits, stays, single] = await Promise.all([
      ask(request(['front', 'yard'], 'what is this?', { temperature: 0 })),
      ask(request(['yard', 'attic'], 'what is this?', { temperature: 0 })),
      ask(request(['front', 'attic'], 'what is this?', { temperature: 0 })),
      ask(request('front', 'what is this?', { temperature: 0 })),
    ]);
    for (const { error } of [gone, waits]) {
      expect(error).toMatchObject({ code: 'stream_deleted', detail: 'It is "yard".' });
    }
    expect([stays.end?.finish, single.end?.finish]).not.toContain(undefined);
    expect((await answer(request(['front', 'attic'], 'and now?'))).streams).toHaveLength(2);
  });

  test('is refused when a stream is unknown, empty, or has nothing of that moment, and names that stream', async () => {
    open('new');
    const [unknown, empty, past] = await Promise.all([
      ask(request(['front', 'cellar'], 'what?')),
      ask(request(['front', 'new'], 'what?')),
      ask(request(['attic', 'front'], 'what?', { asOfMs: 3000 })),
    ]);
    expect(unknown.error).toMatchObject({
      code: 'stream_not_found',
      param: 'streams',
      detail: 'The name was "cellar".',
    });
    expect(empty.error).toMatchObject({ code: 'stream_empty', param: 'streams', detail: 'It is "new".' });
    expect(past.error).toMatchObject({ code: 'time_out_of_range', detail: 'Kept are 0.0 s to 1.5 s of "front".' });
  });

  test('may name one to as many streams as the bundle has tags', async () => {
    const many = Array.from({ length: model.config.streamTags + 1 }, (_, i) => `s${i}`);
    for (const name of many) {
      open(name);
      await watch(name, 0, 1);
    }
    const most = await answer(request(many.slice(1), 'which camera?', { maxTokens: 3 }));
    expect(most.streams.map(({ name }) => name)).toEqual(many.slice(1));
    for (const [names, count] of [
      [many, 9],
      [[], 0],
    ] as const) {
      expect((await ask(request(names, 'which camera?'))).error).toMatchObject({
        code: 'invalid_request',
        param: 'streams',
        detail: `One question may read 1 to 8 streams; this one names ${count}.`,
      });
    }
  });

  test('reaches the model with camera numbers, also in earlier turns, and is answered with stream names', async () => {
    const { tokenizer } = model;
    const heard: string[] = [];
    const encode = tokenizer.encode.bind(tokenizer);
    vi.spyOn(tokenizer, 'encode').mockImplementation((text) => {
      heard.push(text);
      return encode(text);
    });
    const written = ['on', ' cam', 'era ', '2', ' and', ' camera', ' 1', ' and camera 7'];
    vi.spyOn(tokenizer, 'decode').mockImplementation((ids) => written.slice(0, ids.length).join(''));
    const turns = [{ question: 'is front lit?', timeMs: 0, answer: 'yard is' }];
    const asked = request(['front', 'yard'], 'front or yard?', { turns, maxTokens: written.length, temperature: 0 });
    const { end, deltas } = await ask(asked);
    expect(heard).toEqual(['is camera 1 lit?', 'camera 2 is', 'camera 1 or camera 2?']);
    const full = 'on yard and front and camera 7';
    expect(end?.text).toBe(full);
    expect(deltas.join('')).toBe(end?.text);
  });

  test('keeps names and numbers unchanged when it names one stream only', async () => {
    const heard = vi.spyOn(model.tokenizer, 'encode');
    await answer(request('front', 'is front camera 1?', { maxTokens: 1 }));
    expect(heard).toHaveBeenCalledWith('is front camera 1?');
  });

  test('works over caches too long to read whole', async () => {
    const frames = FULL_READ_TOKENS / model.config.tokensPerFrame;
    const [long, short] = [open('long'), open('short', LEAST)];
    fill(long, 0, frames);
    fill(short, 0, 200);
    const end = await answer(request(['long', 'short'], 'what was shown first?', { maxTokens: 4 }));
    expect(end.streams).toMatchObject([
      { name: 'long', asOfMs: (frames - 1) * 500 },
      { name: 'short', asOfMs: 199 * 500 },
    ]);
    for (const { stream, startMs } of end.evidence) {
      expect(startMs).toBeGreaterThanOrEqual((stream === 'long' ? long : short).times.at(0) ?? Infinity);
    }
    const old = await answer(request(['long', 'short'], 'and then?', { asOfMs: 80_000, maxTokens: 4 }));
    expect(old.streams.every(({ asOfMs }) => asOfMs === 80_000)).toBe(true);
    expect(old.evidence.length).toBeGreaterThan(0);
    expect(old.evidence.every(({ endMs }) => endMs <= 80_000)).toBe(true);
  });
});

describe('An answer', () => {
  test('is streamed piece by piece: a delta goes out before the next run blocks the event loop', async () => {
    open('a');
    await watch('a', 0, 4);
    const order: string[] = [];
    const step = model.selfDecoder.step.bind(model.selfDecoder);
    vi.spyOn(model.selfDecoder, 'step').mockImplementation((inputs) => {
      order.push('run');
      return step(inputs);
    });
    const { listener, outcome } = listen();
    // Messages to another process go out in the next turn of the event loop.
    const delta = (text: string): void => {
      order.push('said');
      listener.delta(text);
      setImmediate(() => order.push('sent'));
    };
    scheduler.ask(nextId++, request('a', 'what is shown now?'), { ...listener, delta });
    const { end } = await outcome;
    expect(end?.outputTokens).toBeGreaterThan(1);
    const after = order.filter((_, i) => order[i - 1] === 'said');
    expect(after.length).toBeGreaterThan(1);
    expect(new Set(after)).toEqual(new Set(['sent']));
  });

  test('can be cancelled between two tokens', async () => {
    open('a');
    await watch('a', 0, 3);
    const id = nextId++;
    onStep((steps) => {
      if (steps === 3) scheduler.cancel(id);
    });
    const { end } = await ask(request('a', 'what is this?', { temperature: 0 }), id);
    expect(end).toMatchObject({ finish: 'cancelled', outputTokens: 3 });
    expect(end?.evidence.length).toBeGreaterThan(0);
  });

  test('can be cancelled before its first token', async () => {
    open('a');
    await watch('a', 0, 3);
    const id = nextId++;
    const outcome = ask(request('a', 'what is this?'), id);
    scheduler.cancel(id);
    expect((await outcome).end).toMatchObject({ finish: 'cancelled', outputTokens: 0, text: '', evidence: [] });
  });

  test('cancelled while it waits is never begun', async () => {
    open('a');
    await watch('a', 0, 3);
    const runs = vi.spyOn(model.selfDecoder, 'step');
    const id = nextId++;
    const outcome = ask(request('a', 'what is this?'), id);
    scheduler.cancel(id);
    await outcome;
    expect(runs).not.toHaveBeenCalled();
  });

  test('ending with a repeat of its first words keeps all of them', async () => {
    vi.spyOn(model, 'config', 'get').mockReturnValue({ ...model.config, endsAtRepetition: true });
    open('a');
    await watch('a', 0, 3);
    const { answerTokens, endToken } = model.config;
    const [x, y] = answerTokens.flatMap((token, i) => (/^[a-z ]+$/.test(model.tokenizer.decode([token])) ? i : []));
    const said = [x, y, x, answerTokens.indexOf(endToken)];
    const step = model.crossDecoder.step.bind(model.crossDecoder);
    vi.spyOn(model.crossDecoder, 'step').mockImplementation(async (...args) => {
      const [output, ...others] = await step(...args);
      const next = said.shift() ?? 0;
      return output === undefined
        ? others
        : [{ ...output, logits: output.logits.map((_, i) => (i === next ? 1 : 0)) }, ...others];
    });
    const { end, deltas } = await ask(request('a', 'what is this?', { temperature: 0 }));
    const words = [x, y, x].map((i) => answerTokens[i ?? 0] ?? 0);
    expect(end).toMatchObject({ finish: 'stop', outputTokens: 3, text: model.tokenizer.decode(words).trimStart() });
    expect(deltas.join('')).toBe(end?.text);
  });

  test('fails when the model does, and frames and later questions continue', async () => {
    open('a');
    await watch('a', 0, 3);
    const step = model.selfDecoder.step.bind(model.selfDecoder);
    let runs = 0;
    const failing = vi.spyOn(model.selfDecoder, 'step').mockImplementation((...args) => {
      // The first run opens the question, the second one takes its first token.
      return ++runs === 2 ? Promise.reject(new Error('no memory')) : step(...args);
    });
    expect((await ask(request('a', 'what is this?'))).error?.code).toBe('internal');
    failing.mockRestore();
    await watch('a', 3, 5);
    expect((await ask(request('a', 'what is this?'))).end?.asOfMs).toBe(2_000);
  });

  test('when cancelled leaves the others unchanged', async () => {
    open('a');
    await watch('a', 0, 6);
    const alone = await answer(request('a', 'what is this?'));
    const id = nextId++;
    const other = ask(request('a', 'what is shown now?', { temperature: 0 }), id);
    onStep((steps) => {
      if (steps === 2) scheduler.cancel(id);
    });
    expect((await answer(request('a', 'what is this?'))).text).toBe(alone.text);
    expect((await other).end?.finish).toBe('cancelled');
  });

  test('with an unknown id may be cancelled, to no effect', () => {
    expect(() => {
      scheduler.cancel(12_345);
    }).not.toThrow();
  });

  test('fails together with the frames of its stream when that is closed, and other streams continue', async () => {
    open('a');
    open('b');
    await watch('a', 0, 3);
    await watch('b', 0, 3);
    let frame: Promise<unknown> = Promise.resolve();
    onStep((steps) => {
      if (steps !== 2) return;
      frame = scheduler.append('a', 9000, frameOf('a', 0)).catch((error: unknown) => error);
      scheduler.close('a');
    });
    const [gone, stays] = await Promise.all([
      ask(request('a', 'what is this?', { temperature: 0 })),
      ask(request('b', 'what is this?', { temperature: 0 })),
    ]);
    expect(gone.error?.code).toBe('stream_deleted');
    expect(await frame).toMatchObject({ code: 'stream_deleted' });
    expect(stays.end?.finish).toBeDefined();
    expect((await ask(request('a', 'what is this?'))).error?.code).toBe('stream_not_found');
  });

  test('still waiting fails when its stream is closed, even when its name is reused at once', async () => {
    open('a');
    await watch('a', 0, 3);
    const waiting = QUESTIONS.map((question) => ask(request('a', question)));
    scheduler.close('a');
    open('a');
    await watch('a', 0, 1);
    expect((await Promise.all(waiting)).map(({ error }) => error?.code)).toEqual(QUESTIONS.map(() => 'stream_deleted'));
  });

  test('on a reopened stream rests on its new pictures only', async () => {
    open('a');
    await watch('a', 0, 6);
    scheduler.close('a');
    const cache = open('a');
    expect((await ask(request('a', 'what is this?'))).error?.code).toBe('stream_empty');
    await watch('a', 0, 1);
    expect(cache.frames).toBe(1);
    expect((await answer(request('a', 'what is this?'))).asOfMs).toBe(0);
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
    const id = nextId++;
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
