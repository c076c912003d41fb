/** All measures of an evaluation, computed from its finished streams. Nothing here plays or asks. */
import { groupedInterval } from './bootstrap.ts';
import { CiderD, tokenF1 } from './captions.ts';
import { confidenceReport, type ConfidenceReport } from './confidence.ts';
import type { PlannedStream } from './plan.ts';
import { PAST_NAME_TASKS, RECALL_TASKS, type Task } from './questions.ts';
import type { AnsweredQuestion, ControlAnswer, DescribedScene, StreamResult } from './results.ts';
import {
  difference,
  type Interval,
  isRight,
  type Mean,
  mean,
  type Rate,
  rate,
  type Ratio,
  ratio,
  round,
  score,
  Scores,
  type Tally,
  type TaskScore,
  toleranceOf,
} from './score.ts';

export interface Evaluation {
  readonly bundle: string;
  readonly seed: number;
  readonly streams: number;
  /** Lengths as requested, s. */
  readonly seconds: string;
  readonly questions: number;
  /** What the intervals are, and what they leave out. */
  readonly intervals: string;
  readonly tasks: Partial<Record<Task, TaskWithBaselines>>;
  /** `now` for each set of pictures. */
  readonly nowBySet: Record<string, TaskScore>;
  /** "yes" to whether something was seen that was never shown. */
  readonly hallucination: Rate;
  /** All recall tasks together, with and without their memory. */
  readonly recall: TaskScore & {
    /** With their memory, on the streams that were also asked without it. */
    readonly controlled: TaskScore;
    /** 95% interval that takes the questions of one stream together (`groupedInterval`). */
    readonly overStreams: Interval | null;
    readonly emptied: TaskScore;
    readonly shuffled: TaskScore;
    /** For a random one of the things shown. */
    readonly chance: number;
  };
  /** With only the last sampled frames before the question in the cache. */
  readonly lastFrames: { readonly frames: number; readonly now: TaskScore; readonly recall: TaskScore };
  /** `now` and recall, each asked by itself and as a conversation's second question, on the same streams. */
  readonly conversation: { readonly alone: TaskScore; readonly afterAnother: TaskScore };
  /** Accuracy of naming a thing of the past, divided by that of naming the present one. */
  readonly relativeToNow: Partial<Record<Task, Ratio | null>>;
  /** All tasks, asked in words that training uses and in words that it never does. */
  readonly phrasings: {
    readonly trained: TaskScore;
    readonly heldOut: TaskScore;
    /** Held-out minus trained. */
    readonly difference: number;
    readonly interval: Interval;
  };
  readonly byLength: Record<string, { readonly streams: number; readonly now: TaskScore; readonly recall: TaskScore }>;
  /** Sentences about scenes; null if there was no scene. */
  readonly describe: CaptionReport | null;
  /**
   * Correct answers whose strongest evidence peaks inside the right moment, with half a second of slack on either side.
   */
  readonly evidence: TaskScore & {
    /** The same for all answers whose moment is known, including wrong ones. */
    readonly ofAll: TaskScore;
    /**
     * For the correct answers: intersection over union with that moment, of all evidence and of everything that could
     * be seen.
     */
    readonly iou: Mean;
    readonly uniformIou: Mean;
    /** Length of all evidence divided by that of the moment. */
    readonly length: Mean;
  };
  readonly confidence: ConfidenceReport;
  readonly firstTokenMs: { readonly median: number };
}

export interface TaskWithBaselines extends TaskScore {
  /** Accuracy of an answer drawn uniformly from the possible ones. */
  readonly random: number;
  /**
   * Accuracy of the best constant answer, chosen on these very questions. Where a number has a tolerance, the constant
   * may be any number.
   */
  readonly mostFrequent: number;
  /** 95% interval that takes the questions of one stream together (`groupedInterval`). */
  readonly overStreams: Interval | null;
  /** The best rule that needs no memory of what was shown; null if none is known. */
  readonly rule: { readonly name: string; readonly accuracy: number } | null;
}

export interface CaptionScores {
  readonly ciderD: Mean;
  readonly tokenF1: Mean;
}

export interface CaptionReport extends CaptionScores {
  /** Without the model: the caption of the training picture that looks most alike, and one caption for all. */
  readonly nearest: CaptionScores;
  readonly typical: CaptionScores;
}

export interface ReportContext {
  readonly bundle: string;
  readonly seed: number;
  readonly seconds: string;
  readonly plan: readonly PlannedStream[];
  /** Frames that the control `lastFrames` keeps. */
  readonly lastFrames: number;
  /** Captions of all scenes of the data, which tell how rare words are. */
  readonly corpus: readonly (readonly string[])[];
  /** The caption that is said of every picture as a baseline. */
  readonly typical: string | null;
}

export function makeReport(results: readonly StreamResult[], context: ReportContext): Evaluation {
  const answered = results.flatMap((result) => result.answered);
  const described = results.flatMap((result) => result.described);
  const scores = scoresOf(answered);
  const controlled = results.filter(({ controls }) => controls !== null);
  const controlOf = (kind: keyof NonNullable<StreamResult['controls']>): Scores =>
    scoresOf(controlled.flatMap(({ controls }) => controls?.[kind] ?? []));
  const controlledScores = scoresOf(controlled.flatMap((result) => result.answered));
  const lastFrames = controlOf('lastFrames');
  const [trained, heldOut] = [false, true].map((held) => tally(answered.filter((one) => one.heldOut === held)));
  const phrasings = { trained: trained ?? EMPTY_TALLY, heldOut: heldOut ?? EMPTY_TALLY };
  const absent = answered.filter((one) => one.absent);
  const located = answered.filter(({ inside }) => inside !== null);
  const grounded = located.filter(({ right }) => right);
  const firstTokens = answered.map(({ firstTokenMs }) => firstTokenMs).sort((a, b) => a - b);
  const now = scores.combined(['now']);
  return {
    bundle: context.bundle,
    seed: context.seed,
    streams: results.length,
    seconds: context.seconds,
    questions: answered.length + described.length,
    intervals: INTERVALS_NOTE,
    tasks: tasksOf(results, scores),
    nowBySet: nowBySet(answered),
    hallucination: rate(absent.filter(({ answer }) => /^\s*yes\b/i.test(answer)).length, absent.length),
    recall: {
      ...scores.combined(RECALL_TASKS),
      overStreams: overStreams(results, RECALL_TASKS),
      controlled: controlledScores.combined(RECALL_TASKS),
      emptied: controlOf('emptied').combined(RECALL_TASKS),
      shuffled: controlOf('shuffled').combined(RECALL_TASKS),
      chance: chanceOf(answered.filter(({ task }) => RECALL_TASKS.includes(task))),
    },
    lastFrames: {
      frames: context.lastFrames,
      now: lastFrames.combined(['now']),
      recall: lastFrames.combined(RECALL_TASKS),
    },
    conversation: {
      alone: controlledScores.combined(['now', ...RECALL_TASKS]),
      afterAnother: controlOf('afterAnother').combined(['now', ...RECALL_TASKS]),
    },
    relativeToNow: Object.fromEntries(PAST_NAME_TASKS.map((task) => [task, ratio(scores.combined([task]), now)])),
    phrasings: {
      trained: score(phrasings.trained),
      heldOut: score(phrasings.heldOut),
      ...difference(phrasings.heldOut, phrasings.trained),
    },
    byLength: byLength(results, context.plan),
    describe: described.length === 0 ? null : captionReport(described, context),
    evidence: {
      ...score(insideTally(grounded)),
      ofAll: score(insideTally(located)),
      iou: mean(grounded.map(({ overlap }) => overlap?.iou ?? 0)),
      uniformIou: mean(grounded.map(({ overlap }) => overlap?.uniform ?? 0)),
      length: mean(grounded.map(({ overlap }) => overlap?.length ?? 0)),
    },
    confidence: confidenceReport(answered),
    firstTokenMs: { median: Math.round(firstTokens[Math.floor(firstTokens.length / 2)] ?? 0) },
  };
}

const INTERVALS_NOTE =
  'intervals: 95%, Wilson, as if questions were independent. Those of one stream hang together: "over streams" draws streams instead.';

type JudgedAnswer = Pick<ControlAnswer, 'task' | 'right'>;

const EMPTY_TALLY: Tally = { correct: 0, total: 0 };

function tally(answers: readonly JudgedAnswer[]): Tally {
  return { correct: answers.filter(({ right }) => right).length, total: answers.length };
}

function insideTally(answers: readonly AnsweredQuestion[]): Tally {
  return { correct: answers.filter(({ inside }) => inside === true).length, total: answers.length };
}

function scoresOf(answers: readonly JudgedAnswer[]): Scores {
  const scores = new Scores();
  for (const { task, right } of answers) scores.add(task, right);
  return scores;
}

function tasksOf(results: readonly StreamResult[], scores: Scores): Partial<Record<Task, TaskWithBaselines>> {
  const answered = results.flatMap((result) => result.answered);
  const tasks: Partial<Record<Task, TaskWithBaselines>> = {};
  for (const [name, taskScore] of Object.entries(scores.tasks)) {
    const mine = answered.filter(({ task }) => task === name);
    tasks[name as Task] = {
      ...taskScore,
      random: chanceOf(mine),
      mostFrequent: mostFrequent(mine),
      overStreams: overStreams(results, [name as Task]),
      rule: bestRule(mine),
    };
  }
  return tasks;
}

function overStreams(results: readonly StreamResult[], tasks: readonly Task[]): Interval | null {
  return groupedInterval(results.map(({ answered }) => tally(answered.filter(({ task }) => tasks.includes(task)))));
}

function chanceOf(answered: readonly AnsweredQuestion[]): number {
  return round(answered.reduce((sum, { chance }) => sum + chance, 0) / Math.max(1, answered.length));
}

/**
 * The share that the best single answer would get right. It is chosen on these very questions, so it is a strict
 * baseline.
 */
function mostFrequent(answered: readonly AnsweredQuestion[]): number {
  const candidates = new Set(answered.flatMap(({ task, expected }) => constantsFor(task, expected)));
  const right = (candidate: string): number => answered.filter((one) => isRight(one, candidate)).length;
  return round(Math.max(0, ...[...candidates].map(right)) / Math.max(1, answered.length));
}

/**
 * Candidates for the best constant. All expected numbers that a constant gets right within the tolerance lie in an
 * interval. That interval can be moved up until its low end is one of the expected numbers; the best constant is then
 * that number plus the tolerance.
 */
function constantsFor(task: Task, expected: string): string[] {
  const within = toleranceOf(task);
  return within === null ? [expected] : [expected, String(Number(expected) + within)];
}

function bestRule(answered: readonly AnsweredQuestion[]): TaskWithBaselines['rule'] {
  const names = new Set(answered.flatMap(({ rules }) => Object.keys(rules ?? {})));
  const scored = [...names].map((name) => {
    const right = answered.filter((one) => isRight(one, one.rules?.[name] ?? '')).length;
    return { name, accuracy: round(right / answered.length) };
  });
  return scored.sort((a, b) => b.accuracy - a.accuracy)[0] ?? null;
}

function nowBySet(answered: readonly AnsweredQuestion[]): Record<string, TaskScore> {
  const now = answered.filter(({ task, set }) => task === 'now' && set !== null);
  const sets = new Set(now.map(({ set }) => set ?? ''));
  return Object.fromEntries([...sets].map((name) => [name, score(tally(now.filter(({ set }) => set === name)))]));
}

function byLength(results: readonly StreamResult[], plan: readonly PlannedStream[]): Evaluation['byLength'] {
  const lengths = new Map(plan.map(({ number, length }) => [number, length]));
  const groups = new Map<string, StreamResult[]>();
  for (const result of results) {
    const length = lengths.get(result.stream) ?? String(result.seconds);
    groups.set(length, [...(groups.get(length) ?? []), result]);
  }
  const row = (group: readonly StreamResult[]): Evaluation['byLength'][string] => {
    const scores = scoresOf(group.flatMap(({ answered }) => answered));
    return { streams: group.length, now: scores.combined(['now']), recall: scores.combined(RECALL_TASKS) };
  };
  return Object.fromEntries([...groups].map(([length, group]) => [length, row(group)]));
}

function captionReport(described: readonly DescribedScene[], { corpus, typical }: ReportContext): CaptionReport {
  const cider = new CiderD(corpus);
  const scoresFor = (sentence: (one: DescribedScene) => string | null): CaptionScores => ({
    ciderD: mean(described.map((one) => cider.score(sentence(one) ?? '', one.captions))),
    tokenF1: mean(described.map((one) => tokenF1(sentence(one) ?? '', one.captions))),
  });
  return {
    ...scoresFor(({ answer }) => answer),
    nearest: scoresFor(({ nearest }) => nearest),
    typical: scoresFor(() => typical),
  };
}
