/**
 * Measures one model in a process of its own, to separate its memory from that of others: a frame, a first token and a
 * decode step at each cache length. Answers one message with one message.
 */
import path from 'node:path';
import type { Tensor } from '../src/model/onnxruntime.ts';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { FRAME_BATCH } from '../src/model/intake.ts';
import { bundlePath, readBundle } from '../src/model/bundle.ts';
import { Embeddings } from '../src/model/embeddings.ts';
import { PAGE_FRAMES } from '../src/model/kv-cache.ts';
import { loadModel } from '../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../src/model/question.ts';
import { argmax } from '../src/model/sampling.ts';
import { float32Tensor, int64Tensor, openSession, output } from '../src/model/session.ts';
import { Tokenizer } from '../src/model/tokenizer.ts';
import { Vision } from '../src/model/vision.ts';
import { answerOnce } from './answer-once.ts';
import { resetPeak, GRAPHS, median, repeat, residentBytes } from './machine.ts';
import { appendNoise, fillWithNoise, fillCache, NOISE } from './noise.ts';
import { readShapes, type ShapeName } from './shapes.ts';

export interface WorkerTask {
  /** `yoco-indexed`: kept and read as in the service; `yoco`: everything in full precision and read whole. */
  readonly model: 'yoco' | 'yoco-indexed' | ShapeName;
  /** Cache lengths in tokens, ascending. */
  readonly lengths: readonly number[];
  /** Measuring time for each figure. */
  readonly seconds: number;
}

export interface LengthFigures {
  readonly tokens: number;
  /** The decoder's share of a frame, without vision. */
  readonly frameMs: number;
  readonly firstTokenMs: number;
  readonly decodeMs: number;
  readonly residentBytes: number;
  /** Peak since the previous length, so including the working memory of runs. */
  readonly peakBytes: number;
}

export interface WorkerResult {
  readonly visionMs: number;
  readonly questionTokens: number;
  /** YOCO only: a frame of one stream, padded to the batch size as in the service. */
  readonly paddedFrameMs?: number;
  readonly atLength: readonly LengthFigures[];
}

const QUESTION = 'What was shown first?';

async function measureLengths(
  task: WorkerTask,
  grow: (tokens: number) => void,
  runs: Record<'frame' | 'first' | 'decode', () => Promise<unknown>>,
): Promise<LengthFigures[]> {
  const results: LengthFigures[] = [];
  for (const tokens of task.lengths) {
    grow(tokens);
    globalThis.gc?.();
    await resetPeak();
    const time = async (run: () => Promise<unknown>): Promise<number> =>
      median(await repeat(run, { seconds: task.seconds, maxRuns: 24 }));
    const frameMs = await time(runs.frame);
    const firstTokenMs = await time(runs.first);
    const decodeMs = await time(runs.decode);
    const { now, peak } = await residentBytes(process.pid);
    results.push({ tokens, frameMs, firstTokenMs, decodeMs, residentBytes: now, peakBytes: peak });
    process.stderr.write(`  ${task.model} at ${tokens} tokens: frame ${frameMs.toFixed(1)} ms, `);
    process.stderr.write(`first token ${firstTokenMs.toFixed(1)} ms, decode ${decodeMs.toFixed(1)} ms\n`);
  }
  return results;
}

async function visionTime(vision: Vision, seconds: number): Promise<number> {
  const picture = new Uint8Array(vision.pictureBytes).fill(90);
  return median(await repeat(() => vision.encode(picture), { seconds }));
}

async function measureYoco(task: WorkerTask, indexed: boolean): Promise<WorkerResult> {
  const model = await loadModel(DEFAULT_BUNDLE);
  const { config, embeddings, reader, selfDecoder, tokenizer } = model;
  const visionMs = await visionTime(model.vision, task.seconds);
  const longest = task.lengths.at(-1) ?? 0;
  // Leaves room for the frames appended while measuring, so that none is dropped. Without the index, everything stays
  // in full precision and is read.
  const room = (longest + 100_000) * 2 * config.kvHeads * config.headDim * 4;
  const cache = indexed ? model.newCache(room) : model.newCache(2 * room, PAGE_FRAMES * Math.ceil(longest / 100));
  const window = selfDecoder.newWindow();
  const timesMs = new Array<number>(config.tokensPerFrame).fill(1_000);
  const tokens = NOISE.slice(0, config.tokensPerFrame * config.width);
  const step = (rows: number): Promise<unknown> => selfDecoder.step([{ window, tokens, timesMs }], rows, config.window);
  for (let i = 0; i * config.tokensPerFrame < config.window; i++) await step(1);
  const paddedFrameMs = median(await repeat(() => step(FRAME_BATCH), { seconds: task.seconds }));

  let frames = 0;
  const question = segmentTokens(tokenizer, config, [], QUESTION, 0);
  const open = (): Promise<QuestionSegment> => QuestionSegment.open(selfDecoder, embeddings, config, question);
  const readCache = async (segment: QuestionSegment): Promise<number> => {
    const input = segment.readerInput;
    if (indexed) {
      const answer = await reader.read([{ cache, frames }], input);
      segment.recordReading(answer);
      return argmax(answer.logits);
    }
    const [answer] = await reader.readShared(cache, [{ frames, input }]);
    return argmax(answer?.logits ?? new Float32Array(0));
  };
  let answering = await open();
  const atLength = await measureLengths(
    task,
    (length) => {
      fillCache(cache, length);
      frames = Math.floor(length / config.tokensPerFrame);
    },
    {
      frame: async () => {
        await step(1);
        appendNoise(cache);
      },
      first: async () => {
        answering = await open();
        await readCache(answering);
      },
      decode: async () => {
        const [next] = await selfDecoder.step([
          { window: answering.window, tokens: embeddings.lookup([config.endToken]), timesMs: [-1] },
        ]);
        if (next !== undefined) answering.extend(next);
        await readCache(answering);
      },
    },
  );
  await model.release();
  return { visionMs, questionTokens: question.ids.length, paddedFrameMs, atLength };
}

async function measureTransformer(task: WorkerTask, name: ShapeName): Promise<WorkerResult> {
  const shape = (await readShapes())[name];
  // A service of this model would hold these as well.
  const bundle = await readBundle(DEFAULT_BUNDLE);
  const { config } = bundle;
  const vision = new Vision(await openSession(bundlePath(bundle, 'vision.onnx')), config);
  const tokenizer = await Tokenizer.load(bundlePath(bundle, 'tokenizer.json'));
  const embeddings = await Embeddings.load(bundlePath(bundle, 'embeddings.bin'), config.vocabulary, config.width);
  const visionMs = await visionTime(vision, task.seconds);
  const question = segmentTokens(tokenizer, config, [], QUESTION, 0);
  embeddings.lookup(question.ids);

  const session = await openSession(path.join(GRAPHS, `${name}.onnx`));
  const { layers, kvHeads, headDim, width } = shape;
  const spare = 64;
  const capacity = (task.lengths.at(-1) ?? 0) + spare;
  const names = ['k', 'v'].flatMap((kind) =>
    Array.from({ length: layers * kvHeads }, (_, i) => `${kind}${Math.floor(i / kvHeads)}_${i % kvHeads}`),
  );
  // The system allocates memory pages only as they are filled.
  const buffers = names.map(() => new Float32Array(capacity * headDim));
  let length = 0;
  /** Runs `n` new tokens. Their K and V go after the cached ones; the next run overwrites them. */
  const run = async (n: number, logits: boolean): Promise<void> => {
    const x = float32Tensor(NOISE.subarray(0, n * width), [n, width]);
    const feeds: Record<string, Tensor> = {
      x,
      position: int64Tensor(Array.from({ length: n }, (_, i) => length + i)),
      rows: int64Tensor(logits ? [n - 1] : []),
    };
    names.forEach((key, i) => {
      feeds[key] = float32Tensor((buffers[i] ?? NOISE).subarray(0, length * headDim), [length, headDim]);
    });
    const results = await session.run(feeds);
    const half = layers * kvHeads;
    const newK = output(results, 'new_k');
    const newV = output(results, 'new_v');
    for (let i = 0; i < half; i++) {
      const from = i * n * headDim;
      buffers[i]?.set(newK.subarray(from, from + n * headDim), length * headDim);
      buffers[half + i]?.set(newV.subarray(from, from + n * headDim), length * headDim);
    }
    if (logits) argmax(output(results, 'logits'));
  };
  const atLength = await measureLengths(
    task,
    (next) => {
      for (const buffer of buffers) fillWithNoise(buffer, length * headDim, next * headDim);
      length = next;
    },
    {
      frame: () => run(config.tokensPerFrame, false),
      first: () => run(question.ids.length, true),
      decode: () => run(1, true),
    },
  );
  await session.release();
  await vision.release();
  embeddings.release();
  return { visionMs, questionTokens: question.ids.length, atLength };
}

answerOnce((message) => {
  const task = message as WorkerTask;
  const yocoModels = ['yoco', 'yoco-indexed'] as const;
  const own = yocoModels.find((name) => name === task.model);
  return own === undefined
    ? measureTransformer(task, task.model as ShapeName)
    : measureYoco(task, own === 'yoco-indexed');
});
