/** Parts of ingest that a whole source would test too slowly or too randomly. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MAX_DELAY_MS, backoffDelayMs } from '../../src/ingest/backoff.ts';
import { truncationErrorOf, errorFromStderr } from '../../src/ingest/ffmpeg-errors.ts';
import { findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';
import { FrameQueue } from '../../src/ingest/frame-queue.ts';
import { firstTimeMs, SourceClock } from '../../src/ingest/source-clock.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('The wait before a reconnect', () => {
  test('doubles up to half a minute, with jitter', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 8, 1000].map((attempt) => backoffDelayMs(attempt, false, () => 1));
    expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(backoffDelayMs(1, false, () => 0)).toBe(250);
  });

  test('is long from the start when only a person can help', () => {
    expect(backoffDelayMs(1, true, () => 1)).toBe(MAX_DELAY_MS);
  });
});

describe('The clock of a source', () => {
  test('continues by arrival after a reconnect, whatever the camera says', () => {
    const clock = new SourceClock();
    expect([90_000, 90_500].map((pts) => clock.timeOf(pts, 1000 + pts - 90_000, true))).toEqual([0, 500]);
    clock.reconnect(true);
    expect([7, 507].map((pts) => clock.timeOf(pts, 9000 + pts, true))).toEqual([8007, 8507]);
  });

  test('never goes back, and takes jumps of the camera from the arrival', () => {
    const clock = new SourceClock();
    expect(clock.timeOf(0, 0, true)).toBe(0);
    expect(clock.timeOf(500, 500, true)).toBe(500);
    expect(clock.timeOf(-3000, 1000, true)).toBe(1000);
    expect(clock.timeOf(-2500, 1500, true)).toBe(1500);
    expect(clock.timeOf(86_400_000, 2000, true)).toBe(2000);
    expect(clock.timeOf(86_400_500, 2500, true)).toBe(2500);
  });

  test('makes up for what a live source has lost, but not for frames that come late in one burst', () => {
    const [clock, step] = [new SourceClock(), 1_000];
    let arrival = 0;
    let pts = 0;
    const play = (frames: number, between: number): (number | null)[] =>
      Array.from({ length: frames }, () => clock.timeOf((pts += step), (arrival += between), true));
    play(30, step);
    // The network stalls for 20 s, and then delivers everything at once.
    arrival += 20_000;
    expect(play(21, 0).at(-1)).toBe(pts - step);
    expect(play(120, step).at(-1)).toBe(pts - step);
    // The server stalls, and continues as if it had not.
    arrival += 20_000;
    expect(play(150, step).at(-1)).toBe(arrival - step);
    expect(play(100, step).at(-1)).toBe(arrival - step);
  });

  /**
   * Frames of a live source, half a second apart. Each connection brings the newest 18 s at once, as one to HLS does.
   */
  class Hls {
    readonly clock = new SourceClock();
    arrival = 0;
    readonly times: number[] = [];
    #pts = 0;

    play(frames: number, between: number): void {
      for (let i = 0; i < frames; i++) {
        const time = this.clock.timeOf((this.#pts += 500), (this.arrival += between), true);
        if (time !== null) this.times.push(time);
      }
    }

    get lead(): number {
      return (this.times.at(-1) ?? 0) - this.arrival;
    }

    steps(from: number): number[] {
      return this.times.slice(from + 1).map((time, i) => time - (this.times[from + i] ?? 0));
    }
  }

  test('slowly takes back the lead that a burst gives a live source at its start', () => {
    const hls = new Hls();
    hls.play(36, 0);
    hls.play(200, 500);
    expect(hls.lead).toBeGreaterThan(10_000);
    hls.play(400, 500);
    expect(hls.lead).toBeGreaterThan(900);
    expect(hls.lead).toBeLessThan(1_100);
    expect(Math.min(...hls.steps(0))).toBe(450);
    expect(Math.max(...hls.steps(0))).toBe(500);
    const before = hls.times.length;
    hls.play(1_000, 500);
    expect(new Set(hls.steps(before - 1))).toEqual(new Set([500]));
  });

  test('does not let its lead grow with each reconnect: frames shown already are skipped', () => {
    const hls = new Hls();
    hls.play(36, 0);
    for (let i = 0; i < 10; i++) {
      hls.play(20, 500);
      const [{ lead }, before] = [hls, hls.times.length];
      hls.clock.reconnect(true);
      hls.arrival += 2_000;
      hls.play(36, 0);
      expect(hls.lead).toBeLessThanOrEqual(18_000);
      // As many are new as would have come without the disconnect.
      expect(hls.times.length - before).toBe(Math.ceil((18_000 - lead + 2_000) / 500) - 1);
      expect(Math.min(...hls.steps(before))).toBe(500);
    }
  });

  test('skips frames shown already, even after its lead was taken back', () => {
    const hls = new Hls();
    hls.play(36, 0);
    hls.play(700, 500);
    for (let i = 0; i < 3; i++) {
      const before = hls.times.length;
      hls.clock.reconnect(true);
      hls.arrival += 2_000;
      hls.play(36, 0);
      const added = hls.times.length - before;
      expect([i, added >= 3, added <= 5]).toEqual([i, true, true]);
      hls.play(200, 500);
      expect(hls.lead).toBeLessThan(1_600);
    }
  });

  test('takes all frames of a camera after a reconnect, even when its times had jumped ahead', () => {
    const clock = new SourceClock();
    expect([0, 500, 9_500].map((pts, i) => clock.timeOf(pts, i * 500, true))).toEqual([0, 500, 9_500]);
    clock.reconnect(false);
    expect([7, 507].map((pts) => clock.timeOf(pts, 2_000 + pts, true))).toEqual([9_501, 10_001]);
  });

  test('continues after its newest time when that is further ahead than a connection can replay', () => {
    const clock = new SourceClock();
    for (let i = 0; i <= 200; i++) clock.timeOf(i * 500, 0, true);
    clock.reconnect(true);
    expect([0, 500].map((pts) => clock.timeOf(pts, 1_000, true))).toEqual([100_001, 100_501]);
  });

  test('stays with the wall clock for days when the clock of a camera is fast', () => {
    const clock = new SourceClock();
    let [last, least] = [-1, Infinity];
    for (let arrival = 0; arrival < 3 * 86_400_000; arrival += 1_000) {
      const time = clock.timeOf(arrival * 1.0002, arrival, true) ?? NaN;
      least = Math.min(least, time - last);
      last = time;
    }
    expect(last - 3 * 86_400_000).toBeLessThan(1_000);
    expect(least).toBeGreaterThanOrEqual(1);
  });

  test('keeps a long gap in a file', () => {
    const clock = new SourceClock();
    expect([0, 500, 60_000].map((pts) => clock.timeOf(pts, 0, false))).toEqual([0, 500, 60_000]);
  });

  test('does not take damaged times in a file for gaps of years, and yields no time that cannot be written', () => {
    const clock = new SourceClock();
    const pts = [0, 41, 2e18, 82, 123, -2e18, 164, 205];
    expect(pts.map((ms) => clock.timeOf(ms, 0, false))).toEqual([0, 41, 82, 123, 164, 205, 246, 287]);
    for (let round = 0; round < 3; round++) {
      // The file's length is damaged, too.
      clock.loop(6e15, 500, false);
      const begin = 787 + 1_000 * round;
      expect([0, 500].map((ms) => clock.timeOf(ms, 0, false))).toEqual([begin, begin + 500]);
    }
  });

  test('ignores a step back in a file within one frame step', () => {
    const clock = new SourceClock();
    const times = [0, 500, 1000, 990, 1500, 2000].map((pts) => clock.timeOf(pts, 0, false));
    expect(times).toEqual([0, 500, 1000, 1000, 1500, 2000]);
  });

  test('continues when the times of a file go back, as in concatenated recordings', () => {
    const clock = new SourceClock();
    const pts = [100, 600, 1100, 100, 600, 1100, 40, 140];
    expect(pts.map((ms) => clock.timeOf(ms, 0, false))).toEqual([0, 500, 1000, 1500, 2000, 2500, 3000, 3100]);
    clock.loop(1500, 500, false);
    expect(clock.timeOf(100, 0, false)).toBe(3600);
  });

  test('uses the arrival when the source has no times', () => {
    const clock = new SourceClock();
    expect([100, 600, 1100].map((arrival) => clock.timeOf(null, arrival, true))).toEqual([0, 500, 1000]);
  });

  test('continues through the rounds of a loop by the length of the file', () => {
    const clock = new SourceClock();
    clock.timeOf(0, 0, false);
    clock.timeOf(500, 0, false);
    clock.loop(1200, 500, false);
    expect([400, 1_200, 5_000].map((now) => clock.aheadMs(now))).toEqual([800, 0, 0]);
    expect([40, 540].map((pts) => clock.timeOf(pts, 0, false))).toEqual([1200, 1700]);
    clock.loop(null, 500, false);
    expect(clock.timeOf(0, 0, false)).toBe(2200);
  });

  test('starts no round of a file played in real time before its first frame arrives', () => {
    const clock = new SourceClock();
    const round = (from: number): (number | null)[] =>
      [0, 500].map((pts) => clock.timeOf(pts, 7_000 + from + pts, false));
    expect(round(0)).toEqual([0, 500]);
    for (let i = 1; i <= 100; i++) {
      clock.loop(1_000, 500, true);
      expect(round(i * 1_210)).toEqual([i * 1_210, i * 1_210 + 500]);
    }
    // A file that was held back and catches up keeps its own times.
    clock.loop(1_000, 500, true);
    expect(round(121_500)).toEqual([122_000, 122_500]);
  });
});

describe('The first frame of a source', () => {
  const start = { lastMs: 60_000.5, startedAtMs: 1_000_000 };

  test('is at 0 in a new stream', () => {
    expect([true, false].map((live) => firstTimeMs(undefined, live, 500, 9e12))).toEqual([0, 0]);
  });

  test('of a resumed live source is at the wall time that has passed', () => {
    expect(firstTimeMs(start, true, 500, start.startedAtMs + 3_600_000)).toBe(3_600_000);
  });

  test('is never before the newest moment, whatever the wall clock says', () => {
    for (const wallMs of [0, start.startedAtMs, start.startedAtMs + 60_100]) {
      expect(firstTimeMs(start, true, 500, wallMs)).toBe(60_501);
    }
  });

  test('of a resumed recording is one step after the newest moment', () => {
    expect(firstTimeMs(start, false, 500, start.startedAtMs + 3_600_000)).toBe(60_501);
  });
});

describe('The frame queue', () => {
  const frame = (timeMs: number) => ({ timeMs, rgb: new Uint8Array(3) });

  test('holds back the writer of a file', async () => {
    const queue = new FrameQueue('hold', 2);
    await queue.push(frame(0));
    let isFree = false;
    const second = queue.push(frame(1)).then(() => (isFree = true));
    await new Promise(setImmediate);
    expect(isFree).toBe(false);
    expect((await queue.next())?.timeMs).toBe(0);
    await second;
    queue.end();
    expect([await queue.next(), await queue.next()]).toEqual([frame(1), null]);
  });

  test('drops and counts the oldest frames of a live source', async () => {
    const queue = new FrameQueue('drop', 2);
    for (const time of [0, 1, 2, 3]) await queue.push(frame(time));
    expect(queue.dropped).toBe(2);
    expect([(await queue.next())?.timeMs, (await queue.next())?.timeMs]).toEqual([2, 3]);
    expect(queue.delivered).toBe(2);
  });

  test('delivers what waits before it throws its error', async () => {
    const queue = new FrameQueue('hold', 2);
    await queue.push(frame(0));
    queue.end(new Error('broken'));
    expect((await queue.next())?.timeMs).toBe(0);
    await expect(queue.next()).rejects.toThrow('broken');
  });

  test('releases its writer and its reader when cancelled', async () => {
    const queue = new FrameQueue('hold', 1);
    const writing = queue.push(frame(0));
    queue.cancel();
    await writing;
    expect(await queue.next()).toBeNull();
  });
});

describe('Output of ffmpeg becomes an error', () => {
  test.each([
    ['[rtsp @ 0x55] method DESCRIBE failed: 401 Unauthorized', 'source_unauthorized'],
    ['[https @ 0x55] HTTP error 403 Forbidden', 'source_unauthorized'],
    ['[rtsp @ 0x55] method DESCRIBE failed: 453 Not Enough Bandwidth', 'source_unreachable'],
    ['[rtsp @ 0x55] method SETUP failed: 461 Unsupported Transport', 'source_unreachable'],
    ['[rtsp @ 0x55] method DESCRIBE failed: 503 Service Unavailable', 'source_unreachable'],
    ['rtsp://10.0.0.1/: Invalid data found when processing input', 'source_unreachable'],
    ['[in#0 @ 0x55] Error opening input: Invalid data found when processing input', 'source_unreachable'],
    ['http://cam/: Server returned 4XX Client Error, but not one of 40{0,1,3,4}', 'source_not_found'],
    ['[rtsp @ 0x55] method DESCRIBE failed: 404 Not Found', 'source_not_found'],
    ['file:/a.mp4: No such file or directory', 'source_not_found'],
    ['[tcp @ 0x55] Connection to tcp://10.0.0.1:554 failed: Connection refused', 'source_unreachable'],
    ['rtsp://10.0.0.1/: Connection timed out', 'source_unreachable'],
    ['[tcp @ 0x55] Failed to resolve hostname cam: Name or service not known', 'source_unreachable'],
    ['http://cam/: Server returned 5XX Server Error reply', 'source_unreachable'],
    ['http://cam/: Input/output error', 'source_unreachable'],
    ["Stream map '0:V:0' matches no streams.", 'source_no_video'],
    ['http://cam/: Invalid data found when processing input', 'source_invalid'],
    ['[mov @ 0x55] moov atom not found', 'source_invalid'],
    ['Exiting normally, received signal 15.', 'ffmpeg_failed'],
    ['Error while opening decoder for input stream #0:0 : Resource temporarily unavailable', 'ffmpeg_failed'],
    ['[http @ 0x55] HTTP error 408 Request Timeout', 'source_unreachable'],
    ['[http @ 0x55] HTTP error 425 Too Early', 'source_unreachable'],
    ['[https @ 0x55] HTTP error 429 Too Many Requests', 'source_unreachable'],
    ['http://cam/: Server returned 429 Too Many Requests', 'source_unreachable'],
    ['[http @ 0x55] HTTP error 410 Gone', 'source_not_found'],
    ['something never heard of', 'source_unreachable'],
  ])('with a code: %s', (line, code) => {
    const consequence = line.includes('HTTP error 4') ? ['http://cam/: Server returned 4XX Client Error'] : [];
    expect(errorFromStderr(['Press [q] to stop', line, ...consequence], 'rtsp', []).code).toBe(code);
  });

  test.each([
    [
      'method DESCRIBE failed: 453 Not Enough Bandwidth',
      'Server returned 4XX Client Error, but not one of 40{0,1,3,4}',
      '',
    ],
    ['method SETUP failed: 461 Unsupported Transport', 'Protocol not supported', ' Try the other `source.transport`.'],
  ])('with its reason: %s', (refusal, consequence, hint) => {
    const error = errorFromStderr([`[rtsp @ 0x55] ${refusal}`, `rtsp://cam/: ${consequence}`], 'rtsp', []);
    expect(error).toMatchObject({ code: 'source_unreachable', detail: `ffmpeg: ${refusal}.${hint}` });
  });

  test('without addresses in memory or credentials', () => {
    const line = '[tcp @ 0x55d] rtsp://a:b@cam/c:d/?key=x hunter2: Connection refused';
    expect(errorFromStderr([line], 'rtsp', ['hunter2']).message).toBe(
      'The source cannot be reached. ffmpeg: rtsp://***@cam/***/?key=*** ***: Connection refused.',
    );
  });

  test.each([
    ['[tcp @ 0x55d] Connection to tcp://10.0.0.1:554?timeout=0 failed: Connection refused', 'tcp://10.0.0.1:554'],
    ['[tls @ 0x55d] Connection to tls://[fd00::1]:322?verify=0&key=hunter2 failed: timed out', 'tls://[fd00::1]:322'],
    ['[udp @ 0x55d] Connection to udp://a:hunter2@cam?x=hunter2 failed: timed out', 'udp://***@cam'],
  ])('with the address of an inner connection, without the query that ffmpeg adds: %s', (line, shown) => {
    const { detail } = errorFromStderr([line], 'rtsp', ['hunter2']);
    expect(detail).toMatch(/^ffmpeg: Connection to \S+ failed: /);
    expect(detail.split(' ')[3]).toBe(shown);
  });

  test.each([
    ["file:/srv/b's clips/later.mp4: No such file or directory", 'later.mp4: No such file or directory.'],
    ["Error opening input file file:/srv/b's clips/a.mp4.", 'Error opening input file a.mp4.'],
  ])('with only the name of a file: %s', (line, said) => {
    expect(errorFromStderr([line], 'file', ["/srv/b's clips/"]).detail).toBe(`ffmpeg: ${said}`);
  });
});

describe('A recording that was cut short', () => {
  test.each([
    '[matroska,webm @ 0x55] File ended prematurely at pos. 12817 (0x3211)',
    '[matroska,webm @ 0x55] Read error',
    '[mov,mp4,m4a,3gp,3g2,mj2 @ 0x55] stream 0, offset 0x415a: partial file',
    'http://cam/a b.ts: Input/output error',
    '[in#0/mpegts @ 0x55] Error during demuxing: Connection timed out',
  ])('is recognised by %s', (line) => {
    expect(truncationErrorOf(line, [])?.code).toBe('source_incomplete');
  });

  test.each([
    // ffmpeg recovers from this: it reconnects.
    '[http @ 0x55] Stream ends prematurely at 16208, should be 32417',
    // Concatenated recordings, or a lost packet.
    'file:/a.ts: corrupt input packet in stream 0',
    "Input #0, mov, from 'file:/File ended prematurely: partial file':",
    '    title           : [a @ 0x5] Read error',
  ])('is not recognised by %s', (line) => {
    expect(truncationErrorOf(line, [])).toBeNull();
  });
});

describe('ffmpeg', () => {
  test('of YOCO_FFMPEG takes precedence', async () => {
    vi.stubEnv('YOCO_FFMPEG', (await findFfmpeg()).path);
    expect(await findFfmpeg()).toMatchObject({ origin: 'YOCO_FFMPEG', version: expect.any(String) as string });
  });

  test('of YOCO_FFMPEG that cannot be used is an error that names it', async () => {
    vi.stubEnv('YOCO_FFMPEG', '/nowhere/ffmpeg');
    await expect(findFfmpeg()).rejects.toMatchObject({
      code: 'ffmpeg_missing',
      message: expect.stringContaining('/nowhere/ffmpeg') as string,
    });
  });

  test('of npm is used when PATH has none, though npm did not make it executable', async () => {
    const installed = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string };
    // Not while other tests run this very file.
    if (process.env['YOCO_FFMPEG'] !== installed.path) chmodSync(installed.path, 0o644);
    vi.stubEnv('YOCO_FFMPEG', '');
    vi.stubEnv('PATH', '/nowhere');
    const bundled = await findFfmpeg();
    expect(bundled).toMatchObject({ origin: 'bundled', libavformat: [58, expect.any(Number) as number] });
  });

  test.skipIf(process.platform === 'win32')('is missing when PATH has only another program of its name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'yoco-path-'));
    writeFileSync(join(folder, 'ffmpeg'), '#!/bin/sh\necho hello\n');
    chmodSync(join(folder, 'ffmpeg'), 0o755);
    vi.stubEnv('YOCO_FFMPEG', '');
    vi.stubEnv('PATH', folder);
    await expect(findFfmpeg()).rejects.toMatchObject({ code: 'ffmpeg_missing' });
    rmSync(folder, { recursive: true });
  });
});
