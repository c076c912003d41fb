/** The engine process, and how its supervisor handles its death. Uses real processes and real signals. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { AskRequest } from '../../src/engine/protocol.ts';
import { Scheduler } from '../../src/engine/scheduler.ts';
import { Engine, type EngineOptions } from '../../src/engine/supervisor.ts';
import { listen, type Outcome, request } from '../support/asking.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { isRunning, untilGone } from '../support/processes.ts';
import { loadTiny, picture } from '../support/tiny.ts';

const MUCH = { limitBytes: 2 ** 24, mergeBelow: 0 };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: Partial<EngineOptions> = {}, onProgress?: (share: number) => void): Promise<Engine> {
  const quick = { bundle: TINY_BUNDLE, threads: 1, backoffMs: [50, 200] as const, heartbeatMs: 200 };
  const engine = await Engine.start({ ...quick, ...options }, onProgress);
  closing.push(() => engine.close());
  return engine;
}

function pidOf(engine: Engine): number {
  if (engine.pid === undefined) throw new Error('the engine has no process');
  return engine.pid;
}

function ask(engine: Engine, what: AskRequest, onDelta?: () => void): Promise<Outcome> {
  const { listener, outcome } = listen(onDelta);
  engine.ask(what, listener);
  return outcome;
}

const ready = (engine: Engine): Promise<unknown> => once(engine, 'ready', { signal: AbortSignal.timeout(50_000) });

describe('The engine', () => {
  test('loads the bundle, reports progress, and answers as the model does in this process', async () => {
    const shares: number[] = [];
    const engine = await start({}, (share) => shares.push(share));
    expect(engine.ready).toBe(true);
    expect(engine.bundle).toMatchObject({ name: 'tiny', imageSize: 224, maxAnswerTokens: 32 });
    expect(shares.at(-1)).toBe(1);
    expect(engine.listenerCount('progress')).toBe(0); // later processes also load, but nobody waits for their progress

    engine.open('a', MUCH);
    for (let i = 0; i < 5; i++) {
      const appended = await engine.append('a', i * 500, picture(i));
      expect(appended).toMatchObject({ firstMs: 0, lastMs: i * 500, frames: i + 1 });
    }
    const { end, deltas } = await ask(engine, request('a', 'what is this?'));
    expect(deltas.join('')).toBe(end?.text);

    const model = await loadTiny();
    const scheduler = new Scheduler(model, { maxAnswers: 1 });
    scheduler.open('a', MUCH);
    for (let i = 0; i < 5; i++) await scheduler.append('a', i * 500, picture(i));
    const { listener, outcome } = listen();
    scheduler.ask(1, request('a', 'what is this?'), listener);
    expect((await outcome).end).toEqual(end);
    await model.release();

    await vi.waitFor(() => {
      expect(engine.times).toMatchObject({ frames: 5, answerTokens: end?.outputTokens });
    }, 10_000);
    expect(engine.rssBytes).toBeGreaterThan(2 ** 20);
  });

  test('passes on the errors of questions and frames unchanged', async () => {
    const engine = await start({ maxAnswers: 2 });
    engine.open('a', MUCH);
    expect((await ask(engine, request('a', 'what is this?'))).error?.code).toBe('stream_empty');
    expect((await ask(engine, request('b', 'what is this?'))).error).toMatchObject({
      code: 'stream_not_found',
      param: 'stream',
    });
    await expect(engine.append('b', 0, picture(0))).rejects.toMatchObject({ code: 'stream_not_found' });
    await engine.append('a', 0, picture(0));
    expect((await ask(engine, request('a', 'what is this?', { asOfMs: 700 }))).error).toMatchObject({
      code: 'time_out_of_range',
      detail: 'Kept are 0.0 s to 0.0 s.',
    });
    const many = await Promise.all([1, 2, 3].map((seed) => ask(engine, request('a', 'what is this?', { seed }))));
    expect(many.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'too_many_questions']);
    engine.closeStream('a');
    expect((await ask(engine, request('a', 'what is this?'))).error?.code).toBe('stream_not_found');
  });

  test('cancels an answer', async () => {
    const engine = await start();
    engine.open('a', MUCH);
    await engine.append('a', 0, picture(0));
    const { listener, outcome } = listen();
    const cancel = engine.ask(request('a', 'what is this?', { temperature: 0 }), listener);
    cancel();
    expect((await outcome).end?.finish).toBe('cancelled');
    expect(cancel).not.toThrow();
  });

  test('leaves no process behind when closed, and refuses later questions and frames', async () => {
    const engine = await start();
    const pid = pidOf(engine);
    engine.open('a', MUCH);
    await engine.append('a', 0, picture(0));
    const late = ask(engine, request('a', 'what is this?'));
    await engine.close();
    expect(await isRunning(pid)).toBe(false);
    const { end, error } = await late;
    expect(end ?? error?.code).toSatisfy((x: unknown) => x === 'shutting_down' || typeof x === 'object');
    expect((await ask(engine, request('a', 'what is this?'))).error?.code).toBe('shutting_down');
    await expect(engine.append('a', 500, picture(0))).rejects.toMatchObject({ code: 'engine_unavailable' });
    await engine.close();
  });

  test('exits when its parent is killed', async () => {
    const script = path.resolve(import.meta.dirname, '../support/engine-parent.ts');
    const parent = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    closing.push(() => Promise.resolve(parent.kill('SIGKILL')));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(await isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    await untilGone([pid]);
  });

  test('ignores SIGINT and SIGTERM: a Ctrl-C reaches the whole terminal, and the parent decides', async () => {
    const engine = await start();
    process.kill(pidOf(engine), 'SIGINT');
    process.kill(pidOf(engine), 'SIGTERM');
    engine.open('a', MUCH);
    await engine.append('a', 0, picture(0));
    expect(engine.ready).toBe(true);
  });
});

describe('The start of an engine', () => {
  let folder: string;
  async function damaged(): Promise<string> {
    folder = await mkdtemp(path.join(tmpdir(), 'yoco-engine-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    await cp(TINY_BUNDLE, folder, { recursive: true });
    await truncate(path.join(folder, 'vision.onnx'), 100);
    return folder;
  }

  test('fails when the bundle is damaged, and names the file', async () => {
    const bundle = await damaged();
    await expect(Engine.start({ bundle, threads: 1 })).rejects.toMatchObject({
      code: 'bundle_damaged',
      detail: expect.stringContaining('vision.onnx has 100 bytes') as string,
    });
  });

  test('fails when the bundle does not exist', async () => {
    await expect(Engine.start({ bundle: '/nowhere' })).rejects.toMatchObject({ code: 'bundle_not_found' });
  });
});

test('An engine that hangs while loading is killed, and its start fails', async () => {
  const warnings: string[] = [];
  // No process loads a bundle in 1 ms, so it counts as hung.
  const options = { loadMs: 1, heartbeatMs: 5, onWarning: (message: string) => warnings.push(message) };
  await expect(start(options)).rejects.toMatchObject({ code: 'engine_unavailable', retryable: true });
  expect(warnings[0]).toContain('stopped responding');
});

test('An engine is not killed when its supervisor itself stood still for longer than the hang limit', async () => {
  const warnings: string[] = [];
  const engine = await start({ onWarning: (message) => warnings.push(message) });
  const [pid, before] = [pidOf(engine), engine.times];
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
  try {
    await vi.waitFor(() => {
      expect(engine.times === before && warnings.length === 0).toBe(false); // until the next check
    }, 10_000);
  } finally {
    clock.mockRestore();
  }
  expect(warnings).toEqual([]);
  expect([pidOf(engine), engine.losses]).toEqual([pid, 0]);
  engine.open('a', MUCH);
  await engine.append('a', 0, picture(0));
});

describe('When the engine process dies', () => {
  test('pending questions and frames fail with a retryable error, it restarts, and streams continue', async () => {
    const warnings: string[] = [];
    const engine = await start({ onWarning: (message) => warnings.push(message) });
    const pid = pidOf(engine);
    engine.open('a', MUCH);
    engine.open('closed', MUCH);
    await engine.append('a', 0, picture(0));

    let asked: Promise<Outcome> | undefined;
    let frame: Promise<unknown> | undefined;
    const killed = new Promise<void>((resolve) => {
      const first = ask(engine, request('a', 'what is shown now?', { temperature: 0 }), () => {
        if (asked !== undefined) return;
        // Pause it in the middle of an answer: it cannot serve what follows before it dies.
        process.kill(pid, 'SIGSTOP');
        asked = ask(engine, request('a', 'and now?'));
        frame = engine.append('a', 500, picture(1)).catch((error: unknown) => error);
        process.kill(pid, 'SIGKILL');
        resolve();
      });
      void first;
    });
    await killed;
    const again = ready(engine);
    expect((await asked)?.error).toMatchObject({ code: 'engine_restarted', retryable: true, status: 503 });
    expect(await frame).toMatchObject({ code: 'engine_restarted' });
    expect(engine.ready).toBe(false);
    expect((await ask(engine, request('a', 'what is this?'))).error).toMatchObject({ code: 'engine_unavailable' });
    // Streams may be opened and closed while the engine restarts.
    engine.closeStream('closed');
    engine.open('new', MUCH);
    await again;

    expect(pidOf(engine)).not.toBe(pid);
    expect(await isRunning(pid)).toBe(false);
    expect(warnings.join('\n')).toContain('SIGKILL');
    expect((await ask(engine, request('a', 'what is this?'))).error?.code).toBe('stream_empty');
    await engine.append('a', 1000, picture(1));
    await engine.append('new', 0, picture(1));
    expect((await ask(engine, request('a', 'what is this?'))).end?.asOfMs).toBe(1000);
    await expect(engine.append('closed', 0, picture(0))).rejects.toMatchObject({ code: 'stream_not_found' });
  });

  test('repeatedly, each restart waits longer', async () => {
    const warnings: string[] = [];
    const engine = await start({ onWarning: (message) => warnings.push(message) });
    for (let i = 0; i < 2; i++) {
      const again = ready(engine);
      process.kill(pidOf(engine), 'SIGKILL');
      await again;
    }
    expect(warnings.map((text) => /in (\d+) ms/.exec(text)?.[1])).toEqual(['50', '100']);
    engine.open('a', MUCH);
    await engine.append('a', 0, picture(0));
  }, 120_000);

  test('after a stable time, the restart pauses start over', async () => {
    const warnings: string[] = [];
    const engine = await start({ stableMs: 300, onWarning: (message) => warnings.push(message) });
    for (const servedMs of [0, 600, 0]) {
      const again = ready(engine);
      await new Promise((resolve) => setTimeout(resolve, servedMs));
      process.kill(pidOf(engine), 'SIGKILL');
      await again;
    }
    expect(warnings.map((text) => /in (\d+) ms/.exec(text)?.[1])).toEqual(['50', '50', '100']);
  }, 120_000);

  test('while it restarts, it is restarted once more, and one process is left', async () => {
    const warnings: string[] = [];
    const engine = await start({ onWarning: (message) => warnings.push(message) });
    const again = ready(engine);
    const first = pidOf(engine);
    process.kill(first, 'SIGKILL');
    const second = await vi.waitFor(
      () => {
        expect(engine.pid ?? first).not.toBe(first);
        return pidOf(engine);
      },
      // Poll often, to kill it before it has loaded.
      { timeout: 10_000, interval: 2 },
    );
    process.kill(second, 'SIGKILL');
    await again;
    expect(warnings).toHaveLength(2);
    engine.open('a', MUCH);
    await engine.append('a', 0, picture(0));
  }, 120_000);

  test('and cannot be started, the supervisor keeps trying until it can', async () => {
    const warnings: string[] = [];
    const node = process.execPath;
    const engine = await start({ onWarning: (message) => warnings.push(message) });
    const again = ready(engine);
    try {
      process.execPath = '/nowhere/node';
      process.kill(pidOf(engine), 'SIGKILL');
      await vi.waitFor(() => {
        expect(warnings.filter((text) => text.includes('cannot be started (ENOENT)')).length).toBeGreaterThan(1);
      }, 10_000);
    } finally {
      process.execPath = node;
    }
    await again;
    engine.open('a', MUCH);
    await engine.append('a', 0, picture(0));
  }, 120_000);

  test('and the engine is closed before the restart, no process is started', async () => {
    const engine = await start({ backoffMs: [300, 300] });
    const lost = once(engine, 'lost');
    process.kill(pidOf(engine), 'SIGKILL');
    await lost;
    await engine.close();
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(engine.pid).toBeUndefined();
  });

  test('or stops answering heartbeats, it is killed and restarted', async () => {
    const warnings: string[] = [];
    const engine = await start({ hangMs: 3_000, onWarning: (message) => warnings.push(message) });
    const pid = pidOf(engine);
    engine.open('a', MUCH);
    await engine.append('a', 0, picture(0));
    const again = ready(engine);
    process.kill(pid, 'SIGSTOP');
    const { error } = await ask(engine, request('a', 'what is this?'));
    expect(error?.code).toBe('engine_restarted');
    await again;
    expect(await isRunning(pid)).toBe(false);
    expect(warnings[0]).toContain('stopped responding');
  }, 120_000);

  test('after exceeding its memory limit, a warning says so', async () => {
    const warnings: string[] = [];
    const engine = await start({ memoryLimitBytes: 1, onWarning: (message) => warnings.push(message) });
    await once(engine, 'lost', { signal: AbortSignal.timeout(20_000) });
    expect(warnings[0]).toContain('more than its limit');
  });
});
