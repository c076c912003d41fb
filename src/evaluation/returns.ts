/** Streams in which few things keep coming back: how often each was shown, and when it last left. Times in ms. */
import type { LabelledPicture } from './labels.ts';
import { BORDER_MS, type Playlist, namesOverlap, type Span } from './playlist.ts';
import { Asker, plural, withArticle } from './questions.ts';
import { pick, type Random } from './random.ts';

/** Number of things in a stream, and the maximum number of times that one is shown. */
const THING_COUNT = 3;
const MAX_TIMES = 5;
/** How long a thing is shown each time, ms. */
const LENGTHS_MS = [2_000, 3_000, 4_000, 5_000];
/** Maximum number of attempts to draw pictures of which no two are alike. */
const MAX_ATTEMPTS = 100;

/**
 * Asks how often each thing, and one that never came, was shown; and when one that came again and is gone left last.
 * Empty if the data has too few names. `stream`: its number.
 */
export function makeReturns(
  pictures: readonly LabelledPicture[],
  random: Random,
  stream = 0,
): Pick<Playlist, 'spans' | 'questions'> {
  const drawn = drawUnrelated(pictures, THING_COUNT + 1, random);
  const [never, ...things] = drawn;
  if (never === undefined || things.length < THING_COUNT) return { spans: [], questions: [] };
  const times = things.map(() => 1 + Math.floor(random() * MAX_TIMES));
  const spans: Span[] = [];
  let cursorMs = 0;
  for (const thing of orderWithoutRepeats(times, random)) {
    const picture = things[thing];
    if (picture === undefined) continue;
    const endMs = cursorMs + pick(LENGTHS_MS, random);
    spans.push({ picture, startMs: cursorMs, endMs });
    cursorMs = endMs;
  }
  const asker = new Asker(stream, random);
  const asOfMs = cursorMs - BORDER_MS;
  const ask = (label: string, number: number): void => {
    const words = { x: withArticle(label), xs: plural(label) };
    asker.ask('times', words, { expected: String(number), chance: 1 / (MAX_TIMES + 1), asOfMs, moment: null });
  };
  const shown = (picture: LabelledPicture): Span[] => spans.filter((span) => span.picture === picture);
  for (const picture of things) ask(picture.label, shown(picture).length);
  ask(never.label, 0);
  const gone = things.filter((picture) => shown(picture).length > 1 && picture !== spans.at(-1)?.picture);
  if (gone.length > 0) {
    const picture = pick(gone, random);
    const leftMs = shown(picture).at(-1)?.endMs ?? 0;
    const moment = { set: picture.set, startMs: leftMs - BORDER_MS, endMs: leftMs + 1_000 };
    const asked = { expected: String(leftMs / 1_000), chance: 1 / spans.length, asOfMs, moment };
    asker.ask('leftlast', { x: `the ${picture.label}` }, asked);
  }
  return { spans, questions: asker.questions };
}

/** `count` pictures whose names cannot be mistaken for each other; fewer if no more are found. */
function drawUnrelated(pictures: readonly LabelledPicture[], count: number, random: Random): LabelledPicture[] {
  const drawn: LabelledPicture[] = [];
  for (let tries = 0; tries < MAX_ATTEMPTS && drawn.length < count; tries++) {
    const picture = pick(pictures, random);
    if (drawn.every(({ label }) => !namesOverlap(label, picture.label))) drawn.push(picture);
  }
  return drawn;
}

/**
 * Each index of `times` as often as its value says, in an order in which none follows itself. Where that is impossible,
 * the most frequent one appears less often.
 */
function orderWithoutRepeats(times: readonly number[], random: Random): number[] {
  const left = [...times];
  const order: number[] = [];
  for (;;) {
    const others = left.flatMap((count, thing) => (count > 0 && thing !== order.at(-1) ? [thing] : []));
    if (others.length === 0) return order;
    // Half of the draws take what is left most often: it would otherwise be left over at the end.
    const most = Math.max(...others.map((thing) => left[thing] ?? 0));
    const thing = pick(random() < 0.5 ? others.filter((one) => left[one] === most) : others, random);
    order.push(thing);
    left[thing] = (left[thing] ?? 0) - 1;
  }
}
