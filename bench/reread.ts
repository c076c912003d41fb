/**
 * Time to first token from the cache, against what most services do: the same model encodes the last frames again for
 * each question (vision and self-decoder). Both alternate in one process, beside a service that plays four live
 * streams, so that they share the cores with the same load. The frames to encode again are in memory, already decoded.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import type { KvCache } from '../src/model/kv-cache.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { syntheticCache } from './askers.ts';
import { firstToken } from './greedy-answer.ts';
import { quantiles, round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { clipPictures, FPS, startLiveStreams, startStreams } from './service.ts';

const LIVE_STREAMS = 4;
/** Ten minutes at two frames a second. */
const CACHED_FRAMES = 1_200;
const REREAD_FRAMES = [4, 64];
export const QUESTIONS = [
  'What is shown now?',
  'What was shown first?',
  'Have you seen a dog?',
  'When did the espresso appear?',
];

export async function reread(options: BenchOptions): Promise<Record<string, unknown>> {
  const rounds = options.quick ? 4 : 40;
  const live = await startStreams();
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const pictures = await clipPictures(model.config.imageSize, Math.max(...REREAD_FRAMES));
    const cached = syntheticCache(model, CACHED_FRAMES);
    await startLiveStreams(live, LIVE_STREAMS, 'reread');
    await sleep(options.quick ? 2_000 : 10_000);
    const fromCache: number[] = [];
    const rereadMs = new Map(REREAD_FRAMES.map((frames) => [frames, [] as number[]]));
    for (let i = 0; i < rounds; i++) {
      const question = QUESTIONS[i % QUESTIONS.length] ?? '';
      fromCache.push(await measureMs(() => firstToken(model, cached, question)));
      await sleep(20 + ((i * 97) % 210));
      for (const [frames, times] of rereadMs) {
        times.push(
          await measureMs(async () =>
            firstToken(model, await encodePictures(model, pictures.slice(-frames)), question),
          ),
        );
        await sleep(20 + ((i * 61) % 210));
      }
    }
    const own = quantiles(fromCache);
    return {
      liveStreams: LIVE_STREAMS,
      questions: rounds,
      cachedFrames: CACHED_FRAMES,
      firstTokenMs: own,
      baselines: Object.fromEntries(
        [...rereadMs].map(([frames, times]) => {
          const firstTokenMs = quantiles(times);
          return [
            `reread${frames}`,
            { frames, firstTokenMs, ratio: round(firstTokenMs.median / Math.max(0.1, own.median)) },
          ];
        }),
      ),
    };
  } finally {
    await model.release();
    await live.close();
  }
}

export async function measureMs(run: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await run();
  return performance.now() - begin;
}

/** Encodes these pictures into a new cache. */
export async function encodePictures(model: Model, pictures: readonly Uint8Array[]): Promise<KvCache> {
  const { config, selfDecoder, vision } = model;
  const cache = model.newCache(2 ** 26);
  const window = selfDecoder.newWindow();
  for (const [i, picture] of pictures.entries()) {
    const timeMs = (i * 1000) / FPS;
    const tokens = await vision.encode(picture);
    const timesMs = new Array<number>(config.tokensPerFrame).fill(timeMs);
    const [step] = await selfDecoder.step([{ window, tokens, timesMs }]);
    if (step !== undefined) cache.append(timeMs, step.k, step.v);
  }
  return cache;
}
