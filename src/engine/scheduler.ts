/**
 * One thread of model runs, fed by two queues: frames of all streams, and answers in progress.
 *
 * Each turn of the loop takes one decode step of every answer (one read of a stream's cache serves all who ask it), then
 * frames (at most one of each stream, since a frame needs the window that the one before it left): few while answers are
 * written, but a batch where some have waited for long. So while the machine keeps up no frame waits longer than OVERDUE_MS
 * and a decode step, and a new question for one run of the model at most, unless frames are overdue. Nothing here blocks between runs:
 * cancellation and new work are seen at every turn.
 */
import { YocoError } from '../errors.ts';
import { KvCache } from '../model/kv-cache.ts';
import type { Model } from '../model/model.ts';
import type { StreamContent } from '../model/snapshot.ts';
import { type AnswerListener, Answers } from './answers.ts';
import { type EngineStream, EngineStreams, sizesOf } from './engine-stream.ts';
import { Frames } from './frames.ts';
import { nextTurn } from './next-turn.ts';
import type { Appended, AskRequest, CacheLimits, EngineTimes } from './protocol.ts';
import { Questions } from './questions.ts';
import { RunTimes } from './run-times.ts';

/** Of the places for answers, the share up to which they may be taken by askings of no person: people find the others. */
const UNATTENDED_SHARE = 0.5;

/** A stream as a snapshot takes it. */
export interface Captured {
  readonly content: StreamContent;
  readonly limits: CacheLimits;
}

export class Scheduler {
  readonly #model: Model;
  readonly #maxAnswers: number;
  readonly #streams = new EngineStreams();
  readonly #runs = new RunTimes();
  readonly #questions: Questions;
  readonly #answers: Answers;
  readonly #frames: Frames;
  /** What waits for a moment between two turns, when no stream is half through a frame and none is read. */
  #between: (() => Promise<void>)[] = [];
  #running = false;
  #stopped = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(model: Model, options: { readonly maxAnswers: number }) {
    this.#model = model;
    this.#maxAnswers = options.maxAnswers;
    this.#answers = new Answers(model, this.#runs);
    this.#questions = new Questions(model, this.#streams, this.#runs, (id, begun) => {
      this.#answers.begin(id, begun);
    });
    this.#frames = new Frames(model, this.#streams, this.#runs, {
      waiting: () => this.#questions.size > 0,
      answering: () => this.#answers.size > 0,
    });
  }

  get times(): EngineTimes {
    return this.#runs.total;
  }

  /** Opens an empty stream; one of that name must not be open. */
  open(name: string, { limitBytes, mergeBelow }: CacheLimits): void {
    this.#streams.checkFree(name);
    const cache = this.#model.newCache(limitBytes);
    const intake = this.#model.intake.open(cache);
    this.#streams.add({ name, cache, intake, frames: [], mergeBelow, kept: undefined });
  }

  /**
   * What a stream holds, between two frames of it: the stream that has this name now, which is not another one of the same name by
   * the time its content is taken. Rejects with `stream_not_found`, with `stream_deleted` where it was closed meanwhile, or with `stream_empty`
   * where it has no frame yet. The content shares memory with the stream until the stream lets go of it (see `KvCache.content`).
   */
  capture(name: string): () => Promise<Captured> {
    const stream = this.#streams.get(name);
    return () =>
      stream === undefined
        ? Promise.reject(new YocoError('stream_not_found', { param: 'stream' }))
        : this.#captured(stream);
  }

  #captured(stream: EngineStream): Promise<Captured> {
    return new Promise((resolve, reject) => {
      this.#between.push(async () => {
        const closed = this.#streams.get(stream.name) !== stream;
        if (closed || stream.cache.frames === 0) {
          reject(new YocoError(closed ? 'stream_deleted' : 'stream_empty', { param: 'stream' }));
          return;
        }
        const { cache, intake, kept, mergeBelow } = stream;
        try {
          const content = { cache: cache.content(), window: await intake.window(), kept };
          resolve({ content, limits: { limitBytes: cache.limitBytes, mergeBelow } });
        } catch (error) {
          reject(YocoError.from(error));
        }
      });
      this.#wake();
    });
  }

  /**
   * Opens a stream that goes on from `content`. Throws `stream_exists`, `definition_invalid` where the limit is less
   * than what the content holds, and RangeError where its parts do not fit together.
   */
  restore(name: string, content: StreamContent, { limitBytes, mergeBelow }: CacheLimits): Appended {
    this.#streams.checkFree(name);
    const empty = this.#model.newCache(limitBytes);
    const cache = KvCache.from({ ...empty.shape, limitBytes }, content.cache);
    if (cache.bytes > limitBytes && cache.sealedFrames > 0) {
      // Making room for all of it at once would stop every stream for seconds.
      const detail = `memory.limit_mb: the snapshot needs at least ${Math.ceil(cache.bytes / 2 ** 20)}.`;
      throw new YocoError('definition_invalid', { param: 'memory.limit_mb', detail });
    }
    const intake = this.#model.intake.open(cache, content.window);
    this.#streams.add({ name, cache, intake, frames: [], mergeBelow, kept: content.kept });
    return sizesOf(cache, cache.endOf(cache.frames - 1));
  }

  /** Forgets a stream. Its frames, waiting questions and answers in progress fail with `stream_deleted`. */
  close(name: string): void {
    const stream = this.#streams.delete(name);
    if (stream === undefined) return;
    // Between two turns, when no run reads it.
    this.#between.push(() => {
      stream.intake.close();
      return Promise.resolve();
    });
    this.#wake();
    for (const job of stream.frames.splice(0)) job.reject(new YocoError('stream_deleted'));
    this.#answers.failThoseOn(stream);
    this.#questions.failThoseOn(name);
  }

  /** Resolves when the frame's K, V are in the cache. Rejects with `stream_not_found` or `stream_deleted`. */
  append(name: string, timeMs: number, rgb: Uint8Array): Promise<Appended> {
    const stream = this.#streams.get(name);
    if (stream === undefined) return Promise.reject(new YocoError('stream_not_found'));
    return new Promise((resolve, reject) => {
      stream.frames.push({ timeMs, rgb, arrivedMs: performance.now(), resolve, reject });
      this.#wake();
    });
  }

  /** Begins an answer; everything that follows reaches the listener. */
  ask(id: number, request: AskRequest, listener: AnswerListener): void {
    const places = request.unattended === true ? Math.ceil(this.#maxAnswers * UNATTENDED_SHARE) : this.#maxAnswers;
    if (this.#questions.size + this.#answers.size >= places) {
      listener.failed(new YocoError('too_many_questions', { detail: `The limit is ${places}.` }));
      return;
    }
    this.#questions.add(id, request, listener);
    this.#wake();
  }

  /** Takes effect before the next token. An unknown id is an answer that has just ended. */
  cancel(id: number): void {
    this.#questions.cancel(id);
    this.#answers.cancel(id);
    this.#wake();
  }

  /** Ends after the run in progress; what waits is abandoned. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#idle;
  }

  #wake(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    this.#idle = this.#loop();
  }

  async #loop(): Promise<void> {
    // One turn of the event loop first: work that arrives together is served together.
    await nextTurn();
    while (!this.#stopped && (await this.#turnOnce())) await nextTurn();
    this.#running = false;
  }

  async #turnOnce(): Promise<boolean> {
    const between = this.#between.splice(0);
    for (const act of between) await act();
    const admitted = await this.#questions.admit();
    const decoded = await this.#answers.decode();
    const taken = await this.#frames.takeSome();
    // Who waited for a moment may have brought new work while this turn passed.
    const more = this.#questions.size > 0 || this.#between.length > 0;
    return between.length > 0 || admitted || more || decoded || taken;
  }
}
