/** Snapshots over HTTP, with a real engine (tiny bundle) and a real ffmpeg behind it. */
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Streams } from '../../src/live/live-service.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { type ClipFolder, clipFolder, testPicture } from '../support/clips.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { picture } from '../support/tiny.ts';

const KEY = 'a-key-for-the-tests-0123';
const bearer = { authorization: `Bearer ${KEY}` };
const json = { 'content-type': 'application/json' };

let clips: ClipFolder;
let root: string;
let folder: string;
let live: Streams;
let server: RunningServer;
let locked: RunningServer;

beforeAll(async () => {
  clips = await clipFolder();
  root = await mkdtemp(path.join(tmpdir(), 'yoco-kept-'));
  folder = path.join(root, 'snapshots');
  live = await Streams.start({
    engine: { bundle: TINY_BUNDLE, threads: 1, backoffMs: [50, 200] },
    maxStreams: 4,
    snapshots: folder,
    policy: { mediaRoots: [clips.path], allowedHosts: [] },
  });
  server = await startServer(live, { port: 0 });
  locked = await startServer(live, { port: 0, apiKeys: [KEY] });
});
afterEach(async () => {
  for (const stream of live.list()) await live.delete(stream.name);
  await rm(folder, { recursive: true, force: true });
});
afterAll(async () => {
  await Promise.all([server.close(), locked.close()]);
  await live.close();
  await clips.remove();
  await rm(root, { recursive: true, force: true });
});

interface Body {
  readonly error: { readonly code: string; readonly param: string | null; readonly message: string } | null;
  readonly data: readonly Record<string, unknown>[];
  readonly [field: string]: unknown;
}

async function call(method: 'GET' | 'POST' | 'DELETE', at: string, body?: object, headers = {}, on = server) {
  const sent =
    body === undefined ? { method, headers } : { method, headers: { ...json, ...headers }, body: JSON.stringify(body) };
  const response = await fetch(on.address + at, sent);
  return { status: response.status, body: (await response.json()) as Body };
}

const png = (number: number): Promise<Buffer> =>
  sharp(picture(number), { raw: { width: 224, height: 224, channels: 3 } })
    .png()
    .toBuffer();

async function push(name: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    expect(await live.get(name).push(await png(i % 5), i * 500)).toMatchObject({ accepted: true });
    await vi.waitFor(() => {
      expect(live.get(name).status().lastMs).toBe(i * 500);
    }, 10_000);
  }
}

async function pushed(name: string, frames: number): Promise<void> {
  await live.create({ name, source: { push: true }, sampling: { fps: 4 }, memory: { limit_mb: 20 } }, 'operator');
  await push(name, 0, frames);
}

const answer = async (name: string) => {
  const { text, asOfMs, evidence } = await live.get(name).converse().ask('what is shown now?').result;
  return { text, asOfMs, evidence: evidence.map(({ startMs, endMs }) => [startMs, endMs]) };
};

describe('A snapshot', () => {
  test('is taken, listed, and restored as another stream that runs independently', async () => {
    await pushed('door', 6);
    const taken = await call('POST', '/v1/streams/door/snapshot', { file: 'monday.snap' });
    expect(taken).toMatchObject({
      status: 201,
      body: {
        object: 'yoco.snapshot',
        file: 'monday.snap',
        stream: 'door',
        fps: 4,
        frames: 6,
        first: 0,
        last: 2.5,
        bundle: 'tiny',
        error: null,
      },
    });
    expect((await readFile(path.join(folder, 'monday.snap'))).length).toBe(taken.body['bytes']);
    expect((await call('GET', '/v1/snapshots')).body).toEqual({ object: 'list', data: [taken.body] });
    expect(JSON.stringify(taken.body)).not.toContain(folder);

    const made = await call('POST', '/v1/streams', { name: 'copy', restore: 'monday.snap' });
    const { startedAtMs } = live.get('door').status();
    expect(made).toMatchObject({
      status: 201,
      body: {
        name: 'copy',
        source: 'push',
        frames: 6,
        first: 0,
        last: 2.5,
        fps: 4,
        started_at: new Date(startedAtMs).toISOString(),
        cache: { tokens: 60, limit_bytes: 20 * 2 ** 20 },
      },
    });
    // A snapshot holds no pictures.
    for (const query of ['', '?t=1']) {
      const { status, body } = await call('GET', `/v1/streams/copy/frames${query}`);
      expect([status, body.error?.code]).toEqual([400, 'time_out_of_range']);
    }
    expect(await answer('copy')).toEqual(await answer('door'));
    expect(await live.get('copy').push(await png(1), 2500)).toEqual({ accepted: false, reason: 'out_of_order' });
    await Promise.all([push('copy', 6, 9), push('door', 6, 9)]);
    expect(await answer('copy')).toEqual(await answer('door'));
    expect(live.get('copy').status()).toMatchObject({ frames: 9, lastMs: 4000 });
    await live.delete('door');
    // Without a name of its own the stream gets that of the snapshot.
    expect((await call('POST', '/v1/streams', { restore: 'monday.snap' })).body['name']).toBe('door');
    expect((await call('POST', '/v1/streams', { restore: 'monday.snap' })).body.error?.code).toBe('stream_exists');
  });

  test('gets a generated name by default, and replaces one of the same name', async () => {
    await pushed('door', 1);
    const taken = await call('POST', '/v1/streams/door/snapshot');
    expect(taken.body['file']).toMatch(/^door-\d{8}T\d{6}-\d{3}Z\.snap$/);
    await call('POST', '/v1/streams/door/snapshot', { file: 'a' });
    await push('door', 1, 2);
    await call('POST', '/v1/streams/door/snapshot', { file: 'a' });
    const list = (await call('GET', '/v1/snapshots')).body.data;
    expect(list.map(({ file, frames }) => [file, frames])).toEqual([
      ['a', 2],
      [taken.body['file'], 1],
    ]);
  });

  test('resumes with a file source right after its newest frame', async () => {
    await pushed('door', 4);
    await call('POST', '/v1/streams/door/snapshot', { file: 'a.snap' });
    const file = await clips.make('on.mp4', ...testPicture(2, 10));
    const definition = { name: 'on', restore: 'a.snap', source: { file, pace: 'fastest' }, sampling: { fps: 2 } };
    expect(await call('POST', '/v1/streams', definition)).toMatchObject({ status: 201, body: { fps: 2 } });
    await live.get('on').ended();
    expect(live.get('on').status()).toMatchObject({ frames: 8, firstMs: 0, lastMs: 3500, lateFrames: 0 });
    expect((await answer('on')).asOfMs).toBe(3500);
  });

  test('of a recording keeps whether its recorded_at is known', async () => {
    const file = await clips.make('tape.mp4', ...testPicture(2, 10));
    const recorded = { recorded_at: '2026-01-05T20:00:00+01:00' };
    for (const [name, source] of Object.entries({ dated: recorded, undated: {} })) {
      await live.create({ name, source: { file, pace: 'fastest', ...source } }, 'operator');
      await live.get(name).ended();
      await call('POST', `/v1/streams/${name}/snapshot`, { file: `${name}.snap` });
      await call('POST', '/v1/streams', { name: `${name}-again`, restore: `${name}.snap` });
    }
    const times = { recorded_at: '2026-01-05T19:00:00.000Z', last_time: '2026-01-05T19:00:01.500Z' };
    for (const name of ['dated', 'dated-again']) {
      expect((await call('GET', `/v1/streams/${name}`)).body).toMatchObject(times);
    }
    for (const name of ['undated', 'undated-again']) {
      expect((await call('GET', `/v1/streams/${name}`)).body).toMatchObject({ recorded_at: null });
      expect(() => live.get(name).converse().ask('Was there a dog today?')).toThrow(/recorded_at/);
    }
    expect(live.get('dated-again').status().wallTimes).toBe('recorded');
  });

  test('of a stream ahead of the wall clock resumes live at the current time, not in the future', async () => {
    await pushed('door', 1);
    await live.get('door').push(await png(1), 3_600_000);
    await vi.waitFor(() => {
      expect(live.get('door').status().lastMs).toBe(3_600_000);
    }, 10_000);
    await call('POST', '/v1/streams/door/snapshot', { file: 'hour.snap' });
    await call('POST', '/v1/streams', { name: 'copy', restore: 'hour.snap' });
    const copy = live.get('copy');
    const outcome = await copy.push(await png(2));
    await vi.waitFor(() => {
      expect(copy.status().frames).toBe(3);
    }, 10_000);
    const { startedAtMs, lastMs } = copy.status();
    expect(outcome).toEqual({ accepted: true, timeMs: lastMs });
    expect(lastMs).toBeGreaterThan(3_600_000);
    expect(startedAtMs + (lastMs ?? NaN)).toBeLessThanOrEqual(Date.now());
  });

  test('requires an API key; a token is not enough', async () => {
    await pushed('door', 1);
    const token = (await call('POST', '/v1/token', {}, bearer, locked)).body['token'] as string;
    const path = '/v1/streams/door/snapshot';
    expect((await call('POST', path, {}, {}, locked)).status).toBe(401);
    expect((await call('POST', path, {}, { authorization: `Bearer ${token}` }, locked)).status).toBe(403);
    expect((await call('POST', path, {}, bearer, locked)).status).toBe(201);
    expect((await call('GET', '/v1/snapshots', undefined, {}, locked)).status).toBe(401);
    expect((await call('GET', path, undefined, bearer, locked)).status).toBe(405);
  });
});

test('An API key may delete snapshots, even damaged ones, but no other files', async () => {
  await pushed('door', 1);
  for (const file of ['a', 'b']) await call('POST', '/v1/streams/door/snapshot', { file });
  await writeFile(path.join(folder, 'notes.txt'), 'mine');
  await writeFile(path.join(folder, 'cut'), (await readFile(path.join(folder, 'b'))).subarray(0, -1));
  const token = (await call('POST', '/v1/token', {}, bearer, locked)).body['token'] as string;
  const remove = (file: string, headers = {}, on = server) =>
    call('DELETE', `/v1/snapshots/${encodeURIComponent(file)}`, undefined, headers, on);
  expect((await remove('a', {}, locked)).status).toBe(401);
  expect((await remove('a', { authorization: `Bearer ${token}` }, locked)).status).toBe(403);
  const deleted = await remove('a', bearer, locked);
  expect(deleted).toEqual({ status: 200, body: { object: 'yoco.snapshot.deleted', file: 'a', deleted: true } });
  // A damaged snapshot is of no use to anybody.
  expect((await remove('cut')).status).toBe(200);
  for (const [file, code] of [
    ['a', 'snapshot_not_found'],
    ['notes.txt', 'snapshot_not_found'],
    ['../b', 'invalid_request'],
    ['.hidden', 'invalid_request'],
  ] as const) {
    const { body } = await remove(file);
    expect([file, body.error?.code, body.error?.param]).toEqual([file, code, 'file']);
  }
  expect((await readdir(folder)).sort()).toEqual(['b', 'notes.txt']);
});

describe('Snapshot requests are refused for', () => {
  test.each(['../a', 'a/b', '.hidden', '', 'a\\b', 'ä', 'a'.repeat(129), '/etc/passwd'])(
    'the name %j',
    async (file) => {
      await pushed('door', 1);
      const taken = await call('POST', '/v1/streams/door/snapshot', { file });
      expect(taken).toMatchObject({ status: 400, body: { error: { code: 'invalid_request', param: 'file' } } });
      const made = await call('POST', '/v1/streams', { name: 'x', restore: file });
      expect(made).toMatchObject({ status: 400, body: { error: { code: 'definition_invalid', param: 'restore' } } });
      expect(await readdir(root)).not.toContain('a');
    },
  );

  test('a missing, damaged or foreign file, which leaves no stream behind and others running', async () => {
    await pushed('door', 3);
    await call('POST', '/v1/streams/door/snapshot', { file: 'good' });
    const bytes = await readFile(path.join(folder, 'good'));
    await writeFile(path.join(folder, 'short'), bytes.subarray(0, -1));
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 40] = (flipped[bytes.length - 40] ?? 0) ^ 1;
    await writeFile(path.join(folder, 'flipped'), flipped);
    await writeFile(path.join(folder, 'text'), 'no snapshot');
    const other = Buffer.from(bytes);
    other.writeUInt32LE(7, 8);
    await writeFile(path.join(folder, 'other'), other);
    for (const [file, code, status] of [
      ['none', 'snapshot_not_found', 404],
      ['short', 'snapshot_damaged', 422],
      ['flipped', 'snapshot_damaged', 422],
      ['text', 'snapshot_damaged', 422],
      ['other', 'snapshot_unsupported', 409],
    ] as const) {
      const { status: got, body } = await call('POST', '/v1/streams', { name: 'copy', restore: file });
      expect([file, got, body.error?.code, body.error?.param]).toEqual([file, status, code, 'restore']);
      expect(JSON.stringify(body)).not.toContain(folder);
    }
    expect((await call('GET', '/v1/streams')).body.data.map(({ name }) => name)).toEqual(['door']);
    const list = (await call('GET', '/v1/snapshots')).body.data;
    // A flipped byte in the middle is noticed only on restore.
    expect(new Map(list.map(({ file, error }) => [file, error]))).toEqual(
      new Map([
        ['flipped', null],
        ['good', null],
        ['other', 'snapshot_unsupported'],
        ['short', 'snapshot_damaged'],
      ]),
    );
    const taken = await call('POST', '/v1/streams/door/snapshot', { file: 'text' });
    expect(taken.body.error).toMatchObject({ code: 'invalid_request', param: 'file' });
    await push('door', 3, 4);
    expect((await call('POST', '/v1/streams', { name: 'copy', restore: 'good' })).status).toBe(201);
  });

  test('a forbidden source, an empty or unknown stream, and an unknown field', async () => {
    await pushed('door', 1);
    await call('POST', '/v1/streams/door/snapshot', { file: 'a' });
    const url = { name: 'copy', restore: 'a', source: { url: 'http://10.0.0.1/' } };
    expect((await call('POST', '/v1/streams', url)).body.error?.code).toBe('source_forbidden');
    await live.create({ name: 'empty', source: { push: true } }, 'operator');
    expect((await call('POST', '/v1/streams/empty/snapshot')).body.error?.code).toBe('stream_empty');
    expect((await call('POST', '/v1/streams/none/snapshot')).body.error?.code).toBe('stream_not_found');
    const unknown = await call('POST', '/v1/streams/door/snapshot', { path: 'a' });
    expect(unknown.body.error?.code).toBe('invalid_request');
  });

  test('a definition whose credentials are missing, which leaves no stream behind', async () => {
    await pushed('door', 1);
    await call('POST', '/v1/streams/door/snapshot', { file: 'a' });
    const source = { url: 'rtsp://10.0.0.1/', credentials_env: 'NOT_SET_ANYWHERE' };
    const making = live.create({ name: 'copy', restore: 'a', source }, 'operator');
    await expect(making).rejects.toMatchObject({ code: 'definition_invalid' });
    const again = await live.create({ name: 'copy', restore: 'a' }, 'operator');
    expect(again.status().frames).toBe(1);
  });
});

test('A stream name is reserved during a restore, and other streams can be restored meanwhile', async () => {
  await pushed('door', 2);
  await call('POST', '/v1/streams/door/snapshot', { file: 'a' });
  const made = await Promise.all(
    ['x', 'x', 'y', 'z'].map((name) => call('POST', '/v1/streams', { name, restore: 'a' })),
  );
  expect(made.map(({ status }) => status).sort()).toEqual([201, 201, 201, 409]);
  expect((await call('POST', '/v1/streams', { name: 'w', restore: 'a' })).body.error?.code).toBe('stream_limit');
});

test('Saving and restoring fail with a retryable error when the engine restarts meanwhile', async () => {
  await pushed('door', 1);
  await call('POST', '/v1/streams/door/snapshot', { file: 'a' });
  const { pid } = live.engine;
  if (pid === undefined) throw new Error('no engine');
  const begun = [vi.spyOn(live.engine, 'snapshot'), vi.spyOn(live.engine, 'restore')];
  process.kill(pid, 'SIGSTOP');
  const both = [
    call('POST', '/v1/streams/door/snapshot', { file: 'b' }),
    call('POST', '/v1/streams', { name: 'copy', restore: 'a' }),
  ];
  await expect.poll(() => begun.map((calls) => calls.mock.calls.length)).toEqual([1, 1]);
  for (const calls of begun) calls.mockRestore();
  const again = once(live.engine, 'ready');
  process.kill(pid, 'SIGKILL');
  for (const { status, body } of await Promise.all(both)) {
    expect([status, body.error]).toMatchObject([503, { code: 'engine_restarted', retryable: true }]);
  }
  await again;
  expect(await readdir(folder)).toEqual(['a']);
  expect((await call('POST', '/v1/streams', { name: 'copy', restore: 'a' })).status).toBe(201);
});

test('A service without a snapshot folder refuses every snapshot request', async () => {
  const plain = await Streams.start({ engine: { bundle: TINY_BUNDLE, threads: 1 } });
  const other = await startServer(plain, { port: 0 });
  try {
    await plain.create({ name: 'door', source: { push: true } }, 'operator');
    for (const [method, at, body] of [
      ['POST', '/v1/streams/door/snapshot', {}],
      ['GET', '/v1/snapshots', undefined],
      ['DELETE', '/v1/snapshots/a', undefined],
      ['POST', '/v1/streams', { name: 'copy', restore: 'a' }],
    ] as const) {
      const refused = await call(method, at, body, {}, other);
      expect(refused).toMatchObject({
        status: 403,
        body: { error: { code: 'snapshots_off', message: expect.stringContaining('`snapshots`') as string } },
      });
    }
  } finally {
    await other.close();
    await plain.close();
  }
});
