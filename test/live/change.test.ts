/** A stream whose definition changes keeps what it has seen. Uses a real engine (tiny bundle) and a real ffmpeg. */
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';
import { type ClipFolder, clipFolder, testPicture } from '../support/clips.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { descendants } from '../support/processes.ts';
import { png, pushed } from '../support/pushing.ts';

const PATIENT = { timeout: 25_000 };

let clips: ClipFolder;
let folder: string;
let live: Streams;

beforeAll(async () => {
  clips = await clipFolder();
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-change-'));
  live = await Streams.start({ engine: { bundle: TINY_BUNDLE, threads: 1 }, snapshots: folder });
});
afterEach(async () => {
  for (const stream of live.list()) await live.delete(stream.name);
});
afterAll(async () => {
  await live.close();
  await clips.remove();
  await rm(folder, { recursive: true, force: true });
});

function change(definition: object): SourceStream {
  return live.change({ name: 'door', source: { push: true }, ...definition });
}

async function pushNext(stream: SourceStream, timeMs: number): Promise<void> {
  expect(await stream.push(await png(timeMs / 500), timeMs)).toEqual({ accepted: true, timeMs });
  await vi.waitFor(() => {
    expect(stream.status().lastMs).toBe(timeMs);
  }, PATIENT);
}

test('Frames of a replaced source come after all earlier ones, which can still be asked about', async () => {
  const before = await clips.make('before.mp4', ...testPicture(3, 10));
  const after = await clips.make('after.mp4', ...testPicture(2, 10));
  const stream = await live.create({ name: 'door', source: { file: before, pace: 'fastest' } }, 'operator');
  await stream.ended();
  const { lastMs, frames } = stream.status();
  expect([lastMs, frames]).toEqual([2_500, 6]);

  expect(change({ source: { file: after, pace: 'fastest' } })).toBe(stream);
  expect(stream.status()).toMatchObject({ source: 'file after.mp4', sourceStatus: { state: 'connecting' }, frames: 6 });
  await stream.ended();
  expect(stream.status()).toMatchObject({ firstMs: 0, lastMs: 4_500, frames: 10, sourceStatus: { state: 'ended' } });
  const past = await stream.converse().ask('what is shown now?', { asOfMs: 1_000 }).result;
  expect(past.asOfMs).toBe(1_000);
});

test('A source that failed for good is retried on any change, and continues after what was seen', async () => {
  const stream = await pushed(live, 'door', 2);
  const source = { file: path.join(clips.path, 'later.mp4'), pace: 'fastest' };
  change({ source });
  await expect(stream.ended()).rejects.toMatchObject({ code: 'source_not_found' });
  expect(stream.canRestartSource).toBe(true);
  await copyFile(await clips.make('there.mp4', ...testPicture(2, 10)), source.file);
  change({ source });
  await stream.ended();
  expect(stream.status()).toMatchObject({ firstMs: 0, lastMs: 2_500, frames: 6, sourceStatus: { state: 'ended' } });
  expect(stream.canRestartSource).toBe(false);
});

test('A dated recording that failed after some frames is not retried: its date is that of its first frame', async () => {
  const file = await clips.make('made-then.mp4', ...testPicture(20, 10));
  const source = { file, recorded_at: '2030-01-01T00:00:00Z' };
  const stream = await live.create({ name: 'door', source }, 'operator');
  await vi.waitFor(() => {
    expect(stream.status().frames).toBeGreaterThan(0);
  }, PATIENT);
  for (const { pid, command } of await descendants(process.pid)) {
    if (command.includes(file)) process.kill(pid, 'SIGKILL');
  }
  await expect(stream.ended()).rejects.toMatchObject({ code: 'ffmpeg_failed' });
  expect(stream.canRestartSource).toBe(false);
  change({ source, description: 'Monday' });
  expect(stream.status()).toMatchObject({ description: 'Monday', firstMs: 0, sourceStatus: { state: 'failed' } });
});

test('A camera that replaces an undated recording has live wall times', async () => {
  const file = await clips.make('undated.mp4', ...testPicture(1, 10));
  const stream = await live.create({ name: 'door', source: { file, pace: 'fastest' } }, 'operator');
  await stream.ended();
  expect(stream.status().wallTimes).toBe('unknown');
  // A URL over HTTP may be a recording, too.
  change({ source: { url: 'http://127.0.0.1:9/clip.mp4' } });
  expect(stream.status().wallTimes).toBe('unknown');
  change({ source: { url: 'rtsp://127.0.0.1:9/live' } });
  expect(stream.status().wallTimes).toBe('live');
});

test('A source is replaced while it plays without the stream appearing stopped', async () => {
  const before = await clips.make('played.mp4', ...testPicture(3, 10));
  const after = await clips.make('next.mp4', ...testPicture(2, 10));
  const stream = await live.create({ name: 'door', source: { file: before, loop: true } }, 'operator');
  await vi.waitFor(() => {
    expect(stream.status().frames).toBeGreaterThan(0);
  }, PATIENT);
  const seen: { state: string; lastMs: number }[] = [];
  stream.onChange(() => {
    const { sourceStatus, lastMs } = stream.status();
    seen.push({ state: sourceStatus.state, lastMs: lastMs ?? -1 });
  });
  const ended = stream.ended();
  change({ source: { file: after, pace: 'fastest' } });
  await ended;
  expect(stream.status()).toMatchObject({ firstMs: 0, sourceStatus: { state: 'ended' } });
  expect(stream.status().frames).toBeGreaterThanOrEqual(5);
  expect(seen.map(({ state }) => state)).not.toContain('stopped');
  const times = seen.map(({ lastMs }) => lastMs);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test('Other masks drop the kept pictures, which may show what is now masked; the memory stays', async () => {
  const stream = await pushed(live, 'door', 2);
  expect(stream.pictures()).toEqual({ firstMs: 0, lastMs: 500 });
  change({ sampling: { masks: [{ left: 0, top: 0, width: 1, height: 1 }] } });
  expect(stream.pictures()).toBeNull();
  await expect(stream.thumbnail()).rejects.toMatchObject({ code: 'time_out_of_range' });
  expect(stream.status()).toMatchObject({ firstMs: 0, lastMs: 500, frames: 2 });

  expect(await stream.push(await png(1), 500)).toEqual({ accepted: false, reason: 'out_of_order' });
  await pushNext(stream, 1_000);
  expect(stream.status().frames).toBe(3);
  await vi.waitFor(() => {
    expect(stream.pictures()).toEqual({ firstMs: 1_000, lastMs: 1_000 });
  }, PATIENT);
  const { channels } = await sharp((await stream.thumbnail()).jpeg).stats();
  expect(channels.map(({ max }) => max)).toEqual([0, 0, 0]);
});

test('A changed description shows at once and leaves the source running', async () => {
  const stream = await pushed(live, 'door', 2);
  change({ description: 'Front door' });
  expect(stream.status()).toMatchObject({ description: 'Front door', frames: 2, sourceStatus: { frames: 2 } });
  expect(stream.pictures()).toEqual({ firstMs: 0, lastMs: 500 });
});

test('An invalid definition changes nothing', async () => {
  const stream = await pushed(live, 'door', 2);
  const file = await clips.make('dated.mp4', ...testPicture(1, 10));
  const url = 'rtsp://127.0.0.1/live';
  const wrong: [object, string][] = [
    [{ source: { url, credentials_env: 'NOBODY_HAS_SET_THIS' } }, 'definition_invalid'],
    [{ source: { url: 'ftp://127.0.0.1' } }, 'definition_invalid'],
    // The stream's clock would have to start at the file's `recorded_at`.
    [{ source: { file, recorded_at: '2030-01-01T00:00:00Z' } }, 'definition_invalid'],
    [{ name: 'nobody' }, 'stream_not_found'],
  ];
  for (const [definition, code] of wrong) {
    expect(() => change({ description: 'changed', ...definition })).toThrow(expect.objectContaining({ code }));
  }
  expect(stream.status()).toMatchObject({ description: null, source: 'push', frames: 2 });
  await pushNext(stream, 1_000);
});

test('A picture being pushed while the source is replaced goes to the new source', async () => {
  const stream = await pushed(live, 'door', 2);
  const coming = stream.push(await png(2), 1_000);
  change({ sampling: { fps: 1 } });
  expect(await coming).toEqual({ accepted: true, timeMs: 1_000 });
  await vi.waitFor(() => {
    expect(stream.status()).toMatchObject({ lastMs: 1_000, frames: 3 });
  }, PATIENT);
});

test('Wall times that pushed pictures gave survive a change', async () => {
  const began = Date.parse('2020-01-01T12:00:00Z');
  const stream = await live.create({ name: 'door', source: { push: true } }, 'operator');
  await stream.push(await png(0), new Date(began));
  await vi.waitFor(() => {
    expect(stream.status()).toMatchObject({ lastMs: 0, startedAtMs: began });
  }, PATIENT);
  change({ sampling: { fps: 1 } });
  expect(stream.status().startedAtMs).toBe(began);
  expect(await stream.push(await png(1), new Date(began + 700))).toEqual({ accepted: true, timeMs: 700 });
  expect(stream.status().startedAtMs).toBe(began);
});

test('A stream is kept only while its definition says so', async () => {
  await pushed(live, 'door', 2);
  await live.keep('door');
  expect(await readdir(folder)).toEqual([]);
  change({ keep: true });
  await live.keep('door');
  expect(await readdir(folder)).toEqual(['door.keep.snap']);
  await pushNext(live.get('door'), 1_000);
  // A new interval alone keeps using the same file; nothing is set aside.
  change({ keep: { every: 60 } });
  await live.keep('door');
  expect(await readdir(folder)).toEqual(['door.keep.snap']);
  await rm(path.join(folder, 'door.keep.snap'));
  change({});
  await pushNext(live.get('door'), 1_500);
  await live.keep('door');
  expect(await readdir(folder)).toEqual([]);
});
