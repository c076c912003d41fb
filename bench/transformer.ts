/**
 * YOCO against a decoder-only Transformer: cached bytes, a frame, a first token and decoding, at cache lengths up to a
 * million tokens. Baselines, run by the same ONNX Runtime with as many threads: a Transformer of the bundle's own shape
 * (every layer with the heads of the bundle's cross-decoder and its own K and V), and one of the shape of SmolLM2-135M.
 * Their weights are computed by a formula (models/training/transformer_graph.py), so only speed and size mean anything.
 */
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { readBundle } from '../src/model/bundle.ts';
import { type Limits, limits, round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import {
  hasBundleShape,
  readShapes,
  selfDecoderFlops,
  type ShapeName,
  tokensThatFit,
  transformerBytesPerToken,
  transformerFlops,
  yocoBytesPerToken,
} from './shapes.ts';
import type { LengthFigures, WorkerResult, WorkerTask } from './transformer-worker.ts';
import { runInProcess } from './worker.ts';

const LENGTHS = [1_000, 8_000, 32_000, 128_000, 512_000, 1_000_000];
const QUICK_LENGTHS = [1_000, 8_000, 32_000];
const MB = 2 ** 20;

/** How a model's bytes and operations grow, to compare its speed with the limits of the machine. */
interface Cost {
  readonly bytesAToken: number;
  /** Bytes that one decode step reads for each cached token. */
  readonly readAToken: number;
  readonly frameFlops: (length: number) => number;
}

export async function transformer(options: BenchOptions): Promise<Record<string, unknown>> {
  const { config } = await readBundle(DEFAULT_BUNDLE);
  const shapes = await readShapes();
  if (!hasBundleShape(shapes.transformer, config)) {
    throw new Error('The baseline has not the shape of the bundle; make its graph anew (bench/graphs/README.md).');
  }
  const lengths = options.quick ? QUICK_LENGTHS : LENGTHS;
  const seconds = options.quick ? 0.5 : 3;
  const bound = await limits();
  const n = config.tokensPerFrame;
  const ownBytes = yocoBytesPerToken(config);
  const yocoRun = await runWorker({ model: 'yoco', lengths, seconds });
  const indexedRun = await runWorker({ model: 'yoco-indexed', lengths, seconds });
  const yocoFrame = selfDecoderFlops(config, shapes.transformer.ffn, n);
  const yocoCost = {
    bytesAToken: ownBytes,
    readAToken: config.crossLayers * ownBytes,
    frameFlops: () => yocoFrame,
  };
  const baselines: Record<string, unknown> = {};
  for (const name of ['transformer', 'smollm2-135m'] as const) {
    const shape = shapes[name];
    const bytesAToken = transformerBytesPerToken(shape);
    const most = tokensThatFit(options.limitGiB * 2 ** 30, bytesAToken);
    const run = await runWorker({ model: name, lengths: lengths.filter((length) => length <= most), seconds });
    const cost = {
      bytesAToken,
      readAToken: bytesAToken,
      frameFlops: (length: number) => transformerFlops(shape, n, length),
    };
    baselines[name] = {
      shape: describe(name, shape.layers, shape.width),
      bytesAToken,
      bytesRatio: round(bytesAToken / ownBytes),
      visionMs: round(run.visionMs),
      atTokens: byLength(lengths, (tokens) => {
        const there = run.atLength.find((entry) => entry.tokens === tokens);
        const own = yocoRun.atLength.find((entry) => entry.tokens === tokens);
        if (there === undefined || own === undefined) {
          return `does not fit: its cache takes ${round((tokens * bytesAToken) / 2 ** 30)} GiB, the limit is ${options.limitGiB}`;
        }
        return { ...figures(there, cost, bound), ratios: ratios(own, yocoRun, there, run) };
      }),
    };
  }
  return {
    limits: bound,
    questionTokens: yocoRun.questionTokens,
    bytesAToken: ownBytes,
    visionMs: round(yocoRun.visionMs),
    paddedFrameMs: round(yocoRun.paddedFrameMs ?? 0, 2),
    atTokens: byLength(lengths, (tokens) => {
      const there = yocoRun.atLength.find((entry) => entry.tokens === tokens);
      const indexed = indexedRun.atLength.find((entry) => entry.tokens === tokens);
      if (there === undefined || indexed === undefined) return 'not measured';
      // As the service does: int8 pages, of which at most INDEXED_TOKENS tokens are read.
      return {
        ...figures(there, yocoCost, bound),
        withIndex: { residentMB: round(indexed.residentBytes / MB), ...speeds(indexed) },
      };
    }),
    baselines,
  };
}

function describe(name: ShapeName, layers: number, width: number): string {
  const whose = name === 'transformer' ? "the bundle's own" : 'of SmolLM2-135M, another size';
  return `${layers} layers, width ${width}: ${whose}; weights are a formula`;
}

function byLength(lengths: readonly number[], of: (tokens: number) => unknown): Record<string, unknown> {
  return Object.fromEntries(lengths.map((tokens) => [String(tokens), of(tokens)]));
}

/** The speeds at one cache length. */
export function speeds(at: LengthFigures): Record<string, number> {
  return {
    frameMs: round(at.frameMs, 2),
    firstTokenMs: round(at.firstTokenMs, 2),
    decodeTokensASecond: round(1000 / at.decodeMs),
  };
}

function figures(at: LengthFigures, cost: Cost, bound: Limits): Record<string, number> {
  return {
    cacheMB: round((at.tokens * cost.bytesAToken) / MB),
    residentMB: round(at.residentBytes / MB),
    peakMB: round(at.peakBytes / MB),
    ...speeds(at),
    decodeShareOfBandwidth: round((cost.readAToken * at.tokens) / 1e6 / at.decodeMs / bound.readGBs, 3),
    frameShareOfFlops: round(cost.frameFlops(at.tokens) / 1e6 / at.frameMs / bound.gflops, 3),
  };
}

/** By which factors YOCO is better. */
function ratios(
  own: LengthFigures,
  ownRun: WorkerResult,
  other: LengthFigures,
  otherRun: WorkerResult,
): Record<string, number> {
  return {
    frame: round(other.frameMs / own.frameMs),
    frameWithVision: round((other.frameMs + otherRun.visionMs) / (own.frameMs + ownRun.visionMs)),
    firstToken: round(other.firstTokenMs / own.firstTokenMs),
    decode: round(other.decodeMs / own.decodeMs),
    resident: round(other.residentBytes / own.residentBytes),
    peak: round(other.peakBytes / own.peakBytes),
  };
}

function runWorker(task: WorkerTask): Promise<WorkerResult> {
  return runInProcess('transformer-worker.ts', task);
}
