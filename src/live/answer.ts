/** An answer as it is written: pieces of text to iterate, and a promise of its end. */
import type { YocoError } from '../errors.ts';
import type { Answer, AnswerResult } from './types.ts';

export class StreamedAnswer implements Answer {
  readonly result: Promise<AnswerResult>;
  readonly #pieces: string[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #error: YocoError | undefined;
  #resolve!: (result: AnswerResult) => void;
  #reject!: (error: YocoError) => void;

  constructor() {
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Callers who only iterate see the error there; an unhandled rejection must not end the process.
    this.result.catch(() => undefined);
  }

  add(text: string): void {
    this.#pieces.push(text);
    this.#wake?.();
  }

  end(result: AnswerResult): void {
    this.#ended = true;
    this.#resolve(result);
    this.#wake?.();
  }

  fail(error: YocoError): void {
    this.#ended = true;
    this.#error = error;
    this.#reject(error);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    let next = 0;
    for (;;) {
      const piece = this.#pieces[next];
      if (piece !== undefined) {
        next++;
        yield piece;
      } else if (this.#error !== undefined) throw this.#error;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
