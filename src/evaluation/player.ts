/** Plays pictures as videos through the service, each as a stream of its own, and asks about them. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { namesToCameras } from '../engine/camera-names.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { AnswerResult, AskOptions, Conversation } from '../live/types.ts';
import { orAborted } from './abort.ts';
import type { Cameras } from './cameras.ts';
import type { Replay } from './last-frames.ts';
import { QUESTIONS_AT_ONCE } from './options.ts';
import type { Playlist, Span } from './playlist.ts';
import type { EvaluationQuestion } from './questions.ts';
import { encodeVideo, sampledFrames, type VideoOptions } from './video.ts';
import { withWholeStream } from './whole-stream.ts';

export interface PlayerOptions {
  /** Where the videos are written while they are played. */
  readonly folder: string;
  readonly video: VideoOptions;
  /** Frames a second that the model sees; the videos have more. */
  readonly fps: number;
  /** Stops the playing and the asking, which then reject with the signal's reason and leave no stream and no video. */
  readonly signal?: AbortSignal | undefined;
}

export interface AskedQuestion {
  readonly question: EvaluationQuestion;
  readonly result: AnswerResult;
}

/**
 * "Did you see a dog today?" is asked too: in no time zone does a video that begins then, of an hour at most, cross
 * midnight.
 */
const RECORDED_AT = '2020-01-01T12:00:00Z';

export class Player {
  readonly #live: Streams;
  readonly #options: PlayerOptions;
  #videos = 0;

  constructor(live: Streams, options: PlayerOptions) {
    this.#live = live;
    this.#options = options;
  }

  /**
   * Plays a video to its end, and asks its questions. `use` may then read the stream, which has the name `name`, before
   * it is deleted. Throws what `withWholeStream` throws.
   */
  async play(
    { spans, questions }: Pick<Playlist, 'spans' | 'questions'>,
    use?: (stream: SourceStream, name: string) => Promise<void>,
  ): Promise<AskedQuestion[]> {
    if (spans.length === 0) return [];
    const name = this.#nextName();
    return this.#withPlayedStream(name, spans, async (stream) => {
      const asked = await askAll((question) => this.ask(stream, question), questions);
      await use?.(stream, name);
      return asked;
    });
  }

  /** Plays several videos, each as its own stream, and asks about all of them together. Throws as `play` does. */
  async playCameras({ spans, questions }: Cameras): Promise<AskedQuestion[]> {
    const names = spans.map(() => this.#nextName());
    const ask = async (question: EvaluationQuestion): Promise<AskedQuestion> => {
      const result = await this.answer(this.#live.converse(names), question.text);
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

  /** Asks a question in a new conversation, at its moment. */
  async ask(stream: SourceStream, question: EvaluationQuestion): Promise<AskedQuestion> {
    return { question, result: await this.answer(stream.converse(), question.text, momentOf(question, stream)) };
  }

  /** The answer to the next question of a conversation. */
  answer(conversation: Conversation, question: string, options?: AskOptions): Promise<AnswerResult> {
    return orAborted(conversation.ask(question, options).result, this.#options.signal);
  }

  /** Where frames of a played stream are played again, under the name `name`. */
  replay(name: string): Replay {
    return { live: this.#live, name, signal: this.#options.signal };
  }

  #nextName(): string {
    return `eval-${this.#videos++}`;
  }

  /** Plays a video to its end; the stream exists until `use` is done. */
  async #withPlayedStream<T>(
    name: string,
    spans: readonly Span[],
    use: (stream: SourceStream) => Promise<T>,
  ): Promise<T> {
    const { folder, fps, signal, video } = this.#options;
    const file = path.join(folder, `${name}.mp4`);
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
}

/** The moment of a question on its stream: at the latest that of the newest frame. */
export function momentOf(question: EvaluationQuestion, stream: SourceStream): { readonly asOfMs: number } {
  return { asOfMs: Math.min(question.asOfMs, stream.status().lastMs ?? 0) };
}

/** Asks all questions, some at once; returns the answers in their order. */
export async function askAll<T>(
  ask: (question: EvaluationQuestion) => Promise<T>,
  questions: readonly EvaluationQuestion[],
): Promise<T[]> {
  const asked: T[] = [];
  for (let i = 0; i < questions.length; i += QUESTIONS_AT_ONCE) {
    asked.push(...(await Promise.all(questions.slice(i, i + QUESTIONS_AT_ONCE).map(ask))));
  }
  return asked;
}
