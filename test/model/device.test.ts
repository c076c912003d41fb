/**
 * Compares the cache on a device with the cache on the host. The device is emulated in software; its graphs and its
 * placement of data are those of a GPU.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { placementOf } from '../../bench/device.ts';
import { Scheduler } from '../../src/engine/scheduler.ts';
import { DeviceSession } from '../../src/model/device/device-session.ts';
import type { IntakeStream } from '../../src/model/intake.ts';
import type { Model } from '../../src/model/model.ts';
import { loadModel } from '../../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../../src/model/question.ts';
import type { ReadStart, KvSource, Reading } from '../../src/model/reader.ts';
import { seededRandom } from '../../src/model/sampling.ts';
import { run } from '../support/cli.ts';
import { largestDifference, TINY_BUNDLE } from '../support/golden.ts';
import { listen, type Outcome, request } from '../support/asking.ts';
import { capturedNow } from '../support/snapshots.ts';
import { useSoftwareGpu } from '../support/software-gpu.ts';
import { bitsOf, loadTiny, picture } from '../support/tiny.ts';

const LIMIT = 2 ** 26;
/** For K and V, and for shares of attention. */
const TOLERANCE = 1e-4;
/** For logits: a count of a hundred is exact to a few millionths, and the logits of digits are that sensitive. */
const LOGITS_TOLERANCE = 5e-4;
const BEGIN_MS = 45_296_000;
const INTERVAL_MS = 500;

const found = useSoftwareGpu();

describe.skipIf(!found)('A cache on a device', () => {
  let folder: string;
  let host: Model;
  let device: Model;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'yoco-device-'));
    host = await loadTiny();
    device = await loadModel(TINY_BUNDLE, { threads: 1, device: 'webgpu', deviceProfile: `${folder}/` });
  }, 300_000);
  afterAll(async () => {
    await host.release();
    await device.release();
    rmSync(folder, { recursive: true });
  });

  /** Random visual tokens of a frame, reproducible by stream and frame number. */
  function tokens(stream: number, frame: number): Float32Array {
    const random = seededRandom(stream * 10_000 + frame + 1);
    const { tokensPerFrame, width } = host.config;
    return Float32Array.from({ length: tokensPerFrame * width }, () => random() * 2 - 1);
  }

  const timeOf = (frame: number, beginMs = BEGIN_MS): number => beginMs + frame * INTERVAL_MS;

  async function watch(
    model: Model,
    stream: number,
    frames: number,
    {
      into,
      beginMs,
      limit = LIMIT,
    }: { readonly into?: IntakeStream; readonly beginMs?: number; readonly limit?: number } = {},
  ): Promise<IntakeStream> {
    const open = into ?? model.intake.open(model.newCache(limit));
    const first = open.cache.frames;
    for (let frame = first; frame < first + frames; frame++) {
      await model.intake.append([{ stream: open, tokens: tokens(stream, frame), timeMs: timeOf(frame, beginMs) }]);
    }
    return open;
  }

  async function ask(model: Model, sources: readonly KvSource[], question: string, momentMs: number): Promise<Reading> {
    const { config, embeddings, selfDecoder, tokenizer } = model;
    const asked = segmentTokens(tokenizer, config, [], question, momentMs);
    const segment = await QuestionSegment.open(selfDecoder, embeddings, config, asked);
    return model.reader.read(sources, segment.readerInput);
  }

  function expectSame(found: Reading, expected: Reading): void {
    expect(largestDifference(found.logits, expected.logits)).toBeLessThan(LOGITS_TOLERANCE);
    expect(largestDifference(found.queries, expected.queries)).toBeLessThan(TOLERANCE);
    expect(largestDifference(found.counts, expected.counts)).toBeLessThan(0.005);
    const byTime = ({ attention }: Reading): (readonly (readonly [number, number])[])[] =>
      attention.map(({ times, shares }) =>
        Array.from(shares, (share, i) => [times.at(i) ?? NaN, share] as const).filter(([, share]) => share > 0),
      );
    expect(byTime(found).map((frames) => frames.map(([time]) => time))).toEqual(
      byTime(expected).map((frames) => frames.map(([time]) => time)),
    );
    byTime(found).forEach((frames, i) => {
      frames.forEach(([, share], frame) => {
        expect(share).toBeCloseTo(byTime(expected)[i]?.[frame]?.[1] ?? NaN, 4);
      });
    });
  }

  /** A reading that begins with the frame shown at this time. */
  const from = (sinceMs: number): ReadStart => ({ sinceMs, sceneMs: sinceMs });

  describe('with some pages of frames', () => {
    const FRAMES = 21; // three pages of the tiny bundle, the last not full
    let here: IntakeStream;
    let there: IntakeStream;

    beforeAll(async () => {
      here = await watch(host, 1, FRAMES);
      there = await watch(device, 1, FRAMES);
    }, 300_000);

    test('computes the same K and V as the host, and returns them to the host cache', () => {
      const floats = (stream: IntakeStream): Float32Array =>
        new Float32Array(new Uint8Array(bitsOf(stream.cache)).buffer);
      expect(largestDifference(floats(there), floats(here))).toBeLessThan(TOLERANCE);
      expect(device.device?.memory.pages(there.cache).map((page) => page.times.length)).toEqual([8, 8, 5]);
    });

    test('answers as the host does, now and as of any moment', async () => {
      for (const frames of [FRAMES, 16, 9, 8, 1]) {
        const moment = timeOf(frames - 1);
        const expected = await ask(host, [{ cache: here.cache, frames }], 'what is shown now?', moment);
        expectSame(await ask(device, [{ cache: there.cache, frames }], 'what is shown now?', moment), expected);
      }
    });

    test('answers as the host does about the part from a time on', async () => {
      const moment = timeOf(FRAMES - 1);
      for (const first of [3, 8, 19]) {
        const source = { frames: FRAMES, start: from(timeOf(first)) };
        const expected = await ask(host, [{ cache: here.cache, ...source }], 'what was shown first?', moment);
        expectSame(await ask(device, [{ cache: there.cache, ...source }], 'what was shown first?', moment), expected);
      }
    });

    test('leaves out, as the host does, a stream without a frame since the time asked about', async () => {
      const [a, b] = [await watch(host, 2, 4), await watch(device, 2, 4)]; // it has stalled
      const moment = timeOf(FRAMES - 1);
      const sources = (stalled: IntakeStream, running: IntakeStream): KvSource[] => [
        { cache: stalled.cache, frames: 4, start: from(timeOf(3) + 60_000) },
        { cache: running.cache, frames: FRAMES, start: from(timeOf(18)) },
      ];
      const expected = await ask(host, sources(a, here), 'which camera shows it?', moment);
      expect(expected.attention[0]?.times).toEqual([]);
      expectSame(await ask(device, sources(b, there), 'which camera shows it?', moment), expected);
      b.close();
    });

    test('serves many questions with one reading', async () => {
      const { config, embeddings, selfDecoder, tokenizer } = host;
      const segments = await Promise.all(
        ['what was first?', 'is there a dog, or have I seen one before?'].map((text, i) =>
          QuestionSegment.open(
            selfDecoder,
            embeddings,
            config,
            segmentTokens(tokenizer, config, [], text, timeOf(10 + i * 5)),
          ),
        ),
      );
      // The second question is at a token that carries over the counts of the one before.
      const inputs = segments.map((segment, i) => ({
        frames: 11 + i * 5,
        input: i === 1 ? { ...segment.readerInput, priorCounts: Float32Array.of(12, 6) } : segment.readerInput,
      }));
      const expected = await host.reader.readShared(here.cache, inputs);
      const together = await device.reader.readShared(there.cache, inputs);
      together.forEach((reading, i) => {
        const alone = expected[i];
        if (alone === undefined) throw new Error('fewer readings');
        expectSame(reading, alone);
      });
    });

    test('exports the same window as the host', async () => {
      const [mine, theirs] = await Promise.all([here.windowContent(), there.windowContent()]);
      expect(theirs.length).toBe(mine.length);
      expect(largestDifference(theirs.keys, mine.keys)).toBeLessThan(TOLERANCE);
      expect(largestDifference(theirs.values, mine.values)).toBeLessThan(TOLERANCE);
    });

    test('is read together with other streams in one softmax, each with its tag', async () => {
      const beginMs = 0; // on a clock of its own
      const [a, b] = [await watch(host, 2, 10, { beginMs }), await watch(device, 2, 10, { beginMs })];
      const moment = timeOf(FRAMES - 1);
      const sources = (first: IntakeStream, second: IntakeStream): KvSource[] => [
        { cache: first.cache, frames: FRAMES, momentMs: moment },
        { cache: second.cache, frames: 10, momentMs: timeOf(9, beginMs) },
      ];
      const expected = await ask(host, sources(here, a), 'which camera shows it?', moment);
      expectSame(await ask(device, sources(there, b), 'which camera shows it?', moment), expected);
      b.close();
    });

    test('is refilled from the host cache, as after a restore or an eviction', async () => {
      const moment = timeOf(FRAMES - 1);
      const before = await ask(device, [{ cache: there.cache, frames: FRAMES }], 'what was before?', moment);
      const other = device.intake.open(there.cache, await there.windowContent());
      expect(device.device?.memory.pages(there.cache).every((page) => page.tensors === undefined)).toBe(true);
      expectSame(await ask(device, [{ cache: there.cache, frames: FRAMES }], 'what was before?', moment), before);
      // Further frames are those of an uninterrupted stream.
      await watch(device, 1, 6, { into: other });
      await watch(host, 1, 6, { into: here });
      const frames = FRAMES + 6;
      const expected = await ask(host, [{ cache: here.cache, frames }], 'what was before?', timeOf(frames - 1));
      expectSame(await ask(device, [{ cache: other.cache, frames }], 'what was before?', timeOf(frames - 1)), expected);
    });
  });

  test('loses the frame of a failed run, but no frame of another stream', async () => {
    const streams = await Promise.all([6, 7].map((stream) => watch(device, stream, 2)));
    const at = timeOf(2);
    const take = (): Promise<unknown> =>
      device.intake.append(streams.map((stream, i) => ({ stream, tokens: tokens(6 + i, 2), timeMs: at })));
    const run = vi.spyOn(DeviceSession.prototype, 'run').mockRejectedValueOnce(new Error('lost'));
    expect(await take()).toEqual([{ cause: new Error('lost') }, null]);
    run.mockRestore();
    expect(streams.map(({ cache }) => cache.frames)).toEqual([2, 3]);
  }, 300_000);

  test('reads a frame from the host if it could not be written into its page', async () => {
    const [here, there] = [await watch(host, 8, 9), await watch(device, 8, 8)];
    const { selfDecoder } = device.device ?? {};
    if (selfDecoder === undefined) throw new Error('no device');
    const passing = vi.spyOn(selfDecoder, 'run');
    const failing = vi.spyOn(DeviceSession.prototype, 'run').mockRejectedValueOnce(new Error('no memory'));
    await watch(device, 8, 1, { into: there });
    expect([passing, failing].map((runs) => runs.mock.calls.length)).toEqual([1, 1]);
    failing.mockRestore();
    passing.mockRestore();
    expect(device.device?.memory.pages(there.cache).map((page) => page.times.length)).toEqual([8, 1]);
    const answers = [host, device].map((model, i) =>
      ask(model, [{ cache: [here, there][i]?.cache ?? here.cache, frames: 9 }], 'what is this?', timeOf(8)),
    );
    const [expected, found] = await Promise.all(answers);
    if (expected === undefined || found === undefined) throw new Error('no answers');
    expectSame(found, expected);
  }, 300_000);

  test('reads every frame of its pages, however late on the clock of the stream', async () => {
    const beginMs = 1e12;
    const [here, there] = [await watch(host, 10, 20, { beginMs }), await watch(device, 10, 20, { beginMs })];
    const moment = timeOf(19, beginMs);
    // As after an eviction: all pages are refilled.
    const other = device.intake.open(there.cache, await there.windowContent());
    for (const start of [undefined, from(timeOf(8, beginMs)), from(timeOf(11, beginMs))]) {
      const source = { frames: 20, start };
      const expected = await ask(host, [{ cache: here.cache, ...source }], 'what was first?', moment);
      expectSame(await ask(device, [{ cache: other.cache, ...source }], 'what was first?', moment), expected);
    }
    expect(device.device?.memory.pages(other.cache).map((page) => page.times.length)).toEqual([8, 8, 4]);
    for (const stream of [here, other]) stream.close();
  }, 300_000);

  test('reads frames of the same time as the host does, also where one page ends and the next begins', async () => {
    const times = Array.from({ length: 20 }, (_, frame) => timeOf(frame === 8 || frame === 11 ? frame - 1 : frame));
    const [here, there] = [host, device].map((model) => model.intake.open(model.newCache(LIMIT)));
    if (here === undefined || there === undefined) throw new Error('no streams');
    for (const [frame, timeMs] of times.entries()) {
      const taken = { tokens: tokens(11, frame), timeMs };
      await host.intake.append([{ ...taken, stream: here }]);
      await device.intake.append([{ ...taken, stream: there }]);
    }
    const read = (model: Model, { cache }: IntakeStream): Promise<Reading> =>
      ask(model, [{ cache, frames: times.length }], 'for how long was it there?', timeOf(19));
    const expected = await read(host, here);
    expectSame(await read(device, there), expected);
    // As after an eviction: all pages are refilled.
    const other = device.intake.open(there.cache, await there.windowContent());
    expectSame(await read(device, other), expected);
    expect(device.device?.memory.pages(other.cache).flatMap((page) => page.times)).toEqual(times);
    for (const stream of [here, other]) stream.close();
  }, 300_000);

  test('still reads frames of its pages that the host has thinned', async () => {
    const limit = 70 * device.newCache(LIMIT).bytesPerFrame;
    const [here, there] = [await watch(host, 9, 100), await watch(device, 9, 100, { limit })];
    expect([there.cache.thinnedFrames > 0, there.cache.droppedFrames]).toEqual([true, 0]);
    const [expected, found] = await Promise.all(
      [host, device].map((model, i) => {
        const cache = [here, there][i]?.cache ?? here.cache;
        return ask(model, [{ cache, frames: cache.frames }], 'what was first?', timeOf(99));
      }),
    );
    if (expected === undefined || found === undefined) throw new Error('no answers');
    expectSame(found, expected);
    for (const stream of [here, there]) stream.close();
  }, 300_000);

  test('reads a stream through the index if it has more pages than one reading takes', async () => {
    const stream = await watch(device, 3, 8 * 18 + 3);
    const { cache } = stream;
    const source = { cache, frames: cache.frames };
    expect(device.reader.readsAll([source])).toBe(false);
    const reading = await ask(device, [source], 'was it there?', timeOf(cache.frames - 1));
    const [looked] = reading.attention;
    expect(looked?.shares.length).toBeLessThanOrEqual(16 * 8);
    expect(looked?.times.at(-1)).toBe(cache.times.newest);
    expect(reading.precision).toBe('full');
    stream.close();
    expect(device.device?.memory.pages(cache)).toEqual([]);
  }, 300_000);

  describe('transfers between device and host', () => {
    let stream: IntakeStream;
    const crossed = { toDevice: 0, toHost: 0 };
    beforeEach(() => Object.assign(crossed, device.device?.transfers));
    const since = (): { up: number; down: number } => {
      const now = device.device?.transfers ?? { toDevice: 0, toHost: 0 };
      return { up: now.toDevice - crossed.toDevice, down: now.toHost - crossed.toHost };
    };

    test('the same number of bytes for each frame, however long the stream', async () => {
      const costs: { up: number; down: number }[] = [];
      stream = await watch(device, 4, 2);
      for (const frames of [1, 30, 1]) {
        Object.assign(crossed, device.device?.transfers);
        await watch(device, 4, frames, { into: stream });
        if (frames === 1) costs.push(since());
      }
      expect(costs[1]).toEqual(costs[0]);
      // K and V return to the host cache; pages stay on the device.
      const bytes = stream.cache.bytesPerFrame;
      expect(costs[0]?.down).toBe(bytes);
    }, 300_000);

    test('no K or V of the stream for an answer', async () => {
      const costs: number[] = [];
      for (const frames of [3, 8]) {
        Object.assign(crossed, device.device?.transfers);
        await ask(device, [{ cache: stream.cache, frames }], 'what was first?', timeOf(frames - 1));
        costs.push(since().up);
      }
      expect(costs[1]).toBe(costs[0]);
      expect(costs[0]).toBeLessThan(stream.cache.bytesPerFrame * 8);
    });
  });

  test('runs no part of the decoders on the host', async () => {
    const profiles = path.join(folder, 'profiles');
    mkdirSync(profiles);
    const other = await loadModel(TINY_BUNDLE, { threads: 1, device: 'webgpu', deviceProfile: `${profiles}/` });
    const stream = await watch(other, 5, 2);
    await ask(other, [{ cache: stream.cache, frames: 2 }], 'what was first?', timeOf(1));
    stream.close();
    await other.release();
    const placement = await placementOf(profiles);
    expect(placement.onDevice).toBeGreaterThan(0);
    expect(placement).toMatchObject({ onHost: 0, copies: 0 });
  }, 300_000);
});

describe.skipIf(!found)('The engine with its caches on a device', () => {
  const QUESTIONS = ['what is shown now?', 'have you seen a dog?', 'when did the cat appear?'];
  let host: Model;
  let device: Model;

  beforeAll(async () => {
    host = await loadTiny();
    device = await loadModel(TINY_BUNDLE, { threads: 1, device: 'webgpu' });
  }, 300_000);
  afterAll(async () => {
    await host.release();
    await device.release();
  });

  const LIMITS = { limitBytes: LIMIT, mergeBelow: 0 };

  async function answers(
    model: Model,
    through: (scheduler: Scheduler) => Promise<string>,
  ): Promise<readonly Outcome[]> {
    const scheduler = new Scheduler(model, { maxAnswers: 16 });
    scheduler.open('a', LIMITS);
    for (let i = 0; i < 11; i++) await scheduler.append('a', i * INTERVAL_MS, picture(i % 4));
    const stream = await through(scheduler);
    const outcomes = QUESTIONS.map((question, id) => {
      const { listener, outcome } = listen();
      scheduler.ask(id, request(stream, question), listener);
      return outcome;
    });
    const all = await Promise.all(outcomes);
    for (const name of new Set(['a', stream])) scheduler.close(name);
    await scheduler.stop();
    return all;
  }

  const texts = (outcomes: readonly Outcome[]): (string | undefined)[] => outcomes.map(({ end }) => end?.text);

  test('gives the same answers as on the host, also after a restore', async () => {
    const expected = texts(await answers(host, () => Promise.resolve('a')));
    expect(expected.every((text) => text !== undefined)).toBe(true);
    expect(texts(await answers(device, () => Promise.resolve('a')))).toEqual(expected);
    const moved = await answers(device, async (scheduler) => {
      const { content } = await capturedNow(scheduler, 'a');
      scheduler.restore('b', content, LIMITS);
      return 'b';
    });
    expect(texts(moved)).toEqual(expected);
  }, 300_000);
});

describe('The command line', () => {
  test.skipIf(!found)(
    'plays a video with its cache on a device, and answers with evidence',
    async () => {
      const args = ['watch', 'streams/clips/demo.mp4', 'have you seen a dog?', '--seconds', '2', '--json'];
      const { status, stdout } = await run(args, { YOCO_DEVICE: 'webgpu' });
      expect(status).toBe(0);
      // The text is not compared: it depends on whether one more frame arrived before the question.
      expect(JSON.parse(stdout)).toMatchObject({ answers: [{ evidence: [{ start: 0 }] }] });
    },
    300_000,
  );

  test('reports device_unavailable when there is no device', async () => {
    const { status, stderr } = await run(['serve', '--port', '0', '--device', 'webgpu'], {
      VK_DRIVER_FILES: '/nowhere',
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain('(device_unavailable)');
  });
});
