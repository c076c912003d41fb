/** Where the engine's time goes: ms in each part of the model since it started, and the work done. */
import { type EngineTimes, NO_TIMES } from './protocol.ts';

type Part = 'vision' | 'selfDecoder' | 'crossDecoder';

export class RunTimes {
  readonly #times = { ...NO_TIMES };

  get total(): EngineTimes {
    return { ...this.#times };
  }

  async measure<T>(part: Part, run: () => Promise<T>): Promise<T> {
    const begin = performance.now();
    try {
      return await run();
    } finally {
      this.#times[part] += performance.now() - begin;
    }
  }

  countFrame(): void {
    this.#times.frames++;
  }

  countAnswerToken(): void {
    this.#times.answerTokens++;
  }
}
