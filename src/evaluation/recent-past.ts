/**
 * What was shown a given time before the question, and whether a thing was seen within the last seconds or between two
 * times. Uses a random generator of its own, so that other draws for a seed stay as they were.
 */
import { BORDER_MS, type Playlist, type Span } from './playlist.ts';
import { clockText } from '../clock-text.ts';
import { Asker, type EvaluationQuestion, durationText, withArticle } from './questions.ts';
import { pick, type Random } from './random.ts';

/** How far back `seenwithin` looks, s: some of the recipe's values. */
export const SEEN_WITHIN_S = [5, 10, 15, 20, 30, 60, 120];
/** From this length on people count in minutes, s. */
const MINUTES_FROM_S = 90;
/** Maximum number of attempts to draw two times. */
const MAX_BETWEEN_ATTEMPTS = 50;
/** A stream gets one round of questions for each of these periods, ms, as for the other questions about the past. */
const ROUND_MS = 60_000;

/**
 * A round asks two of `ago`; a yes and a no of `seenwithin` over the same number of seconds; a yes and a no of
 * `seenbetween` over the same part of the stream; and what was first, and how many things there were, within a number
 * of seconds. All ask about things that were shown, so only the time tells yes from no. `stream`: its number.
 */
export function askRecentPast(
  { spans, durationMs }: Pick<Playlist, 'spans' | 'durationMs'>,
  random: Random,
  stream = 0,
): readonly EvaluationQuestion[] {
  const asker = new Asker(stream, random);
  const asOfMs = durationMs - BORDER_MS;
  const rounds = Math.max(1, Math.round(durationMs / ROUND_MS));
  const reached = spans.flatMap((span) => secondsAgoIn(span, asOfMs).map((seconds) => ({ span, seconds })));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 2 && reached.length > 0; i++) {
      const wanted = pick([...new Set(reached.map(({ span }) => span))], random);
      const { span, seconds } = pick(
        reached.filter((one) => one.span === wanted),
        random,
      );
      const moment = momentOf(span, 0, asOfMs);
      asker.ask(
        'ago',
        { a: agoText(seconds) },
        { expected: span.picture.label, chance: 1 / spans.length, asOfMs, moment },
      );
    }
    askWithin(asker, spans, asOfMs, random);
  }
  for (let round = 0; round < rounds; round++) {
    askBetween(asker, spans, asOfMs, random);
    askAboutPart(asker, spans, asOfMs, random);
  }
  return asker.questions;
}

/** Seconds before `asOfMs` that lie inside a span, clear of its borders, and that people would say. */
function secondsAgoIn({ startMs, endMs }: Span, asOfMs: number): number[] {
  const [least, most] = [asOfMs - Math.min(endMs, asOfMs) + BORDER_MS, asOfMs - startMs - BORDER_MS];
  const times: number[] = [];
  for (let seconds = Math.max(1, Math.ceil(least / 1000)); seconds * 1000 <= most; seconds++) {
    if (seconds < MINUTES_FROM_S || seconds % 60 === 0) times.push(seconds);
  }
  return times;
}

/** The part of a span between two times. */
function momentOf({ picture, startMs, endMs }: Span, fromMs: number, toMs: number): EvaluationQuestion['moment'] {
  return { set: picture.set, startMs: Math.max(startMs, fromMs), endMs: Math.min(endMs, toMs) };
}

function agoText(seconds: number): string {
  if (seconds < MINUTES_FROM_S) return seconds === 1 ? 'a second ago' : `${seconds} seconds ago`;
  return `${seconds / 60} minutes ago`;
}

/** Asks nothing if each number of seconds begins close to a border between two things, or covers only one thing. */
function askAboutPart(asker: Asker, spans: readonly Span[], asOfMs: number, random: Random): void {
  const parts = SEEN_WITHIN_S.map((seconds) => {
    const fromMs = asOfMs - seconds * 1000;
    const clear = spans.some(({ startMs, endMs }) => startMs + BORDER_MS <= fromMs && fromMs <= endMs - BORDER_MS);
    return { seconds, shown: clear ? spans.filter(({ startMs, endMs }) => endMs > fromMs && startMs < asOfMs) : [] };
  }).filter(({ shown }) => shown.length > 1);
  if (parts.length === 0) return;
  const { seconds, shown } = pick(parts, random);
  const [first] = shown;
  if (first === undefined) return;
  const part = `in the last ${durationText(seconds)}`;
  const names = new Set(shown.map(({ picture }) => picture.label));
  const moment = momentOf(first, asOfMs - seconds * 1000, asOfMs);
  const expected = first.picture.label;
  asker.ask('firstwithin', { part }, { expected, chance: 1 / spans.length, asOfMs, moment });
  const number = { expected: String(names.size), chance: 1 / spans.length, asOfMs, moment: null };
  asker.ask('differentwithin', { part }, number);
}

/** Asks nothing if no two whole seconds are found that have things clearly inside and outside of them. */
function askBetween(asker: Asker, spans: readonly Span[], asOfMs: number, random: Random): void {
  for (let tries = 0; tries < MAX_BETWEEN_ATTEMPTS; tries++) {
    const times = [random(), random()].map((share) => Math.floor((share * asOfMs) / 1000)).sort((a, b) => a - b);
    const [fromS = 0, toS = 0] = times;
    const [fromMs, toMs] = [fromS * 1000, toS * 1000];
    const inside = spans.filter(({ startMs, endMs }) => endMs >= fromMs + BORDER_MS && startMs <= toMs - BORDER_MS);
    const outside = spans.filter(
      ({ startMs, endMs }) => endMs <= fromMs - BORDER_MS || (startMs >= toMs + BORDER_MS && startMs < asOfMs),
    );
    if (inside.length === 0 || outside.length === 0 || fromS === toS) continue;
    const part = `between ${clockText(fromMs)} and ${clockText(toMs)}`;
    const [yes, no] = [pick(inside, random), pick(outside, random)];
    const moment = momentOf(yes, fromMs, toMs);
    const chance = 0.5;
    asker.ask('seenbetween', { x: withArticle(yes.picture.label), part }, { expected: 'yes', chance, asOfMs, moment });
    asker.ask(
      'seenbetween',
      { x: withArticle(no.picture.label), part },
      { expected: 'no', chance, asOfMs, moment: null },
    );
    return;
  }
}

/** Asks nothing if no number of seconds has things clearly on both sides of it. */
function askWithin(asker: Asker, spans: readonly Span[], asOfMs: number, random: Random): void {
  const clear = (seconds: number): { inside: Span[]; before: Span[] } => {
    const fromMs = asOfMs - seconds * 1000;
    return {
      inside: spans.filter(({ startMs, endMs }) => Math.min(endMs, asOfMs) >= fromMs + BORDER_MS && startMs < asOfMs),
      before: spans.filter(({ endMs }) => endMs <= fromMs - BORDER_MS),
    };
  };
  const fitting = SEEN_WITHIN_S.filter((seconds) => clear(seconds).before.length > 0);
  if (fitting.length === 0) return;
  const seconds = pick(fitting, random);
  const { inside, before } = clear(seconds);
  const d = durationText(seconds);
  const ask = (span: Span, expected: 'yes' | 'no'): void => {
    const moment = expected === 'yes' ? momentOf(span, asOfMs - seconds * 1000, asOfMs) : null;
    asker.ask('seenwithin', { x: withArticle(span.picture.label), d }, { expected, chance: 0.5, asOfMs, moment });
  };
  ask(pick(inside, random), 'yes');
  ask(pick(before, random), 'no');
}
