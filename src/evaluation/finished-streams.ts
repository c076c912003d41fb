/** Keeps an evaluation's finished streams in a file, one JSON object a line, so that an interrupted one can resume. */
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import { rescore, type StreamResult, streamResult } from './results.ts';

/** Everything that an answer depends on, by name. */
export type EvaluationKey = Readonly<Record<string, string | number | boolean>>;

const head = z.object({ evaluation: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])) });

export class FinishedStreams {
  readonly #file: string;
  readonly results: Map<number, StreamResult>;

  private constructor(file: string, results: Map<number, StreamResult>) {
    this.#file = file;
    this.results = results;
  }

  /**
   * Reads the file, or creates it. Throws `resume_mismatch` if it holds an evaluation with other options,
   * `data_invalid` if it is not an evaluation. Drops a last line that was cut off. Scores the answers again.
   */
  static async open(file: string, key: EvaluationKey): Promise<FinishedStreams> {
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw new YocoError('data_invalid', { param: 'resume', detail: `${file} cannot be read.`, cause });
    });
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const [first, ...lines] = whole.split('\n').filter((line) => line !== '');
    const results = new Map<number, StreamResult>();
    if (first === undefined) {
      // Do not overwrite an unrelated file that has no line end.
      if (text !== '' && !text.startsWith('{"evaluation":')) throw invalid(file, 1);
      await rethrowWriteError(file, writeFile(file, `${JSON.stringify({ evaluation: key })}\n`));
      return new FinishedStreams(file, results);
    }
    checkSameKey(file, parseLine(head, first, file, 1).evaluation, key);
    lines.forEach((line, i) => {
      const result = parseLine(streamResult, line, file, i + 2);
      results.set(result.stream, rescore(result));
    });
    // Truncated, not rewritten: an interrupted rewrite could lose finished streams.
    if (whole !== text) await rethrowWriteError(file, truncate(file, Buffer.byteLength(whole)));
    return new FinishedStreams(file, results);
  }

  /** Throws `data_invalid` if the file cannot be written. */
  async add(result: StreamResult): Promise<void> {
    this.results.set(result.stream, result);
    await rethrowWriteError(this.#file, appendFile(this.#file, `${JSON.stringify(result)}\n`));
  }
}

function checkSameKey(file: string, saved: EvaluationKey, current: EvaluationKey): void {
  for (const name of new Set([...Object.keys(saved), ...Object.keys(current)])) {
    if (saved[name] === current[name]) continue;
    const said = (key: EvaluationKey): string => (name in key ? JSON.stringify(key[name]) : 'unknown');
    const detail = `${file}: ${name} was ${said(saved)} and is ${said(current)} now. Use the same options, or another file.`;
    throw new YocoError('resume_mismatch', { param: 'resume', detail });
  }
}

function parseLine<T>(schema: z.ZodType<T>, line: string, file: string, number: number): T {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw invalid(file, number, cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(file, number, parsed.error);
  return parsed.data;
}

function invalid(file: string, line: number, cause?: unknown): YocoError {
  const detail = `${file} line ${line}: not a finished stream of an evaluation.`;
  return new YocoError('data_invalid', { param: 'resume', detail, cause });
}

async function rethrowWriteError(file: string, change: Promise<void>): Promise<void> {
  await change.catch((cause: unknown) => {
    throw new YocoError('data_invalid', { param: 'resume', detail: `${file} cannot be written.`, cause });
  });
}
