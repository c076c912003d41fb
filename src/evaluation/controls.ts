/**
 * Controls: the same questions without the memory that they need. Recall must then fall to chance. The cache holds only
 * the last thing shown (as if it had been emptied before), the pictures are played in another order, or only the last
 * few frames before the question are there. One more control puts each question after an unrelated one.
 */
import type { SourceStream } from '../live/live-stream.ts';
import { withFramesFrom, withLastFrames } from './last-frames.ts';
import { type AskedQuestion, askAll, momentOf, type Player } from './player.ts';
import { BORDER_MS, type Playlist, type Span } from './playlist.ts';
import { type EvaluationQuestion, RECALL_TASKS } from './questions.ts';
import { shuffle, type Random } from './random.ts';
import { answerUnlessRefused } from './refusal.ts';
import { type ControlAnswer, judgeControl } from './results.ts';

/** The recall questions at the same moment, with only the last thing still in the cache. */
export async function askEmptied(
  player: Player,
  stream: SourceStream,
  name: string,
  { spans, questions }: Playlist,
): Promise<ControlAnswer[]> {
  const asked = recallQuestions(questions);
  // The frame at the cut may mix both pictures.
  const fromMs = (spans.at(-1)?.startMs ?? 0) + BORDER_MS / 2;
  return withFramesFrom(player.replay(`${name}-emptied`), stream, fromMs, async (short) =>
    askAboutRemaining(player, short, asked),
  );
}

/** The recall questions after a video of the same pictures in another order. */
export async function askShuffled(
  player: Player,
  { spans, questions }: Playlist,
  random: Random,
): Promise<ControlAnswer[]> {
  return judgeAll(await player.play({ spans: shufflePictures(spans, random), questions: recallQuestions(questions) }));
}

/** Questions about now and recall questions, with only the last few frames before each in the cache. */
export async function askLastFrames(
  player: Player,
  stream: SourceStream,
  name: string,
  questions: readonly EvaluationQuestion[],
): Promise<ControlAnswer[]> {
  const asked = nowAndRecallQuestions(questions);
  return withLastFrames(player.replay(`${name}-last`), stream, asked, async (short, mine) =>
    askAboutRemaining(player, short, mine),
  );
}

/** The same questions, each in a conversation after another, unrelated one about the stream. */
export async function askAfterAnother(
  player: Player,
  stream: SourceStream,
  questions: readonly EvaluationQuestion[],
): Promise<ControlAnswer[]> {
  const asked = nowAndRecallQuestions(questions);
  const before = new Map(asked.map((question, i) => [question, asked.at(i - 1) ?? question]));
  const ask = async (question: EvaluationQuestion): Promise<AskedQuestion> => {
    const moment = momentOf(question, stream);
    const conversation = stream.converse();
    await player.answer(conversation, (before.get(question) ?? question).text, moment);
    return { question, result: await player.answer(conversation, question.text, moment) };
  };
  return judgeAll(await askAll(ask, asked));
}

/** A question about a time of which nothing is left is refused, and counts as an empty answer. */
async function askAboutRemaining(
  player: Player,
  stream: SourceStream,
  questions: readonly EvaluationQuestion[],
): Promise<ControlAnswer[]> {
  const ask = async (question: EvaluationQuestion): Promise<ControlAnswer> => {
    const asked = await answerUnlessRefused(() => player.ask(stream, question));
    return judgeControl(question, asked?.result.text ?? '');
  };
  return askAll(ask, questions);
}

function nowAndRecallQuestions(questions: readonly EvaluationQuestion[]): EvaluationQuestion[] {
  return questions.filter(({ task }) => task === 'now' || RECALL_TASKS.includes(task));
}

function recallQuestions(questions: readonly EvaluationQuestion[]): EvaluationQuestion[] {
  return questions.filter(({ task }) => RECALL_TASKS.includes(task));
}

function judgeAll(asked: readonly AskedQuestion[]): ControlAnswer[] {
  return asked.map(({ question, result }) => judgeControl(question, result.text));
}

/** The same pictures in another order, with the same borders. */
function shufflePictures(spans: readonly Span[], random: Random): Span[] {
  const pictures = shuffle(
    spans.map(({ picture }) => picture),
    random,
  );
  return spans.map((span, i) => ({ ...span, picture: pictures[i] ?? span.picture }));
}
