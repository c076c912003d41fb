/**
 * What is different from before in a stream, and whether anything is. Asked with a generator of its own: what else is drawn for
 * a seed stays as it was.
 */
import { NO_CHANGE } from './phrasings.ts';
import { BORDER_MS, type Playlist } from './playlist.ts';
import { Asker, type EvaluationQuestion } from './questions.ts';
import { pick, type Random } from './random.ts';

/** One stream in so many is asked what has changed before anything has. */
const UNCHANGED_EVERY = 5;
/** How far back `haschanged` looks, s, as in the recipe. */
const WITHIN_S = [5, 10, 20, 30, 60];

/** One `changed`, and a yes and a no of `haschanged` over the same number of seconds. `stream`: its number. */
export function askChanges(
  { spans, durationMs }: Pick<Playlist, 'spans' | 'durationMs'>,
  random: Random,
  stream = 0,
): readonly EvaluationQuestion[] {
  const [first, ...later] = spans;
  if (first === undefined || later.length === 0) return [];
  const asker = new Asker(stream, random);
  const inside = (fromMs: number, toMs: number): number =>
    fromMs + BORDER_MS + random() * Math.max(0, toMs - fromMs - 2 * BORDER_MS);

  const chance = 1 / (spans.length + 1);
  if (stream % UNCHANGED_EVERY === UNCHANGED_EVERY - 1) {
    const asOfMs = inside(first.startMs, first.endMs);
    asker.ask('changed', {}, { expected: NO_CHANGE, chance, asOfMs, moment: null });
  } else {
    const { picture, startMs, endMs } = pick(later, random);
    const asOfMs = inside(startMs, endMs);
    const moment = { set: picture.set, startMs, endMs: asOfMs };
    asker.ask('changed', {}, { expected: picture.label, chance, asOfMs, moment });
  }

  const fitting = WITHIN_S.filter((seconds) => seconds * 1000 <= durationMs);
  const seconds = pick(fitting.length > 0 ? fitting : WITHIN_S.slice(0, 1), random);
  const withinMs = seconds * 1000;
  const d = seconds === 60 ? 'minute' : `${seconds} seconds`;
  const ask = (expected: 'yes' | 'no', asOfMs: number): void => {
    // Several things may have come within that time: there is no single moment to hold the evidence against.
    asker.ask('haschanged', { d }, { expected, chance: 0.5, asOfMs, moment: null });
  };
  const { startMs, endMs } = pick(later, random);
  ask('yes', inside(startMs, Math.min(endMs, startMs + withinMs)));
  // No is right while the first thing is shown, and of a later one that has been there for longer.
  const stayed = later
    .map((span) => ({ startMs: span.startMs + withinMs, endMs: span.endMs }))
    .filter((span) => span.endMs - span.startMs >= 2 * BORDER_MS);
  const still = pick(stayed.length > 0 && random() < 0.5 ? stayed : [first], random);
  ask('no', inside(still.startMs, still.endMs));
  return asker.questions;
}
