/** Questions over several streams. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type AskRequest } from '../../src/engine/protocol.ts';
import { FULL_READ_TOKENS } from '../../src/model/kv-reader.ts';
import { request } from '../support/asking.ts';
import {
  answer,
  ask,
  fill,
  LEAST,
  model,
  onStep,
  open,
  QUESTIONS,
  rounded,
  scheduler,
  useScheduler,
  watch,
} from '../support/scheduling.ts';
import { bitsOf } from '../support/tiny.ts';

useScheduler();

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
