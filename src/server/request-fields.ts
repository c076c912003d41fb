/** Fields that the WebSocket's events and `/v1/chat/completions` share, and how they map to `AskOptions`. */
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import type { AskOptions } from '../live/types.ts';
import { TIME_FORMS } from './times.ts';

/** Accepted and ignored: fields of OpenAI's API without meaning for a short text about video. */
export const noEffect = z.unknown().optional();
export const noTools = z.array(z.unknown()).max(0, { error: 'must be empty: the model calls no tools' });

export const time = z.union([z.number(), z.string().max(64)], { error: TIME_FORMS });
/** Whether the streams exist and fit the limit is checked later. */
export const streams = z.union([z.literal('all'), z.array(z.string().min(1).max(200)).max(1_000)], {
  error: 'must be a list of names of streams, or "all"',
});
export type WireStreams = z.infer<typeof streams>;

export const temperature = z.number().min(0).max(2);
export const topP = z.number().gt(0).max(1);
export const seed = z.int().min(0).max(4_294_967_295);

interface Sampling {
  readonly temperature?: number | null | undefined;
  readonly top_p?: number | null | undefined;
  readonly seed?: number | null | undefined;
}

/** Omitted fields keep the service's default, greedy decoding, although OpenAI's default is to sample. */
export function samplingOf(asked: Sampling): Pick<AskOptions, 'temperature' | 'topP' | 'seed'> {
  return {
    ...(asked.temperature == null ? {} : { temperature: asked.temperature }),
    ...(asked.top_p == null ? {} : { topP: asked.top_p }),
    ...(asked.seed == null ? {} : { seed: asked.seed }),
  };
}

/** The trimmed question. Throws `question_empty`, `question_too_long`. */
export function questionText(written: string, maxChars: number, param: string): string {
  const question = written.trim();
  if (question === '') throw new YocoError('question_empty', { param });
  // The limit includes surrounding blanks: an item is kept as it was written.
  if (written.length > maxChars) {
    throw new YocoError('question_too_long', {
      param,
      detail: `It has ${written.length} characters; the limit is ${maxChars}.`,
    });
  }
  return question;
}
