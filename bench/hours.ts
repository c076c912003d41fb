/**
 * A day in memory: resident bytes and time to first token from ten minutes to 24 hours at two frames a second, kept and
 * read as in the service (int8 pages, index), and the ratio of each first token to that at ten minutes. Baseline: the
 * same model with the whole cache in full precision and read whole.
 */
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { readBundle } from '../src/model/bundle.ts';
import type { FirstTokenTask } from './first-token-worker.ts';
import { limits, round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { speeds } from './transformer.ts';
import type { LengthFigures, WorkerResult, WorkerTask } from './transformer-worker.ts';
import { runInProcess } from './worker.ts';

const FPS = 2;
/** As in the docs; in other benches a MB is 2^20 bytes. */
const MB = 1e6;

export async function hours(options: BenchOptions): Promise<Record<string, unknown>> {
  const { config } = await readBundle(DEFAULT_BUNDLE);
  const spans = options.quick ? [1 / 6, 1] : [1 / 6, 1, 3, 6, 12, 24];
  const tokens = spans.map((span) => Math.round(span * 3600 * FPS) * config.tokensPerFrame);
  const seconds = options.quick ? 0.5 : 3;
  const bytesAToken = 2 * config.kvHeads * config.headDim * Float32Array.BYTES_PER_ELEMENT;
  const most = (options.limitGiB * 2 ** 30) / bytesAToken;
  const indexed = await runWorker({ model: 'yoco-indexed', lengths: tokens, seconds });
  const whole = await runWorker({ model: 'yoco', lengths: tokens.filter((length) => length <= most), seconds });
  const turns: FirstTokenTask = { lengths: tokens, seconds };
  const firstTokens = await runInProcess<number[]>('first-token-worker.ts', turns);
  return {
    limits: await limits(),
    framesASecond: FPS,
    atHours: Object.fromEntries(
      indexed.atLength.map((at, i) => {
        const baseline = whole.atLength.find((entry) => entry.tokens === at.tokens);
        return [
          String(round(spans[i] ?? 0, 2)),
          {
            tokens: at.tokens,
            ...figures(at),
            firstTokenRatioToTenMinutes: round(firstTokens[i] ?? NaN, 2),
            everythingInFullPrecision:
              baseline === undefined ? 'does not fit' : { ...figures(baseline), ratios: ratios(at, baseline) },
          },
        ];
      }),
    ),
  };
}

function figures(at: LengthFigures): Record<string, number> {
  return { residentMB: round(at.residentBytes / MB), ...speeds(at) };
}

/** How many times better the paged and indexed cache is. */
function ratios(own: LengthFigures, baseline: LengthFigures): Record<string, number> {
  return {
    resident: round(baseline.residentBytes / own.residentBytes, 2),
    firstToken: round(baseline.firstTokenMs / own.firstTokenMs, 2),
    decode: round(baseline.decodeMs / own.decodeMs, 2),
  };
}

function runWorker(task: WorkerTask): Promise<WorkerResult> {
  return runInProcess('transformer-worker.ts', task);
}
