import { YocoError } from '../errors.ts';

/** What `ask` resolves to; undefined where the question is about a time of which nothing is kept, and so refused. */
export async function answerUnlessRefused<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (YocoError.from(error).code === 'time_out_of_range') return undefined;
    throw error;
  }
}
