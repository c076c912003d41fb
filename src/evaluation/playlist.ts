/** What a stream of the evaluation shows when, and what is asked about it. Everything random comes from one generator. */
import type { LabelledPicture } from './labels.ts';
import { clockText } from '../clock-text.ts';
import { Asker, type EvaluationQuestion, type Task, withArticle } from './questions.ts';
import type { Colour } from './paint.ts';
import { Draws, pick, type Random } from './random.ts';

/** Cut-outs on a plain background. */
export interface Board {
  /** CSS colour. */
  readonly background: string;
  /** Centre as shares of width and height, size of the longer side as a share of the picture's shorter one. */
  readonly things: readonly { readonly x: number; readonly y: number; readonly size: number }[];
  /** The cut-out is painted in it. */
  readonly paint?: Colour;
}

/** One picture for a while. */
export interface Span {
  readonly picture: LabelledPicture;
  readonly startMs: number;
  readonly endMs: number;
  /** The picture is a cut-out that is pasted here; otherwise it fills the frame. */
  readonly board?: Board;
}

export interface Playlist {
  readonly spans: readonly Span[];
  readonly durationMs: number;
  readonly questions: readonly EvaluationQuestion[];
}

/** A frame of slack at the borders of a span, where an encoder may mix two pictures. */
export const BORDER_MS = 600;
/** Fewest and most things in half a minute. */
const THINGS = [4, 7] as const;
const SHORTEST_MS = 2_000;
/** After a cut: what stands there now tells when the thing before it left. */
const GONE_MS = 1_000;
/** Of `duration`. */
const WITHIN_S = 1;
/**
 * For how long things are shown, s: about a normal distribution of this mean and deviation. `duration` asks of a thing the rather
 * the rarer its length is, at most so many times as often: else one answer for all would be right in more than half.
 */
const LENGTHS = { mean: 5, deviation: 1.4, atMost: 250 };

/** Builds a stream of about `seconds`, of 4 to 7 different things in half a minute. `stream`: its number. */
export function makePlaylist(
  pictures: readonly LabelledPicture[],
  seconds: number,
  random: Random,
  stream = 0,
): Playlist {
  const byLabel = new Map<string, LabelledPicture[]>();
  for (const picture of pictures) byLabel.set(picture.label, [...(byLabel.get(picture.label) ?? []), picture]);
  const labels = namesIn(pictures);
  const sets = [...new Set(pictures.map((picture) => picture.set))];
  const namesOf = new Map(sets.map((set) => [set, namesIn(pictures.filter((picture) => picture.set === set))]));
  const count = countOf(seconds, THINGS[0] + random() * (THINGS[1] - THINGS[0]), labels.length);
  const shown = new Set<string>();
  while (shown.size < count) {
    // By set first, then by name: a set of ten names must not vanish beside one of eighty.
    const names = namesOf.get(pick(sets, random))?.filter((name) => !shown.has(name)) ?? [];
    // A set whose names are all shown already has none to give.
    if (names.length > 0) shown.add(pick(names, random));
  }
  const order = [...shown];
  const weights = order.map(() => 0.6 + random());
  const total = weights.reduce((a, b) => a + b, 0);
  let at = 0;
  const spans = order.map((label, i) => {
    const lengthMs = Math.max(SHORTEST_MS, Math.round(((weights[i] ?? 1) / total) * seconds * 2) * 500);
    const span = { picture: pick(byLabel.get(label) ?? [], random), startMs: at, endMs: at + lengthMs };
    at = span.endMs;
    return span;
  });
  const absent = labels.filter((label) => !order.some((other) => related(label, other)));
  const different = countOf(seconds, THINGS[1], labels.length) - countOf(seconds, THINGS[0], labels.length) + 1;
  const known = { names: labels.length, absent, different, rounds: Math.max(1, Math.round(seconds / 60)) };
  return { spans, durationMs: at, questions: askAbout(spans, at, known, new Asker(stream, random), random) };
}

function namesIn(pictures: readonly LabelledPicture[]): string[] {
  return [...new Set(pictures.map(({ label }) => label))].sort();
}

function countOf(seconds: number, inHalfAMinute: number, labels: number): number {
  return Math.min(labels, Math.max(2, Math.round((seconds / 30) * inHalfAMinute)));
}

/** "apple" is not asked as absent while an "apple juice" is shown: a person might say yes. */
export function related(a: string, b: string): boolean {
  const [left, right] = [a.split(' '), b.split(' ')];
  return left.every((word) => right.includes(word)) || right.every((word) => left.includes(word));
}

interface Known {
  /** How many names the data has. */
  readonly names: number;
  /** Names of things that this stream does not show, nor anything like them. */
  readonly absent: readonly string[];
  /** How many numbers of things a stream of this length can show. */
  readonly different: number;
  /** A longer stream is asked more: the same share of what it showed. */
  readonly rounds: number;
}

function askAbout(
  spans: readonly Span[],
  endMs: number,
  known: Known,
  asker: Asker,
  random: Random,
): readonly EvaluationQuestion[] {
  const lastMs = endMs - BORDER_MS;
  const { absent } = known;
  const ofShown = 1 / spans.length;
  const ofOthers = 1 / Math.max(1, spans.length - 1);
  const momentOf = (span: Span, asOfMs: number): EvaluationQuestion['moment'] => ({
    set: span.picture.set,
    startMs: span.startMs,
    endMs: Math.min(span.endMs, asOfMs),
  });
  /** A question whose answer is seen in `span`. */
  const about = (task: Task, span: Span, expected: string, chance: number, words = {}, asOfMs = lastMs): void => {
    asker.ask(task, words, { expected, chance, asOfMs, moment: momentOf(span, asOfMs) });
  };
  const inside = (span: Span): number =>
    span.startMs + BORDER_MS + random() * Math.max(0, span.endMs - span.startMs - 2 * BORDER_MS);
  const no = (task: Task, label: string, asOfMs: number, never: boolean): void => {
    const x = withArticle(label);
    const hallucination = never ? ({ absent: true } as const) : {};
    asker.ask(task, { x }, { expected: 'no', chance: 0.5, asOfMs, moment: null, ...hallucination });
  };
  const the = (span: Span): { x: string } => ({ x: `the ${span.picture.label}` });
  // Of each task its own: no fact is asked twice in the words of one task while there are others.
  const draws = <T>(items: readonly T[]): Draws<T> => new Draws(items, random);
  const earlier = spans.slice(0, -1);
  const later = spans.slice(1);
  const [seen, neverSeen, shownNow, neverShownNow] = [draws(spans), draws(absent), draws(spans), draws(absent)];
  const [gone, lasted, came, notShown] = [draws(earlier), draws(earlier), draws(spans), draws(absent)];
  const neighbours = { before: draws(later), after: draws(later) };
  const withSecond = spans.filter((span) => secondInside(span, lastMs) !== null);
  const atTime = draws(withSecond);

  for (const span of spans) about('now', span, span.picture.label, 1 / known.names, {}, inside(span));
  const [first, last] = [spans[0], spans.at(-1)];
  if (first !== undefined) about('first', first, first.picture.label, ofShown);
  if (last !== undefined) about('last', last, last.picture.label, ofShown);
  for (let round = 0; round < known.rounds; round++) {
    // Where everything was shown there is nothing to say no to, and yes is not asked alone.
    for (let i = 0; i < 2 && absent.length > 0; i++) {
      const span = seen.next();
      about('seen', span, 'yes', 0.5, { x: withArticle(span.picture.label) });
      no('seen', neverSeen.next(), lastMs, true);
    }
    if (absent.length > 0) {
      const span = shownNow.next();
      about('seennow', span, 'yes', 0.5, { x: withArticle(span.picture.label) }, inside(span));
      no('seennow', neverShownNow.next(), inside(pick(spans, random)), true);
    }
    // The harder no: it was there, and is there no longer.
    const now = shownNow.next((span) => span !== first);
    const before = pick(spans.slice(0, spans.indexOf(now)), random);
    if (!related(now.picture.label, before.picture.label)) {
      about('seennow', now, 'yes', 0.5, { x: withArticle(now.picture.label) }, inside(now));
      no('seennow', before.picture.label, inside(now), false);
    }
    for (const task of ['before', 'after'] as const) {
      const b = neighbours[task].next();
      const a = spans[spans.indexOf(b) - 1];
      if (a === undefined) continue;
      const [named, wanted] = task === 'before' ? [b, a] : [a, b];
      about(task, wanted, wanted.picture.label, ofOthers, the(named));
    }
    for (let i = 0; i < 2; i++) {
      if (withSecond.length > 0) {
        const span = atTime.next();
        about('at', span, span.picture.label, ofShown, { t: clockText((secondInside(span, lastMs) ?? 0) * 1000) });
      }
      const other = came.next();
      about('when', other, String(other.startMs / 1000), ofShown, the(other));
    }
    const left = gone.next();
    asker.ask('left', the(left), {
      expected: String(left.endMs / 1000),
      chance: ofOthers,
      asOfMs: lastMs,
      moment: momentOf({ ...left, endMs: left.endMs + GONE_MS }, lastMs),
    });
    const timed = lasted.next(undefined, rarity);
    about('duration', timed, String(secondsOf(timed)), Math.min(1, (2 * WITHIN_S + 1) / (endMs / 1000)), the(timed));
    if (absent.length > 0) {
      const x = `the ${notShown.next()}`;
      const chance = 1 / (spans.length + 1);
      asker.ask('notshown', { x }, { expected: 'not shown', chance, asOfMs: lastMs, moment: null });
    }
  }
  asker.ask(
    'different',
    {},
    {
      expected: String(spans.length),
      chance: 1 / known.different,
      asOfMs: lastMs,
      moment: null,
    },
  );
  return asker.questions;
}

function secondsOf({ startMs, endMs }: Span): number {
  return (endMs - startMs) / 1000;
}

/** How few things last about as long: 1 of the most common length. */
function rarity(span: Span): number {
  const { mean, deviation, atMost } = LENGTHS;
  return Math.min(atMost, Math.exp(((secondsOf(span) - mean) / deviation) ** 2 / 2));
}

/** A whole second at which it is shown, clear of its borders; null where there is none. */
function secondInside({ startMs, endMs }: Span, lastMs: number): number | null {
  const second = Math.ceil((startMs + BORDER_MS) / 1000);
  return second * 1000 <= Math.min(endMs - BORDER_MS, lastMs) ? second : null;
}
