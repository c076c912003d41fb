/** One answer, from its first piece to its end: streamed, cancelled, failed. */
import { describe, expect, test, vi } from 'vitest';
import { listen, request } from '../support/asking.ts';
import {
  answer,
  ask,
  frameOf,
  model,
  newId,
  onStep,
  open,
  QUESTIONS,
  scheduler,
  useScheduler,
  watch,
} from '../support/scheduling.ts';

useScheduler();

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
    scheduler.ask(newId(), request('a', 'what is shown now?'), { ...listener, delta });
    const { end } = await outcome;
    expect(end?.outputTokens).toBeGreaterThan(1);
    const after = order.filter((_, i) => order[i - 1] === 'said');
    expect(after.length).toBeGreaterThan(1);
    expect(new Set(after)).toEqual(new Set(['sent']));
  });

  test('can be cancelled between two tokens', async () => {
    open('a');
    await watch('a', 0, 3);
    const id = newId();
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
    const id = newId();
    const outcome = ask(request('a', 'what is this?'), id);
    scheduler.cancel(id);
    expect((await outcome).end).toMatchObject({ finish: 'cancelled', outputTokens: 0, text: '', evidence: [] });
  });

  test('cancelled while it waits is never begun', async () => {
    open('a');
    await watch('a', 0, 3);
    const runs = vi.spyOn(model.selfDecoder, 'step');
    const id = newId();
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
    const id = newId();
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
