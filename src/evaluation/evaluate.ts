/**
 * Plays labelled pictures as videos through the real path (encoder, ffmpeg, vision, self-decoder, cache, questions) and
 * counts what is answered right. In the same run the memory is taken away in two ways, and recall must fall to chance:
 * the cache holds only the last thing shown (as if it were emptied before), and the pictures are played in another order.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { AnswerResult } from '../live/types.ts';
import { seededRandom } from '../model/sampling.ts';
import { isHeldOut, type LabelledPicture, readLabels } from './labels.ts';
import { type EvaluationQuestion, makePlaylist, type Playlist, RECALL, type Span } from './playlist.ts';
import { isRight, score, Scores, type TaskScore } from './score.ts';
import { encodeVideo, type VideoOptions } from './video.ts';

export interface EvaluationOptions {
  readonly data: string;
  readonly sets: readonly string[];
  readonly seed: number;
  readonly streams: number;
  /** Length of a stream. */
  readonly seconds: number;
  /** Only pictures that the bundled model did not train on. */
  readonly heldOut: boolean;
  readonly video: VideoOptions;
  /** Share of the streams that are also asked without their memory, 0..1. */
  readonly controls: number;
  readonly onProgress: (done: number, total: number) => void;
  /** Each answer as it is scored. */
  readonly onAnswer?: (question: EvaluationQuestion, answer: string, right: boolean) => void;
}

export interface Evaluation {
  readonly bundle: string;
  readonly seed: number;
  readonly streams: number;
  readonly seconds: number;
  readonly questions: number;
  readonly tasks: Partial<Record<string, TaskScore>>;
  /** `now` of each set of pictures. */
  readonly nowBySet: Record<string, TaskScore>;
  /** All recall tasks together: as they are, and without their memory. `chance`: a random one of the things shown. */
  readonly recall: TaskScore & { readonly emptied: TaskScore; readonly shuffled: TaskScore; readonly chance: number };
  /** Correct answers whose strongest evidence lies inside the moment that it should. */
  readonly evidence: TaskScore;
  readonly firstTokenMs: { readonly median: number };
}

interface Asked {
  readonly question: EvaluationQuestion;
  readonly result: AnswerResult;
}

const EVIDENCE_SLACK_MS = 500;

export async function evaluate(live: Streams, options: EvaluationOptions): Promise<Evaluation> {
  const all = await readLabels(options.data, options.sets.length > 0 ? options.sets : undefined);
  const pictures = options.heldOut ? all.filter((picture) => isHeldOut(picture.set, picture.file)) : all;
  if (new Set(pictures.map((picture) => picture.label)).size < 8) {
    throw new YocoError('data_invalid', { param: 'data', detail: 'At least 8 different labels are needed.' });
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'yoco-eval-'));
  try {
    return await new Run(live, options, pictures, folder).all();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class Run {
  readonly #live: Streams;
  readonly #options: EvaluationOptions;
  readonly #pictures: readonly LabelledPicture[];
  readonly #folder: string;
  readonly #scores = new Scores();
  readonly #emptied = new Scores();
  readonly #shuffled = new Scores();
  readonly #bySet = new Map<string, Scores>();
  readonly #evidence = { correct: 0, total: 0 };
  readonly #firstTokens: number[] = [];
  readonly #chances: number[] = [];
  #questions = 0;
  #number = 0;

  constructor(live: Streams, options: EvaluationOptions, pictures: readonly LabelledPicture[], folder: string) {
    this.#live = live;
    this.#options = options;
    this.#pictures = pictures;
    this.#folder = folder;
  }

  async all(): Promise<Evaluation> {
    const { streams, seed, controls, onProgress } = this.#options;
    const random = seededRandom(seed);
    for (let i = 0; i < streams; i++) {
      const playlist = makePlaylist(this.#pictures, this.#options.seconds, random);
      this.#count(await this.#play(playlist.spans, playlist.questions));
      if (i < streams * controls) await this.#withoutMemory(playlist, random);
      onProgress(i + 1, streams);
    }
    const recall = this.#scores.together(RECALL);
    const sorted = [...this.#firstTokens].sort((a, b) => a - b);
    return {
      bundle: this.#live.bundle.name,
      seed,
      streams,
      seconds: this.#options.seconds,
      questions: this.#questions,
      tasks: this.#scores.tasks,
      nowBySet: Object.fromEntries([...this.#bySet].map(([set, scores]) => [set, scores.together(['now'])])),
      recall: {
        ...recall,
        emptied: this.#emptied.together(RECALL),
        shuffled: this.#shuffled.together(RECALL),
        chance:
          Math.round((this.#chances.reduce((a, b) => a + b, 0) / Math.max(1, this.#chances.length)) * 1000) / 1000,
      },
      evidence: score(this.#evidence),
      firstTokenMs: { median: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0) },
    };
  }

  #count(asked: readonly Asked[]): void {
    for (const { question, result } of asked) {
      const right = isRight(question, result.text);
      this.#questions++;
      this.#scores.add(question.task, right);
      this.#firstTokens.push(result.firstTokenMs);
      this.#options.onAnswer?.(question, result.text, right);
      if (question.task === 'now' && question.moment !== null) {
        const scores = this.#bySet.get(question.moment.set) ?? new Scores();
        scores.add('now', right);
        this.#bySet.set(question.moment.set, scores);
      }
      if (right && question.moment !== null) {
        const [top] = result.evidence;
        const { startMs, endMs } = question.moment;
        const middle = top === undefined ? -1 : (top.startMs + top.endMs) / 2;
        this.#evidence.total++;
        if (middle >= startMs - EVIDENCE_SLACK_MS && middle <= endMs + EVIDENCE_SLACK_MS) this.#evidence.correct++;
      }
    }
  }

  /** Plays a video to its end, and asks. */
  async #play(spans: readonly Span[], questions: readonly EvaluationQuestion[]): Promise<Asked[]> {
    const name = `eval-${this.#number++}`;
    const file = path.join(this.#folder, `${name}.mp4`);
    await encodeVideo(spans, file, this.#options.video);
    const stream = await this.#live.create({ name, source: { file, pace: 'fastest' } }, 'operator');
    try {
      await stream.ended();
      return await Promise.all(questions.map((question) => askOne(stream, question)));
    } finally {
      await this.#live.delete(name);
      await rm(file, { force: true });
      await rm(`${file}.pictures`, { recursive: true, force: true });
    }
  }

  async #withoutMemory(playlist: Playlist, random: () => number): Promise<void> {
    const recall = playlist.questions.filter((question) => RECALL.includes(question.task));
    const last = playlist.spans.at(-1);
    if (last === undefined) return;
    this.#chances.push(1 / playlist.spans.length);
    // Emptied: the same questions at the same moment, when only the last thing is still in the cache.
    const onlyLast = [{ ...last, startMs: 0, endMs: playlist.durationMs }];
    for (const { question, result } of await this.#play(onlyLast, recall)) {
      this.#emptied.add(question.task, isRight(question, result.text));
    }
    for (const { question, result } of await this.#play(shuffled(playlist.spans, random), recall)) {
      this.#shuffled.add(question.task, isRight(question, result.text));
    }
  }
}

async function askOne(stream: SourceStream, question: EvaluationQuestion): Promise<Asked> {
  const lastMs = stream.status().lastMs ?? 0;
  const answer = stream.converse().ask(question.text, { asOfMs: Math.min(question.asOfMs, lastMs) });
  return { question, result: await answer.result };
}

/** The same pictures in another order, on the same borders. */
function shuffled(spans: readonly Span[], random: () => number): Span[] {
  const order = spans.map((_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] ?? i, order[i] ?? j];
  }
  return spans.map((span, i) => ({ ...span, picture: spans[order[i] ?? i]?.picture ?? span.picture }));
}
