/** Whether an answer's confidence tells right from wrong. */
import type { AnsweredQuestion } from './results.ts';
import { round, score, type TaskScore } from './score.ts';

export interface ConfidenceReport {
  /**
   * How often the right one of a right and a wrong answer is the surer: the area under the ROC curve. 0.5 is chance;
   * null when none is wrong, or none right.
   */
  readonly rightIsSurer: number | null;
  /** The same for pairs within one task, so that an easy task does not count as sureness. */
  readonly withinTask: number | null;
  /** By least confidence: the score of the answers that have it, and their share of all. */
  readonly atLeast: Record<string, TaskScore & { readonly share: number }>;
}

const THRESHOLDS = [0.5, 0.7, 0.8, 0.9, 0.95];

/** An answer, with the task within which it is also compared. */
interface JudgedAnswer extends Pick<AnsweredQuestion, 'right' | 'confidence'> {
  readonly task: string;
}

/** Pairs of a right and a wrong answer, and in how many the right one is surer; ties count half. */
interface PairCounts {
  readonly surer: number;
  readonly all: number;
}

export function confidenceReport(answered: readonly JudgedAnswer[]): ConfidenceReport {
  const tasks = new Set(answered.map(({ task }) => task));
  const within = [...tasks].map((name) => pairsOf(answered.filter(({ task }) => task === name)));
  const atLeast = THRESHOLDS.map((threshold) => {
    const sure = answered.filter(({ confidence }) => confidence >= threshold);
    const tally = { correct: sure.filter(({ right }) => right).length, total: sure.length };
    return [String(threshold), { ...score(tally), share: round(sure.length / Math.max(1, answered.length)) }] as const;
  });
  return {
    rightIsSurer: shareOf([pairsOf(answered)]),
    withinTask: shareOf(within),
    atLeast: Object.fromEntries(atLeast),
  };
}

function pairsOf(answered: readonly JudgedAnswer[]): PairCounts {
  const rising = [...answered].sort((a, b) => a.confidence - b.confidence);
  let [surer, wrong] = [0, 0];
  for (let i = 0; i < rising.length;) {
    let [right, asWrong] = [0, 0];
    for (const { confidence } = rising[i] ?? { confidence: NaN }; rising[i]?.confidence === confidence; i++) {
      if (rising[i]?.right === true) right++;
      else asWrong++;
    }
    surer += right * (wrong + asWrong / 2);
    wrong += asWrong;
  }
  return { surer, all: wrong * (answered.length - wrong) };
}

function shareOf(pairs: readonly PairCounts[]): number | null {
  const [surer, all] = pairs.reduce(([s, a], one) => [s + one.surer, a + one.all], [0, 0]);
  return all === 0 ? null : round(surer / all);
}
