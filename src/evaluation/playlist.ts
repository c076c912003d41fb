/** What an evaluation's stream shows when, and what is asked about it. All random draws come from one generator. */
import type { LabelledPicture } from './labels.ts';
import { clockText } from '../clock-text.ts';
import { Asker, type EvaluationQuestion, type Task, withArticle, type Words } from './questions.ts';
import type { Colour } from './paint.ts';
import { Draws, pick, type Random } from './random.ts';

/** Cut-outs on a plain background. */
export interface Board {
  /** CSS colour. */
  readonly background: string;
  /** Centre in shares of width and height; size of the longer side as a share of the picture's shorter one. */
  readonly things: readonly { readonly x: number; readonly y: number; readonly size: number }[];
  /** Colour in which the cut-out is painted. */
  readonly paint?: Colour;
}

/** One picture for a while. */
export interface Span {
  readonly picture: LabelledPicture;
  readonly startMs: number;
  readonly endMs: number;
  /** Set if the picture is a cut-out that is pasted here; otherwise it fills the frame. */
  readonly board?: Board;
}

export interface Playlist {
  readonly spans: readonly Span[];
  readonly durationMs: number;
  readonly questions: readonly EvaluationQuestion[];
}

/** Slack at the borders of a span, about a frame, where an encoder may mix two pictures. */
export const BORDER_MS = 600;
/** Fewest and most things in half a minute. */
const THINGS_PER_HALF_MINUTE = [4, 7] as const;
const MIN_SPAN_MS = 2_000;
/** Time after a cut in which the next thing shows that the previous one has left. */
const GONE_MS = 1_000;
/** Tolerance of `duration`, s. */
const DURATION_TOLERANCE_S = 1;
/**
 * How long things are shown, s: roughly a normal distribution with this mean and deviation. `duration` favours things
 * of rarer lengths, by a factor of `atMost` at most: otherwise one constant answer would be right more than half of the
 * time.
 */
const LENGTH_DISTRIBUTION = { mean: 5, deviation: 1.4, atMost: 250 };

/** Builds a stream of about `seconds`, with 4 to 7 different things in half a minute. `stream`: its number. */
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
  const count = thingCount(
    seconds,
    THINGS_PER_HALF_MINUTE[0] + random() * (THINGS_PER_HALF_MINUTE[1] - THINGS_PER_HALF_MINUTE[0]),
    labels.length,
  );
  const shown = new Set<string>();
  while (shown.size < count) {
    // By set first, then by name: a set of ten names must not vanish beside one of eighty.
    const names = namesOf.get(pick(sets, random))?.filter((name) => !shown.has(name)) ?? [];
    // A set may have no names left.
    if (names.length > 0) shown.add(pick(names, random));
  }
  const order = [...shown];
  const weights = order.map(() => 0.6 + random());
  const total = weights.reduce((a, b) => a + b, 0);
  let cursorMs = 0;
  const spans = order.map((label, i) => {
    const lengthMs = Math.max(MIN_SPAN_MS, Math.round(((weights[i] ?? 1) / total) * seconds * 2) * 500);
    const span = { picture: pick(byLabel.get(label) ?? [], random), startMs: cursorMs, endMs: cursorMs + lengthMs };
    cursorMs = span.endMs;
    return span;
  });
  const absent = labels.filter((label) => !order.some((other) => namesOverlap(label, other)));
  const different =
    thingCount(seconds, THINGS_PER_HALF_MINUTE[1], labels.length) -
    thingCount(seconds, THINGS_PER_HALF_MINUTE[0], labels.length) +
    1;
  const facts = { names: labels.length, absent, different, rounds: Math.max(1, Math.round(seconds / 60)) };
  return {
    spans,
    durationMs: cursorMs,
    questions: new PlaylistQuestions(spans, cursorMs, facts, new Asker(stream, random), random).askAll(),
  };
}

function namesIn(pictures: readonly LabelledPicture[]): string[] {
  return [...new Set(pictures.map(({ label }) => label))].sort();
}

function thingCount(seconds: number, inHalfAMinute: number, labels: number): number {
  return Math.min(labels, Math.max(2, Math.round((seconds / 30) * inHalfAMinute)));
}

/**
 * Whether all words of one name are in the other. "apple" is not asked as absent while an "apple juice" is shown: a
 * person might say yes.
 */
export function namesOverlap(a: string, b: string): boolean {
  const [left, right] = [a.split(' '), b.split(' ')];
  return left.every((word) => right.includes(word)) || right.every((word) => left.includes(word));
}

interface StreamFacts {
  /** Number of names in the data. */
  readonly names: number;
  /** Names that are not related to anything that this stream shows. */
  readonly absent: readonly string[];
  /** How many different numbers of things a stream of this length can show. */
  readonly different: number;
  /** Rounds of questions: a longer stream is asked more, about the same share of what it showed. */
  readonly rounds: number;
}

/** Asks about everything a stream shows, task by task. Random draws follow the order of the questions. */
class PlaylistQuestions {
  readonly #spans: readonly Span[];
  readonly #durationMs: number;
  /** When most questions are asked: at the end. */
  readonly #lastMs: number;
  readonly #facts: StreamFacts;
  readonly #asker: Asker;
  readonly #random: Random;
  readonly #draws: ReturnType<typeof drawsOf>;

  constructor(spans: readonly Span[], durationMs: number, facts: StreamFacts, asker: Asker, random: Random) {
    this.#spans = spans;
    this.#durationMs = durationMs;
    this.#lastMs = durationMs - BORDER_MS;
    this.#facts = facts;
    this.#asker = asker;
    this.#random = random;
    this.#draws = drawsOf(spans, facts.absent, this.#lastMs, random);
  }

  askAll(): readonly EvaluationQuestion[] {
    for (const span of this.#spans) this.#askNow(span);
    this.#askFirstAndLast();
    for (let round = 0; round < this.#facts.rounds; round++) {
      for (let i = 0; i < 2; i++) this.#askSeen();
      this.#askSeenNow();
      this.#askSeenBefore();
      for (const task of ['before', 'after'] as const) this.#askNeighbour(task);
      for (let i = 0; i < 2; i++) {
        this.#askAt();
        this.#askWhen();
      }
      this.#askLeft();
      this.#askDuration();
      this.#askNotShown();
    }
    this.#askDifferent();
    return this.#asker.questions;
  }

  #askNow(span: Span): void {
    this.#askAbout('now', span, span.picture.label, 1 / this.#facts.names, {}, randomMsIn(this.#random, span));
  }

  #askFirstAndLast(): void {
    const [first, last] = [this.#spans[0], this.#spans.at(-1)];
    const chance = 1 / this.#spans.length;
    if (first !== undefined) this.#askAbout('first', first, first.picture.label, chance);
    if (last !== undefined) this.#askAbout('last', last, last.picture.label, chance);
  }

  /** If everything was shown, nothing can be answered with no, and yes is not asked alone. */
  #askSeen(): void {
    if (this.#facts.absent.length === 0) return;
    const span = this.#draws.seen.next();
    this.#askAbout('seen', span, 'yes', 0.5, { x: withArticle(span.picture.label) });
    this.#askNo('seen', this.#draws.neverSeen.next(), this.#lastMs, true);
  }

  #askSeenNow(): void {
    if (this.#facts.absent.length === 0) return;
    const span = this.#draws.shownNow.next();
    this.#askAbout('seennow', span, 'yes', 0.5, { x: withArticle(span.picture.label) }, randomMsIn(this.#random, span));
    this.#askNo(
      'seennow',
      this.#draws.neverShownNow.next(),
      randomMsIn(this.#random, pick(this.#spans, this.#random)),
      true,
    );
  }

  /** The harder no: the thing was shown, and no longer is. */
  #askSeenBefore(): void {
    const now = this.#draws.shownNow.next((span) => span !== this.#spans[0]);
    const before = pick(this.#spans.slice(0, this.#spans.indexOf(now)), this.#random);
    if (namesOverlap(now.picture.label, before.picture.label)) return;
    this.#askAbout('seennow', now, 'yes', 0.5, { x: withArticle(now.picture.label) }, randomMsIn(this.#random, now));
    this.#askNo('seennow', before.picture.label, randomMsIn(this.#random, now), false);
  }

  #askNeighbour(task: 'before' | 'after'): void {
    const b = this.#draws[task].next();
    const a = this.#spans[this.#spans.indexOf(b) - 1];
    if (a === undefined) return;
    const [named, wanted] = task === 'before' ? [b, a] : [a, b];
    this.#askAbout(task, wanted, wanted.picture.label, this.#chanceAmongOthers, definiteWords(named));
  }

  #askAt(): void {
    if (this.#draws.at === null) return;
    const span = this.#draws.at.next();
    const t = clockText((firstSecondIn(span, this.#lastMs) ?? 0) * 1000);
    this.#askAbout('at', span, span.picture.label, 1 / this.#spans.length, { t });
  }

  #askWhen(): void {
    const span = this.#draws.when.next();
    this.#askAbout('when', span, String(span.startMs / 1000), 1 / this.#spans.length, definiteWords(span));
  }

  #askLeft(): void {
    const span = this.#draws.left.next();
    const moment = this.#momentOf({ ...span, endMs: span.endMs + GONE_MS }, this.#lastMs);
    this.#askAtEnd('left', definiteWords(span), String(span.endMs / 1000), this.#chanceAmongOthers, moment);
  }

  #askDuration(): void {
    const span = this.#draws.duration.next(undefined, rarity);
    const chance = Math.min(1, (2 * DURATION_TOLERANCE_S + 1) / (this.#durationMs / 1000));
    this.#askAbout('duration', span, String(spanSeconds(span)), chance, definiteWords(span));
  }

  #askNotShown(): void {
    if (this.#facts.absent.length === 0) return;
    const x = `the ${this.#draws.notShown.next()}`;
    this.#askAtEnd('notshown', { x }, 'not shown', 1 / (this.#spans.length + 1), null);
  }

  #askDifferent(): void {
    this.#askAtEnd('different', {}, String(this.#spans.length), 1 / this.#facts.different, null);
  }

  get #chanceAmongOthers(): number {
    return 1 / Math.max(1, this.#spans.length - 1);
  }

  #momentOf({ picture, startMs, endMs }: Span, asOfMs: number): EvaluationQuestion['moment'] {
    return { set: picture.set, startMs, endMs: Math.min(endMs, asOfMs) };
  }

  /** A question whose answer is visible in `span`. */
  #askAbout(task: Task, span: Span, expected: string, chance: number, words: Words = {}, asOfMs = this.#lastMs): void {
    this.#asker.ask(task, words, { expected, chance, asOfMs, moment: this.#momentOf(span, asOfMs) });
  }

  #askNo(task: Task, label: string, asOfMs: number, never: boolean): void {
    const hallucination = never ? ({ absent: true } as const) : {};
    const draft = { expected: 'no', chance: 0.5, asOfMs, moment: null, ...hallucination };
    this.#asker.ask(task, { x: withArticle(label) }, draft);
  }

  #askAtEnd(task: Task, words: Words, expected: string, chance: number, moment: EvaluationQuestion['moment']): void {
    this.#asker.ask(task, words, { expected, chance, asOfMs: this.#lastMs, moment });
  }
}

/** Each task has its own draws: no fact is asked twice in the words of one task while others remain. */
function drawsOf(spans: readonly Span[], absent: readonly string[], lastMs: number, random: Random) {
  const draws = <T>(items: readonly T[]): Draws<T> => new Draws(items, random);
  const [earlier, later] = [spans.slice(0, -1), spans.slice(1)];
  const withSecond = spans.filter((span) => firstSecondIn(span, lastMs) !== null);
  return {
    seen: draws(spans),
    neverSeen: draws(absent),
    shownNow: draws(spans),
    neverShownNow: draws(absent),
    before: draws(later),
    after: draws(later),
    /** Null when nothing is shown for long enough. */
    at: withSecond.length === 0 ? null : draws(withSecond),
    when: draws(spans),
    left: draws(earlier),
    duration: draws(earlier),
    notShown: draws(absent),
  };
}

function definiteWords({ picture }: Span): Words {
  return { x: `the ${picture.label}` };
}

function spanSeconds({ startMs, endMs }: Span): number {
  return (endMs - startMs) / 1000;
}

/** How rare the length of a span is: 1 for the most common length. */
function rarity(span: Span): number {
  const { mean, deviation, atMost } = LENGTH_DISTRIBUTION;
  return Math.min(atMost, Math.exp(((spanSeconds(span) - mean) / deviation) ** 2 / 2));
}

/** A random moment while something is shown from `startMs` to `endMs`, clear of its borders. */
export function randomMsIn(random: Random, { startMs, endMs }: Pick<Span, 'startMs' | 'endMs'>): number {
  return startMs + BORDER_MS + random() * Math.max(0, endMs - startMs - 2 * BORDER_MS);
}

/** The first whole second of a span, clear of its borders; null if there is none. */
function firstSecondIn({ startMs, endMs }: Span, lastMs: number): number | null {
  const second = Math.ceil((startMs + BORDER_MS) / 1000);
  return second * 1000 <= Math.min(endMs - BORDER_MS, lastMs) ? second : null;
}
