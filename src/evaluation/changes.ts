/**
 * What has changed in a stream, and whether anything has. Uses a random generator of its own, so that other draws for a
 * seed stay as they were.
 */
import { NO_CHANGE } from './phrasings.ts';
import { BORDER_MS, randomMsIn, type Playlist, type Span } from './playlist.ts';
import { Asker, type EvaluationQuestion, durationText } from './questions.ts';
import { pick, type Random } from './random.ts';

/** One stream in this many is asked what has changed before anything has. */
const UNCHANGED_EVERY = 5;
/** How far back `haschanged` looks, s: some of the recipe's values. */
export const CHANGED_WITHIN_S = [5, 10, 20, 30, 60];
/** For rules that say yes early in a stream: up to this many times the seconds asked about. */
const AGE_FACTORS = [1, 2, 4];

/**
 * Asks one `changed`, and a yes and a no of `haschanged` over the same number of seconds, both while a later thing is
 * shown. No is right once a thing has been there for longer than that; yes is right before, be it for this thing or the
 * next. So neither the first thing, nor the number of seconds, nor the age of the stream gives the answer away. Skips
 * `haschanged` if no later thing is shown for long enough. `stream`: its number.
 */
export function askChanges(
  { spans }: Pick<Playlist, 'spans'>,
  random: Random,
  stream = 0,
): readonly EvaluationQuestion[] {
  const [first, ...later] = spans;
  if (first === undefined || later.length === 0) return [];
  const asker = new Asker(stream, random);
  const inside = (startMs: number, endMs: number): number => randomMsIn(random, { startMs, endMs });

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

  const shownLongerThan = (seconds: number): Span[] =>
    later.filter(({ startMs, endMs }) => endMs - startMs >= seconds * 1000 + 2 * BORDER_MS);
  const fitting = CHANGED_WITHIN_S.filter((seconds) => shownLongerThan(seconds).length > 0);
  if (fitting.length === 0) return asker.questions;
  const seconds = pick(fitting, random);
  const longShown = pick(shownLongerThan(seconds), random);
  const next = spans[spans.indexOf(longShown) + 1];
  const newest = next !== undefined && random() < 0.5 ? next : longShown;
  const passedMs = (span: Span): number => span.startMs + seconds * 1000;
  const d = durationText(seconds);
  const ask = (expected: 'yes' | 'no', asOfMs: number): void => {
    // Several things may have come within that time, so there is no single moment to compare the evidence with.
    const rules = rulesFor(asOfMs, seconds, asOfMs < first.endMs);
    asker.ask('haschanged', { d }, { expected, chance: 0.5, asOfMs, moment: null, rules });
  };
  ask('yes', inside(newest.startMs, Math.min(newest.endMs, passedMs(newest))));
  ask('no', inside(passedMs(longShown), longShown.endMs));
  return asker.questions;
}

/** Answers without having seen any change: by whether the first thing is shown, or by how young the stream is. */
function rulesFor(asOfMs: number, seconds: number, firstIsShown: boolean): Record<string, string> {
  const young = AGE_FACTORS.map((times): [string, string] => [
    `yes up to ${times} x the seconds asked about`,
    asOfMs <= times * seconds * 1000 ? 'yes' : 'no',
  ]);
  return { 'no while the first thing is shown': firstIsShown ? 'no' : 'yes', ...Object.fromEntries(young) };
}
