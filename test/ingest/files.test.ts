import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';
import type { Frame } from '../../src/ingest/frame.ts';
import { clipFolder, redAndBlue, rotateMp4, testPicture, type ClipFolder } from '../support/clips.ts';
import { running, type RunningProcess } from '../support/processes.ts';
import { colourAt, open, openFile, SIZE, take, times, until } from './play.ts';

let clips: ClipFolder;
beforeAll(async () => {
  clips = await clipFolder();
});
afterAll(() => clips.remove());

describe('A file', () => {
  test('is sampled exactly on average, starts at 0 with its first frame, and then ends', async () => {
    const source = openFile(await clips.make('25.mp4', ...testPicture(3, 25)));
    const frames = await take(source);
    expect(times(frames)).toEqual([0, 520, 1000, 1520, 2000, 2520]);
    expect(frames.every(({ rgb }) => rgb.length === SIZE * SIZE * 3)).toBe(true);
    expect(source.status).toEqual({ state: 'ended', frames: 6, dropped: 0, reconnects: 0, error: null });
  });

  test('of 1 frame a second yields each of them once', async () => {
    expect(times(await take(openFile(await clips.make('1.mp4', ...testPicture(4, 1)))))).toEqual([0, 1000, 2000, 3000]);
  });

  test('of 120 frames a second is sampled at the lower rate', async () => {
    const frames = await take(openFile(await clips.make('120.mp4', ...testPicture(2, 120)), 10));
    expect(times(frames)).toEqual(Array.from({ length: 20 }, (_, index) => index * 100));
  });

  test('whose times begin late starts at 0', async () => {
    const file = await clips.make('late.mkv', ...testPicture(2, 10), '-output_ts_offset', '100');
    expect(times(await take(openFile(file, 1)))).toEqual([0, 1000]);
  });

  test('of a variable frame rate keeps its times', async () => {
    const drop = ['-vf', "select='not(between(t,0.95,2.45))'", '-vsync', 'vfr'];
    const file = await clips.make('vfr.mkv', ...testPicture(4, 10), ...drop);
    expect(times(await take(openFile(file)))).toEqual([0, 500, 2500, 3000, 3500]);
  });

  test.each(['odd.gif', 'odd.mkv'])('of an odd size is read: %s', async (name) => {
    const input = ['-f', 'lavfi', '-i', 'testsrc=size=101x77:rate=10', '-t', '2'];
    const file = await clips.make(name, ...input, ...(name.endsWith('gif') ? [] : ['-pix_fmt', 'yuv444p']));
    expect(times(await take(openFile(file)))).toEqual([0, 500, 1000, 1500]);
  });

  test.each([
    ['with each', (i: number) => i % 2 === 0, [0, 520, 1000, 1520, 2000, 2520, 3000, 3520]],
    // The sampling slots restart at the change.
    ['once', (i: number) => i < 37, [0, 520, 1000, 2000, 2480, 3000, 3480]],
  ])('whose frame size changes %s is sampled no faster', async (_name, isSmall, expected) => {
    const jpeg = (width: number, height: number): Promise<Buffer> =>
      sharp({ create: { width, height, channels: 3, background: 'red' } })
        .jpeg()
        .toBuffer();
    const [small, large] = await Promise.all([jpeg(64, 48), jpeg(80, 60)]);
    const file = join(clips.path, 'sizes.mjpeg');
    await writeFile(file, Buffer.concat(Array.from({ length: 100 }, (_, i) => (isSmall(i) ? small : large))));
    const source = openFile(file);
    expect(times(await take(source))).toEqual(expected);
    expect(source.status.frames).toBe(expected.length);
  });

  test('keeps its colours, squashed to a square', async () => {
    const [frame] = await take(openFile(await clips.make('colours.mp4', ...redAndBlue(1, 5))));
    expect([colourAt(frame, 0.1, 0.1), colourAt(frame, 0.4, 0.9)]).toEqual(['red', 'red']);
    expect([colourAt(frame, 0.6, 0.1), colourAt(frame, 0.9, 0.9)]).toEqual(['blue', 'blue']);
  });

  test('of a phone held upright is rotated', async () => {
    const file = await clips.make('rotated.mp4', ...redAndBlue(1, 5));
    await rotateMp4(file);
    const [frame] = await take(openFile(file));
    expect([colourAt(frame, 0.1, 0.1), colourAt(frame, 0.9, 0.1)]).toEqual(['red', 'red']);
    expect([colourAt(frame, 0.1, 0.9), colourAt(frame, 0.9, 0.9)]).toEqual(['blue', 'blue']);
  });

  test('with a misleading title keeps its times', async () => {
    const title = ['-metadata', 'title=n: 0 pts: 77 pts_time:77 config in time_base: 1/3'];
    const file = await clips.make('title.mkv', ...testPicture(2, 10), ...title);
    expect(times(await take(openFile(file, 1)))).toEqual([0, 1000]);
  });

  test('waits for a slow reader without losing frames, and its ffmpeg does not count as hung', async () => {
    const file = await clips.make('slow.mp4', ...testPicture(10, 10));
    const source = open({ file, pace: 'fastest' }, 10, { hungAfterMs: 300 });
    let count = 0;
    for await (const frame of source.frames()) {
      expect(frame.timeMs).toBe(count * 100);
      if (count === 0) await new Promise((resolve) => setTimeout(resolve, 1000));
      count += 1;
    }
    expect(count).toBe(100);
    expect(source.status.dropped).toBe(0);
  });

  test('plays in real time when asked to, and its clock continues when it loops', async () => {
    const file = await clips.make('loop.mp4', ...testPicture(1, 10));
    const startedAt = performance.now();
    const played: number[] = [];
    // The clock follows the frames, so that the time it takes to reopen the file does not show.
    let now = 0;
    for await (const { timeMs } of open({ file, loop: true }, 2, { clock: () => now }).frames()) {
      played.push(timeMs);
      now = timeMs + 500;
      if (played.length === 5) break;
    }
    expect(played).toEqual([0, 500, 1000, 1500, 2000]);
    expect(performance.now() - startedAt).toBeGreaterThan(1300);
  });

  test('looped in real time never runs ahead of the clock, however short it is, and stops at once', async () => {
    const file = await clips.make('one.mp4', ...testPicture(0.1, 10));
    const source = open({ file, loop: true }, 2);
    const startedAt = performance.now();
    const played: number[] = [];
    for await (const { timeMs } of source.frames()) {
      expect(timeMs).toBeLessThanOrEqual(performance.now() - startedAt);
      played.push(timeMs);
      if (played.length === 3) break;
    }
    expect(Math.min(...played.slice(1).map((time, i) => time - (played[i] ?? 0)))).toBeGreaterThanOrEqual(500);

    const slow = open({ file, loop: true }, 0.1);
    const frames = slow.frames()[Symbol.asyncIterator]();
    await frames.next();
    const stoppedAt = performance.now();
    await slow.stop();
    // Sooner than the next round begins.
    expect(performance.now() - stoppedAt).toBeLessThan(8_000);
    expect((await frames.next()).done).toBe(true);
  });

  test('of two concatenated recordings plays to its end', async () => {
    const half = await readFile(await clips.make('half.mkv', ...testPicture(2, 10)));
    const file = join(clips.path, 'halves.mkv');
    await writeFile(file, Buffer.concat([half, half]));
    const whole = [0, 500, 1000, 1500, 2000, 2500, 3000, 3500];
    // ffmpeg 4 reads only the first of them.
    const isOld = (await findFfmpeg()).libavformat[0] < 59;
    expect(times(await take(openFile(file)))).toEqual(isOld ? whole.slice(0, 4) : whole);
  });

  test('looped in real time does not fall behind when it is reopened, as one that is read faster may', async () => {
    const file = await clips.make('opened.mp4', ...testPicture(1, 10));
    for (const [pace, second] of [
      ['realtime', 5_000],
      ['fastest', 1_000],
    ] as const) {
      let now = 0;
      const source = open({ file, loop: true, pace }, 1, { clock: () => now });
      const first: number[] = [];
      for await (const { timeMs } of source.frames()) {
        first.push(timeMs);
        now = 5_000; // reopening the file takes until then
        if (first.length === 2) break;
      }
      expect(first).toEqual([0, second]);
    }
  });

  test('looped in real time resumes a stream as of now, like a live source', async () => {
    const file = await clips.make('goes-on.mp4', ...testPicture(1, 10));
    const resumeFrom = { lastMs: 60_000, startedAtMs: Date.now() - 3_600_000 };
    const first = async (source: object): Promise<number | undefined> =>
      times(await take(open({ file, ...source }, 2, { resumeFrom }), 1))[0];
    const looped = await first({ loop: true });
    expect(looped).toBeGreaterThanOrEqual(3_600_000);
    expect(looped).toBeLessThanOrEqual(Date.now() - resumeFrom.startedAtMs);
    // The others have only their own time.
    expect(await first({})).toBe(60_500);
    expect(await first({ loop: true, pace: 'fastest' })).toBe(60_500);
  });

  test('that is looped restarts when its ffmpeg was killed', async () => {
    const file = await clips.make('killed.mp4', ...testPicture(20, 10));
    const source = open({ file, loop: true });
    const frames: Frame[] = [];
    const reading = (async () => {
      for await (const frame of source.frames()) frames.push(frame);
    })();
    for (const [i, signal] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
      await until(source, ({ state, frames: count }) => state === 'playing' && count > i);
      for (const { pid } of await ffmpegsWith(file)) process.kill(pid, signal);
      await until(source, ({ reconnects }) => reconnects > i);
      expect(source.status).toMatchObject({ reconnects: i + 1, error: { code: 'ffmpeg_failed' } });
    }
    const before = frames.length;
    await until(source, ({ frames: count }) => count >= before + 2);
    await source.stop();
    await reading;
    const steps = times(frames)
      .slice(1)
      .map((time, i) => time - (times(frames)[i] ?? 0));
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(500);
  });

  test.skipIf(process.platform === 'win32')(
    'that is looped is retried when ffmpeg cannot be started once',
    async () => {
      const script = join(clips.path, 'once-ffmpeg');
      await writeFile(script, `#!/bin/sh\nexec '${(await findFfmpeg()).path}' "$@"\n`);
      await chmod(script, 0o755);
      vi.stubEnv('YOCO_FFMPEG', script);
      const source = open({ file: await clips.make('once.mp4', ...testPicture(1, 10)), loop: true });
      const reading = take(source).catch(() => undefined);
      await until(source, ({ frames }) => frames > 0);
      await rm(script);
      await until(source, ({ error }) => error !== null);
      expect(source.status).toMatchObject({ state: 'reconnecting', error: { code: 'ffmpeg_missing' } });
      vi.unstubAllEnvs();
      await source.stop();
      await reading;
    },
  );

  test.each([
    ['cut.mp4', ['-movflags', '+faststart']],
    ['cut.mkv', []],
  ])('that was cut short plays as far as it goes, and reports that: %s', async (name, options) => {
    const file = await clips.make(name, ...testPicture(4, 10), ...options);
    const whole = await readFile(file);
    const warnings: object[] = [];
    const onWarning = (message: string, code?: string): void => void warnings.push({ code, message });
    const source = open({ file, pace: 'fastest' }, 2, { onWarning });
    expect(await take(source)).toHaveLength(8);
    expect([source.status.error, warnings]).toEqual([null, []]);

    await writeFile(file, whole.subarray(0, whole.length / 2));
    const cut = open({ file, pace: 'fastest' }, 2, { onWarning });
    expect((await take(cut)).length).toBeGreaterThan(0);
    expect(cut.status).toMatchObject({ state: 'ended', error: { code: 'source_incomplete' } });
    expect(warnings).toEqual([cut.status.error]);

    const looped = open({ file, pace: 'fastest', loop: true }, 2, { onWarning });
    const round = cut.status.frames;
    const frames = await take(looped, 3 * round);
    expect(warnings).toHaveLength(2);
    // A round ends with its last picture, not where the whole file would have ended.
    expect(times(frames).at(-1)).toBe((3 * round - 1) * 500);
  });

  test('stops together with its ffmpeg, even when nobody takes its frames', async () => {
    const file = await clips.make('stop.mp4', ...testPicture(20, 10));
    const source = open({ file, pace: 'fastest', loop: true }, 30);
    const iterator = source.frames()[Symbol.asyncIterator]();
    await iterator.next();
    await source.stop();
    expect(source.status.state).toBe('stopped');
    expect((await iterator.next()).done).toBe(true);
    expect(await ffmpegsWith(file)).toEqual([]);
  });

  test('that is looped restarts when its ffmpeg hangs', async () => {
    const file = await clips.make('hangs.mp4', ...testPicture(1, 10));
    const source = open({ file, loop: true }, 2, { hungAfterMs: 1_000 });
    const frames: Frame[] = [];
    const reading = (async () => {
      for await (const frame of source.frames()) frames.push(frame);
    })();
    await until(source, ({ frames: count }) => count > 0);
    for (const { pid } of await ffmpegsWith(file)) process.kill(pid, 'SIGSTOP');
    await until(source, ({ reconnects }) => reconnects > 0);
    expect(source.status).toMatchObject({ state: 'reconnecting', error: { code: 'source_silent' } });
    const before = frames.length;
    await until(source, ({ frames: count }) => count >= before + 2);
    await source.stop();
    await reading;
  });

  test('fails when its ffmpeg hangs', async () => {
    const source = open({ file: await clips.make('hangs-once.mp4', ...testPicture(9, 10)) }, 2, { hungAfterMs: 1_000 });
    const taken = take(source);
    const failed = expect(taken).rejects.toMatchObject({ code: 'source_silent' });
    await until(source, ({ frames: count }) => count > 0);
    for (const { pid } of await ffmpegsWith('hangs-once.mp4')) process.kill(pid, 'SIGSTOP');
    await failed;
    expect(source.status.state).toBe('failed');
  });

  test('that is a pipe waits for its writer', async () => {
    const video = await clips.make('piped.mkv', ...testPicture(2, 10));
    const file = join(clips.path, 'pipe.mkv');
    await promisify(execFile)('mkfifo', [file]);
    const source = open({ file, pace: 'fastest' }, 2, { hungAfterMs: 300 });
    const taken = take(source);
    await sleep(1_500);
    expect(source.status.state).toBe('connecting');
    await pipeline(createReadStream(video), createWriteStream(file));
    expect(times(await taken)).toEqual([0, 500, 1_000, 1_500]);
  });

  test('played in real time does not count as hung while its next picture is not due', async () => {
    const gap = ['-vf', "select='not(between(t,0.95,3.95))'", '-vsync', 'vfr'];
    const source = open({ file: await clips.make('gap.mkv', ...testPicture(5, 10), ...gap) }, 2, { hungAfterMs: 500 });
    expect(times(await take(source))).toEqual([0, 500, 4000, 4500]);
  });

  test('stops when the loop over its frames is left', async () => {
    const file = await clips.make('leave.mp4', ...testPicture(5, 10));
    const source = open({ file });
    expect(await take(source, 1)).toHaveLength(1);
    expect(source.status.state).toBe('stopped');
    expect(await ffmpegsWith(file)).toEqual([]);
  });

  test('can be stopped before it is read', async () => {
    const source = openFile('/nowhere.mp4');
    await source.stop();
    expect(source.status.state).toBe('stopped');
    expect(await take(source)).toEqual([]);
  });
});

describe('Playback fails for good for', () => {
  const failure = async (file: string): Promise<{ code: string; message: string }> => {
    const source = openFile(file);
    const error = await take(source).then(
      () => null,
      (reason: unknown) => reason as { code: string; message: string },
    );
    expect(source.status).toMatchObject({ state: 'failed', error: { code: error?.code, message: error?.message } });
    return error as { code: string; message: string };
  };

  test('a missing file', async () => {
    expect(await failure('/nowhere/a.mp4')).toMatchObject({
      code: 'source_not_found',
      message: 'The source does not exist. ffmpeg: a.mp4: No such file or directory.',
    });
    // Even when looped: it never gave a frame.
    await expect(take(open({ file: '/nowhere/a.mp4', loop: true }))).rejects.toMatchObject({
      code: 'source_not_found',
    });
  });

  test('a text named .mp4', async () => {
    const file = join(clips.path, 'text.mp4');
    await writeFile(file, 'This is no video. '.repeat(100));
    const error = await failure(file);
    expect(error).toMatchObject({ code: 'source_invalid' });
    expect(error.message).not.toContain(clips.path);
  });

  test('an empty file, and a folder', async () => {
    await writeFile(join(clips.path, 'empty.mp4'), '');
    expect(await failure(join(clips.path, 'empty.mp4'))).toMatchObject({ code: 'source_invalid' });
    expect(await failure(clips.path)).toMatchObject({ code: 'source_invalid' });
  });

  test('a file with sound alone', async () => {
    const sine = ['-f', 'lavfi', '-i', 'sine', '-t', '1', '-c:a', 'aac'];
    const file = await clips.make('sound.mp4', ...sine);
    expect(await failure(file)).toMatchObject({ code: 'source_no_video' });
    // Its title and its name are not what went wrong.
    const song = await clips.make('no such device.mp4', ...sine, '-metadata', 'title=404 not found');
    expect(await failure(song)).toMatchObject({ code: 'source_no_video' });
  });

  test.each(['m3u8', 'ffconcat', 'mp4'])('a list of other files, named .%s', async (suffix) => {
    const secret = await clips.make('secret.mp4', ...testPicture(1, 5));
    for (const [name, text] of [
      ['hls', `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://${secret}\n#EXT-X-ENDLIST\n`],
      ['concat', `ffconcat version 1.0\nfile secret.mp4\n`],
    ] as const) {
      const file = join(clips.path, `${name}-list.${suffix}`);
      await writeFile(file, text);
      expect(await failure(file)).toMatchObject({ code: 'source_invalid' });
    }
  });
});

const ffmpegsWith = async (text: string): Promise<RunningProcess[]> =>
  (await running()).filter(({ command }) => command.includes('ffmpeg') && command.includes(text));
