/**
 * llama.cpp in a process of its own: it blocks its thread, and its memory goes with the process. Answers one message
 * with one message.
 */
import os from 'node:os';
import { answerOnce } from './answer-once.ts';

export interface LlamaTask {
  /** URL of node-llama-cpp's entry. */
  readonly entry: string;
  readonly gguf: string;
  /** Context lengths in tokens; their prefill and the decoding after it are timed. */
  readonly contexts: readonly number[];
  readonly decoded: number;
}

export interface LlamaFigures {
  readonly tokens: number;
  readonly threads: number;
  readonly prefillTokensASecond: number;
  readonly decodeTokensASecond: number;
}

/** The parts of node-llama-cpp 3 that are used. */
interface Sequence {
  clearHistory(): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  evaluate(tokens: readonly number[], options: { temperature: number; yieldEogToken: boolean }): AsyncGenerator<number>;
}
interface Context {
  getSequence(): Sequence;
  dispose(): Promise<void>;
}
interface LlamaModel {
  tokenize(text: string): number[];
  createContext(options: { contextSize: number; batchSize: number; threads: number }): Promise<Context>;
}
interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}
interface LlamaOptions {
  readonly gpu: false;
  readonly build: 'never';
  readonly logLevel: 'error';
  readonly progressLogs: false;
}
interface NodeLlamaCpp {
  readonly getLlama: (options: LlamaOptions) => Promise<Llama>;
}

const TEXT = 'The camera shows a street, and a dog that waits in front of a shop. ';

async function measure(task: LlamaTask): Promise<LlamaFigures[]> {
  const { getLlama } = (await import(task.entry)) as NodeLlamaCpp;
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', progressLogs: false });
  const model = await llama.loadModel({ modelPath: task.gguf });
  const contextSize = Math.max(...task.contexts) + task.decoded + 2;
  const text = model.tokenize(TEXT);

  /** One context serves all lengths: their prompts repeat the same text. */
  const measureLengths = async (threads: number, lengths: readonly number[]): Promise<LlamaFigures[]> => {
    const context = await model.createContext({ contextSize, batchSize: 512, threads });
    const sequence = context.getSequence();
    const figures: LlamaFigures[] = [];
    for (const tokens of lengths) {
      await sequence.clearHistory();
      const prompt = Array.from({ length: tokens }, (_, i) => text[i % text.length] ?? 0);
      const begin = performance.now();
      await sequence.evaluateWithoutGeneratingNewTokens(prompt);
      const prefillSeconds = (performance.now() - begin) / 1000;
      let count = 0;
      let firstAt = 0;
      // End tokens count like any other: only the length matters.
      const written = sequence.evaluate(text.slice(0, 1), { temperature: 0, yieldEogToken: true });
      while (count <= task.decoded && (await written.next()).done !== true) {
        if (count++ === 0) firstAt = performance.now();
      }
      const decodeSeconds = (performance.now() - firstAt) / 1000;
      await written.return(undefined);
      const decodeTokensASecond = Math.round(((count - 1) / decodeSeconds) * 10) / 10;
      figures.push({ tokens, threads, prefillTokensASecond: Math.round(tokens / prefillSeconds), decodeTokensASecond });
      process.stderr.write(`  llama.cpp, ${threads} threads, ${tokens} tokens: ${decodeTokensASecond} tokens/s\n`);
    }
    await context.dispose();
    return figures;
  };

  // llama.cpp's threads spin while they wait for each other: beside other load, one thread may be faster than all.
  let best: LlamaFigures | undefined;
  for (const threads of new Set([os.availableParallelism(), 1])) {
    const [short] = await measureLengths(threads, task.contexts.slice(0, 1));
    if (short !== undefined && short.decodeTokensASecond > (best?.decodeTokensASecond ?? 0)) best = short;
  }
  if (best === undefined) return [];
  const figures = [best, ...(await measureLengths(best.threads, task.contexts.slice(1)))];
  await llama.dispose();
  return figures;
}

answerOnce((message) => measure(message as LlamaTask));
