/**
 * "Describe what you see" of a thing, of which the data has no sentences: what is said must name it. Asked with a
 * generator of its own: what else is drawn for a seed stays as it was.
 */
import { insideMs, type Playlist } from './playlist.ts';
import { Asker, type EvaluationQuestion } from './questions.ts';
import { type Random, shuffle } from './random.ts';

/** So many things of a stream are described, each while it is shown. */
const DESCRIBED = 2;

/** `labels`: how many names there are; `stream`: its number. */
export function askNamedDescriptions(
  { spans }: Pick<Playlist, 'spans'>,
  labels: number,
  random: Random,
  stream = 0,
): readonly EvaluationQuestion[] {
  const asker = new Asker(stream, random);
  for (const { picture, startMs, endMs } of shuffle(spans, random).slice(0, DESCRIBED)) {
    const asOfMs = insideMs(random, { startMs, endMs });
    const moment = { set: picture.set, startMs, endMs: asOfMs };
    asker.ask('describenamed', {}, { expected: picture.label, chance: 1 / Math.max(1, labels), asOfMs, moment });
  }
  return asker.questions;
}
