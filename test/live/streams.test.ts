/** Live streams with a real engine (tiny bundle) and a real ffmpeg. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { YocoError } from '../../src/errors.ts';
import { MAX_TURNS, TURNS_MAX_CHARS } from '../../src/live/conversation.ts';
import { QUESTION_MAX_CHARS } from '../../src/question-limits.ts';
import { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';
import { noFrameError } from '../../src/live/no-frame.ts';
import { StandingQuestion } from '../../src/live/standing-question.ts';
import { Thumbnails } from '../../src/live/thumbnails.ts';
import type { Conversation, WarningFields } from '../../src/live/types.ts';
import { momentMs } from '../../src/server/times.ts';
import { type ClipFolder, clipFolder, testPicture } from '../support/clips.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { redJpeg, sendPictures } from '../support/mjpeg.ts';
import { freePort } from '../support/ports.ts';
import { png, pushed as pushedTo } from '../support/pushing.ts';
import { isRunning } from '../support/processes.ts';
import { picture } from '../support/tiny.ts';

let clips: ClipFolder;
let live: Streams;
const warnings: string[] = [];
/** The fields of each warning. */
const about: WarningFields[] = [];

beforeAll(async () => {
  clips = await clipFolder();
  live = await Streams.start({
    engine: { bundle: TINY_BUNDLE, threads: 1, backoffMs: [50, 200], maxAnswers: 64 },
    maxStreams: 6,
    policy: { mediaRoots: [clips.path], allowedHosts: [] },
    onWarning: (message, fields) => {
      warnings.push(message);
      about.push(fields);
    },
  });
});
afterEach(async () => {
  for (const stream of live.list()) await live.delete(stream.name);
  warnings.length = about.length = 0;
});
afterAll(async () => {
  const { pid } = live.engine;
  await live.close();
  await clips.remove();
  if (pid !== undefined) expect(await isRunning(pid)).toBe(false);
});

const codeOf = (error: unknown): string | undefined => (error instanceof YocoError ? error.code : undefined);

function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

const pushed = (name: string, frames: number): Promise<SourceStream> => pushedTo(live, name, frames);

describe('Memory promised to streams', () => {
  test('may exceed what the engine has, and the log says so once', async () => {
    const create = (name: string, limit_mb: number): Promise<SourceStream> =>
      live.create({ name, source: { push: true }, memory: { limit_mb } }, 'operator');
    await create('one', 4_000);
    await create('two', 3_872);
    expect(warnings).toEqual([]);
    await create('three', 16);
    await create('four', 16);
    expect(warnings).toEqual([expect.stringMatching(/may keep 7888 MB together, and the engine has room for 7872/)]);
    expect(about).toEqual([{}]);
  });
});

describe('A video file', () => {
  test('is read through ffmpeg into the cache, to its last frame', async () => {
    const file = await clips.make('short.mp4', ...testPicture(3, 25));
    const stream = await live.create({ name: 'file', source: { file, pace: 'fastest' } }, 'operator');
    let changes = 0;
    const stop = stream.onChange(() => changes++);
    await stream.ended();
    stop();
    expect(stream.status()).toMatchObject({
      name: 'file',
      source: `file ${basename(file)}`,
      fps: 2,
      firstMs: 0,
      lastMs: 2520,
      frames: 6,
      lateFrames: 0,
      cacheTokens: 60,
      memoryLimitBytes: 512 * 2 ** 20,
      sourceStatus: { state: 'ended', error: null },
    });
    expect(stream.status().cacheBytes).toBeGreaterThan(0);
    expect(changes).toBeGreaterThanOrEqual(6);
  });

  test('can be asked about while it plays and after its end, as of any moment', async () => {
    const file = await clips.make('asked.mp4', ...testPicture(4, 10));
    const stream = await live.create({ name: 'file', source: { file, pace: 'fastest' } }, 'operator');
    await vi.waitFor(() => {
      expect(stream.status().lastMs).not.toBeNull();
    }, 10_000);
    const early = await stream.converse().ask('what is shown now?').result;
    expect(early.asOfMs).toBeLessThanOrEqual(3500);
    await stream.ended();
    const past = await stream.converse().ask('what is shown now?', { asOfMs: 1700 }).result;
    expect(past.asOfMs).toBe(1500);
    const end = await stream.converse().ask('what is shown now?').result;
    expect(end.asOfMs).toBe(3500);
    expect(end.evidence.length).toBeGreaterThan(0);
    expect(end.evidence.every(({ startMs, endMs }) => startMs >= 0 && endMs <= 3500)).toBe(true);
    expect(end.firstTokenMs).toBeLessThanOrEqual(end.totalMs);
  });

  test('provides the pictures that the model saw, at any moment', async () => {
    const file = await clips.make('seen.mp4', ...testPicture(2, 10));
    const stream = await live.create({ name: 'file', source: { file, pace: 'fastest' } }, 'operator');
    await expect(stream.thumbnail()).rejects.toMatchObject({ code: 'stream_empty' });
    await stream.ended();
    const newest = await stream.thumbnail();
    expect(newest.timeMs).toBe(1500);
    expect(await sharp(newest.jpeg).metadata()).toMatchObject({ format: 'jpeg', width: 224, height: 224 });
    expect((await stream.thumbnail(700)).timeMs).toBe(500);
    expect((await stream.thumbnail(99_000)).timeMs).toBe(1500);
    await expect(stream.thumbnail(-1)).rejects.toMatchObject({ code: 'time_out_of_range', param: 't' });
  });

  test('ends only once its last frames are in the cache, even if its ffmpeg has exited', async () => {
    const file = await clips.make('tail.mp4', ...testPicture(2, 10));
    const ready = vi.spyOn(live.engine, 'ready', 'get').mockReturnValue(false);
    const seen: [string, number][] = [];
    try {
      const stream = await live.create({ name: 'file', source: { file, pace: 'fastest' } }, 'operator');
      stream.onChange(() => seen.push([stream.status().sourceStatus.state, stream.status().frames]));
      // It plays, and then ffmpeg exits; the engine takes no frame meanwhile.
      await vi.waitFor(() => {
        expect(seen).toHaveLength(2);
      }, 10_000);
      ready.mockRestore();
      await stream.ended();
    } finally {
      ready.mockRestore();
    }
    expect(seen.slice(0, 2)).toEqual([
      ['playing', 0],
      ['playing', 0],
    ]);
    expect(seen.find(([state]) => state === 'ended')).toEqual(['ended', 4]);
  });

  test('is asked about to its last frame by a standing question, even one that waits for the engine', async () => {
    const file = await clips.make('awaited.mp4', ...testPicture(2, 10));
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const { engine } = live;
    const take = engine.append.bind(engine);
    const append = vi.spyOn(engine, 'append').mockImplementation(async (...frame) => {
      await gate;
      return take(...frame);
    });
    const stream = await live.create({ name: 'file', source: { file, pace: 'fastest' } }, 'operator');
    let changes = 0;
    stream.onChange(() => changes++);
    await vi.waitFor(() => {
      expect(changes).toBe(2); // its ffmpeg has ended
    }, 10_000);
    const moments: number[] = [];
    const ends: (YocoError | null)[] = [];
    const missed = vi.fn();
    const converse = (): Conversation => {
      const conversation = stream.converse();
      const ask: Conversation['ask'] = (question, options) => {
        const answer = conversation.ask(question, options);
        answer.result.then(
          ({ asOfMs }) => moments.push(asOfMs),
          () => undefined,
        );
        return answer;
      };
      return { streams: conversation.streams, ask };
    };
    const question = new StandingQuestion(
      { question: 'what is shown now?', everyMs: 500, converse },
      { changed: () => undefined, ended: (error) => ends.push(error), asked: missed },
    );
    try {
      await vi.waitFor(() => {
        expect(missed).toHaveBeenCalledWith('missed', expect.anything());
      }, 10_000);
      open();
      await vi.waitFor(() => {
        expect(ends).toEqual([null]);
      }, 10_000);
      expect(moments.at(-1)).toBe(1500);
    } finally {
      question.close();
      append.mockRestore();
      open();
    }
  });

  test('whose frames were lost with the engine says so for good: no new ones will come', async () => {
    const file = await clips.make('lost.mp4', ...testPicture(1, 10));
    const stream = await live.create({ name: 'file', source: { file, pace: 'fastest' } }, 'operator');
    await stream.ended();
    const again = once(live.engine, 'ready', { signal: AbortSignal.timeout(50_000) });
    process.kill(live.engine.pid ?? 0, 'SIGKILL');
    await again;
    const lost = { code: 'stream_ended', retryable: false, detail: 'What it held was lost when the engine restarted.' };
    await expect(stream.converse().ask('what is this?').result).rejects.toMatchObject(lost);
    expect(thrown(() => momentMs('-1s', stream.status(), 'as_of'))).toMatchObject({ ...lost, param: 'stream' });
    const other = await pushed('other', 1);
    const both = live.converse(['other', 'file']);
    const detail = `It is "file". ${lost.detail}`;
    await expect(both.ask('what is this?').result).rejects.toMatchObject({ ...lost, param: 'streams', detail });
    const asOfWallMs = other.status().startedAtMs;
    expect(thrown(() => both.ask('what is this?', { asOfWallMs }))).toMatchObject({ ...lost, detail });
    // The server still has its pictures.
    expect((await stream.thumbnail()).timeMs).toBe(500);
  });

  test.each([
    ['that is missing', 'source_not_found', () => Promise.resolve(join(clips.path, 'nowhere.mp4'))],
    [
      'that is a text',
      'source_invalid',
      async () => {
        const file = join(clips.path, 'text.mp4');
        await writeFile(file, 'not a video');
        return file;
      },
    ],
    [
      'with sound only',
      'source_no_video',
      () => clips.make('sound.wav', '-f', 'lavfi', '-i', 'sine=frequency=440', '-t', '1'),
    ],
  ])('%s fails with its code, and other streams continue', async (_name, code, make) => {
    const other = await pushed('other', 1);
    const stream = await live.create({ name: 'bad', source: { file: await make(), pace: 'fastest' } }, 'operator');
    await expect(stream.ended()).rejects.toMatchObject({ code });
    expect(stream.status()).toMatchObject({
      firstMs: null,
      lastMs: null,
      frames: 0,
      sourceStatus: { state: 'failed' },
    });
    expect(stream.status().sourceStatus.error?.code).toBe(code);
    expect(warnings).toEqual([`Stream bad: ${stream.status().sourceStatus.error?.message ?? ''}`]);
    expect(about).toEqual([{ stream: 'bad', code }]);
    const why = stream.status().sourceStatus.error?.message ?? '';
    const none = { code: 'stream_ended', retryable: false, detail: `Its source gave no frame. ${why}` };
    await expect(stream.converse().ask('what is this?').result).rejects.toMatchObject({ ...none, param: 'stream' });
    await expect(stream.thumbnail()).rejects.toMatchObject(none);
    await expect(stream.snapshot(join(clips.path, 'bad.snap'))).rejects.toMatchObject(none);
    expect((await other.converse().ask('what is this?').result).asOfMs).toBe(0);
  });
});

describe('A push stream', () => {
  test('says when its picture last changed, which a frozen camera stops doing', async () => {
    const stream = await live.create({ name: 'frozen', source: { push: true } }, 'operator');
    expect(stream.status().pictureChangedMs).toBeNull();
    const shown: [picture: number, timeMs: number, changedMs: number][] = [
      [1, 0, 0],
      [2, 500, 500],
      [2, 1000, 500],
      [2, 60_000, 500],
      [1, 60_500, 60_500],
    ];
    for (const [picture, timeMs, changedMs] of shown) {
      await stream.push(await png(picture), timeMs);
      await vi.waitFor(() => {
        expect(stream.status()).toMatchObject({ lastMs: timeMs, pictureChangedMs: changedMs });
      });
    }
  });

  test('takes pictures with their times', async () => {
    const stream = await live.create({ name: 'push', source: { push: true } }, 'operator');
    expect(await stream.push(await png(0), 0)).toEqual({ accepted: true, timeMs: 0 });
    expect(await stream.push(await png(1), 1300)).toEqual({ accepted: true, timeMs: 1300 });
    expect(await stream.push(await png(2), 1300)).toEqual({ accepted: false, reason: 'out_of_order' });
    await expect(stream.push(Buffer.from('no picture'), 2000)).rejects.toMatchObject({ code: 'image_undecodable' });
    await vi.waitFor(() => {
      expect(stream.status()).toMatchObject({ frames: 2, lastMs: 1300, cacheTokens: 20 });
    }, 10_000);
    expect((await stream.converse().ask('what is this?').result).asOfMs).toBe(1300);
  });

  test('is the only kind that accepts pictures', async () => {
    const file = await clips.make('nopush.mp4', ...testPicture(1, 5));
    const stream = await live.create({ name: 'file', source: { file } }, 'operator');
    await expect(stream.push(await png(0))).rejects.toMatchObject({ code: 'stream_not_pushable' });
  });

  test('continues after an engine loss without its earlier frames, and its status says so', async () => {
    const stream = await pushed('push', 2);
    const { engine } = live;
    const again = once(engine, 'ready', { signal: AbortSignal.timeout(50_000) });
    process.kill(engine.pid ?? 0, 'SIGKILL');
    await once(engine, 'lost');
    expect(live.ready).toBe(false);
    expect(stream.status()).toMatchObject({ firstMs: null, lastMs: null, cacheTokens: 0 });
    await stream.push(await png(3), 5000); // waits for the engine
    await again;
    await vi.waitFor(() => {
      expect(stream.status()).toMatchObject({ firstMs: 5000, lastMs: 5000, cacheTokens: 10 });
    }, 10_000);
    expect([stream.pictures(), (await stream.thumbnail(600)).timeMs]).toEqual([{ firstMs: 0, lastMs: 5000 }, 500]);
    expect((await stream.converse().ask('what is this?').result).asOfMs).toBe(5000);
  });
});

describe('A recording', () => {
  /** One second before nine in the evening, in the time zone of this machine. */
  const RECORDED = new Date(2026, 0, 5, 20, 59, 59);
  const play = async (source: object): Promise<SourceStream> => {
    const file = await clips.make('recorded.mp4', ...testPicture(3, 25));
    return live.create({ name: 'tape', source: { file, ...source } }, 'operator');
  };
  const recorded = { pace: 'fastest', recorded_at: RECORDED.toISOString() };

  test('with a known date has its wall times, even when the clock of this machine is set', async () => {
    const now = Date.now.bind(Date);
    let setMs = 0;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + setMs);
    try {
      const stream = await play(recorded);
      stream.onChange(() => (setMs += 3_600_000));
      const status = { startedAtMs: RECORDED.getTime(), wallTimes: 'recorded' };
      expect(stream.status()).toMatchObject({ ...status, lastMs: null });
      await stream.ended();
      expect(stream.status()).toMatchObject({ ...status, lastMs: 2520 });
      expect(warnings).toEqual([]);
    } finally {
      clock.mockRestore();
    }
  });

  test('over HTTP has no date either, once it is known to be a recording', async () => {
    const clip = await readFile(await clips.make('served.mp4', ...testPicture(2, 10), '-movflags', '+faststart'));
    const server = createServer((_request, response) => response.end(clip));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/served.mp4`;
    try {
      const stream = await live.create({ name: 'tape', source: { url } }, 'operator');
      await stream.ended();
      expect(stream.status().wallTimes).toBe('unknown');
      const refused = thrown(() => stream.converse().ask('was there a dog today?'));
      expect(refused).toMatchObject({ code: 'time_out_of_range', param: 'question' });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('read in a loop as fast as possible has no date', async () => {
    const stream = await play({ loop: true, pace: 'fastest' });
    expect(stream.status().wallTimes).toBe('unknown');
    await live.delete('tape');
    expect((await play({ loop: true })).status().wallTimes).toBe('live');
  });

  test('with a known date can be asked about times of day', async () => {
    const stream = await play(recorded);
    await stream.ended();
    const ask = vi.spyOn(live.engine, 'ask');
    await stream.converse().ask('Was there a dog after 9 pm?').result;
    const [request] = ask.mock.calls[0] ?? [];
    ask.mockRestore();
    expect(request).toMatchObject({ question: 'Was there a dog?', streams: [{ sinceMs: 1_000, asOfMs: null }] });
    const early = { code: 'time_out_of_range', param: 'question' };
    expect(thrown(() => stream.converse().ask('Was there a dog before 8 pm?'))).toMatchObject(early);
  });

  test('without a date cannot be asked about times of day, unless it loops and so is shown now', async () => {
    const stream = await play({ pace: 'fastest' });
    const undated = { code: 'time_out_of_range', param: 'question' };
    expect(thrown(() => stream.converse().ask('Was there a dog after 9 pm?'))).toMatchObject(undated);
    await stream.ended();
    expect((await stream.converse().ask('Was there a dog after 0:01?').result).asOfMs).toBe(2520);
    await live.delete('tape');
    const looped = await play({ loop: true });
    await vi.waitFor(() => {
      expect(looped.status().lastMs).not.toBeNull();
    }, 20_000);
    expect((await looped.converse().ask('Was there a dog today?').result).text).toBeTypeOf('string');
  });
});

describe('A service with a time zone', () => {
  test('requires a time zone that exists', async () => {
    const start = Streams.start({ engine: { bundle: TINY_BUNDLE }, timeZone: 'Europe/Atlantis' });
    await expect(start).rejects.toMatchObject({ code: 'config_invalid', param: 'timeZone' });
  });
});

test('Pictures with capture times are asked about by those, and their stream starts with the first', async () => {
  const stream = await live.create({ name: 'push', source: { push: true } }, 'operator');
  const began = Date.now() - 86_400_000;
  for (const i of [0, 1, 2]) {
    const outcome = await stream.push(await png(i), new Date(began + i * 30_000));
    expect(outcome).toEqual({ accepted: true, timeMs: i * 30_000 });
    expect(stream.status().startedAtMs).toBe(began);
  }
  await vi.waitFor(() => {
    expect(stream.status().frames).toBe(3);
  }, 10_000);
  const { asOfMs } = await stream.converse().ask('what is shown?', { asOfWallMs: began + 45_000 }).result;
  expect([asOfMs, stream.status().startedAtMs]).toEqual([30_000, began]);
});

/** `more` shifts which of several polls would be the first to see the engine ready. */
test.each([0, 1])(
  'Frames that wait for the engine enter it in order, whichever poll first sees it ready (%i)',
  async (more) => {
    const stream = await pushed('push', 1);
    const append = vi.spyOn(live.engine, 'append');
    let left = Infinity;
    const ready = vi.spyOn(live.engine, 'ready', 'get').mockImplementation(() => left-- <= 0);
    try {
      for (const timeMs of [1000, 1500, 2000]) await stream.push(await png(1), timeMs);
      await new Promise((resolve) => setTimeout(resolve, 200)); // until as many frames wait as can
      left = 2 + more;
      await vi.waitFor(() => {
        expect(stream.status()).toMatchObject({ frames: 4, lateFrames: 0, lastMs: 2000 });
      }, 10_000);
      expect(append.mock.calls.map(([, timeMs]) => timeMs)).toEqual([1000, 1500, 2000]);
    } finally {
      ready.mockRestore();
      append.mockRestore();
    }
  },
);

test('Wall times follow a wall clock that is set while a stream runs, and the log says so once', async () => {
  const stream = await pushed('push', 1);
  const began = stream.status().startedAtMs;
  const now = Date.now.bind(Date);
  let setMs = 0;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + setMs);
  const moved = async (frame: number): Promise<number> => {
    await stream.push(await png(frame), frame * 500);
    await vi.waitFor(() => {
      expect(stream.status().frames).toBe(frame + 1);
    }, 10_000);
    return Math.round((stream.status().startedAtMs - began) / 1_000);
  };
  try {
    setMs = 500; // counts as drift
    expect([await moved(1), stream.status().startedAtMs]).toEqual([0, began]);
    setMs = 3_600_000;
    expect([await moved(2), await moved(3)]).toEqual([3_600, 3_600]);
    expect(warnings).toEqual([
      'Stream push: the wall clock jumped 3600.0 s forward; the wall times of all its frames moved with it.',
    ]);
    setMs = 0;
    expect(await moved(4)).toBeCloseTo(0); // a millisecond less rounds to -0
    expect(warnings[1]).toContain('3600.0 s back');
  } finally {
    clock.mockRestore();
  }
});

test('A stream whose first frame waits for the engine starts when that frame arrived', async () => {
  const { engine } = live;
  const again = once(engine, 'ready', { signal: AbortSignal.timeout(50_000) });
  process.kill(engine.pid ?? 0, 'SIGKILL');
  await once(engine, 'lost');
  const stream = await live.create({ name: 'push', source: { push: true } }, 'operator');
  await stream.push(await png(0));
  const pushedAtMs = Date.now();
  await again;
  await vi.waitFor(() => {
    expect(stream.status().frames).toBe(1);
  }, 10_000);
  expect(stream.status().startedAtMs).toBeLessThanOrEqual(pushedAtMs);
});

test('A stream starts when its first picture arrives, however long that takes to decode', async () => {
  const large = await sharp(randomBytes(3_000 * 2_000 * 3), { raw: { width: 3_000, height: 2_000, channels: 3 } })
    .jpeg()
    .toBuffer();
  const stream = await live.create({ name: 'push', source: { push: true } }, 'operator');
  const pushedAtMs = Date.now();
  await stream.push(large);
  const decodedAtMs = Date.now();
  await vi.waitFor(() => {
    expect(stream.status().frames).toBe(1);
  }, 10_000);
  expect(stream.status().startedAtMs - pushedAtMs).toBeLessThan((decodedAtMs - pushedAtMs) / 2);
});

describe('A camera that cannot be reached', () => {
  test('is reported as soon as it is waited for, before any frame', async () => {
    const url = `rtsp://127.0.0.1:${await freePort()}/`;
    const stream = await live.create({ name: 'camera', source: { url } }, 'operator');
    const states: string[] = [];
    stream.onChange(() => states.push(stream.status().sourceStatus.state));
    await vi.waitFor(() => {
      expect(states).toContain('reconnecting');
    }, 20_000);
    expect(stream.status()).toMatchObject({ frames: 0, sourceStatus: { error: { code: 'source_unreachable' } } });
  });

  test('makes questions fail, each with the reason', async () => {
    await pushed('other', 1);
    const url = `rtsp://127.0.0.1:${await freePort()}/`;
    const stream = await live.create({ name: 'camera', source: { url } }, 'operator');
    await vi.waitFor(() => {
      expect(stream.status().sourceStatus.state).toBe('reconnecting');
    }, 20_000);
    const { message } = stream.status().sourceStatus.error ?? {};
    expect(message).toMatch(/^The source cannot be reached\. ffmpeg: [^?*]*127\.0\.0\.1:\d+[^?*]*$/);
    const why = { code: 'stream_empty', retryable: true, detail: message };
    await expect(stream.converse().ask('what is this?').result).rejects.toMatchObject({ ...why, param: 'stream' });
    expect(thrown(() => momentMs('-1s', stream.status(), 'as_of'))).toMatchObject({ ...why, param: 'stream' });
    await expect(stream.thumbnail()).rejects.toMatchObject(why);
    const both = live.converse(['other', 'camera']).ask('what is this?').result;
    const named = `It is "camera". ${message ?? ''}`;
    await expect(both).rejects.toMatchObject({ ...why, param: 'streams', detail: named });
  });

  test('is not mentioned in errors once it plays', () => {
    const error = { code: 'source_unreachable', message: 'The source cannot be reached.' };
    const sourceStatus = { state: 'playing', frames: 1, dropped: 0, reconnects: 1, error } as const;
    const status = { frames: 1, lateFrames: 0, lastMs: null, sourceStatus };
    expect(noFrameError(status)).toMatchObject({ code: 'stream_empty', detail: '' });
  });

  test('is logged once, however often it is retried, and again when it is back', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/video`;
    const stream = await live.create({ name: 'camera', source: { url } }, 'operator');
    await vi.waitFor(() => {
      expect(stream.status().sourceStatus.reconnects).toBeGreaterThan(1);
    }, 20_000);
    expect(warnings).toEqual([expect.stringMatching(/^Stream camera: .*cannot be reached.*source_unreachable/)]);
    expect(about).toEqual([{ stream: 'camera', code: 'source_unreachable' }]);
    const jpeg = await redJpeg();
    const camera = createServer((_request, response) => {
      sendPictures(response, jpeg, 50);
    }).listen(port, '127.0.0.1');
    try {
      await vi.waitFor(() => {
        expect(warnings.at(-1)).toBe('Stream camera: its source is back.');
        expect(about.at(-1)).toEqual({ stream: 'camera' });
      }, 20_000);
    } finally {
      await live.delete('camera');
      camera.closeAllConnections();
      camera.close();
    }
  });
});

describe('A definition', () => {
  test.each([
    [null, null],
    ['push', null],
    [{ name: 'x' }, 'source'],
    [{ name: 'x', source: {} }, 'source'],
    [{ name: 'x', source: { push: true, file: 'a.mp4' } }, 'source'],
    [{ name: 'No Spaces', source: { push: true } }, 'name'],
    [{ source: { push: true } }, 'name'],
    [{ name: 'x', source: { push: true }, sampling: { fps: 0 } }, 'sampling.fps'],
    [{ name: 'x', source: { push: true }, memory: { limit_mb: 1 } }, 'memory.limit_mb'],
    [{ name: 'x', source: { push: true }, memory: { limit_mb: 8193 } }, 'memory.limit_mb'],
    [{ name: 'x', source: { push: true }, colour: 'red' }, 'colour'],
  ])('%j is refused, and the error names the field: %j', async (definition, param) => {
    await expect(live.create(definition, 'operator')).rejects.toMatchObject({ code: 'definition_invalid', param });
    expect(live.list()).toEqual([]);
  });

  test('from a client may name only what the configuration allows', async () => {
    const file = await clips.make('allowed.mp4', ...testPicture(1, 5));
    await live.create({ name: 'inside', source: { file } }, 'client');
    await expect(live.create({ name: 'outside', source: { file: '/etc/hostname' } }, 'client')).rejects.toMatchObject({
      code: 'source_forbidden',
    });
    const url = 'http://192.0.2.1/a.m3u8';
    await expect(live.create({ name: 'url', source: { url } }, 'client')).rejects.toMatchObject({
      code: 'source_forbidden',
    });
    expect(live.list().map(({ name }) => name)).toEqual(['inside']);
  });

  test('is refused when its name is taken, or the stream limit is reached', async () => {
    for (let i = 0; i < 6; i++) await live.create({ name: `s${i}`, source: { push: true } }, 'operator');
    await expect(live.create({ name: 's0', source: { push: true } }, 'operator')).rejects.toMatchObject({
      code: 'stream_exists',
      param: 'name',
    });
    await expect(live.create({ name: 's6', source: { push: true } }, 'operator')).rejects.toMatchObject({
      code: 'stream_limit',
      retryable: true,
    });
  });
});

describe('A deleted stream', () => {
  test('reports that it stopped, even when its source had ended', async () => {
    const file = await clips.make('ended.mp4', ...testPicture(1, 5));
    const stream = await live.create({ name: 'ended', source: { file } }, 'operator');
    await stream.ended();
    const states: string[] = [];
    stream.onChange(() => states.push(stream.status().sourceStatus.state));
    await live.delete('ended');
    expect(states.at(-1)).toBe('stopped');
  });

  test('is gone, and answers about it in progress fail', async () => {
    const stream = await pushed('gone', 2);
    const asked = Array.from({ length: 20 }, (_, seed) =>
      stream.converse().ask('what is this?', { temperature: 1, seed }).result.catch(codeOf),
    );
    await live.delete('gone');
    const outcomes = await Promise.all(asked);
    expect(outcomes).toContain('stream_deleted');
    expect(outcomes.filter((outcome) => typeof outcome === 'string' && outcome !== 'stream_deleted')).toEqual([]);
    expect(thrown(() => live.get('gone'))).toMatchObject({ code: 'stream_not_found', param: 'stream' });
    await expect(live.delete('gone')).rejects.toMatchObject({ code: 'stream_not_found' });
    await expect(stream.push(await png(0))).rejects.toMatchObject({ code: 'stream_deleted' });
  });

  test('ends its conversations, which never ask a later stream of its name', async () => {
    const conversation = (await pushed('renewed', 1)).converse();
    await conversation.ask('what is this?').result;
    await live.delete('renewed');
    await pushed('renewed', 1);
    expect(thrown(() => conversation.ask('what is this?'))).toMatchObject({ code: 'stream_deleted' });
    await live.delete('renewed');
  });

  test('frees its name at once for a stream that begins empty', async () => {
    const file = await clips.make('again.mp4', ...testPicture(5, 25));
    await live.create({ name: 'again', source: { file } }, 'operator');
    await pushed('other', 1);
    const { pid } = live.engine;
    for (let i = 0; i < 5; i++) {
      const deleted = live.delete('again');
      const next = await live.create({ name: 'again', source: { push: true } }, 'operator');
      await deleted;
      expect(next.status().frames).toBe(0);
      await next.push(await png(i), 0);
      await vi.waitFor(() => {
        expect(next.status()).toMatchObject({ frames: 1, lateFrames: 0, cacheTokens: 10 });
      }, 10_000);
    }
    expect(live.engine.pid).toBe(pid);
  });
});

describe('A conversation', () => {
  test.each(['', '   ', '\n'])('refuses the empty question %j', async (question) => {
    const stream = await pushed('s', 1);
    expect(thrown(() => stream.converse().ask(question))).toMatchObject({ code: 'question_empty', param: 'question' });
  });

  test('refuses 10,000 characters with the limit, and accepts a question as long as the limit', async () => {
    const stream = await pushed('s', 1);
    const error = thrown(() => stream.converse().ask('why '.repeat(2500)));
    expect(error).toMatchObject({
      code: 'question_too_long',
      param: 'question',
      detail: `It has 10000 characters; the limit is ${QUESTION_MAX_CHARS}.`,
    });
    const longest = 'a '.repeat(QUESTION_MAX_CHARS / 2);
    expect((await stream.converse().ask(longest, { maxTokens: 1 }).result).outputTokens).toBe(1);
  });

  test('reads the part that a question names, asks without its time, and remembers what was asked', async () => {
    const conversation = (await pushed('s', 8)).converse();
    const ask = vi.spyOn(live.engine, 'ask');
    const { streams } = await conversation.ask('Was there a dog in the last 2 seconds?').result;
    expect(streams).toEqual([{ name: 's', asOfMs: 3_500, sinceMs: 1_500 }]);
    const earlier = await conversation.ask('And a cat before 0:02?').result;
    expect(earlier.streams).toEqual([{ name: 's', asOfMs: 2_000, sinceMs: null }]);
    const [first, second] = ask.mock.calls.map(([request]) => request);
    ask.mockRestore();
    expect([first?.question, second?.question]).toEqual(['Was there a dog?', 'And a cat?']);
    expect(second?.turns).toMatchObject([{ question: 'Was there a dog?', timeMs: 3_500 }]);
  });

  test('repeats the question before when a question names only another time', async () => {
    const conversation = (await pushed('s', 8)).converse();
    const ask = vi.spyOn(live.engine, 'ask');
    await conversation.ask('Was there a dog in the last 2 seconds?').result;
    const { streams } = await conversation.ask('And before 0:02?').result;
    expect(streams).toEqual([{ name: 's', asOfMs: 2_000, sinceMs: null }]);
    const turns = [{ question: 'Was there a cat at 0:01?', answer: 'no' }];
    await conversation.ask('and in the last second?', { turns }).result;
    const asked = ask.mock.calls.map(([request]) => request.question);
    ask.mockRestore();
    expect(asked).toEqual(['Was there a dog?', 'Was there a dog?', 'Was there a cat?']);
  });

  test.each([
    ['temperature', { temperature: -1 }],
    ['temperature', { temperature: 3 }],
    ['topP', { topP: 0 }],
    ['topP', { topP: NaN }],
    ['maxTokens', { maxTokens: 0 }],
  ])('refuses a wrong %s', async (param, options) => {
    const stream = await pushed('s', 1);
    expect(thrown(() => stream.converse().ask('what?', options))).toMatchObject({ code: 'invalid_request', param });
  });

  test('refuses earlier turns too long for any question, before they are encoded', async () => {
    const conversation = (await pushed('s', 1)).converse();
    const turn = (chars: number) => ({ question: 'why?', answer: 'é'.repeat(chars - 4) });
    const many = [turn(50_000), ...Array.from({ length: MAX_TURNS }, () => turn(TURNS_MAX_CHARS / MAX_TURNS))];
    expect(thrown(() => conversation.ask('what?', { turns: [...many, turn(5_000)] }))).toMatchObject({
      code: 'conversation_full',
      detail: 'Its last 8 turns have 12000 characters; the limit is 8000.',
    });
    // The oldest turns are dropped first, and the conversation is free for the next question.
    const { result } = conversation.ask('what?', { turns: many });
    await expect(result).rejects.toMatchObject({ code: 'conversation_full' });
  });

  test('takes one question at a time', async () => {
    const stream = await pushed('s', 1);
    const conversation = stream.converse();
    const answer = conversation.ask('what is this?');
    expect(thrown(() => conversation.ask('and now?'))).toMatchObject({ code: 'response_in_progress', retryable: true });
    expect((await stream.converse().ask('what is this?').result).outputTokens).toBeGreaterThan(0);
    await answer.result;
    await conversation.ask('and now?').result;
  });

  test('remembers its turns and forgets the oldest', async () => {
    const stream = await pushed('s', 2);
    const conversation = stream.converse();
    const tokens: number[] = [];
    for (let i = 0; i < MAX_TURNS + 3; i++) {
      tokens.push((await conversation.ask('have you seen a dog?', { maxTokens: 1 }).result).inputTokens);
    }
    expect(tokens[1]).toBeGreaterThan(tokens[0] ?? Infinity);
    expect(tokens[2]).toBeGreaterThan(tokens[1] ?? Infinity);
    expect(tokens[MAX_TURNS + 2]).toBe(tokens[MAX_TURNS]);
    expect((await stream.converse().ask('have you seen a dog?', { maxTokens: 1 }).result).inputTokens).toBe(tokens[0]);
  });

  test('streams pieces of an answer that add up to its text', async () => {
    const stream = await pushed('s', 2);
    const answer = stream.converse().ask('what is this?', { temperature: 1, seed: 3 });
    let text = '';
    for await (const piece of answer) text += piece;
    expect(text).toBe((await answer.result).text);
  });

  test('cancels by a signal, even one already aborted, and can continue', async () => {
    const stream = await pushed('s', 2);
    const conversation = stream.converse();
    const controller = new AbortController();
    controller.abort();
    const cancelled = await conversation.ask('what is this?', { signal: controller.signal }).result;
    expect(cancelled.finish).toBe('cancelled');
    const next = await conversation.ask('what is this?', { maxTokens: 1 }).result;
    const fresh = await stream.converse().ask('what is this?', { maxTokens: 1 }).result;
    expect(next.inputTokens).toBe(fresh.inputTokens); // a cancelled question is no turn
  });

  test('fails the answer when its moment is out of range', async () => {
    const stream = await pushed('s', 2);
    const answer = stream.converse().ask('what is this?', { asOfMs: 10_000 });
    await expect(answer.result).rejects.toMatchObject({ code: 'time_out_of_range' });
    await expect(
      (async () => {
        for await (const piece of answer) expect(piece).toBeUndefined();
      })(),
    ).rejects.toMatchObject({ code: 'time_out_of_range' });
  });

  test.each(['что это?', 'これは何', '🐶'])('accepts another script: %s', async (question) => {
    const stream = await pushed('s', 1);
    expect((await stream.converse().ask(question).result).inputTokens).toBeGreaterThan(2);
  });
});

describe('The pictures of a stream', () => {
  test('are in the order of their times, however long each took to compress', async () => {
    const thumbnails = new Thumbnails({ size: 224, limitBytes: 2 ** 24 });
    const noise = Uint8Array.from({ length: 224 * 224 * 3 }, (_, i) => (i * 7919) % 251);
    const frames = Array.from({ length: 12 }, (_, i) => ({
      timeMs: i * 500,
      rgb: i % 2 === 0 ? noise : new Uint8Array(224 * 224 * 3),
    }));
    await Promise.all(frames.map((frame) => thumbnails.add(frame)));
    expect(frames.map(({ timeMs }) => thumbnails.at(timeMs + 1).timeMs)).toEqual(frames.map(({ timeMs }) => timeMs));
  });

  test('stay within their byte limit: the oldest are dropped, the newest is kept', async () => {
    const thumbnails = new Thumbnails({ size: 224, limitBytes: 10_000 });
    for (let i = 0; i < 20; i++) await thumbnails.add({ timeMs: i * 500, rgb: picture(i) });
    expect(thumbnails.at().timeMs).toBe(9500);
    expect(() => thumbnails.at(0)).toThrow(/first kept picture/);
    const none = new Thumbnails({ size: 224, limitBytes: 0 });
    await none.add({ timeMs: 0, rgb: picture(0) });
    expect(none.at().timeMs).toBe(0);
  });
});
