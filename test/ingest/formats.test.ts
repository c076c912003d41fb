/** What ffmpeg reports about containers, and how sources treat them. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readDefinition } from '../../src/ingest/definition.ts';
import { findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';
import { FfmpegRun, type InputInfo } from '../../src/ingest/ffmpeg.ts';
import { ffmpegInput } from '../../src/ingest/ffmpeg-input.ts';
import { createSource } from '../../src/ingest/sources/create-source.ts';
import { type ClipFolder, clipFolder, testPicture } from '../support/clips.ts';
import { open, openFile, SIZE, take, times, until } from './play.ts';

/**
 * JPEGs with nothing between them. Each is larger than what ffmpeg probes first, which makes it detect another format.
 */
const RAW_MJPEG = [
  ...['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=10', '-t', '2'],
  ...['-c:v', 'mjpeg', '-q:v', '2', '-f', 'mjpeg'],
];

let clips: ClipFolder;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  clips = await clipFolder();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => clips.remove());

interface Served {
  readonly url: string;
  requests: number;
}

/** Answers every request with these bytes, in `parts` parts with a pause after each. */
async function served(bytes: Buffer, parts = 1, pauseMs = 0): Promise<Served> {
  const size = Math.ceil(bytes.length / parts);
  const server = createServer((_request, response) => {
    made.requests += 1;
    void (async () => {
      for (let at = 0; at < bytes.length; at += size) {
        response.write(bytes.subarray(at, at + size));
        await sleep(pauseMs);
      }
      response.end();
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const made = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests: 0 };
  return made;
}

/** What ffmpeg reports about a source before its first frame. */
async function infoOf(source: { file: string } | { url: string }): Promise<InputInfo> {
  const whole = 'file' in source ? ({ ...source, loop: false, pace: 'fastest' } as const) : source;
  let info: InputInfo | undefined;
  const run = new FfmpegRun({
    binary: await findFfmpeg(),
    input: ffmpegInput(whole),
    imageSize: SIZE,
    fps: 2,
    onInput: (heard) => (info = heard),
    onFrame: () => Promise.resolve(),
  });
  await run.done;
  if (info === undefined) throw new Error('ffmpeg said nothing of its input.');
  return info;
}

/** An FLV as a live sender writes it: with a duration of 0. */
async function liveFlv(): Promise<Buffer> {
  const flv = await readFile(await clips.make('live.flv', ...testPicture(2, 10)));
  const duration = flv.indexOf('duration') + 'duration'.length + 1;
  return flv.fill(0, duration, duration + 8);
}

describe('The length of a recording', () => {
  test('is reported in ms', async () => {
    const file = await clips.make('two.mp4', ...testPicture(2, 10));
    expect((await infoOf({ file })).durationMs).toBe(2_000);
  });

  test('in Matroska counts from its first picture when its times begin late', async () => {
    const file = await clips.make('late.mkv', ...testPicture(1, 10), '-output_ts_offset', '100');
    expect((await infoOf({ file })).durationMs).toBe(1_000);
    expect(times(await take(open({ file, loop: true, pace: 'fastest' }), 6))).toEqual([0, 500, 1000, 1500, 2000, 2500]);
  });

  test('is unknown for a live FLV, which says 0, and so the source reconnects', async () => {
    const { url } = await served(await liveFlv());
    expect(await infoOf({ url })).toMatchObject({ format: expect.stringContaining('flv') as string, durationMs: null });
    const source = open({ url }, 2, { maxAttempts: 1 });
    await expect(take(source)).rejects.toMatchObject({ code: 'source_unreachable' });
  });
});

describe('Raw MJPEG', () => {
  test('plays from a file', async () => {
    const file = await clips.make('raw.mjpeg', ...RAW_MJPEG);
    expect((await infoOf({ file })).format).toBe('mjpeg');
    expect(await take(openFile(file))).not.toHaveLength(0);
  });

  test('over HTTP connects twice, since it has no times, and again when it ends', async () => {
    const server = await served(await readFile(await clips.make('sent.mjpeg', ...RAW_MJPEG)), 10, 50);
    const requests: number[] = [];
    const source = open({ url: server.url }, 2, {
      onChange: () => {
        if (source.status.state === 'playing') requests.push(server.requests);
      },
    });
    const frames = take(source).catch(() => []);
    closing.push(async () => {
      await source.stop();
      await frames;
    });
    await until(source, ({ state }) => state === 'reconnecting');
    expect(source.status.error?.code).toBe('source_unreachable');
    expect(requests[0]).toBe(2);
  });

  test.each(['p%d', 'p%d.jpg', 'p*.jpg'])('named %s is one file, and no pattern of others', async (name) => {
    const made = await clips.make('pattern.mjpeg', ...RAW_MJPEG);
    for (const other of ['p1', 'p1.jpg'])
      await copyFile(await clips.make('o.mp4', ...testPicture(1, 1)), join(clips.path, other));
    const file = join(clips.path, name);
    await copyFile(made, file);
    const format = await infoOf({ file }).then(
      (info) => info.format,
      () => 'refused',
    );
    expect(['mjpeg', 'refused']).toContain(format);
  });
});

describe('A format that is not accepted', () => {
  test.each([
    ['still.png', '(?:png_pipe|image2)', ['-frames:v', '1'], 'It is a picture, not a video; .*'],
    ['still.jpg', 'image2', ['-pix_fmt', 'yuvj420p', '-frames:v', '1'], 'It is a picture, not a video; .*'],
    ['list.m3u8', 'hls\\S*', ['-hls_list_size', '0'], ''],
  ] as const)('is named in the error: that of %s', async (name, format, options, hint) => {
    const file = await clips.make(name, ...testPicture(1, 5, '640x480').slice(0, 6), ...options);
    await expect(take(openFile(file))).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(new RegExp(`ffmpeg: Format ${format} not on whitelist\\. ?${hint}$`)) as string,
    });
  });
});

test('A file that is named after a time of day plays, even when a definition gives only its name', async () => {
  const name = 'cam-2024-01-01T12:00:00.mp4';
  await clips.make('noon.mp4', ...testPicture(1, 10)).then((made) => copyFile(made, join(clips.path, name)));
  const definition = join(clips.path, 'noon.yaml');
  await writeFile(definition, `source: { file: "${name}", pace: fastest }\n`);
  const source = createSource(await readDefinition(definition), { imageSize: SIZE });
  expect(times(await take(source))).toEqual([0, 500]);
});
