/** What a stream of the evaluation shows when, and what is asked about it. Everything random comes from one seed. */
import type { LabelledPicture } from './labels.ts';

export interface Span {
  readonly picture: LabelledPicture;
  readonly startMs: number;
  readonly endMs: number;
}

export type Task = 'now' | 'seen' | 'first' | 'last' | 'before' | 'after' | 'at' | 'when' | 'notshown' | 'different';

export interface EvaluationQuestion {
  readonly task: Task;
  readonly text: string;
  readonly asOfMs: number;
  readonly expected: string;
  /** When the thing that the answer rests on was shown; null where nothing was. */
  readonly moment: { readonly set: string; readonly startMs: number; readonly endMs: number } | null;
}

export interface Playlist {
  readonly spans: readonly Span[];
  readonly durationMs: number;
  readonly questions: readonly EvaluationQuestion[];
}

/** Tasks whose answer is in the past: these fall to chance when the memory is taken away. */
export const RECALL: readonly Task[] = ['first', 'before', 'after', 'at', 'when'];

const PHRASINGS: Record<Task, readonly string[]> = {
  now: [
    'What is shown now?',
    'What do you see?',
    'What is this?',
    'What object do you see right now?',
    'What is on the picture now?',
  ],
  seen: ['Have you seen {x}?', 'Did you see {x}?', 'Was {x} shown?', 'Have we seen {x} yet?'],
  first: [
    'What was shown first?',
    'What was the first thing shown?',
    'What did you see first?',
    'Which object came first?',
  ],
  last: ['What was shown last?', 'What was the last thing shown?', 'Which object came last?'],
  before: [
    'What came before {x}?',
    'What was shown before {x}?',
    'What did you see before {x}?',
    'Which object preceded {x}?',
  ],
  after: [
    'What came after {x}?',
    'What was shown after {x}?',
    'What did you see after {x}?',
    'Which object followed {x}?',
  ],
  at: ['What was shown at {t}?', 'What did you see at {t}?', 'What was on screen at {t}?'],
  when: ['When did {x} appear?', 'When was {x} shown?', 'When did you see {x}?', 'When did {x} first appear?'],
  notshown: ['When did {x} appear?', 'When was {x} shown?', 'What came after {x}?'],
  different: ['How many different things were shown?', 'How many different objects were there?'],
};

/** A frame of slack at the borders of a span, where an encoder may mix two pictures. */
const BORDER_MS = 600;

export type Random = () => number;

export function pick<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** Builds a stream of about `seconds`, of 4 to 7 different things. */
export function makePlaylist(pictures: readonly LabelledPicture[], seconds: number, random: Random): Playlist {
  const byLabel = new Map<string, LabelledPicture[]>();
  for (const picture of pictures) byLabel.set(picture.label, [...(byLabel.get(picture.label) ?? []), picture]);
  const labels = [...byLabel.keys()].sort();
  const count = Math.min(labels.length, Math.max(2, Math.round((seconds / 30) * (4 + random() * 3))));
  const shown: string[] = [];
  while (shown.length < count) {
    // By set first, then by name: a set of ten names must not vanish beside one of eighty.
    const set = pick([...new Set(pictures.map((picture) => picture.set))], random);
    const label = pick(labels, random);
    const inSet = (byLabel.get(label) ?? []).some((picture) => picture.set === set);
    if (inSet && !shown.includes(label)) shown.push(label);
  }
  const weights = shown.map(() => 0.6 + random());
  const total = weights.reduce((a, b) => a + b, 0);
  let at = 0;
  const spans = shown.map((label, i) => {
    const lengthMs = Math.max(2_000, Math.round(((weights[i] ?? 1) / total) * seconds * 2) * 500);
    const span = { picture: pick(byLabel.get(label) ?? [], random), startMs: at, endMs: at + lengthMs };
    at = span.endMs;
    return span;
  });
  const absent = labels.filter((label) => !shown.some((other) => related(label, other)));
  return { spans, durationMs: at, questions: ask(spans, at, absent, random) };
}

/** "apple" is not asked as absent while an "apple juice" is shown: a person might say yes. */
function related(a: string, b: string): boolean {
  const [left, right] = [a.split(' '), b.split(' ')];
  return left.every((word) => right.includes(word)) || right.every((word) => left.includes(word));
}

function ask(spans: readonly Span[], endMs: number, absent: readonly string[], random: Random): EvaluationQuestion[] {
  const questions: EvaluationQuestion[] = [];
  const lastMs = endMs - BORDER_MS;
  const add = (
    task: Task,
    expected: string,
    span: Span | null,
    asOfMs: number,
    words: { x?: string; t?: string } = {},
  ): void => {
    const text = pick(PHRASINGS[task], random)
      .replace('{x}', words.x ?? '')
      .replace('{t}', words.t ?? '');
    const moment =
      span === null ? null : { set: span.picture.set, startMs: span.startMs, endMs: Math.min(span.endMs, asOfMs) };
    questions.push({ task, text, asOfMs, expected, moment });
  };
  const inside = (span: Span): number =>
    span.startMs + BORDER_MS + random() * Math.max(0, span.endMs - span.startMs - 2 * BORDER_MS);
  for (const span of spans) add('now', span.picture.label, span, inside(span));
  // Where everything was shown there is nothing to say no to, and yes is not asked alone.
  for (let i = 0; i < 2 && absent.length > 0; i++) {
    const span = pick(spans, random);
    add('seen', 'yes', span, lastMs, { x: withArticle(span.picture.label) });
    add('seen', 'no', null, lastMs, { x: withArticle(pick(absent, random)) });
  }
  const [first, last] = [spans[0], spans.at(-1)];
  if (first !== undefined) add('first', first.picture.label, first, lastMs);
  if (last !== undefined) add('last', last.picture.label, last, lastMs);
  for (let i = 0; i < 2; i++) {
    const later = Math.floor(random() * (spans.length - 1)) + 1;
    const [a, b] = [spans[later - 1], spans[later]];
    if (a === undefined || b === undefined) continue;
    if (i === 0) add('before', a.picture.label, a, lastMs, { x: `the ${b.picture.label}` });
    else add('after', b.picture.label, b, lastMs, { x: `the ${a.picture.label}` });
  }
  for (let i = 0; i < 2; i++) {
    const span = pick(spans, random);
    const second = Math.ceil((span.startMs + BORDER_MS) / 1000);
    const text = `${Math.floor(second / 60)}:${String(second % 60).padStart(2, '0')}`;
    if (second * 1000 <= Math.min(span.endMs - BORDER_MS, lastMs))
      add('at', span.picture.label, span, lastMs, { t: text });
    const other = pick(spans, random);
    add('when', String(other.startMs / 1000), other, lastMs, { x: `the ${other.picture.label}` });
  }
  if (absent.length > 0) add('notshown', 'not shown', null, lastMs, { x: `the ${pick(absent, random)}` });
  add('different', String(spans.length), null, lastMs);
  return questions;
}

function withArticle(label: string): string {
  return `${/^[aeiou]/.test(label) ? 'an' : 'a'} ${label}`;
}
