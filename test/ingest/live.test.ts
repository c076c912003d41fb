import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';
import type { Frame, FrameSource } from '../../src/ingest/frame.ts';
import { clipFolder, testPicture, type ClipFolder } from '../support/clips.ts';
import { redJpeg, sendPictures } from '../support/mjpeg.ts';
import { freePort } from '../support/ports.ts';
import { RtspServer, type RtspServerOptions } from '../support/rtsp-server.ts';
import { open, SIZE, take, times, until } from './play.ts';

/** Playable from a server that cannot seek. */
const streamable = ['-movflags', '+faststart'];

let clips: ClipFolder;
let h264: Buffer;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  clips = await clipFolder();
  const oneSlice = [
    '-profile:v',
    'baseline',
    '-bf',
    '0',
    '-g',
    '10',
    '-x264-params',
    'slices=1:sliced-threads=0',
    '-f',
    'h264',
  ];
  h264 = await readFile(await clips.make('stream.h264', ...testPicture(2, 25, '320x240'), ...oneSlice));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => clips.remove());

async function rtsp(options: Partial<RtspServerOptions> = {}): Promise<RtspServer> {
  const server = await RtspServer.start({ h264, fps: 25, ...options });
  closing.push(() => server.close());
  return server;
}

async function http(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Takes the frames of a source in the background; the source is stopped after the test. */
function follow(source: FrameSource, onFrame: () => void = () => undefined): Frame[] {
  const frames: Frame[] = [];
  const reading = (async () => {
    for await (const frame of source.frames()) {
      frames.push(frame);
      onFrame();
    }
  })().catch(() => undefined);
  closing.push(async () => {
    await source.stop();
    await reading;
  });
  return frames;
}

describe('A camera that sends pictures over HTTP', () => {
  test.each([5, 40])('at %i a second gives them the times of their arrival', async (rate) => {
    const jpeg = await redJpeg();
    const address = await http((_request, response) => {
      sendPictures(response, jpeg, 1000 / rate);
    });
    const source = open({ url: `${address}/video` }, 2);
    const arrivals: number[] = [];
    const frames = follow(source, () => arrivals.push(performance.now()));
    await until(source, () => arrivals.length >= 13, 40_000);
    // The first frames come late: ffmpeg probes them before it plays.
    const passed = (all: readonly number[]): number => (all[12] ?? NaN) - (all[2] ?? NaN);
    // At the 25 a second that ffmpeg assumes, these five seconds would last 25, or three.
    expect(Math.abs(passed(times(frames)) - passed(arrivals))).toBeLessThan(1_300);
    expect(source.status.reconnects).toBe(0);
  });

  test.each([
    [403, 'source_unauthorized'],
    [423, 'source_not_found'],
  ])('with room for one viewer may answer %i to the second connection, and is retried', async (status, code) => {
    const jpeg = await redJpeg();
    let viewers = 0;
    const address = await http((_request, response) => {
      viewers += 1;
      if (viewers === 2) return void response.writeHead(status).end();
      sendPictures(response, jpeg, 50);
    });
    const source = open({ url: `${address}/video` }, 2);
    follow(source);
    await until(source, ({ error }) => error !== null);
    expect(source.status).toMatchObject({ state: 'reconnecting', error: { code } });
    // An error that only a person can mend is retried after 15 s at the earliest.
    if (code !== 'source_unauthorized') await until(source, ({ state }) => state === 'playing');
  });
});

describe('An RTSP camera', () => {
  test('is read over TCP and sampled', async () => {
    const server = await rtsp();
    const frames = await take(open({ url: server.url }, 5), 6);
    expect(server.transports).toEqual([expect.stringMatching(/^RTP\/AVP\/TCP;unicast;interleaved/)]);
    const [first, second = 0, ...others] = times(frames);
    expect(first).toBe(0);
    // ffmpeg 4 gives the very first frame a time of its own.
    others.forEach((time, index) => {
      expect(Math.abs(time - second - (index + 1) * 200)).toBeLessThanOrEqual(41);
    });
    expect(frames.every(({ rgb }) => rgb.length === SIZE * SIZE * 3)).toBe(true);
  });

  test.each(['basic', 'digest'] as const)('is given its %s credentials from the environment', async (scheme) => {
    vi.stubEnv('TEST_CAMERA', 'admin:p@ss:w%rd/?#');
    const server = await rtsp({ credentials: { user: 'admin', password: 'p@ss:w%rd/?#', scheme } });
    const source = open({ url: server.url, credentials_env: 'TEST_CAMERA' });
    vi.unstubAllEnvs();
    expect(await take(source, 2)).toHaveLength(2);
  });

  test('whose credentials are not in the environment is not opened', () => {
    const refusal = (what: string): unknown =>
      expect.objectContaining({
        code: 'definition_invalid',
        param: 'source.credentials_env',
        detail: `The environment variable NO_SUCH_VARIABLE ${what}.`,
      });
    const attempt = () => open({ url: 'rtsp://cam/', credentials_env: 'NO_SUCH_VARIABLE' });
    expect(attempt).toThrow(refusal('is not set'));
    vi.stubEnv('NO_SUCH_VARIABLE', 'hunter2');
    expect(attempt).toThrow(refusal('does not hold user:password'));
    vi.unstubAllEnvs();
  });

  test('that refuses the password is retried slowly, and the password is not shown', async () => {
    const server = await rtsp({ credentials: { user: 'admin', password: 'right', scheme: 'digest' } });
    const source = open({ url: server.url.replace('//', '//admin:hunter2@') });
    follow(source);
    await until(source, ({ state }) => state === 'reconnecting');
    expect(source.status.error?.code).toBe('source_unauthorized');
    expect(JSON.stringify(source.status)).not.toMatch(/hunter2|admin/);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(source.status.reconnects).toBe(1);
  });

  test('without video reports that', async () => {
    const server = await rtsp({ withoutVideo: true });
    const source = open({ url: server.url });
    follow(source);
    await until(source, ({ error }) => error !== null);
    expect(source.status).toMatchObject({ state: 'reconnecting', error: { code: 'source_no_video' } });
  });

  test('that was switched off and on resumes, and its time continues by arrival', async () => {
    const server = await rtsp();
    const source = open({ url: server.url }, 10);
    const frames = follow(source);
    await until(source, ({ frames: count }) => count >= 5);
    const lostAt = performance.now();
    await server.close();
    await until(source, ({ state }) => state === 'reconnecting');
    expect(source.status.error?.code).toBe('source_unreachable');
    const before = frames.length;
    await new Promise((resolve) => setTimeout(resolve, 700));
    const again = await rtsp({ port: server.port });
    await until(source, ({ state }) => state === 'playing');
    await until(source, ({ frames: count }) => count >= before + 5);
    const gap = (frames[before]?.timeMs ?? 0) - (frames[before - 1]?.timeMs ?? 0);
    expect(gap).toBeGreaterThan(600);
    expect(gap).toBeLessThan(performance.now() - lostAt + 1000);
    expect(times(frames)).toEqual([...times(frames)].sort((a, b) => a - b));
    expect(again.plays).toBe(1);
    expect(source.status.reconnects).toBeGreaterThanOrEqual(1);
  });

  test('that falls silent is reconnected', async () => {
    const server = await rtsp({ silentAfter: 60 });
    const source = open({ url: server.url }, 10, { silentAfterMs: 2000 });
    follow(source);
    await until(source, ({ error }) => error !== null);
    expect(source.status.error?.code).toBe('source_silent');
    await until(source, () => server.plays >= 2);
  });

  test('that accepts and never answers is given up by ffmpeg, with the reason', async () => {
    // Reads, so that it notices when the other side is gone.
    const deaf = createTcpServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => deaf.close(resolve)));
    const url = `rtsp://127.0.0.1:${(deaf.address() as AddressInfo).port}/live`;
    const source = open({ url }, 2, { silentAfterMs: 6_000 });
    follow(source);
    await until(source, ({ error }) => error !== null, 30_000);
    expect(source.status.error).toMatchObject({
      code: 'source_unreachable',
      message: expect.stringContaining('ffmpeg: ') as string,
    });
  });

  test('that is not there is retried, and given up after `maxAttempts` attempts', async () => {
    const url = `rtsp://admin:hunter2@127.0.0.1:${await freePort()}/live`;
    const source = open({ url }, 2, { maxAttempts: 2 });
    const error: unknown = await take(source).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'source_unreachable',
      message: expect.not.stringMatching(/hunter2/) as string,
    });
    expect(source.status).toMatchObject({ state: 'failed', reconnects: 1 });
  });

  test('whose port closes connections at once is unreachable, and is retried soon', async () => {
    const tunnel = createTcpServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => tunnel.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => tunnel.close(resolve)));
    const source = open({ url: `rtsp://127.0.0.1:${(tunnel.address() as AddressInfo).port}/live` }, 2, {
      maxAttempts: 2,
    });
    await expect(take(source)).rejects.toMatchObject({ code: 'source_unreachable' });
  });

  test('drops and counts its oldest frames for a slow reader', async () => {
    const server = await rtsp();
    const source = open({ url: server.url }, 25);
    const iterator: AsyncIterator<Frame, unknown> = source.frames()[Symbol.asyncIterator]();
    closing.push(() => source.stop());
    await iterator.next();
    await until(source, ({ dropped }) => dropped > 5);
    const next = await iterator.next();
    expect(next.done === true ? 0 : next.value.timeMs).toBeGreaterThan(200);
  });

  test('stops while it plays and while it waits', async () => {
    const server = await rtsp();
    const source = open({ url: server.url });
    follow(source);
    await until(source, ({ state }) => state === 'playing');
    await source.stop();
    expect(source.status.state).toBe('stopped');

    const absent = open({ url: `rtsp://127.0.0.1:${await freePort()}/` });
    follow(absent);
    await until(absent, ({ state }) => state === 'reconnecting');
    await absent.stop();
    expect(absent.status.state).toBe('stopped');
  });
});

test.skipIf(process.platform === 'win32')('An ffmpeg that ignores SIGTERM is killed after two seconds', async () => {
  const { path } = await findFfmpeg();
  const deaf = join(clips.path, 'deaf-ffmpeg');
  const isDeaf = join(clips.path, 'is-deaf');
  const script = [
    `process.on('SIGTERM', () => undefined);`,
    `setTimeout(() => undefined, 600_000);`,
    `require('node:fs').writeFileSync('${isDeaf}', '');`,
  ].join(' ');
  await writeFile(
    deaf,
    `#!/bin/sh\n[ "$1" = -version ] && exec '${path}' -version\nexec '${process.execPath}' -e "${script}"\n`,
  );
  await chmod(deaf, 0o755);
  vi.stubEnv('YOCO_FFMPEG', deaf);
  const source = open({ url: 'rtsp://127.0.0.1/live' });
  follow(source);
  await until(source, () => existsSync(isDeaf));
  vi.unstubAllEnvs();
  const startedAt = performance.now();
  await source.stop();
  expect(performance.now() - startedAt).toBeGreaterThan(1900);
  expect(performance.now() - startedAt).toBeLessThan(20_000);
  expect(source.status.state).toBe('stopped');
});

test.skipIf(process.platform === 'win32')(
  'A camera that gives one frame a connection and then hangs is away, and is retried ever more slowly',
  async () => {
    const { path } = await findFfmpeg();
    const script = join(clips.path, 'one-frame-ffmpeg');
    const lines = [
      `[ "$1" = -version ] && exec '${path}' -version`,
      `echo '[Parsed_showinfo_3 @ 0x1] n:   0 pts:      0 pts_time:0' >&2`,
      `head -c ${SIZE ** 2 * 3} /dev/zero`,
      'exec sleep 600',
    ];
    await writeFile(script, `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o755 });
    vi.stubEnv('YOCO_FFMPEG', script);
    let passedMs = 0;
    const states: string[] = [];
    const source = open({ url: 'rtsp://127.0.0.1/live' }, 10, {
      silentAfterMs: 2_000,
      maxAttempts: 2,
      clock: () => performance.now() + passedMs,
      onChange: () => states.push(source.status.state),
    });
    // A long silence follows each frame.
    follow(source, () => (passedMs += 60_000));
    await until(source, ({ state }) => state === 'failed');
    vi.unstubAllEnvs();
    expect(source.status).toMatchObject({ frames: 2, reconnects: 1, error: { code: 'source_silent' } });
    expect(states).toEqual(['playing', 'reconnecting', 'failed']);
  },
);

describe.skipIf(process.platform === 'win32')('An ffmpeg that is missing', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('for a moment ends neither a camera nor an address whose kind is unknown', async () => {
    const file = await readFile(await clips.make('unknown.mp4', ...testPicture(1, 10), ...streamable));
    const address = await http((_request, response) => response.end(file));
    const camera = await rtsp();
    const { path } = await findFfmpeg();
    const script = join(clips.path, 'missing-ffmpeg');
    vi.stubEnv('YOCO_FFMPEG', script);
    const sources = [open({ url: camera.url }), open({ url: `${address}/a.mp4` })];
    for (const source of sources) {
      follow(source);
      await until(source, ({ reconnects }) => reconnects >= 2);
      expect(source.status).toMatchObject({ state: 'reconnecting', error: { code: 'ffmpeg_missing' } });
    }
    await writeFile(script, `#!/bin/sh\nexec '${path}' "$@"\n`, { mode: 0o755 });
    for (const source of sources) await until(source, ({ frames }) => frames > 0);
  });

  test('makes a file fail at once', async () => {
    vi.stubEnv('YOCO_FFMPEG', '/nowhere/ffmpeg');
    const source = open({ file: '/nowhere.mp4', loop: true });
    await expect(take(source)).rejects.toMatchObject({ code: 'ffmpeg_missing' });
    expect(source.status).toMatchObject({ state: 'failed', reconnects: 0 });
  });
});

/** Debian's own Python, the one with the bindings of GStreamer. */
const python = '/usr/bin/python3';
const gstreamerServer = 'test/support/rtsp-server.py';
const hasGStreamer = spawnSync(python, [gstreamerServer, '--check']).status === 0;

test.skipIf(!hasGStreamer)('The RTSP server of GStreamer is read over TCP and over UDP', async () => {
  const child = spawn(python, [gstreamerServer], { stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => {
    child.kill();
    return Promise.resolve();
  });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => {
      resolve(chunk.toString().trim());
    });
    child.once('exit', reject);
  });
  for (const transport of ['tcp', 'udp']) {
    const frames = await take(open({ url: `rtsp://127.0.0.1:${port}/live`, transport }, 5), 4);
    expect(times(frames)[0]).toBe(0);
    expect(times(frames)[3]).toBeGreaterThanOrEqual(400);
  }
});

describe('An HTTP address', () => {
  test('of a file is played to its end', async () => {
    const file = await readFile(await clips.make('web.mp4', ...testPicture(2, 10), ...streamable));
    const url = await http((_request, response) => response.end(file));
    const source = open({ url: `${url}/a.mp4` });
    expect(times(await take(source))).toEqual([0, 500, 1000, 1500]);
    expect(source.status.state).toBe('ended');
  });

  test.each([
    [401, 'source_unauthorized'],
    [403, 'source_unauthorized'],
    [404, 'source_not_found'],
  ])('that answers %i fails', async (status, code) => {
    const url = await http((_request, response) => response.writeHead(status).end());
    const source = open({ url: `${url}/a.mp4?token=hunter2` });
    await expect(take(source)).rejects.toMatchObject({ code, message: expect.not.stringMatching(/hunter2/) as string });
    expect(source.status.state).toBe('failed');
  });

  test('is reported without the secrets of its path', async () => {
    const url = await http((_request, response) => void response.end('no video'.repeat(1_000)));
    await expect(take(open({ url: `${url}/onvif1/admin:swordfish` }))).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringContaining(`${url}/onvif1/***`) as string,
    });
  });

  test.each([408, 425, 429, 503])('that answers %i is retried', async (status) => {
    const file = await readFile(await clips.make('later.mp4', ...testPicture(1, 10), ...streamable));
    const answers = [status];
    const url = await http((_request, response) => {
      const refusal = answers.shift();
      if (refusal === undefined) response.end(file);
      else response.writeHead(refusal).end();
    });
    const source = open({ url: `${url}/a.mp4` });
    expect(times(await take(source))).toEqual([0, 500]);
    expect(source.status).toMatchObject({ state: 'ended', reconnects: 1 });
  });

  test('declared live is retried whatever it answers, and however it ends', async () => {
    const stream = await readFile(await clips.make('late.ts', ...testPicture(2, 10)));
    const answers = [404, 404];
    const url = await http((_request, response) => {
      const status = answers.shift();
      if (status === undefined) response.end(stream);
      else response.writeHead(status).end();
    });
    const source = open({ url: `${url}/a.ts`, live: true });
    expect((await take(source, 3)).length).toBe(3);
    expect(source.status.reconnects).toBe(2);
  });

  test('may take longer for its first frame than for later ones', async () => {
    const stream = await readFile(await clips.make('slow.ts', ...testPicture(2, 10)));
    const url = await http((_request, response) => {
      setTimeout(() => response.end(stream), 3_000);
    });
    const source = open({ url: `${url}/a.ts`, live: true }, 2, { silentAfterMs: 2_000 });
    expect(await take(source, 1)).toHaveLength(1);
    expect(source.status.reconnects).toBe(0);
  });

  test('declared live that serves a recording is retried, and yields none of its frames', async () => {
    const file = await readFile(await clips.make('recorded.mp4', ...testPicture(2, 10), ...streamable));
    const url = await http((_request, response) => response.end(file));
    const source = open({ url: `${url}/a.mp4`, live: true });
    const reading = take(source);
    await expect.poll(() => source.status.state).toBe('reconnecting');
    expect(source.status).toMatchObject({ frames: 0, error: { code: 'source_invalid' } });
    await source.stop();
    expect(await reading).toEqual([]);
  });

  test('of a file whose server is gone before its end reports that', async () => {
    const file = await readFile(await clips.make('lost.mp4', ...testPicture(4, 10), ...streamable));
    let asked = 0;
    const address = await http((_request, response) => {
      asked += 1;
      if (asked > 1) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-length': file.length });
      response.write(file.subarray(0, file.length / 2), () => response.socket?.end());
    });
    const source = open({ url: `${address}/lost.mp4` });
    expect((await take(source)).length).toBeGreaterThan(0);
    expect(source.status).toMatchObject({ state: 'ended', error: { code: 'source_incomplete' } });
  });

  test('of a web page fails', async () => {
    const url = await http((_request, response) => response.end(`<html>${'no video '.repeat(200)}</html>`));
    await expect(take(open({ url }))).rejects.toMatchObject({ code: 'source_invalid' });
  });

  test('of an HLS list that has ended is played to its end', async () => {
    const list = await clips.make(
      'vod.m3u8',
      ...testPicture(3, 10),
      '-g',
      '10',
      '-hls_time',
      '1',
      '-hls_list_size',
      '0',
    );
    expect(list).toContain(clips.path);
    const source = open({ url: `${await folder()}/vod.m3u8` }, 1);
    expect(times(await take(source))).toEqual([0, 1000, 2000]);
    expect(source.status.state).toBe('ended');
  });

  test('of live HLS is live: its end is a lost connection', async () => {
    const list = await clips.make(
      'live.m3u8',
      ...testPicture(12, 10),
      '-g',
      '30',
      '-hls_time',
      '3',
      '-hls_list_size',
      '0',
    );
    await writeFile(list, (await readFile(list, 'utf8')).replace('#EXT-X-ENDLIST', ''));
    const source = open({ url: `${await folder()}/live.m3u8` }, 5, { silentAfterMs: 1500 });
    follow(source);
    await until(source, ({ frames }) => frames >= 10);
    await until(source, ({ state }) => state === 'reconnecting');
    expect(source.status.error?.code).toBe('source_silent');
  });

  test('of an HLS list cannot reach files of this machine', async () => {
    const secret = await clips.make('secret.ts', ...testPicture(1, 5));
    const text = `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://${secret}\n#EXT-X-ENDLIST\n`;
    const url = await http((_request, response) => response.end(text));
    const source = open({ url: `${url}/a.m3u8` }, 2, { maxAttempts: 1 });
    const frames: Frame[] = [];
    const error: unknown = await (async () => {
      for await (const frame of source.frames()) frames.push(frame);
    })().catch((reason: unknown) => reason);
    expect(frames).toEqual([]);
    expect(error).toMatchObject({ code: 'source_invalid' });
  });

  test('of endless pictures (MJPEG) is live', async () => {
    const jpeg = await readFile(
      await clips.make('one.jpg', '-f', 'lavfi', '-i', 'testsrc=size=64x48', '-frames:v', '1'),
    );
    const url = await http((_request, response) => {
      sendPictures(response, jpeg, 40);
    });
    const source = open({ url }, 10);
    follow(source);
    await until(source, ({ frames }) => frames >= 5);
    expect(source.status.state).toBe('playing');
  });

  test('warns when the ffmpeg is old', async () => {
    const { libavformat } = await findFfmpeg();
    const file = await readFile(await clips.make('warn.mp4', ...testPicture(1, 5), ...streamable));
    const url = await http((_request, response) => response.end(file));
    const warnings: string[] = [];
    await take(open({ url }, 2, { onWarning: (message) => warnings.push(message) }));
    expect(warnings).toHaveLength(libavformat[0] < 59 ? 1 : 0);
  });

  /** Serves the folder of the clips. */
  function folder(): Promise<string> {
    return http((request, response) => {
      readFile(join(clips.path, request.url ?? '')).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    });
  }
});

test.skipIf(process.platform !== 'linux')('A device that is not there is waited for', async () => {
  const source = open({ device: '/dev/video99' });
  follow(source);
  await until(source, ({ state }) => state === 'reconnecting');
  expect(source.status.error?.code).toBe('source_not_found');
});
