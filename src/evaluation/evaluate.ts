/**
 * Plays labelled pictures as videos through the real path (encoder, ffmpeg, vision, self-decoder, cache, questions) and
 * counts right answers. The same run asks again without the memory (`controls.ts`).
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import { type BoardPictures, makeBoards } from './boards.ts';
import { makeCameras } from './cameras.ts';
import { NearestCaption, typicalCaption } from './captions.ts';
import { askChanges } from './changes.ts';
import { askAfterAnother, askEmptied, askLastFrames, askShuffled } from './controls.ts';
import { FinishedStreams } from './finished-streams.ts';
import { askGroups, askScenes, groupsOf } from './kinds.ts';
import { askRecentPast } from './recent-past.ts';
import { isHeldOut, type LabelledPicture, readLabels, readBoardPictures, type Scene } from './labels.ts';
import { LAST_FRAME_COUNT } from './last-frames.ts';
import { askNamedDescriptions } from './named-descriptions.ts';
import { QUESTIONS_AT_ONCE } from './options.ts';
import { type PlannedStream, planStreams } from './plan.ts';
import { type AskedQuestion, Player } from './player.ts';
import { makePlaylist, type Playlist } from './playlist.ts';
import type { EvaluationQuestion } from './questions.ts';
import { makeReturns } from './returns.ts';
import { randomOfStream, type Random } from './random.ts';
import { type Evaluation, makeReport } from './report.ts';
import {
  type AnsweredQuestion,
  type Controls,
  type DescribedScene,
  judgeAnswer,
  type StreamResult,
} from './results.ts';
import type { VideoOptions } from './video.ts';

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

/** What an evaluation plays and asks about. */
interface Material {
  /** Those of the pictures with labels that are measured. */
  readonly pictures: readonly LabelledPicture[];
  /** Boards; of the scenes those that are measured. */
  readonly boards: BoardPictures;
  /** Scenes that training used. */
  readonly trainedScenes: readonly Scene[];
  /** Captions of all scenes. */
  readonly corpus: readonly (readonly string[])[];
  /** Checksum of all pictures and captions, measured or not. */
  readonly fingerprint: string;
}

export async function evaluate(live: Streams, options: EvaluationOptions): Promise<Evaluation> {
  const { seed, streams, seconds, controls, fps, video, signal } = options;
  const plan = planStreams(streams, seconds, controls);
  // Every question in flight listens to it.
  if (signal !== undefined) setMaxListeners(2 * QUESTIONS_AT_ONCE, signal);
  const material = await readMaterial(options);
  const finished = await openFinished(options, material);
  const folder = await mkdtemp(path.join(tmpdir(), 'yoco-eval-'));
  try {
    const run = new EvaluationRun(new Player(live, { folder, video, fps, signal }), options, material);
    const results: StreamResult[] = [];
    for (const planned of plan) {
      signal?.throwIfAborted();
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
      corpus: material.corpus,
      typical: typicalCaption(material.trainedScenes),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Throws `data_invalid` if too few different things have labels, and as the readers of labels do. */
async function readMaterial({ data, sets, heldOut }: EvaluationOptions): Promise<Material> {
  const isMeasured = ({ set, file }: { set: string; file: string }): boolean => !heldOut || isHeldOut(set, file);
  const all = await readLabels(data, sets.length > 0 ? sets : undefined);
  const pictures = all.filter(isMeasured);
  if (new Set(pictures.map((picture) => picture.label)).size < MIN_LABELS) {
    throw new YocoError('data_invalid', {
      param: 'data',
      detail: `At least ${MIN_LABELS} different labels are needed.`,
    });
  }
  const boards = await readBoardPictures(data);
  const { cutOuts, exercises, scenes } = boards;
  const exercisePictures = exercises.flatMap(({ start, end }) => [start, end]);
  return {
    pictures,
    // Cut-outs and exercises have one picture a name, so none is held out: what is new is how they are shown.
    boards: { ...boards, scenes: scenes.filter(isMeasured) },
    trainedScenes: scenes.filter(({ set, file }) => !isHeldOut(set, file)),
    corpus: scenes.map(({ captions }) => captions),
    fingerprint: await fingerprintOf([...all, ...cutOuts, ...exercisePictures], scenes),
  };
}

/** The finished streams of an earlier run with the same options and data; undefined if none are kept. */
async function openFinished(
  options: EvaluationOptions,
  { fingerprint }: Material,
): Promise<FinishedStreams | undefined> {
  const { resume, bundleId, device, sets, video, seed, streams, seconds, controls, heldOut, fps } = options;
  if (resume === undefined) return undefined;
  return FinishedStreams.open(resume, {
    version: VERSION,
    bundle: bundleId,
    device,
    data: fingerprint,
    sets: sets.join(','),
    video: JSON.stringify(video),
    ...{ seed, streams, seconds, controls, heldOut, fps },
  });
}

class EvaluationRun {
  readonly #player: Player;
  readonly #options: Pick<EvaluationOptions, 'seed' | 'fps' | 'onAnswer'>;
  readonly #material: Material;
  readonly #groups: readonly string[];
  readonly #labelCount: number;
  #nearest: Promise<NearestCaption> | undefined;

  constructor(player: Player, options: Pick<EvaluationOptions, 'seed' | 'fps' | 'onAnswer'>, material: Material) {
    this.#player = player;
    this.#options = options;
    this.#material = material;
    this.#groups = groupsOf(material.pictures);
    this.#labelCount = new Set(material.pictures.map(({ label }) => label)).size;
  }

  async evaluateStream({ number, seconds, controlled }: PlannedStream): Promise<StreamResult> {
    const { pictures } = this.#material;
    const player = this.#player;
    // The order of draws decides what a seed shows.
    const random = randomOfStream(this.#options.seed, number);
    const kindsRandom = this.#branch(number, KINDS_BRANCH);
    const playlist = this.#makePlaylist(number, seconds, random, kindsRandom);
    const boards = this.#makeBoards(number, random, kindsRandom);
    const controls: Controls = { emptied: [], shuffled: [], lastFrames: [], afterAnother: [] };
    const asked = await player.play(playlist, async (stream, name) => {
      if (!controlled) return;
      controls.afterAnother = await askAfterAnother(player, stream, playlist.questions);
      controls.lastFrames = await askLastFrames(player, stream, name, playlist.questions);
      controls.emptied = await askEmptied(player, stream, name, playlist);
    });
    asked.push(...(await player.play(boards)));
    asked.push(...(await player.playCameras(makeCameras(pictures, random, number))));
    asked.push(...(await player.play(makeReturns(pictures, this.#branch(number, RETURNS_BRANCH), number))));
    const judged = await this.#judge(asked, boards);
    if (controlled) controls.shuffled = await askShuffled(player, playlist, random);
    return { stream: number, seconds, ...judged, controls: controlled ? controls : null };
  }

  #branch(number: number, branch: number): Random {
    return randomOfStream(this.#options.seed, number, branch);
  }

  /** The video of labelled pictures, with all questions about it. */
  #makePlaylist(number: number, seconds: number, random: Random, kindsRandom: Random): Playlist {
    const shown = makePlaylist(this.#material.pictures, seconds, random, number);
    const changes = askChanges(shown, this.#branch(number, CHANGES_BRANCH), number);
    const groups = askGroups(shown, this.#groups, kindsRandom, number);
    const recent = askRecentPast(shown, this.#branch(number, RECENT_PAST_BRANCH), number);
    const described = askNamedDescriptions(shown, this.#labelCount, this.#branch(number, DESCRIPTIONS_BRANCH), number);
    return { ...shown, questions: [...shown.questions, ...changes, ...groups, ...recent, ...described] };
  }

  /** The video of boards, scenes and exercises, with all questions about it. */
  #makeBoards(number: number, random: Random, kindsRandom: Random): Playlist {
    const made = makeBoards(this.#material.boards, random, number);
    return { ...made, questions: [...made.questions, ...askScenes(made.questions, kindsRandom, number)] };
  }

  async #judge(
    asked: readonly AskedQuestion[],
    boards: Playlist,
  ): Promise<{ answered: AnsweredQuestion[]; described: DescribedScene[] }> {
    const { fps, onAnswer } = this.#options;
    const answered = [];
    const described = [];
    for (const { question, result } of asked) {
      if (question.captions === undefined) {
        const answer = judgeAnswer(question, result, fps);
        answered.push(answer);
        onAnswer?.(question, result.text, answer.right);
      } else {
        const nearest = await this.#nearestCaption(question, boards);
        described.push({ captions: [...question.captions], answer: result.text, nearest });
        onAnswer?.(question, result.text, null);
      }
    }
    return { answered, described };
  }

  /** The caption of the training scene that looks most like the one that a question is about. */
  async #nearestCaption(question: EvaluationQuestion, { spans }: Playlist): Promise<string | null> {
    this.#nearest ??= NearestCaption.build(this.#material.trainedScenes);
    const shown = spans.find(({ startMs }) => startMs === question.moment?.startMs);
    return shown === undefined ? null : (await this.#nearest).captionFor(shown.picture.file);
  }
}

/**
 * A checksum of names, captions and file sizes, so that a file of finished streams is not continued with other data.
 */
async function fingerprintOf(pictures: readonly LabelledPicture[], scenes: readonly Scene[]): Promise<string> {
  const hash = createHash('sha256');
  const add = async ({ set, file }: { readonly set: string; readonly file: string }, said: string): Promise<void> => {
    const { size } = await stat(file);
    hash.update(`${set}/${path.basename(file)}/${size}/${said}\n`);
  };
  for (const picture of pictures) await add(picture, `${picture.label}/${picture.group ?? ''}`);
  for (const scene of scenes) await add(scene, scene.captions.join('/'));
  return hash.digest('hex').slice(0, 16);
}
