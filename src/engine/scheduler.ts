/**
 * Serialises all model runs over two queues: frames of all streams, and answers in progress.
 *
 * Each turn opens waiting questions, runs one decode step of every answer, and then takes in frames. Answers that read
 * the same part of a stream share one read; of answers that need a read of their own, MAX_UNSHARED_READS get a step.
 * Frames are taken at most one per stream, since each needs the window left by the one before it: while answers are
 * written a few, or as many as are overdue, up to a batch. So while the machine keeps up, no frame waits longer than
 * OVERDUE_MS and a decode step, and a new question waits for one model run at most unless frames are overdue. Nothing
 * blocks between runs: every turn sees cancellations and new work.
 */
import { YocoError } from '../errors.ts';
import { KvCache } from '../model/kv-cache.ts';
import type { Model } from '../model/model.ts';
import type { StreamContent } from '../model/snapshot.ts';
import { Answers } from './answers.ts';
import { type EngineStream, EngineStreams, sizesOf } from './engine-stream.ts';
import { Frames } from './frames.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';
import type { AnswerListener, StreamSizes, AskRequest, CacheLimits, EngineTimes } from './protocol.ts';
import { Questions } from './questions.ts';
import { RunTimes } from './run-times.ts';

/**
 * Share of the answer slots that unattended questions may use, so that people find the others free. They may use a
 * single slot, too.
 */
const UNATTENDED_SHARE = 0.5;

/** A stream's content and limits, for a snapshot. */
export interface CapturedStream {
  readonly content: StreamContent;
  readonly limits: CacheLimits;
}

/** A snapshot waiting to be taken. */
export interface Capture {
  /** The stream's content at the moment of `take`. Rejects as soon as it cannot be taken any more. */
  readonly captured: Promise<CapturedStream>;
  /** Takes the content before the next turn. */
  readonly take: () => void;
}

/**
 * `stream` is cleared once the content is taken or the stream is closed: a waiting snapshot must not keep a cache alive
 * that nobody reads any more.
 */
interface PendingCapture {
  stream: EngineStream | undefined;
  resolve: (captured: CapturedStream) => void;
  reject: (error: YocoError) => void;
}

export class Scheduler {
  readonly #model: Model;
  readonly #maxAnswers: number;
  readonly #streams = new EngineStreams();
  readonly #runs = new RunTimes();
  readonly #questions: Questions;
  readonly #answers: Answers;
  readonly #frames: Frames;
  /** Work for the moment between two turns, when no stream is half-way through a frame and none is being read. */
  #betweenTurns: (() => Promise<void>)[] = [];
  /** Snapshots whose content is not taken yet. */
  readonly #pendingCaptures = new Set<PendingCapture>();
  #running = false;
  #stopped = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(model: Model, options: { readonly maxAnswers: number }) {
    this.#model = model;
    this.#maxAnswers = options.maxAnswers;
    this.#answers = new Answers(model, this.#runs);
    this.#questions = new Questions(model, this.#streams, this.#runs, (id, question) => {
      this.#answers.begin(id, question);
    });
    this.#frames = new Frames(model, this.#streams, this.#runs, {
      isQuestionWaiting: () => this.#questions.size > 0,
      isAnswering: () => this.#answers.size > 0,
    });
  }

  get times(): EngineTimes {
    return this.#runs.total;
  }

  /** Opens an empty stream. Throws `stream_exists`. */
  open(name: string, { limitBytes, mergeBelow }: CacheLimits): void {
    this.#streams.checkFree(name);
    const cache = this.#model.newCache(limitBytes);
    const intake = this.#model.intake.open(cache);
    this.#streams.add({ name, cache, intake, queuedFrames: [], mergeBelow, kept: undefined });
  }

  /**
   * Captures a stream's content between two of its frames. The capture is bound to the stream that has this name now,
   * not to a later one of the same name. It rejects with `stream_not_found`, with `stream_deleted` as soon as the
   * stream is closed, or with `stream_empty` if it has no frame yet. The content shares memory with the stream until
   * the stream releases it (see `KvCache.content`).
   */
  capture(name: string): Capture {
    const pending: PendingCapture = {
      stream: this.#streams.get(name),
      resolve: () => undefined,
      reject: () => undefined,
    };
    const captured = new Promise<CapturedStream>((resolve, reject) => {
      pending.resolve = resolve;
      pending.reject = reject;
    });
    if (pending.stream === undefined) pending.reject(new YocoError('stream_not_found', { param: 'stream' }));
    else this.#pendingCaptures.add(pending);
    const take = (): void => {
      this.#betweenTurns.push(() => this.#take(pending));
      this.#wake();
    };
    return { captured, take };
  }

  async #take(pending: PendingCapture): Promise<void> {
    const { stream, resolve, reject } = pending;
    if (stream === undefined) return;
    pending.stream = undefined;
    this.#pendingCaptures.delete(pending);
    const { cache, intake, kept, mergeBelow } = stream;
    try {
      if (cache.frames === 0) throw new YocoError('stream_empty', { param: 'stream' });
      const content = { cache: cache.content(), window: await intake.windowContent(), kept };
      resolve({ content, limits: { limitBytes: cache.limitBytes, mergeBelow } });
    } catch (error) {
      reject(YocoError.from(error));
    }
  }

  /**
   * Opens a stream that continues from `content`. Throws `stream_exists`, and RangeError if the parts of the content do
   * not fit together.
   */
  restore(name: string, content: StreamContent, { limitBytes, mergeBelow }: CacheLimits): StreamSizes {
    this.#streams.checkFree(name);
    const empty = this.#model.newCache(limitBytes);
    const cache = KvCache.from({ ...empty.shape, limitBytes }, content.cache);
    const intake = this.#model.intake.open(cache, content.window);
    this.#streams.add({ name, cache, intake, queuedFrames: [], mergeBelow, kept: content.kept });
    return sizesOf(cache, cache.times.endOf(cache.frames - 1));
  }

  /**
   * Closes a stream. Its queued frames, waiting questions, answers in progress and waiting snapshots fail with
   * `stream_deleted`.
   */
  close(name: string): void {
    const stream = this.#streams.delete(name);
    if (stream === undefined) return;
    // Deferred to between two turns, when no run reads it.
    this.#betweenTurns.push(() => {
      stream.intake.close();
      return Promise.resolve();
    });
    this.#wake();
    for (const job of stream.queuedFrames.splice(0)) job.reject(new YocoError('stream_deleted'));
    for (const pending of this.#pendingCaptures) {
      if (pending.stream !== stream) continue;
      pending.stream = undefined;
      this.#pendingCaptures.delete(pending);
      pending.reject(new YocoError('stream_deleted', { param: 'stream' }));
    }
    this.#answers.failForStream(stream);
    this.#questions.failForStream(name);
  }

  /**
   * Resolves when the frame's K, V are in the cache. Rejects with `stream_not_found`, `stream_deleted` or `internal`.
   */
  append(name: string, timeMs: number, rgb: Uint8Array): Promise<StreamSizes> {
    const stream = this.#streams.get(name);
    if (stream === undefined) return Promise.reject(new YocoError('stream_not_found'));
    return new Promise((resolve, reject) => {
      stream.queuedFrames.push({ timeMs, rgb, arrivedMs: performance.now(), resolve, reject });
      this.#wake();
    });
  }

  /** Queues a question; everything that follows goes to the listener. */
  ask(id: number, request: AskRequest, listener: AnswerListener): void {
    const unattended = Math.max(1, Math.floor(this.#maxAnswers * UNATTENDED_SHARE));
    const places = request.unattended === true ? unattended : this.#maxAnswers;
    if (this.#questions.size + this.#answers.size >= places) {
      listener.failed(new YocoError('too_many_questions', { detail: `The limit is ${places}.` }));
      return;
    }
    this.#questions.add(id, request, listener);
    this.#wake();
  }

  /** Takes effect before the next token. An unknown id belongs to an answer that has just ended. */
  cancel(id: number): void {
    this.#questions.cancel(id);
    this.#answers.cancel(id);
    this.#wake();
  }

  /** Ends after the run in progress; queued work is abandoned. */
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
    // Yields first, so that work arriving together is served together.
    await yieldToEventLoop();
    while (!this.#stopped && (await this.#runTurn())) await yieldToEventLoop();
    this.#running = false;
  }

  async #runTurn(): Promise<boolean> {
    const between = this.#betweenTurns.splice(0);
    for (const act of between) await act();
    const admitted = await this.#questions.admit();
    const decoded = await this.#answers.decode();
    const taken = await this.#frames.takeIn();
    // Work may have been queued during this turn.
    const more = this.#questions.size > 0 || this.#betweenTurns.length > 0;
    return between.length > 0 || admitted || more || decoded || taken;
  }
}
