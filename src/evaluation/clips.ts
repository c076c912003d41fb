/** Asks the questions of CLIP_QUESTIONS about real clips, each played through the real path. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import { answerUnlessRefused } from './refusal.ts';
import { withWholeStream } from './whole-stream.ts';
import { CLIP_QUESTIONS, type ClipKind, type ClipQuestion } from './clip-questions.ts';
import { confidenceReport, type ConfidenceReport } from './confidence.ts';
import { normaliseLabel } from './labels.ts';
import { score, secondsOf, type TaskScore } from './score.ts';

/** How far a time may be off, s. */
const TIME_TOLERANCE_S = 2;
const NEGATION = /\b(no|not|never|none|nothing|nobody|without)\b|n't\b/;

export interface ClipAnswer {
  readonly question: string;
  readonly answer: string;
  readonly right: boolean;
  readonly confidence: number;
}

export interface ClipResult {
  readonly score: TaskScore;
  /**
   * What can be reached at best by reading the questions alone: one answer to all of each kind, chosen on these very
   * questions.
   */
  readonly baseline: TaskScore;
  /** Whether the model knows which of its answers are right, about clips that are unlike its training data. */
  readonly confidence: ConfidenceReport;
  readonly clips: Readonly<Record<string, { readonly score: TaskScore; readonly answers: readonly ClipAnswer[] }>>;
}

/**
 * Plays the clips that `folder` contains. Throws `data_invalid` if it contains none, and what `withWholeStream` throws.
 */
export async function evaluateClips(live: Streams, folder: string): Promise<ClipResult> {
  const clips: Record<string, { score: TaskScore; answers: ClipAnswer[] }> = {};
  const asked: ClipQuestion[] = [];
  for (const [clip, questions] of Object.entries(CLIP_QUESTIONS)) {
    const file = path.join(folder, clip);
    if (!(await exists(file))) continue;
    const answers = await askAbout(live, file, questions);
    clips[clip] = { score: scoreOf(answers), answers };
    asked.push(...questions);
  }
  if (asked.length === 0) {
    const detail = `None of ${Object.keys(CLIP_QUESTIONS).join(', ')} is in it.`;
    throw new YocoError('data_invalid', { param: 'clips', detail });
  }
  const all = Object.values(clips).flatMap(({ answers }) => answers);
  const judged = all.map((answer, i) => ({ ...answer, task: asked[i]?.kind ?? '' }));
  const baseline = score({ correct: bestConstantCount(asked), total: asked.length });
  return { score: scoreOf(all), baseline, confidence: confidenceReport(judged), clips };
}

/**
 * For "yes" and "no" the first word counts; for a number the whole answer; for a name the whole answer or its end ("a
 * white car" is a car, a "car mirror" is not); for a sentence any mention of one of the names. A negated name or
 * sentence is wrong.
 */
export function isClipAnswerRight(question: Omit<ClipQuestion, 'text'>, answer: string): boolean {
  const { kind, accept, seconds } = question;
  const said = normaliseLabel(answer);
  switch (kind) {
    case 'time': {
      const time = secondsOf(answer);
      return time !== null && seconds !== undefined && Math.abs(time - seconds) <= TIME_TOLERANCE_S;
    }
    case 'yesno':
      return accept.includes(/^[a-z]+/.exec(said)?.[0] ?? '');
    case 'number':
      return accept.includes(said);
    case 'name':
      return !NEGATION.test(said) && accept.some((name) => said === name || said.endsWith(` ${name}`));
    case 'sentence':
      return !NEGATION.test(said) && accept.some((name) => new RegExp(`\\b${name}\\b`).test(said));
  }
}

/** Maximum number of questions that are right when each kind of question gets one answer. */
export function bestConstantCount(questions: readonly ClipQuestion[]): number {
  const kinds = new Set(questions.map(({ kind }) => kind));
  const best = (kind: ClipKind): number => {
    const mine = questions.filter((question) => question.kind === kind);
    const right = (answer: string): number => mine.filter((question) => isClipAnswerRight(question, answer)).length;
    return Math.max(...mine.flatMap(constantsFor).map(right));
  };
  return [...kinds].reduce((sum, kind) => sum + best(kind), 0);
}

/** Right answers, among which the best constant is; for a time also the latest that is still right. */
function constantsFor({ accept, seconds }: ClipQuestion): readonly string[] {
  return seconds === undefined ? accept : [String(seconds), String(seconds + TIME_TOLERANCE_S)];
}

async function askAbout(live: Streams, file: string, questions: readonly ClipQuestion[]): Promise<ClipAnswer[]> {
  const definition = { name: 'eval-clip', source: { file, pace: 'fastest' } };
  return withWholeStream(
    live,
    definition,
    {},
    (stream) => stream.ended(),
    async (stream) => {
      const { lastMs } = stream.status();
      const answers: ClipAnswer[] = [];
      for (const question of questions) {
        const asOfMs = Math.min(question.asOfS === undefined ? Infinity : question.asOfS * 1000, lastMs ?? 0);
        const ask = () => stream.converse().ask(question.text, { asOfMs }).result;
        const { text, confidence } = (await answerUnlessRefused(ask)) ?? { text: '', confidence: 0 };
        answers.push({ question: question.text, answer: text, right: isClipAnswerRight(question, text), confidence });
      }
      return answers;
    },
  );
}

function scoreOf(answers: readonly ClipAnswer[]): TaskScore {
  return score({ correct: answers.filter(({ right }) => right).length, total: answers.length });
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
