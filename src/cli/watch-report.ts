/** The output of `watch`: for a person, or as one JSON object a line. */
import type { YocoError } from '../errors.ts';
import type { Answer, AnswerResult } from '../live/types.ts';
import { confidenceText } from './answer-summary.ts';
import { errorText } from './error-text.ts';
import { spansText } from './terminal.ts';

export interface WatchReport {
  /** What follows is about this source, of which frames were seen. */
  begin(source: string): void;
  /** Prints the answer that `ask` begins. Rejects with what `ask` throws, and with the answer's failure. */
  answer(question: string, ask: () => Answer): Promise<void>;
  /** A question about this source that has no answer. */
  questionFailed(question: string, error: YocoError): void;
  /** All questions were asked; `lastMs`: time of the newest frame. */
  end(frames: number, lastMs: number | null): void;
  /** A source of which no frame was seen. */
  sourceFailed(source: string, error: YocoError): void;
}

export interface WatchReportOptions {
  /** Whether there is a single source; in a list each source is named. */
  readonly isSingle: boolean;
  /** Whether there is a single question; several are each repeated before their answers. */
  readonly isSingleQuestion: boolean;
}

/** Streams answers to stdout, below their sources and questions; everything else goes to stderr. */
export class TextReport implements WatchReport {
  readonly #options: WatchReportOptions;
  #source = '';
  #isFirst = true;

  constructor(options: WatchReportOptions) {
    this.#options = options;
  }

  begin(source: string): void {
    this.#source = source;
    if (this.#options.isSingle) return;
    process.stdout.write(`${this.#isFirst ? '' : '\n'}==> ${source} <==\n`);
    this.#isFirst = false;
  }

  async answer(question: string, ask: () => Answer): Promise<void> {
    const answer = ask();
    process.stdout.write(this.#options.isSingleQuestion ? '' : `${question}\n  `);
    try {
      for await (const piece of answer) process.stdout.write(piece);
    } finally {
      process.stdout.write('\n');
    }
    const result = await answer.result;
    const evidence = evidenceOf(result);
    const rests = evidence.length > 0 ? `evidence ${spansText(evidence)}; ` : '';
    process.stderr.write(`  ${rests}${confidenceText(result.confidence, result.text)}\n`);
  }

  questionFailed(question: string, error: YocoError): void {
    const { isSingle, isSingleQuestion } = this.#options;
    const which = isSingle ? question : `${this.#source}: ${question}`;
    process.stderr.write(errorText(error, isSingle && isSingleQuestion ? undefined : which));
  }

  end(): void {
    return;
  }

  sourceFailed(source: string, error: YocoError): void {
    process.stderr.write(errorText(error, source));
  }
}

/** Writes results and errors to stdout. */
export class JsonReport implements WatchReport {
  #source = '';
  #answers: object[] = [];

  begin(source: string): void {
    this.#source = source;
    this.#answers = [];
  }

  async answer(question: string, ask: () => Answer): Promise<void> {
    const result = await ask().result;
    const sinceMs = result.streams[0]?.sinceMs ?? null;
    const since = sinceMs === null ? null : sinceMs / 1000;
    const confidence = Math.round(result.confidence * 10_000) / 10_000;
    const evidence = evidenceOf(result);
    this.#answers.push({ question, answer: result.text, as_of: result.asOfMs / 1000, since, confidence, evidence });
  }

  questionFailed(question: string, error: YocoError): void {
    this.#answers.push({ question, error: errorJson(error) });
  }

  end(frames: number, lastMs: number | null): void {
    write({ source: this.#source, frames, seconds: (lastMs ?? 0) / 1000, answers: this.#answers });
  }

  sourceFailed(source: string, error: YocoError): void {
    write({ source, error: errorJson(error) });
  }
}

const write = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** An unexpected error also goes to stderr, with its stack trace. */
function errorJson(error: YocoError): object {
  if (error.code === 'internal') process.stderr.write(errorText(error));
  return { code: error.code, message: error.message };
}

/** Times in seconds. */
function evidenceOf({ evidence }: AnswerResult) {
  return evidence.map(({ startMs, endMs, peakMs, weight }) => ({
    start: startMs / 1000,
    end: endMs / 1000,
    peak: peakMs / 1000,
    weight: Math.round(weight * 1000) / 1000,
  }));
}
