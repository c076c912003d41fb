/**
 * Resident memory with eight streams of ten minutes in the cache, and cache bytes a token. Baseline: a decoder-only
 * Transformer of the same shape, which keeps K and V in every layer; computed, not run.
 */
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { readBundle } from '../src/model/bundle.ts';
import { residentBytes, round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { startStreams } from './service.ts';

const STREAMS = 8;
const MINUTES = 10;
const QUICK_MINUTES = 0.5;
const FPS = 2;
const MB = 2 ** 20;

export async function memory(options: BenchOptions): Promise<Record<string, unknown>> {
  const minutes = options.quick ? QUICK_MINUTES : MINUTES;
  const { config } = await readBundle(DEFAULT_BUNDLE);
  const live = await startStreams();
  try {
    const { engine } = live;
    const { now: empty } = await residentBytes(engine.pid);
    const picture = new Uint8Array(config.imageSize ** 2 * 3);
    for (let s = 0; s < STREAMS; s++) engine.open(`memory-${s}`, { limitBytes: 512 * MB, mergeBelow: 0 });
    let cacheBytes = 0;
    const frames = minutes * 60 * FPS;
    for (let f = 0; f < frames; f++) {
      // The frames of all streams differ, also from the frame before, so that nothing can be shared.
      const appended = await Promise.all(
        Array.from({ length: STREAMS }, (_, s) => {
          const own = picture.slice().fill((f * 7 + s * 31) % 256, (f % 200) * 600, (f % 200) * 600 + 20_000);
          return engine.append(`memory-${s}`, (f * 1000) / FPS, own);
        }),
      );
      cacheBytes = appended.reduce((sum, { cacheBytes: bytes }) => sum + bytes, 0);
    }
    const { now: full } = await residentBytes(engine.pid);
    const server = process.memoryUsage.rss();
    const shared = 2 * config.kvHeads * config.headDim * 4;
    const everyLayer = 2 * (config.selfLayers + config.crossLayers) * config.kvHeads * config.headDim * 4;
    return {
      streams: STREAMS,
      minutes,
      engineMB: round(full / MB),
      engineEmptyMB: round(empty / MB),
      serverMB: round(server / MB),
      totalMB: round((full + server) / MB),
      cacheMB: round(cacheBytes / MB),
      bytesAToken: shared,
      baselines: { transformer: { bytesAToken: everyLayer, ratio: round(everyLayer / shared) } },
    };
  } finally {
    await live.close();
  }
}
