import { YocoError } from '../errors.ts';

/** What `ask` resolves to; undefined if the question is refused, since nothing is kept of the time it asks about. */
export async function answerUnlessRefused<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (YocoError.from(error).code === 'time_out_of_range') return undefined;
    throw error;
  }
}
