/**
 * End-to-end tests with the bundled model: photographs are encoded as H.264, played into the service from files and
 * from an RTSP server over TCP, and questions go through the WebSocket. thresholds.ts holds the thresholds,
 * photo-videos.ts the questions.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RealtimeClient } from '../../src/cli/realtime-client.ts';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { encodeVideo } from '../../src/evaluation/video.ts';
import { findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';
import { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { RtspServer } from '../support/rtsp-server.ts';
import {
  isRight,
  makeVideos,
  names,
  RECALL_TASKS,
  type RecordedQuestion,
  shownAt,
  type Task,
  TASKS,
  type Video,
  VIDEO_MS,
} from './photo-videos.ts';
import { DIFFERENT_SHARE, EITHER_WAY_SHARE, EVIDENCE_SHARE, PASS_SHARE } from './thresholds.ts';

const MINUTE = 60_000;
/** Frames a second of the encoded videos. */
const VIDEO_FPS = 8;
/** Concurrent questions. */
const ASKERS = 8;
/** Concurrent camera streams: they run in real time, and two cores must keep up. */
const CAMERAS = 4;
/** Slack for the first frame of a camera, which may reach the service a little late. */
const CAMERA_SLACK_MS = 500;

interface Evidence {
  readonly start: number;
  readonly end: number;
  readonly peak: number;
}

interface Answered {
  readonly question: RecordedQuestion;
  readonly video: Video;
  readonly answer: string;
  readonly asOfMs: number;
  readonly evidence: readonly Evidence[];
}

const videos = makeVideos();
const closing: (() => Promise<unknown>)[] = [];
let folder: string;
let live: Streams;
let server: RunningServer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-recorded-'));
  live = await Streams.start({ engine: { bundle: DEFAULT_BUNDLE } });
  server = await startServer(live, { port: 0 });
  for (const video of videos) await encodeVideo(video.spans, fileOf(video), { width: 480, height: 360, fit: 'fill' });
}, 5 * MINUTE);
afterAll(async () => {
  for (const close of closing.reverse()) await close();
  await server.close();
  await live.close();
  await rm(folder, { recursive: true, force: true });
}, MINUTE);

const fileOf = (video: Video): string => path.join(folder, `${video.name}.mp4`);

/** Asks over the WebSocket in a new conversation; without `asOfMs`, about the newest frame. */
async function ask(stream: string, video: Video, question: RecordedQuestion, asOfMs?: number): Promise<Answered> {
  const client = await RealtimeClient.connect({ server: server.address, stream });
  try {
    let answer = '';
    const outcome = await client.ask(
      question.text,
      (piece) => {
        answer += piece;
      },
      { asOf: asOfMs === undefined ? undefined : asOfMs / 1000 },
    );
    expect(outcome.status).toBe('completed');
    if (outcome.yoco?.as_of == null) throw new Error('the answer has no as_of');
    return { question, video, answer, asOfMs: outcome.yoco.as_of * 1000, evidence: outcome.yoco.evidence };
  } finally {
    client.close();
  }
}

async function askAll(stream: string, video: Video, questions: readonly RecordedQuestion[]): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (let i = 0; i < questions.length; i += ASKERS) {
    const some = questions.slice(i, i + ASKERS);
    answered.push(...(await Promise.all(some.map((question) => ask(stream, video, question, question.asOfMs)))));
  }
  return answered;
}

const right = ({ question, answer }: Answered): boolean => isRight(question, answer);

/** Expects at least the share `least` of good answers; a failure lists all others. */
function expectShare(what: string, answered: readonly Answered[], least: number, isGood = right): void {
  const wrong = answered.filter((one) => !isGood(one));
  const share = 1 - wrong.length / answered.length;
  const list = wrong.map(({ question, video, answer, evidence }) => {
    const expected = typeof question.expected === 'object' ? question.expected.class : question.expected;
    const [top] = evidence;
    const read = top === undefined ? 'none' : `${top.start}-${top.end} s`;
    return `  ${video.name} at ${question.asOfMs / 1000} s: ${question.text} "${answer}" (${expected}; evidence ${read})`;
  });
  expect(answered.length, what).toBeGreaterThan(0);
  expect(
    share,
    `${what}: ${answered.length - wrong.length} of ${answered.length} right\n${list.join('\n')}`,
  ).toBeGreaterThanOrEqual(least);
}

function isInside({ question, evidence }: Answered): boolean {
  const [top] = evidence;
  if (top === undefined || question.moment === null) return false;
  const peakMs = top.peak * 1000;
  return peakMs >= question.moment.startMs - 500 && peakMs <= question.moment.endMs + 500;
}

const ofTask = (answered: readonly Answered[], task: Task): Answered[] =>
  answered.filter(({ question }) => question.task === task);

describe('Videos played from files', () => {
  const answered: Answered[] = [];

  beforeAll(async () => {
    for (const video of videos) {
      const stream = await live.create(
        { name: video.name, source: { file: fileOf(video), pace: 'fastest' } },
        'operator',
      );
      await stream.ended();
      expect(stream.status()).toMatchObject({ frames: (VIDEO_MS / 1000) * 2, lateFrames: 0 });
      answered.push(...(await askAll(video.name, video, video.questions)));
      await live.delete(video.name);
    }
  }, 10 * MINUTE);

  test.each(TASKS)('%s is answered right, also in the counter-videos', (task) => {
    expectShare(task, ofTask(answered, task), PASS_SHARE[task]);
  });

  test('"have you seen" is answered both ways', () => {
    for (const expected of ['yes', 'no']) {
      expectShare(
        `seen, ${expected}`,
        answered.filter(({ question }) => question.expected === expected),
        EITHER_WAY_SHARE,
      );
    }
  });

  test('questions that a video and its counter-video share are answered differently', () => {
    const both = answered.filter(
      ({ question, video }) => question.task !== 'seen' && !video.name.endsWith('-reversed'),
    );
    const pairs = both.map((one) => ({
      one,
      other: answered.find(
        (a) =>
          a.video.name === `${one.video.name}-reversed` &&
          a.question.task === one.question.task &&
          a.question.text === one.question.text,
      ),
    }));
    const different = pairs.filter(({ one, other }) => other !== undefined && one.answer !== other.answer);
    expect(different.length / pairs.length).toBeGreaterThanOrEqual(DIFFERENT_SHARE);
  });

  test('the strongest evidence of right answers lies inside their moment', () => {
    const good = answered.filter((one) => right(one) && one.question.moment !== null && one.question.task !== 'when');
    expect(good.length).toBeGreaterThan(100);
    expectShare('evidence', good, EVIDENCE_SHARE, isInside);
  });
});

describe('Videos played by a camera (RTSP over TCP)', () => {
  const past: Answered[] = [];
  const now: Answered[] = [];
  /** Four groups, 24 classes, with their counter-videos. */
  const played = videos.slice(0, 8);

  beforeAll(async () => {
    for (let i = 0; i < played.length; i += CAMERAS) await Promise.all(played.slice(i, i + CAMERAS).map(play));
  }, 10 * MINUTE);

  /** Plays a video once in real time; asks what is shown while it is shown, and about the past at the end. */
  async function play(video: Video): Promise<void> {
    const rtsp = await RtspServer.start({ h264: await h264Of(video), fps: VIDEO_FPS });
    closing.push(() => rtsp.close());
    const name = `camera-${video.name}`;
    const stream = await live.create({ name, source: { url: rtsp.url } }, 'operator');
    for (const question of video.questions.filter(({ task }) => task === 'now')) {
      await reached(stream, question.asOfMs - 500);
      now.push(await ask(name, video, question));
    }
    await reached(stream, VIDEO_MS - 500);
    past.push(...(await askAll(name, video, video.questions)));
    expect(rtsp.transports.every((transport) => transport.includes('TCP'))).toBe(true);
    await live.delete(name);
    await rtsp.close();
  }

  async function reached(stream: SourceStream, timeMs: number): Promise<void> {
    while ((stream.status().lastMs ?? -1) < timeMs) {
      const { state, error } = stream.status().sourceStatus;
      if (state === 'failed') throw new Error(error?.message ?? 'the source failed');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  test('what is shown now is answered while the stream runs on', () => {
    const clear = now.filter(({ video, asOfMs }) => shownAt(video, asOfMs) !== undefined);
    expect(clear.length).toBeGreaterThan(now.length * 0.7);
    expectShare('now, live', clear, PASS_SHARE.now, ({ video, asOfMs, answer }) => {
      const shown = shownAt(video, asOfMs);
      return shown !== undefined && names(shown, answer);
    });
  });

  test.each(TASKS)('%s is answered right, also in the counter-videos', (task) => {
    expectShare(task, ofTask(past, task), PASS_SHARE[task]);
  });

  test('the strongest evidence of right answers about the past lies inside their moment', () => {
    const good = past.filter((one) => right(one) && RECALL_TASKS.includes(one.question.task));
    expect(good.length).toBeGreaterThan(20);
    expectShare('evidence', good, EVIDENCE_SHARE, (one) => isInside(widened(one)));
  });

  function widened(one: Answered): Answered {
    const { moment } = one.question;
    if (moment === null) return one;
    const wider = { startMs: moment.startMs - CAMERA_SLACK_MS, endMs: moment.endMs + CAMERA_SLACK_MS };
    return { ...one, question: { ...one.question, moment: wider } };
  }
});

/** The video as a camera encodes it: one slice per frame, no B-frames. */
async function h264Of(video: Video): Promise<Buffer> {
  const file = `${fileOf(video)}.h264`;
  const { path: ffmpeg } = await findFfmpeg();
  const camera = [
    '-profile:v',
    'baseline',
    '-bf',
    '0',
    '-g',
    String(VIDEO_FPS),
    '-x264-params',
    'slices=1:sliced-threads=0',
  ];
  const quality = ['-preset', 'veryfast', '-crf', '24', '-pix_fmt', 'yuv420p', '-c:v', 'libx264'];
  await promisify(execFile)(ffmpeg, [
    '-v',
    'error',
    '-y',
    '-nostdin',
    '-i',
    fileOf(video),
    ...quality,
    ...camera,
    '-f',
    'h264',
    file,
  ]);
  return readFile(file);
}
