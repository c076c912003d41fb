/** Asks the questions of CLIP_QUESTIONS about real clips, each played through the real path. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import { CLIP_QUESTIONS, type ClipQuestion } from './clip-questions.ts';
import { score, secondsOf, type TaskScore } from './score.ts';

/** Of a time, s. */
const WITHIN_S = 2;

export interface ClipAnswer {
  readonly question: string;
  readonly answer: string;
  readonly right: boolean;
}

export interface ClipResult {
  readonly score: TaskScore;
  readonly clips: Readonly<Record<string, { readonly score: TaskScore; readonly answers: readonly ClipAnswer[] }>>;
}

/** Plays the clips that are in `folder`. Throws `data_invalid` where none of them is. */
export async function evaluateClips(live: Streams, folder: string): Promise<ClipResult> {
  const clips: Record<string, { score: TaskScore; answers: ClipAnswer[] }> = {};
  for (const [clip, questions] of Object.entries(CLIP_QUESTIONS)) {
    const file = path.join(folder, clip);
    if (!(await exists(file))) continue;
    const answers = await askAbout(live, file, questions);
    clips[clip] = { score: scoreOf(answers), answers };
  }
  const all = Object.values(clips).flatMap(({ answers }) => answers);
  if (all.length === 0) {
    const detail = `None of ${Object.keys(CLIP_QUESTIONS).join(', ')} is in it.`;
    throw new YocoError('data_invalid', { param: 'clips', detail });
  }
  return { score: scoreOf(all), clips };
}

export function isClipAnswerRight({ accept, seconds }: ClipQuestion, answer: string): boolean {
  if (seconds !== undefined) {
    const said = secondsOf(answer);
    return said !== null && Math.abs(said - seconds) <= WITHIN_S;
  }
  const words: readonly string[] = answer.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return (accept ?? []).some((word) => words.includes(word));
}

async function askAbout(live: Streams, file: string, questions: readonly ClipQuestion[]): Promise<ClipAnswer[]> {
  const name = 'eval-clip';
  const stream = await live.create({ name, source: { file, pace: 'fastest' } }, 'operator');
  try {
    await stream.ended();
    const { lastMs } = stream.status();
    const answers: ClipAnswer[] = [];
    for (const question of questions) {
      const asOfMs = Math.min(question.asOfS === undefined ? Infinity : question.asOfS * 1000, lastMs ?? 0);
      const { text } = await stream.converse().ask(question.text, { asOfMs }).result;
      answers.push({ question: question.text, answer: text, right: isClipAnswerRight(question, text) });
    }
    return answers;
  } finally {
    await live.delete(name);
  }
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
