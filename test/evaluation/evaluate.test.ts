/** Evaluations in this process on the tiny bundle: what they clean up when stopped, and how they resume. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { YocoError } from '../../src/errors.ts';
import { evaluate, type EvaluationOptions } from '../../src/evaluation/evaluate.ts';
import type { Span } from '../../src/evaluation/playlist.ts';
import { encodeVideo, sampledFrames, VIDEO_FPS } from '../../src/evaluation/video.ts';
import { Streams } from '../../src/live/live-service.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { picture } from '../support/tiny.ts';

const LABELS = ['apple', 'pear', 'plum', 'kiwi', 'leek', 'lemon', 'mango', 'onion', 'papaya', 'potato'];
const SIZE = { width: 64, height: 48, fit: 'contain' } as const;

let folder: string;
let data: string;
let temporary: string;
let live: Streams;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-evaluate-'));
  data = path.join(folder, 'data');
  await mkdir(path.join(data, 'things'), { recursive: true });
  const raw = { width: 224, height: 224, channels: 3 } as const;
  for (let i = 0; i < LABELS.length; i++) await sharp(picture(i), { raw }).jpeg().toFile(fileOf(i));
  const lines = LABELS.map((label, i) => JSON.stringify({ image: `${i}.jpg`, class: label }));
  await writeFile(path.join(data, 'things', 'labels.jsonl'), lines.join('\n'));
  live = await Streams.start({ engine: { bundle: TINY_BUNDLE, threads: 1 } });
});
afterAll(async () => {
  await live.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  temporary = await mkdtemp(path.join(folder, 'temporary-'));
  vi.stubEnv('TMPDIR', temporary);
  return () => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  };
});

const fileOf = (i: number): string => path.join(data, 'things', `${i}.jpg`);
const options = (more: Partial<EvaluationOptions> = {}): EvaluationOptions => ({
  ...{ data, sets: [], seed: 1, streams: '1', seconds: '8', heldOut: false, video: SIZE, fps: 2, controls: 1 },
  ...{ bundleId: 'tiny', device: 'cpu', onProgress: () => undefined },
  ...more,
});

describe('A stopped evaluation', () => {
  const leavesNothing = async (): Promise<void> => {
    expect(await readdir(temporary)).toEqual([]);
    expect(live.list()).toEqual([]);
  };

  test('leaves nothing behind when stopped before it begins', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(evaluate(live, options({ signal }))).rejects.toThrow('enough');
    await leavesNothing();
  });

  test('leaves no stream and no file behind when stopped while a video plays', async () => {
    const stop = new AbortController();
    const create = live.create.bind(live);
    vi.spyOn(live, 'create').mockImplementationOnce((definition, origin) => {
      stop.abort(new Error('enough'));
      return create(definition, origin);
    });
    await expect(evaluate(live, options({ signal: stop.signal }))).rejects.toThrow('enough');
    await leavesNothing();
  });

  test('does not begin the next stream', async () => {
    const stop = new AbortController();
    const played: number[] = [];
    const onProgress = (done: number): void => {
      played.push(done);
      stop.abort(new Error('enough'));
    };
    const stopped = evaluate(live, options({ streams: '3', controls: 0, signal: stop.signal, onProgress }));
    await expect(stopped).rejects.toThrow('enough');
    expect(played).toEqual([1]);
    await leavesNothing();
  });

  test('does not wait for answers to questions already asked', async () => {
    const stop = new AbortController();
    const onAnswer = (): void => {
      stop.abort(new Error('enough'));
    };
    await expect(evaluate(live, options({ streams: '9', signal: stop.signal, onAnswer }))).rejects.toThrow('enough');
    await leavesNothing();
  });
});

test('An evaluation plays a stream again when a frame was lost, before asking about it', async () => {
  const create = vi.spyOn(live, 'create');
  vi.spyOn(live.engine, 'append').mockRejectedValueOnce(new YocoError('engine_restarted'));
  const { tasks } = await evaluate(live, options({ controls: 0 }));
  const played = create.mock.calls.map(([definition]) => (definition as { readonly name: string }).name);
  // The stream twice, then its four cameras, then the stream with returning things.
  expect(played).toEqual(['eval-0', 'eval-0', 'eval-1', 'eval-2', 'eval-3', 'eval-4', 'eval-5']);
  expect(tasks.first?.total).toBe(1);
});

describe('The finished streams of an evaluation', () => {
  test('are not reused with other pictures under the same names', async () => {
    const resume = path.join(folder, 'finished.jsonl');
    await evaluate(live, options({ controls: 0, resume }));
    const before = await sharp(fileOf(3)).toBuffer();
    await sharp(before).blur(5).toFile(fileOf(3));
    await expect(evaluate(live, options({ controls: 0, resume }))).rejects.toMatchObject({
      code: 'resume_mismatch',
      detail: expect.stringContaining('data was') as string,
    });
  });

  test('are not reused on another device', async () => {
    const resume = path.join(folder, 'device.jsonl');
    await evaluate(live, options({ controls: 0, resume }));
    await expect(evaluate(live, options({ controls: 0, resume, device: 'webgpu' }))).rejects.toMatchObject({
      code: 'resume_mismatch',
      detail: expect.stringContaining('device was "cpu" and is "webgpu" now') as string,
    });
  });
});

describe('A played video', () => {
  test.each([0.3, 1, 1.5, 2, 3, 7, VIDEO_FPS])(
    'yields the expected number of frames at %d frames a second',
    async (fps) => {
      const spans: Span[] = [2_000, 2_500, 4_000].map((length, i, lengths) => {
        const startMs = lengths.slice(0, i).reduce((a, b) => a + b, 0);
        return { picture: { set: 'things', file: fileOf(i), label: '' }, startMs, endMs: startMs + length };
      });
      const file = path.join(temporary, 'video.mp4');
      await encodeVideo(spans, file, SIZE);
      const stream = await live.create({ name: 'v', source: { file, pace: 'fastest' }, sampling: { fps } }, 'operator');
      await stream.ended();
      expect(stream.status()).toMatchObject({ frames: sampledFrames(spans, fps), firstMs: 0, lateFrames: 0 });
      await live.delete('v');
    },
  );
});
