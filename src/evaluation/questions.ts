/** Questions about a stream whose content is known, and their wording. Times in ms since the stream began. */
import { pick, type Random } from './random.ts';
import { HELD_OUT, PHRASINGS } from './phrasings.ts';

type PhrasedTask = keyof typeof PHRASINGS;
/** Tasks that are asked in the words of other tasks. */
const BORROWING_TASKS = [
  'notshown',
  'seenkind',
  'seennowkind',
  'seenbetween',
  'firstwithin',
  'differentwithin',
  'leftlast',
  'describenamed',
] as const;
export type Task = PhrasedTask | (typeof BORROWING_TASKS)[number];

export const TASKS: readonly [Task, ...Task[]] = [...BORROWING_TASKS, ...(Object.keys(PHRASINGS) as PhrasedTask[])];

/** Tasks whose answer is in the past: they fall to chance when the memory is taken away. */
export const RECALL_TASKS: readonly Task[] = ['first', 'before', 'after', 'at', 'when'];

/**
 * Tasks whose answer is the name of a thing, as for `now`: how well the model recognises things bounds their accuracy.
 */
export const PAST_NAME_TASKS: readonly Task[] = ['first', 'last', 'before', 'after', 'at', 'ago'];

export interface EvaluationQuestion {
  readonly task: Task;
  readonly text: string;
  readonly asOfMs: number;
  /**
   * A name, "yes" or "no", a number, seconds, "camera 2", "not shown" or "nothing" (has changed). For `describe`: the
   * first caption.
   */
  readonly expected: string;
  /** When the thing that the answer rests on was shown; null when there is no such single moment. */
  readonly moment: { readonly set: string; readonly startMs: number; readonly endMs: number } | null;
  /** Asked in words that training never uses. */
  readonly heldOut: boolean;
  /** Probability that an answer drawn uniformly from the possible ones is right, 0..1. */
  readonly chance: number;
  /** Asks whether something was seen that was never shown: "yes" is a hallucination. */
  readonly absent?: true;
  /** Answers of rules that need no memory, by rule; the best rule is a baseline of the task. */
  readonly rules?: Readonly<Record<string, string>>;
  /** All captions of the scene (`describe`). */
  readonly captions?: readonly string[];
}

/**
 * What is put into a phrasing: a thing, its plural, a time, a time before the question ("10 seconds ago"), a duration
 * ("10 seconds", "minute"), a camera's number. `part` is appended: the part of the stream that is meant.
 */
export interface Words {
  readonly x?: string;
  readonly xs?: string;
  readonly t?: string;
  readonly a?: string;
  readonly d?: string;
  readonly n?: string;
  readonly part?: string;
}

/** A word that would make the times of a part times of that day. */
const OF_A_DAY = /\btoday\b/;
/** Words of a question that presupposes people. */
const OF_PEOPLE = /\b(they|person)\b/;

type QuestionDraft = Omit<EvaluationQuestion, 'task' | 'text' | 'heldOut'>;

/**
 * Writes the questions of one stream. Each task's questions alternate between trained and held-out phrasings, and every
 * second stream begins with held-out ones, so both halves hold the same tasks.
 */
export class Asker {
  readonly questions: EvaluationQuestion[] = [];
  readonly #random: Random;
  readonly #asked = new Map<Task, number>();
  readonly #stream: number;

  constructor(stream: number, random: Random) {
    this.#stream = stream;
    this.#random = random;
  }

  ask(task: Task, words: Words, draft: QuestionDraft): void {
    const count = this.#asked.get(task) ?? 0;
    this.#asked.set(task, count + 1);
    const forms = this.#forms(task);
    const trained = forms.length - HELD_OUT;
    const heldOut = (this.#stream + count) % 2 === 1;
    const form = pick(heldOut ? forms.slice(trained) : forms.slice(0, trained), this.#random);
    const text = form
      .replace('{x}', words.x ?? '')
      .replace('{xs}', words.xs ?? '')
      .replace('{t}', words.t ?? '')
      .replace('{a}', words.a ?? '')
      .replace('{d}', words.d ?? '')
      .replace('{n}', words.n ?? '');
    const whole = words.part === undefined ? text : text.replace(/\??$/, ` ${words.part}?`);
    this.questions.push({ task, text: whole, heldOut, ...draft });
  }

  #forms(task: Task): readonly string[] {
    switch (task) {
      case 'notshown':
        // A thing that was not shown is asked about in the words of any task that presupposes it.
        return PHRASINGS[pick(['when', 'left', 'before', 'after'] as const, this.#random)];
      case 'seenkind':
        return PHRASINGS.seen;
      case 'seenbetween':
        return PHRASINGS.seen.filter((form) => !OF_A_DAY.test(form));
      case 'firstwithin':
        return PHRASINGS.first;
      case 'leftlast':
        return PHRASINGS.left;
      case 'describenamed':
        return PHRASINGS.describe.filter((form) => !OF_PEOPLE.test(form));
      case 'differentwithin':
        return PHRASINGS.different;
      case 'seennowkind':
        return PHRASINGS.seennow;
      default:
        return PHRASINGS[task];
    }
  }
}

export function withArticle(label: string): string {
  return `${/^[aeiou]/.test(label) ? 'an' : 'a'} ${label}`;
}

/** A duration: "10 seconds", "minute", "2 minutes". */
export function durationText(seconds: number): string {
  if (seconds % 60 !== 0) return `${seconds} seconds`;
  return seconds === 60 ? 'minute' : `${seconds / 60} minutes`;
}

export function plural(label: string): string {
  return label.endsWith('s') ? label : `${label}s`;
}
