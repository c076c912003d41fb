/**
 * Intake throughput: sampled frames a second over all streams, including decoding by ffmpeg, and where the time goes.
 * Baselines: ffmpeg alone decoding and scaling the same clip, and the vision graph alone (backbone and projector).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { findFfmpeg } from '../src/ingest/ffmpeg-binary.ts';
import { loadModel } from '../src/model/model.ts';
import { round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { CLIP, clipStream, engineTimes, startStreams } from './service.ts';

const STREAMS = 8;
const QUICK_STREAMS = 2;
const VISION_RUNS = 100;
const QUICK_VISION_RUNS = 10;

export async function intake(options: BenchOptions): Promise<Record<string, unknown>> {
  const count = options.quick ? QUICK_STREAMS : STREAMS;
  const live = await startStreams();
  let figures;
  try {
    const before = await engineTimes(live);
    const begin = performance.now();
    const streams = await Promise.all(
      Array.from({ length: count }, (_, i) => live.create(clipStream(`intake-${i}`, 'fastest'), 'operator')),
    );
    await Promise.all(streams.map((stream) => stream.ended()));
    const seconds = (performance.now() - begin) / 1000;
    const frames = streams.reduce((sum, stream) => sum + stream.status().frames, 0);
    const lost = streams.reduce((sum, stream) => sum + stream.status().lateFrames, 0);
    const after = await engineTimes(live);
    figures = {
      streams: count,
      frames,
      lost,
      framesASecond: round(frames / seconds),
      visionMs: round((after.vision - before.vision) / frames, 2),
      selfDecoderMs: round((after.selfDecoder - before.selfDecoder) / frames, 2),
      engineBusyShare: round(
        (after.vision + after.selfDecoder - before.vision - before.selfDecoder) / 1000 / seconds,
        2,
      ),
    };
  } finally {
    await live.close();
  }
  return {
    ...figures,
    baselines: {
      ffmpegAlone: await ffmpegAlone(figures.frames, count),
      visionAlone: await visionAlone(options.quick ? QUICK_VISION_RUNS : VISION_RUNS),
    },
  };
}

/** `frames`: sampled frames in all clips together; `clips`: clips decoded at once. */
export async function ffmpegAlone(frames: number, clips = STREAMS): Promise<{ framesASecond: number }> {
  const { path } = await findFfmpeg();
  const begin = performance.now();
  const filter = 'fps=2,scale=224:224';
  const run = promisify(execFile);
  await Promise.all(
    Array.from({ length: clips }, () =>
      run(path, ['-v', 'error', '-nostdin', '-i', CLIP, '-vf', filter, '-f', 'null', '-']),
    ),
  );
  return { framesASecond: round(frames / ((performance.now() - begin) / 1000)) };
}

export async function visionAlone(runs = VISION_RUNS): Promise<{ framesASecond: number }> {
  const model = await loadModel(DEFAULT_BUNDLE);
  const picture = new Uint8Array(model.vision.pictureBytes).fill(90);
  await model.vision.encode(picture);
  const begin = performance.now();
  for (let i = 0; i < runs; i++) await model.vision.encode(picture);
  const seconds = (performance.now() - begin) / 1000;
  await model.release();
  return { framesASecond: round(runs / seconds) };
}
