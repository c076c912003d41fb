/**
 * How soon an answer begins while four live streams run.
 * Baseline, what most services do: the last four frames are encoded again for each question, by the same model.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { loadModel } from '../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../src/model/question.ts';
import { quantiles, round } from './machine.ts';
import { clipStream, startStreams } from './service.ts';

const STREAMS = 4;
const QUESTIONS = 60;
const WARM_UP_MS = 15_000;
const ASKED = ['What is shown now?', 'What was shown first?', 'Have you seen a dog?', 'When did the espresso appear?'];

export async function latency(): Promise<Record<string, unknown>> {
  const live = await startStreams();
  const first: number[] = [];
  const tokensASecond: number[] = [];
  let figures;
  try {
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, (_, i) => live.create(clipStream(`latency-${i}`, 'realtime'), 'operator')),
    );
    await sleep(WARM_UP_MS);
    for (let i = 0; i < QUESTIONS; i++) {
      const stream = streams[i % STREAMS];
      const answer = stream?.converse().ask(ASKED[i % ASKED.length] ?? '');
      const result = await answer?.result;
      if (result === undefined) continue;
      first.push(result.firstTokenMs);
      if (result.outputTokens > 1) {
        tokensASecond.push((result.outputTokens - 1) / ((result.totalMs - result.firstTokenMs) / 1000));
      }
      await sleep(150 + (i % 7) * 40);
    }
    const lost = streams.reduce(
      (sum, stream) => sum + stream.status().lateFrames + stream.status().sourceStatus.dropped,
      0,
    );
    const frames = streams.reduce((sum, stream) => sum + stream.status().frames, 0);
    figures = {
      streams: STREAMS,
      questions: QUESTIONS,
      /** That each stream had come to at the end. */
      cachedFrames: Math.round(frames / STREAMS),
      firstTokenMs: quantiles(first),
      tokensASecond: quantiles(tokensASecond),
      frames,
      lost,
    };
  } finally {
    await live.close();
  }
  const reread = await rereading();
  const ratio = round(reread.firstTokenMs.median / Math.max(1, figures.firstTokenMs.median), 2);
  return { ...figures, baselines: { reread: { ...reread, ratio } } };
}

async function rereading(): Promise<{ frames: number; firstTokenMs: ReturnType<typeof quantiles> }> {
  const model = await loadModel(DEFAULT_BUNDLE);
  const { config, embeddings, reader, selfDecoder, tokenizer, vision } = model;
  const picture = new Uint8Array(vision.pictureBytes).fill(90);
  const frames = 4;
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const begin = performance.now();
    const cache = model.newCache(2 ** 26);
    const window = selfDecoder.newWindow();
    for (let f = 0; f < frames; f++) {
      const tokens = await vision.tokens(picture);
      const timesMs = new Array<number>(config.tokensPerFrame).fill(f * 500);
      const [step] = await selfDecoder.step([{ window, tokens, timesMs }]);
      if (step !== undefined) cache.append(f * 500, step.k, step.v);
    }
    const tokens = segmentTokens(tokenizer, config, [], ASKED[i % ASKED.length] ?? '', 1_500);
    const segment = await QuestionSegment.open(selfDecoder, embeddings, config, tokens);
    await reader.readTogether(cache, [{ frames: cache.frames, input: segment.own }]);
    times.push(performance.now() - begin);
  }
  await model.release();
  return { frames, firstTokenMs: quantiles(times) };
}
