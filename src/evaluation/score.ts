/** Whether an answer is right, and how often: counts with 95% intervals. */
import { normaliseLabel } from './labels.ts';
import { NO_CHANGE } from './phrasings.ts';
import type { EvaluationQuestion, Task } from './questions.ts';

export interface Tally {
  correct: number;
  total: number;
}

/** 95% interval, from low to high. */
export type Interval = readonly [low: number, high: number];

export interface TaskScore {
  readonly correct: number;
  readonly total: number;
  readonly accuracy: number;
  /** 95% interval of the accuracy (Wilson). */
  readonly interval: Interval;
}

/** How often something happened that is neither right nor wrong. */
export interface Rate {
  readonly count: number;
  readonly total: number;
  readonly share: number;
  readonly interval: Interval;
}

/** A mean of measures that are not counts; the interval is that of the mean (normal approximation). */
export interface Mean {
  readonly mean: number;
  readonly total: number;
  readonly interval: Interval;
}

/** One accuracy over another. */
export interface Ratio {
  readonly ratio: number;
  /** Interval of the ratio of two proportions (Katz); null when nothing was right. */
  readonly interval: Interval | null;
}

/** How far a number may be off. Times and durations in s; for `repetitions` one that is half done counts either way. */
const TOLERANCES: Partial<Record<Task, number>> = { when: 1, left: 1, leftlast: 1, duration: 1, repetitions: 1 };
/** Half-width of a 95% interval, in standard deviations. */
const Z = 1.96;

/** Seconds of `0:42`, `1:02:03`, `42 s` or `42`; null if there is no time. */
export function secondsOf(text: string): number | null {
  const clock = /(?:(\d+):)?(\d+):(\d\d)/.exec(text);
  if (clock !== null) return Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3]);
  const number = /\d+(?:\.\d+)?/.exec(text);
  return number === null ? null : Number(number[0]);
}

/** Not for `describe`, whose answers are compared with captions. */
export function isRight(question: Pick<EvaluationQuestion, 'task' | 'expected'>, answer: string): boolean {
  const { task, expected } = question;
  const tolerance = toleranceOf(task);
  if (tolerance !== null) return isNear(secondsOf(answer), Number(expected), tolerance);
  switch (task) {
    case 'seen':
    case 'seennow':
    case 'seenkind':
    case 'seennowkind':
    case 'haschanged':
    case 'seenwithin':
    case 'seenbetween':
      return new RegExp(`^\\s*${expected}\\b`, 'i').test(answer);
    case 'notshown':
      return /\b(not|never|no)\b/.test(answer.toLowerCase());
    case 'changed':
      return expected === NO_CHANGE ? /^\s*(nothing|no change)\b/i.test(answer) : isName(answer, expected);
    case 'describenamed':
      return ` ${normaliseLabel(answer)} `.includes(` ${normaliseLabel(expected)} `);
    default:
      return isName(answer, expected);
  }
}

/**
 * How far off the number that answers a task may be and still be right; null if the answer is not a number, or must be
 * exact.
 */
export function toleranceOf(task: Task): number | null {
  return TOLERANCES[task] ?? null;
}

function isName(answer: string, expected: string): boolean {
  return normaliseLabel(answer) === normaliseLabel(expected);
}

function isNear(value: number | null, expected: number, tolerance: number): boolean {
  return value !== null && Math.abs(value - expected) <= tolerance;
}

export class Scores {
  readonly #tallies = new Map<Task, Tally>();

  add(task: Task, right: boolean): void {
    const tally = this.#tallies.get(task) ?? { correct: 0, total: 0 };
    tally.total++;
    if (right) tally.correct++;
    this.#tallies.set(task, tally);
  }

  get tasks(): Partial<Record<Task, TaskScore>> {
    return Object.fromEntries([...this.#tallies].map(([task, tally]) => [task, score(tally)]));
  }

  /** The named tasks taken together. */
  combined(tasks: readonly Task[]): TaskScore {
    const sum = { correct: 0, total: 0 };
    for (const task of tasks) {
      sum.correct += this.#tallies.get(task)?.correct ?? 0;
      sum.total += this.#tallies.get(task)?.total ?? 0;
    }
    return score(sum);
  }
}

export function score({ correct, total }: Tally): TaskScore {
  const { share, interval } = rate(correct, total);
  return { correct, total, accuracy: share, interval };
}

export function rate(count: number, total: number): Rate {
  const [low, high] = wilson(count, total);
  const inside = (x: number): number => round(Math.min(1, Math.max(0, x)));
  return { count, total, share: round(count / Math.max(1, total)), interval: [inside(low), inside(high)] };
}

function wilson(count: number, total: number): Interval {
  const n = Math.max(1, total);
  const p = count / n;
  const centre = (p + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n);
  const half = (Z * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n))) / (1 + (Z * Z) / n);
  return total === 0 ? [0, 1] : [centre - half, centre + half];
}

/** a - b with its interval (Newcombe's, from the two Wilson intervals). */
export function difference(a: Tally, b: Tally): { readonly difference: number; readonly interval: Interval } {
  const shareOf = ({ correct, total }: Tally): number => correct / Math.max(1, total);
  const [lowA, highA] = wilson(a.correct, a.total);
  const [lowB, highB] = wilson(b.correct, b.total);
  const d = shareOf(a) - shareOf(b);
  const low = d - Math.hypot(shareOf(a) - lowA, highB - shareOf(b));
  const high = d + Math.hypot(highA - shareOf(a), shareOf(b) - lowB);
  return { difference: round(d), interval: [round(low), round(high)] };
}

/** a / b; null when a is empty or b has nothing right. */
export function ratio(a: Tally, b: Tally): Ratio | null {
  if (a.total === 0 || b.correct === 0) return null;
  const r = a.correct / a.total / (b.correct / b.total);
  if (a.correct === 0) return { ratio: 0, interval: null };
  const spread = Math.exp(Z * Math.sqrt(1 / a.correct - 1 / a.total + 1 / b.correct - 1 / b.total));
  return { ratio: round(r), interval: [round(r / spread), round(r * spread)] };
}

export function mean(values: readonly number[]): Mean {
  const n = values.length;
  const m = values.reduce((sum, value) => sum + value, 0) / Math.max(1, n);
  const variance = values.reduce((sum, value) => sum + (value - m) ** 2, 0) / Math.max(1, n - 1);
  const half = Z * Math.sqrt(variance / Math.max(1, n));
  return { mean: round(m), total: n, interval: [round(m - half), round(m + half)] };
}

/** Rounds to a thousandth. */
export function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
