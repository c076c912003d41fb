/** Whether an answer is right, and the counts of each task. */
import { normaliseLabel } from './labels.ts';
import type { EvaluationQuestion, Task } from './playlist.ts';

export interface Tally {
  correct: number;
  total: number;
}

export interface TaskScore {
  readonly correct: number;
  readonly total: number;
  readonly accuracy: number;
  /** 95% interval of the accuracy (Wilson). */
  readonly interval: readonly [number, number];
}

/** Tolerance of `when`, ms. */
const WHEN_MS = 1_000;

/** Seconds of `0:42`, `1:02:03`, `42 s` or `42`; null where there is no time. */
export function secondsOf(text: string): number | null {
  const clock = /(?:(\d+):)?(\d+):(\d\d)/.exec(text);
  if (clock !== null) return Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3]);
  const number = /\d+(?:\.\d+)?/.exec(text);
  return number === null ? null : Number(number[0]);
}

export function isRight(question: Pick<EvaluationQuestion, 'task' | 'expected'>, answer: string): boolean {
  switch (question.task) {
    case 'seen':
      return answer.trim().toLowerCase().startsWith(question.expected);
    case 'when': {
      const seconds = secondsOf(answer);
      return seconds !== null && Math.abs(seconds * 1000 - Number(question.expected) * 1000) <= WHEN_MS;
    }
    case 'notshown':
      return /\b(not|never|no)\b/.test(answer.toLowerCase());
    default:
      return normaliseLabel(answer) === normaliseLabel(question.expected);
  }
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

  /** All of the named tasks together. */
  together(tasks: readonly Task[]): TaskScore {
    const sum = { correct: 0, total: 0 };
    for (const task of tasks) {
      sum.correct += this.#tallies.get(task)?.correct ?? 0;
      sum.total += this.#tallies.get(task)?.total ?? 0;
    }
    return score(sum);
  }
}

export function score({ correct, total }: Tally): TaskScore {
  const p = total === 0 ? 0 : correct / total;
  const z = 1.96;
  const n = Math.max(1, total);
  const centre = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / (1 + (z * z) / n);
  const round = (x: number): number => Math.round(Math.min(1, Math.max(0, x)) * 1000) / 1000;
  return { correct, total, accuracy: round(p), interval: [round(centre - half), round(centre + half)] };
}
