/** Snapshots by a scheduler that keeps working, and by an engine process that may die. */
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AnswerEnd, AskRequest } from '../../src/engine/protocol.ts';
import { Scheduler } from '../../src/engine/scheduler.ts';
import { writeSnapshot } from '../../src/engine/snapshot-file.ts';
import { Snapshots } from '../../src/engine/snapshots.ts';
import { Engine, type EngineOptions } from '../../src/engine/supervisor.ts';
import { YocoError } from '../../src/errors.ts';
import { KvCache } from '../../src/model/kv-cache.ts';
import { CELL_FRAMES } from '../../src/model/kv-index.ts';
import { KvPage } from '../../src/model/kv-page.ts';
import type { Model } from '../../src/model/model.ts';
import { buildHeader, sectionsOf, type StreamContent } from '../../src/model/snapshot.ts';
import { listen, type Outcome, request } from '../support/asking.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { collectGarbage } from '../support/garbage.ts';
import {
  cacheFor,
  capturedNow,
  contentFor,
  digestOf,
  FACTS as ALL_FACTS,
  fill,
  shapeOf,
} from '../support/snapshots.ts';
import { loadTiny, picture } from '../support/tiny.ts';

vi.mock(import('node:fs/promises'), { spy: true });

const LIMITS = { limitBytes: 2 ** 24, mergeBelow: 0 };
const FACTS = { fps: 2, startedAtMs: ALL_FACTS.startedAtMs };
const pictures = Array.from({ length: 6 }, (_, i) => picture(i));
const frame = (i: number): Uint8Array => pictures[(i * 7 + (i >> 2)) % pictures.length] ?? new Uint8Array();

let model: Model;
let folder: string;
let file: string;
beforeAll(async () => {
  model = await loadTiny();
});
afterAll(() => model.release());
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-snapshots-'));
  file = path.join(folder, 'door.snap');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

/** A content as large as a day's, made quickly by repeating one page. */
function large(bytes: number): StreamContent {
  const shape = shapeOf(model.config);
  const cache = cacheFor(model.config, 2 ** 30);
  fill(cache, 0, 2049);
  const content = contentFor(model.config, cache);
  const [page] = content.cache.pages;
  if (page === undefined) throw new Error('nothing was sealed');
  const added = Math.ceil(bytes / page.bytes.length);
  const pages = [
    ...Array.from({ length: added }, () => KvPage.from(shape, page.frames, false, page.bytes)),
    ...content.cache.pages,
  ];
  const frames = content.cache.times.length + added * page.frames;
  const times = Float64Array.from({ length: frames }, (_, i) => i * 500);
  const cells = (added * page.frames) / CELL_FRAMES;
  const { keys, scales } = content.cache.index;
  const index = {
    keys: keys.map((all) => {
      const more = new Int8Array(all.length + cells * 2 * shape.headDim);
      more.set(all, cells * 2 * shape.headDim);
      return more;
    }),
    scales: scales.map((all) =>
      Float32Array.from({ length: all.length + cells * 2 }, (_, i) => all[i - cells * 2] ?? 1),
    ),
  };
  return { ...content, cache: { ...content.cache, times, ends: times, pages, index } };
}

async function writeLarge(bytes: number): Promise<void> {
  const content = large(bytes);
  const facts = { ...ALL_FACTS, limitBytes: 2 ** 30 };
  await writeSnapshot(file, buildHeader(model.config, shapeOf(model.config), facts, content, 0), sectionsOf(content));
}

/** An answer without stream names, its attention weights rounded: they may differ in their last digits. */
function unnamed(end: AnswerEnd | undefined) {
  if (end === undefined) throw new Error('no answer');
  const evidence = end.evidence.map((span) => ({ ...span, stream: '', weight: Math.round(span.weight * 1e6) / 1e6 }));
  return { ...end, evidence, streams: end.streams.map((one) => ({ ...one, name: '' })) };
}

describe("A snapshot of a scheduler's stream", () => {
  let scheduler: Scheduler;
  let snapshots: Snapshots;
  beforeEach(() => {
    scheduler = new Scheduler(model, { maxAnswers: 16 });
    snapshots = new Snapshots(model, scheduler);
  });
  afterEach(() => scheduler.stop());

  async function show(name: string, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) await scheduler.append(name, i * 500, frame(i));
  }

  let nextId = 1;
  async function answer(what: AskRequest): Promise<AnswerEnd> {
    const { listener, outcome } = listen();
    scheduler.ask(nextId++, what, listener);
    const { end, error } = await outcome;
    if (end === undefined) throw error ?? new Error('no end');
    return end;
  }

  const contentOf = async (name: string): Promise<StreamContent> => (await capturedNow(scheduler, name)).content;

  test('restores it under another name with the same bytes and answers, and both continue alike', async () => {
    scheduler.open('door', { ...LIMITS, mergeBelow: 0.001 });
    await show('door', 0, 90);
    await scheduler.append('door', 89 * 500 + 100, frame(89)); // merged
    const summary = await snapshots.write('door', file, FACTS);
    expect(summary).toMatchObject({ stream: 'door', fps: 2, frames: 91, firstMs: 0, lastMs: 89 * 500 + 100 });
    const { snapshot, sizes } = await snapshots.restore('copy', file, { ...LIMITS, mergeBelow: 0.001 });
    expect(snapshot).toEqual(summary);
    expect(sizes).toMatchObject({ frames: 91, firstMs: 0, lastMs: summary.lastMs, mergedFrames: 1 });
    expect(digestOf(await contentOf('copy'))).toEqual(digestOf(await contentOf('door')));
    for (const question of ['what is shown now?', 'when did the cat appear?']) {
      for (const temperature of [0, 1]) {
        const end = await answer(request('copy', question, { temperature }));
        const original = await answer(request('door', question, { temperature }));
        expect(unnamed(end)).toEqual(unnamed(original));
      }
    }
    await Promise.all([show('door', 91, 110), show('copy', 91, 110)]);
    expect(digestOf(await contentOf('copy'))).toEqual(digestOf(await contentOf('door')));
    // Each is a stream of its own.
    scheduler.close('door');
    await show('copy', 110, 112);
    expect((await contentOf('copy')).cache.times.at(-1)).toBe(111 * 500);
  });

  test('is of the stream that was asked for, not of a later one with its name', async () => {
    scheduler.open('door', LIMITS);
    await show('door', 0, 3);
    const refused = expect(snapshots.write('door', file, FACTS)).rejects.toMatchObject({ code: 'stream_deleted' });
    scheduler.close('door');
    scheduler.open('door', LIMITS);
    await show('door', 0, 1);
    await refused;
    expect(await readdir(folder)).toEqual([]);
  });

  test('waiting for another one fails at once when its stream is deleted, and does not retain the cache', async () => {
    let release: (error: Error) => void = () => undefined;
    const captured = new Promise<never>((_, reject) => (release = reject));
    vi.spyOn(scheduler, 'capture').mockReturnValueOnce({ captured, take: () => undefined });
    const before = snapshots.write('other', path.join(folder, 'other.snap'), FACTS);
    const caches = vi.spyOn(model, 'newCache');
    scheduler.open('door', LIMITS);
    const cache = new WeakRef(caches.mock.results[0]?.value as KvCache);
    caches.mockReset();
    await show('door', 0, 1);
    const waiting = snapshots.write('door', file, FACTS);
    scheduler.close('door');
    await expect(waiting).rejects.toMatchObject({ code: 'stream_deleted', param: 'stream' });
    await vi.waitFor(() => {
      collectGarbage();
      expect(cache.deref() === undefined).toBe(true); // an assertion error about the cache itself would retain it
    }, 10_000);
    release(new Error('enough'));
    await expect(before).rejects.toThrow('enough');
    expect(await readdir(folder)).toEqual([]);
  });

  test('is captured at once, even when a question is refused in the same turn', async () => {
    scheduler.open('door', LIMITS);
    await show('door', 0, 2);
    const taken = new Promise((resolve, reject) => {
      const failed = (): void => {
        capturedNow(scheduler, 'door').then(resolve, reject);
      };
      scheduler.ask(nextId++, request('nobody', 'what is this?'), { delta: () => undefined, done: reject, failed });
    });
    expect(await taken).toMatchObject({ limits: LIMITS });
  });

  test('being written when the engine stops leaves no file behind', async () => {
    scheduler.open('door', LIMITS);
    await show('door', 0, 3);
    const written = snapshots.write('door', file, FACTS);
    await Promise.all([snapshots.stop(), expect(written).rejects.toMatchObject({ code: 'snapshot_failed' })]);
    expect(await readdir(folder)).toEqual([]);
  });

  test('waiting to be written or restored when the engine stops is never begun', async () => {
    scheduler.open('door', LIMITS);
    await show('door', 0, 3);
    await snapshots.write('door', file, FACTS);
    const taken = vi.spyOn(KvCache.prototype, 'content');
    const waiting = Promise.allSettled<unknown>([
      snapshots.write('door', path.join(folder, 'first.snap'), FACTS),
      snapshots.write('door', path.join(folder, 'second.snap'), FACTS),
      snapshots.restore('copy', file, LIMITS),
    ]);
    await snapshots.stop();
    const codes = ['snapshot_failed', 'snapshot_failed', 'shutting_down'];
    expect(await waiting).toMatchObject(codes.map((code) => ({ status: 'rejected', reason: { code } })));
    expect(taken).not.toHaveBeenCalled();
    expect(await readdir(folder)).toEqual(['door.snap']);
  });

  test('being restored when the engine stops is read no further', async () => {
    await writeLarge(2 ** 22);
    let stopping: Promise<void> | undefined;
    const page = KvPage.from.bind(KvPage);
    const read = vi.spyOn(KvPage, 'from').mockImplementationOnce((...block) => {
      stopping = snapshots.stop();
      return page(...block);
    });
    const restoring = snapshots.restore('door', file, { limitBytes: 2 ** 30, mergeBelow: 0 });
    await expect(restoring).rejects.toMatchObject({ code: 'shutting_down', retryable: true });
    await stopping;
    expect(read).toHaveBeenCalledTimes(1);
  });

  test('holds one moment while frames arrive, are sealed and thinned, and questions are answered', async () => {
    const spy = vi.spyOn(model, 'newCache');
    // With a cache this small, it seals, thins and drops all the time.
    scheduler.open('door', { limitBytes: 70 * model.newCache(1).bytesPerFrame, mergeBelow: 0 });
    const cache = spy.mock.results.at(-1)?.value as KvCache;
    await show('door', 0, 200);
    expect(cache.thinnedFrames).toBeGreaterThan(0);
    const state = { writing: true };
    const written = snapshots.write('door', file, FACTS).finally(() => (state.writing = false));
    let i = 200;
    const asked = answer(request('door', 'what is shown now?', { asOfMs: 199 * 500 }));
    while (state.writing || i < 300) await show('door', i, ++i);
    const { lastMs } = await written;
    await asked;
    const sealed = cache.sealedFrames;
    await snapshots.restore('copy', file, { limitBytes: cache.limitBytes, mergeBelow: 0 });
    const copy = await contentOf('copy');
    expect(copy.cache.times.at(-1)).toBe(lastMs);
    // The same moment of a stream of which no snapshot was taken.
    scheduler.open('again', { limitBytes: cache.limitBytes, mergeBelow: 0 });
    await show('again', 0, lastMs / 500 + 1);
    expect(digestOf(copy)).toEqual(digestOf(await contentOf('again')));
    expect(sealed).toBeGreaterThan(0);
  });

  test('does not hold up the frames of other streams while it is written or read', async () => {
    await writeLarge(64 * 2 ** 20);
    scheduler.open('other', LIMITS);
    for (const work of [
      () => snapshots.restore('door', file, { limitBytes: 2 ** 30, mergeBelow: 0 }),
      () => snapshots.write('door', path.join(folder, 'again.snap'), FACTS),
    ]) {
      const state = { working: true };
      const done = work().finally(() => (state.working = false));
      let frames = 0;
      for (; state.working; frames++) await scheduler.append('other', Date.now(), frame(frames));
      await done;
      expect(frames).toBeGreaterThan(5);
    }
  }, 120_000);

  test('fails when it cannot be written or opened, and a failed restore leaves no stream', async () => {
    scheduler.open('empty', LIMITS);
    await expect(snapshots.write('empty', file, FACTS)).rejects.toMatchObject({ code: 'stream_empty' });
    await expect(snapshots.write('none', file, FACTS)).rejects.toMatchObject({ code: 'stream_not_found' });
    scheduler.open('door', LIMITS);
    await show('door', 0, 200);
    await snapshots.write('door', file, FACTS);
    await expect(snapshots.restore('door', file, LIMITS)).rejects.toMatchObject({ code: 'stream_exists' });
    const bytes = await readFile(file);
    const last = bytes.length - 100;
    bytes[last] = (bytes[last] ?? 0) ^ 1;
    const broken = path.join(folder, 'broken.snap');
    await writeFile(broken, bytes);
    await expect(snapshots.restore('copy', broken, LIMITS)).rejects.toMatchObject({ code: 'snapshot_damaged' });
    await expect(contentOf('copy')).rejects.toMatchObject({ code: 'stream_not_found' });
    await show('door', 200, 201);
    await snapshots.restore('copy', file, LIMITS);
  });

  test('that was read is restored, even if the system then fails to close its file', async () => {
    scheduler.open('door', LIMITS);
    await show('door', 0, 3);
    await snapshots.write('door', file, FACTS);
    const handle = await open(file, 'r');
    const close = handle.close.bind(handle);
    const closing = vi.fn(async () => {
      await close();
      throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO' });
    });
    handle.close = closing;
    vi.mocked(open).mockResolvedValueOnce(handle);
    await expect(snapshots.restore('copy', file, LIMITS)).resolves.toMatchObject({ sizes: { frames: 3 } });
    expect(closing).toHaveBeenCalledOnce();
  });

  test('is refused when the memory limit is too small for it', async () => {
    await writeLarge(40 * 2 ** 20);
    const restoring = snapshots.restore('door', file, LIMITS);
    await expect(restoring).rejects.toMatchObject({ code: 'definition_invalid', param: 'memory.limit_mb' });
    await expect(restoring).rejects.toThrow(/needs at least [4-9]\d\.$/);
    await snapshots.restore('door', file, { ...LIMITS, limitBytes: 2 ** 28 });
  });

  test('is refused by its header alone when the memory limit is too small: its pages are not read', async () => {
    await writeLarge(20 * 2 ** 20);
    const read = vi.spyOn(KvPage, 'from');
    const bytes = await readFile(file);
    await writeFile(file, bytes.fill(0, bytes.length - 32)); // zero its checksum
    await expect(snapshots.restore('door', file, LIMITS)).rejects.toMatchObject({ code: 'definition_invalid' });
    expect(read).not.toHaveBeenCalled();
  });
});

describe('An engine', () => {
  const engines: Engine[] = [];
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.close();
  });

  async function start(options: Partial<EngineOptions> = {}): Promise<Engine> {
    const quick = { bundle: TINY_BUNDLE, threads: 1, backoffMs: [50, 200] as const, heartbeatMs: 200 };
    const engine = await Engine.start({ ...quick, ...options });
    engines.push(engine);
    return engine;
  }

  function ask(engine: Engine, what: AskRequest): Promise<Outcome> {
    const { listener, outcome } = listen();
    engine.ask(what, listener);
    return outcome;
  }

  const ready = (engine: Engine): Promise<unknown> => once(engine, 'ready', { signal: AbortSignal.timeout(50_000) });

  test('restores what another process wrote, and answers the same token for token', async () => {
    const [first, second] = [await start(), await start()];
    first.open('door', LIMITS);
    for (let i = 0; i < 12; i++) await first.append('door', i * 500, frame(i));
    await first.snapshot('door', file, FACTS);
    const { sizes, snapshot } = await second.restore('door', file, LIMITS);
    expect(sizes).toMatchObject({ frames: 12, lastMs: 5500 });
    expect(snapshot).toMatchObject({ bundle: 'tiny', stream: 'door', ...FACTS });
    const greedy = request('door', 'what is shown now?', { temperature: 0 });
    expect(unnamed((await ask(second, greedy)).end)).toEqual(unnamed((await ask(first, greedy)).end));
    await Promise.all([first, second].map((engine) => engine.append('door', 6000, frame(12))));
    expect(unnamed((await ask(second, greedy)).end)).toEqual(unnamed((await ask(first, greedy)).end));
  });

  test('killed while writing leaves no partial snapshot; it restarts, and the next snapshot is complete', async () => {
    await writeLarge(128 * 2 ** 20);
    const engine = await start();
    await engine.restore('door', file, { limitBytes: 2 ** 30, mergeBelow: 0 });
    const target = path.join(folder, 'new.snap');
    const again = ready(engine);
    const watcher = watch(folder, (_, name) => {
      if (name?.endsWith('.part') === true && engine.pid !== undefined) process.kill(engine.pid, 'SIGKILL');
    });
    await expect(engine.snapshot('door', target, FACTS)).rejects.toMatchObject({
      code: 'engine_restarted',
      retryable: true,
    });
    watcher.close();
    const left = await readdir(folder);
    expect(left).not.toContain('new.snap');
    expect(left.filter((name) => name.endsWith('.part'))).toHaveLength(1);

    // The stream is open again, empty, as after any restart.
    await again;
    await expect(engine.snapshot('door', target, FACTS)).rejects.toMatchObject({ code: 'stream_empty' });
    await engine.append('door', 0, frame(0));
    await engine.snapshot('door', target, FACTS);
    expect((await readdir(folder)).sort()).toEqual(['door.snap', 'new.snap']);
    expect((await engine.restore('copy', target, LIMITS)).sizes.frames).toBe(1);
  }, 120_000);

  test('that restarts resumes streams from their files, and takes nothing for a stream until it is read', async () => {
    const engine = await start();
    for (const name of ['door', 'yard']) engine.open(name, LIMITS);
    await engine.append('door', 0, frame(0));
    await engine.snapshot('door', file, FACTS);
    engine.resumeFrom('door', file);
    engine.resumeFrom('yard', path.join(folder, 'none.snap'));
    const resumed = once(engine, 'resumed', { signal: AbortSignal.timeout(50_000) });
    const resumeFailed = once(engine, 'resumeFailed', { signal: AbortSignal.timeout(50_000) });
    const early: Promise<unknown>[] = [];
    engine.once('ready', () => {
      early.push(ask(engine, request('door', 'what is this?')).then(({ error }) => error?.code));
      early.push(engine.append('door', 500, frame(1)).catch((error: unknown) => YocoError.from(error).code));
      early.push(engine.snapshot('door', file, FACTS).catch((error: unknown) => YocoError.from(error).code));
    });
    process.kill(engine.pid ?? NaN, 'SIGKILL');
    expect(await resumed).toMatchObject(['door', { sizes: { frames: 1, lastMs: 0 } }]);
    expect(await Promise.all(early)).toEqual(early.map(() => 'engine_unavailable'));
    expect(early).toHaveLength(3);
    expect(await resumeFailed).toMatchObject(['yard', { code: 'snapshot_not_found' }]);
    expect(await engine.append('door', 500, frame(1))).toMatchObject({ frames: 2 });
    expect(await engine.append('yard', 0, frame(1))).toMatchObject({ frames: 1 });
  });

  test('does not open a stream closed while its file is read, even when another one takes its name', async () => {
    const engine = await start();
    engine.open('door', LIMITS);
    await engine.append('door', 0, frame(0));
    await engine.snapshot('door', file, FACTS);
    engine.resumeFrom('door', file);
    const resumed = vi.fn();
    engine.on('resumed', resumed);
    const again = ready(engine);
    engine.once('ready', () => {
      engine.closeStream('door');
      engine.open('door', LIMITS);
    });
    process.kill(engine.pid ?? NaN, 'SIGKILL');
    await again;
    expect(await engine.append('door', 7000, frame(1))).toMatchObject({ frames: 1, firstMs: 7000 });
    // Files are read one after the other: once this restore is done, so is the first read.
    expect((await engine.restore('copy', file, LIMITS)).sizes.frames).toBe(1);
    expect(await engine.append('door', 7500, frame(2))).toMatchObject({ frames: 2 });
    expect([resumed.mock.calls, engine.losses]).toEqual([[], 1]);
  });

  test('killed for its memory does not resume from files: it would hold as much again', async () => {
    const first = await start();
    first.open('door', LIMITS);
    await first.append('door', 0, frame(0));
    await first.snapshot('door', file, FACTS);
    const warnings: string[] = [];
    const engine = await start({ memoryLimitBytes: 1, onWarning: (message) => warnings.push(message) });
    // Memory is checked only in a later turn of the event loop.
    engine.open('door', LIMITS);
    engine.resumeFrom('door', file);
    const resumed = vi.fn();
    engine.on('resumed', resumed);
    await ready(engine);
    expect(warnings).toContainEqual(expect.stringContaining('would reach its memory limit again'));
    expect(resumed).not.toHaveBeenCalled();
  });

  test('killed while restoring does not have the stream afterwards', async () => {
    await writeLarge(128 * 2 ** 20);
    const engine = await start();
    const again = ready(engine);
    const restoring = engine.restore('door', file, { limitBytes: 2 ** 30, mergeBelow: 0 });
    setTimeout(() => {
      if (engine.pid !== undefined) process.kill(engine.pid, 'SIGKILL');
    }, 20);
    await expect(restoring).rejects.toMatchObject({ code: 'engine_restarted' });
    await expect(engine.restore('door', file, LIMITS)).rejects.toMatchObject({ code: 'engine_unavailable' });
    await again;
    expect((await ask(engine, request('door', 'what is this?'))).error?.code).toBe('stream_not_found');
  }, 120_000);
});
