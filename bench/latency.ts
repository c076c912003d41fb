/**
 * Time to first token while four live streams run. Baseline, what most services do: the same model encodes the last
 * four frames again for each question, while the same four streams run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { loadModel } from '../src/model/model.ts';
import { FrameWatch, totals } from './frame-watch.ts';
import { firstToken } from './greedy-answer.ts';
import { quantiles, round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { QUESTIONS, encodePictures, measureMs } from './reread.ts';
import { startLiveStreams, startStreams } from './service.ts';

const STREAMS = 4;
const FULL = { questions: 60, rereadings: 20, warmUpMs: 15_000 };
const QUICK = { questions: 8, rereadings: 4, warmUpMs: 3_000 };
const REREAD_FRAMES = 4;

export async function latency(options: BenchOptions): Promise<Record<string, unknown>> {
  const { questions, rereadings, warmUpMs } = options.quick ? QUICK : FULL;
  const live = await startStreams();
  const first: number[] = [];
  const tokensASecond: number[] = [];
  try {
    const streams = await startLiveStreams(live, STREAMS, 'latency');
    const watches = streams.map((stream) => new FrameWatch(stream));
    await sleep(warmUpMs);
    watches.forEach((watch) => {
      watch.begin();
    });
    for (let i = 0; i < questions; i++) {
      const stream = streams[i % STREAMS];
      const answer = stream?.converse().ask(QUESTIONS[i % QUESTIONS.length] ?? '');
      const result = await answer?.result;
      if (result === undefined) continue;
      first.push(result.firstTokenMs);
      if (result.outputTokens > 1) {
        tokensASecond.push((result.outputTokens - 1) / ((result.totalMs - result.firstTokenMs) / 1000));
      }
      await pause(i);
    }
    const frames = streams.reduce((sum, stream) => sum + stream.status().frames, 0);
    const own = quantiles(first);
    const figures = {
      streams: STREAMS,
      questions,
      /** Frames that each stream had taken in at the end, on average. */
      cachedFrames: Math.round(frames / STREAMS),
      firstTokenMs: own,
      tokensASecond: quantiles(tokensASecond),
      live: totals(watches),
    };
    // The baseline loads its model only now, so as not to disturb the measurement above.
    const reread = await measureReread(rereadings);
    watches.forEach((watch) => {
      watch.close();
    });
    const ratio = round(reread.firstTokenMs.median / Math.max(1, own.median), 2);
    return { ...figures, baselines: { reread: { ...reread, liveStreams: STREAMS, ratio } } };
  } finally {
    await live.close();
  }
}

/** A varying pause between questions, so that they do not fall into step with the frames of the streams. */
async function pause(i: number): Promise<void> {
  await sleep(150 + (i % 7) * 40);
}

async function measureReread(count: number): Promise<{ frames: number; firstTokenMs: ReturnType<typeof quantiles> }> {
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const picture = new Uint8Array(model.vision.pictureBytes).fill(90);
    const pictures = new Array<Uint8Array>(REREAD_FRAMES).fill(picture);
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const question = QUESTIONS[i % QUESTIONS.length] ?? '';
      times.push(await measureMs(async () => firstToken(model, await encodePictures(model, pictures), question)));
      await pause(i);
    }
    return { frames: REREAD_FRAMES, firstTokenMs: quantiles(times) };
  } finally {
    await model.release();
  }
}
