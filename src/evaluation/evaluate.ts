/**
 * Plays labelled pictures as videos through the real path (encoder, ffmpeg, vision, self-decoder, cache, questions) and
 * counts right answers. The same run takes the memory away in three ways, and recall must then fall to chance: the
 * cache holds only the last thing shown (as if it had been emptied before), the pictures are played in another order,
 * or only the last few frames before the question are there.
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { namesToCameras } from '../engine/camera-names.ts';
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { AnswerResult } from '../live/types.ts';
import { orAborted } from './abort.ts';
import { withWholeStream } from './whole-stream.ts';
import { type BoardPictures, makeBoards } from './boards.ts';
import { makeCameras } from './cameras.ts';
import { NearestCaption, typicalCaption } from './captions.ts';
import { askChanges } from './changes.ts';
import { FinishedStreams } from './finished-streams.ts';
import { askGroups, askScenes, groupsOf } from './kinds.ts';
import { askRecentPast } from './recent-past.ts';
import { isHeldOut, type LabelledPicture, readLabels, readBoardPictures, type Scene } from './labels.ts';
import { LAST_FRAME_COUNT, type Replay, withFramesFrom, withLastFrames } from './last-frames.ts';
import { askNamedDescriptions } from './named-descriptions.ts';
import { QUESTIONS_AT_ONCE } from './options.ts';
import { type PlannedStream, planStreams } from './plan.ts';
import { BORDER_MS, makePlaylist, type Playlist, type Span } from './playlist.ts';
import { type EvaluationQuestion, RECALL_TASKS } from './questions.ts';
import { answerUnlessRefused } from './refusal.ts';
import { makeReturns } from './returns.ts';
import { randomOfStream, shuffle, type Random } from './random.ts';
import { type Evaluation, makeReport } from './report.ts';
import { judgeAnswer, type ControlAnswer, judgeControl, type DescribedScene, type StreamResult } from './results.ts';
import { encodeVideo, sampledFrames, type VideoOptions } from './video.ts';

export interface EvaluationOptions {
  readonly data: string;
  /** Sets whose pictures are played and named; empty: every set with labels. */
  readonly sets: readonly string[];
  readonly seed: number;
  /** Number and lengths, s, of the streams, as `planStreams` reads them. */
  readonly streams: string;
  readonly seconds: string;
  /** Only pictures that the bundled model did not train on. */
  readonly heldOut: boolean;
  readonly video: VideoOptions;
  /** Frames a second that the model sees; the videos have more. */
  readonly fps: number;
  /** Share of the streams that are also asked without their memory, 0..1. */
  readonly controls: number;
  /** File of the finished streams; those in it are not played again. */
  readonly resume?: string;
  /** Identifies the bundle, for `resume`: a bundle's name stays the same when it is retrained. */
  readonly bundleId: string;
  /** Where the model runs, for `resume`: answers may differ between devices. */
  readonly device: string;
  /** Stops the evaluation, which then rejects with the signal's reason and leaves no stream and no video behind. */
  readonly signal?: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
  /** Each answer as it is scored; `right` is null for a description. */
  readonly onAnswer?: (question: EvaluationQuestion, answer: string, right: boolean | null) => void;
}

/**
 * "Did you see a dog today?" is asked too: in no time zone does a video that begins then, of an hour at most, cross
 * midnight.
 */
const RECORDED_AT = '2020-01-01T12:00:00Z';

interface AskedQuestion {
  readonly question: EvaluationQuestion;
  readonly result: AnswerResult;
}

/**
 * Part of the key of finished streams. Raise it when the same options lead to a change in what is played, what is
 * asked, how it is asked, or what is measured besides right and wrong. Right and wrong are scored again from the kept
 * answers.
 */
const VERSION = 5;
const MIN_LABELS = 8;
const CHANGES_BRANCH = 1;
const KINDS_BRANCH = 2;
const RECENT_PAST_BRANCH = 3;
const RETURNS_BRANCH = 4;
const DESCRIPTIONS_BRANCH = 5;

export async function evaluate(live: Streams, options: EvaluationOptions): Promise<Evaluation> {
  const { data, sets, seed, streams, seconds, controls, heldOut, fps } = options;
  const plan = planStreams(streams, seconds, controls);
  // Every question in flight listens to it.
  if (options.signal !== undefined) setMaxListeners(2 * QUESTIONS_AT_ONCE, options.signal);
  const isMeasured = ({ set, file }: { set: string; file: string }): boolean => !heldOut || isHeldOut(set, file);
  const all = await readLabels(data, sets.length > 0 ? sets : undefined);
  const pictures = all.filter(isMeasured);
  if (new Set(pictures.map((picture) => picture.label)).size < MIN_LABELS) {
    throw new YocoError('data_invalid', {
      param: 'data',
      detail: `At least ${MIN_LABELS} different labels are needed.`,
    });
  }
  const boardPictures = await readBoardPictures(data);
  const trainedScenes = boardPictures.scenes.filter(({ set, file }) => !isHeldOut(set, file));
  // Cut-outs and exercises have one picture a name, so none is held out: what is new is how they are shown.
  const boards = { ...boardPictures, scenes: boardPictures.scenes.filter(isMeasured) };
  const finished =
    options.resume === undefined
      ? undefined
      : await FinishedStreams.open(options.resume, {
          version: VERSION,
          bundle: options.bundleId,
          device: options.device,
          data: await fingerprint(
            [...all, ...boardPictures.cutOuts, ...boardPictures.exercises.flatMap(({ start, end }) => [start, end])],
            boardPictures.scenes,
          ),
          sets: sets.join(','),
          video: JSON.stringify(options.video),
          ...{ seed, streams, seconds, controls, heldOut, fps },
        });
  const folder = await mkdtemp(path.join(tmpdir(), 'yoco-eval-'));
  try {
    const run = new EvaluationRun(live, options, pictures, boards, trainedScenes, folder);
    const results: StreamResult[] = [];
    for (const planned of plan) {
      options.signal?.throwIfAborted();
      const before = finished?.results.get(planned.number);
      const result = before ?? (await run.evaluateStream(planned));
      if (before === undefined) await finished?.add(result);
      results.push(result);
      options.onProgress(results.length, plan.length);
    }
    return makeReport(results, {
      bundle: live.bundle.name,
      seed,
      seconds,
      plan,
      lastFrames: LAST_FRAME_COUNT,
      corpus: boardPictures.scenes.map(({ captions }) => captions),
      typical: typicalCaption(trainedScenes),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class EvaluationRun {
  readonly #live: Streams;
  readonly #options: EvaluationOptions;
  readonly #pictures: readonly LabelledPicture[];
  readonly #groups: readonly string[];
  readonly #labelCount: number;
  readonly #boards: BoardPictures;
  /** Scenes that training used. */
  readonly #trainedScenes: readonly Scene[];
  readonly #folder: string;
  #nearest: Promise<NearestCaption> | undefined;
  #number = 0;

  constructor(
    live: Streams,
    options: EvaluationOptions,
    pictures: readonly LabelledPicture[],
    boards: BoardPictures,
    trainedScenes: readonly Scene[],
    folder: string,
  ) {
    this.#live = live;
    this.#options = options;
    this.#pictures = pictures;
    this.#groups = groupsOf(pictures);
    this.#labelCount = new Set(pictures.map(({ label }) => label)).size;
    this.#boards = boards;
    this.#trainedScenes = trainedScenes;
    this.#folder = folder;
  }

  async evaluateStream({ number, seconds, controlled }: PlannedStream): Promise<StreamResult> {
    const random = randomOfStream(this.#options.seed, number);
    const shown = makePlaylist(this.#pictures, seconds, random, number);
    const changes = askChanges(shown, randomOfStream(this.#options.seed, number, CHANGES_BRANCH), number);
    const kindsRandom = randomOfStream(this.#options.seed, number, KINDS_BRANCH);
    const groups = askGroups(shown, this.#groups, kindsRandom, number);
    const recent = askRecentPast(shown, randomOfStream(this.#options.seed, number, RECENT_PAST_BRANCH), number);
    const descriptionsRandom = randomOfStream(this.#options.seed, number, DESCRIPTIONS_BRANCH);
    const described = askNamedDescriptions(shown, this.#labelCount, descriptionsRandom, number);
    const playlist = { ...shown, questions: [...shown.questions, ...changes, ...groups, ...recent, ...described] };
    const made = makeBoards(this.#boards, random, number);
    const boards = { ...made, questions: [...made.questions, ...askScenes(made.questions, kindsRandom, number)] };
    let [lastFrames, emptied, afterAnother]: [ControlAnswer[], ControlAnswer[], ControlAnswer[]] = [[], [], []];
    const asked = await this.#play(playlist, async (stream, name) => {
      if (!controlled) return;
      afterAnother = await this.#askAfterAnother(stream, playlist.questions);
      lastFrames = await this.#askLastFrames(stream, name, playlist.questions);
      emptied = await this.#askEmptied(stream, name, playlist);
    });
    asked.push(...(await this.#play(boards)));
    asked.push(...(await this.#playCameras(random, number)));
    const returnsRandom = randomOfStream(this.#options.seed, number, RETURNS_BRANCH);
    asked.push(...(await this.#play(makeReturns(this.#pictures, returnsRandom, number))));
    const answered = [];
    const captioned = [];
    for (const { question, result } of asked) {
      if (question.captions === undefined) {
        const answer = judgeAnswer(question, result, this.#options.fps);
        answered.push(answer);
        this.#options.onAnswer?.(question, result.text, answer.right);
      } else {
        captioned.push(await this.#describe(question, question.captions, result, boards));
        this.#options.onAnswer?.(question, result.text, null);
      }
    }
    const controls = controlled
      ? { emptied, shuffled: await this.#askShuffled(playlist, random), lastFrames, afterAnother }
      : null;
    return { stream: number, seconds, answered, described: captioned, controls };
  }

  /** Plays a video to its end, and asks. `use` may read the stream before it is deleted. */
  async #play(
    { spans, questions }: Pick<Playlist, 'spans' | 'questions'>,
    use?: (stream: SourceStream, name: string) => Promise<void>,
  ): Promise<AskedQuestion[]> {
    if (spans.length === 0) return [];
    const name = `eval-${this.#number++}`;
    return this.#withPlayedStream(name, spans, async (stream) => {
      const asked = await askAll((question) => this.#ask(stream, question), questions);
      await use?.(stream, name);
      return asked;
    });
  }

  /** Plays several videos, each as its own stream, and asks about all of them together. */
  async #playCameras(random: Random, number: number): Promise<AskedQuestion[]> {
    const { spans, questions } = makeCameras(this.#pictures, random, number);
    const names = spans.map(() => `eval-${this.#number++}`);
    const ask = async (question: EvaluationQuestion): Promise<AskedQuestion> => {
      const result = await orAborted(this.#live.converse(names).ask(question.text).result, this.#options.signal);
      return { question, result: { ...result, text: namesToCameras(result.text, names) } };
    };
    // The questions are asked once the last stream has ended; the others stay open until then.
    const play = (i: number): Promise<AskedQuestion[]> => {
      const [name, mine] = [names[i], spans[i]];
      if (name === undefined || mine === undefined) return askAll(ask, questions);
      return this.#withPlayedStream(name, mine, () => play(i + 1));
    };
    return spans.length === 0 ? [] : play(0);
  }

  /** Plays a video to its end; the stream exists until `use` is done. Throws what `withWholeStream` throws. */
  async #withPlayedStream<T>(
    name: string,
    spans: readonly Span[],
    use: (stream: SourceStream) => Promise<T>,
  ): Promise<T> {
    const { fps, signal, video } = this.#options;
    const file = path.join(this.#folder, `${name}.mp4`);
    const expected = { frames: sampledFrames(spans, fps), firstMs: 0 };
    const fill = (stream: SourceStream): Promise<void> => orAborted(stream.ended(), signal);
    try {
      await encodeVideo(spans, file, video, signal);
      const source = { file, pace: 'fastest', recorded_at: RECORDED_AT };
      const definition = { name, source, sampling: { fps } };
      return await withWholeStream(this.#live, definition, expected, fill, use);
    } finally {
      await rm(file, { force: true });
      await rm(`${file}.pictures`, { recursive: true, force: true });
    }
  }

  /** The same questions at the same moment, with only the last thing still in the cache. */
  async #askEmptied(stream: SourceStream, name: string, { spans, questions }: Playlist): Promise<ControlAnswer[]> {
    const asked = recallQuestions(questions);
    // The frame at the cut may mix both pictures.
    const fromMs = (spans.at(-1)?.startMs ?? 0) + BORDER_MS / 2;
    return withFramesFrom(this.#replay(`${name}-emptied`), stream, fromMs, async (short) =>
      this.#askAboutRemaining(short, asked),
    );
  }

  /** A question about a time of which nothing is left is refused, and counts as an empty answer. */
  async #askAboutRemaining(stream: SourceStream, questions: readonly EvaluationQuestion[]): Promise<ControlAnswer[]> {
    const ask = async (question: EvaluationQuestion): Promise<ControlAnswer> => {
      const asked = await answerUnlessRefused(() => this.#ask(stream, question));
      return judgeControl(question, asked?.result.text ?? '');
    };
    return askAll(ask, questions);
  }

  async #askShuffled({ spans, questions }: Playlist, random: Random): Promise<ControlAnswer[]> {
    return controlsOf(
      await this.#play({ spans: shufflePictures(spans, random), questions: recallQuestions(questions) }),
    );
  }

  async #askLastFrames(
    stream: SourceStream,
    name: string,
    questions: readonly EvaluationQuestion[],
  ): Promise<ControlAnswer[]> {
    const asked = nowAndRecallQuestions(questions);
    return withLastFrames(this.#replay(`${name}-last`), stream, asked, async (short, mine) =>
      this.#askAboutRemaining(short, mine),
    );
  }

  /** The same questions, each in a conversation after another, unrelated one about the stream. */
  async #askAfterAnother(stream: SourceStream, questions: readonly EvaluationQuestion[]): Promise<ControlAnswer[]> {
    const asked = nowAndRecallQuestions(questions);
    const before = new Map(asked.map((question, i) => [question, asked.at(i - 1) ?? question]));
    const ask = async (question: EvaluationQuestion): Promise<AskedQuestion> => {
      const asOfMs = Math.min(question.asOfMs, stream.status().lastMs ?? 0);
      const conversation = stream.converse();
      const first = before.get(question) ?? question;
      await orAborted(conversation.ask(first.text, { asOfMs }).result, this.#options.signal);
      const answer = conversation.ask(question.text, { asOfMs });
      return { question, result: await orAborted(answer.result, this.#options.signal) };
    };
    return controlsOf(await askAll(ask, asked));
  }

  #replay(name: string): Replay {
    return { live: this.#live, name, signal: this.#options.signal };
  }

  async #ask(stream: SourceStream, question: EvaluationQuestion): Promise<AskedQuestion> {
    const asOfMs = Math.min(question.asOfMs, stream.status().lastMs ?? 0);
    const answer = stream.converse().ask(question.text, { asOfMs });
    return { question, result: await orAborted(answer.result, this.#options.signal) };
  }

  async #describe(
    question: EvaluationQuestion,
    captions: readonly string[],
    result: AnswerResult,
    { spans }: Playlist,
  ): Promise<DescribedScene> {
    this.#nearest ??= NearestCaption.build(this.#trainedScenes);
    const shown = spans.find(({ startMs }) => startMs === question.moment?.startMs);
    const nearest = shown === undefined ? null : await (await this.#nearest).captionFor(shown.picture.file);
    return { captions: [...captions], answer: result.text, nearest };
  }
}

function nowAndRecallQuestions(questions: readonly EvaluationQuestion[]): EvaluationQuestion[] {
  return questions.filter(({ task }) => task === 'now' || RECALL_TASKS.includes(task));
}

function recallQuestions(questions: readonly EvaluationQuestion[]): EvaluationQuestion[] {
  return questions.filter(({ task }) => RECALL_TASKS.includes(task));
}

async function askAll<T>(
  ask: (question: EvaluationQuestion) => Promise<T>,
  questions: readonly EvaluationQuestion[],
): Promise<T[]> {
  const asked: T[] = [];
  for (let i = 0; i < questions.length; i += QUESTIONS_AT_ONCE) {
    asked.push(...(await Promise.all(questions.slice(i, i + QUESTIONS_AT_ONCE).map(ask))));
  }
  return asked;
}

function controlsOf(asked: readonly AskedQuestion[]): ControlAnswer[] {
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

/**
 * A checksum of names, captions and file sizes, so that a file of finished streams is not continued with other data.
 */
async function fingerprint(pictures: readonly LabelledPicture[], scenes: readonly Scene[]): Promise<string> {
  const hash = createHash('sha256');
  const add = async ({ set, file }: { readonly set: string; readonly file: string }, said: string): Promise<void> => {
    const { size } = await stat(file);
    hash.update(`${set}/${path.basename(file)}/${size}/${said}\n`);
  };
  for (const picture of pictures) await add(picture, `${picture.label}/${picture.group ?? ''}`);
  for (const scene of scenes) await add(scene, scene.captions.join('/'));
  return hash.digest('hex').slice(0, 16);
}
