/**
 * "Describe what you see" for a thing, for which the data has no sentences: the answer must name it. Uses a random
 * generator of its own, so that other draws for a seed stay as they were.
 */
import { randomMsIn, type Playlist } from './playlist.ts';
import { Asker, type EvaluationQuestion } from './questions.ts';
import { type Random, shuffle } from './random.ts';

/** Number of things described in each stream, each while it is shown. */
const DESCRIPTIONS_PER_STREAM = 2;

/** `labelCount`: how many names the data has; `stream`: its number. */
export function askNamedDescriptions(
  { spans }: Pick<Playlist, 'spans'>,
  labelCount: number,
  random: Random,
  stream = 0,
): readonly EvaluationQuestion[] {
  const asker = new Asker(stream, random);
  for (const { picture, startMs, endMs } of shuffle(spans, random).slice(0, DESCRIPTIONS_PER_STREAM)) {
    const asOfMs = randomMsIn(random, { startMs, endMs });
    const moment = { set: picture.set, startMs, endMs: asOfMs };
    asker.ask('describenamed', {}, { expected: picture.label, chance: 1 / Math.max(1, labelCount), asOfMs, moment });
  }
  return asker.questions;
}
