/**
 * One thread of model runs, fed by two queues: frames of all streams, and answers in progress.
 *
 * Each turn of the loop takes one decode step of every answer (one read of a stream's cache serves all who ask it), then
 * frames (at most one of each stream, since a frame needs the window that the one before it left): few while answers are
 * written, but a batch where some have waited for long. So while the machine keeps up no frame waits longer than OVERDUE_MS
 * and a decode step, and a new question for one frame at most, unless frames are overdue. Nothing here blocks between runs:
 * cancellation and new work are seen at every turn.
 */
import { YocoError } from '../errors.ts';
import { EvidenceTally } from '../model/evidence.ts';
import { KvCache, type Precision, worstOf } from '../model/kv-cache.ts';
import { FRAME_BATCH, type IntakeStream } from '../model/intake.ts';
import type { Model } from '../model/model.ts';
import type { KvSource, ReaderInput, Reading } from '../model/reader.ts';
import { QuestionSegment, segmentTokens, type SegmentTokens } from '../model/question.ts';
import { repeatedTail, saysItTwice } from '../model/repetition.ts';
import type { KeptFrame, StreamContent } from '../model/snapshot.ts';
import { sample, seededRandom } from '../model/sampling.ts';
import { camerasToNames, namesToCameras, settled } from './camera-names.ts';
import {
  type AnswerEnd,
  type Appended,
  type AskedStream,
  type AskRequest,
  type CacheLimits,
  type EngineTimes,
  NO_TIMES,
} from './protocol.ts';

/** Tokens of a question with its earlier turns. */
export const MAX_SEGMENT_TOKENS = 1024;
/** A frame that has waited for so long is taken in this turn, however many answers are being written. */
export const OVERDUE_MS = 250;
/** How often new questions are opened in one turn before its decode step. */
const ADMISSIONS = 3;
/** Questions whose tokens are as many, when rounded up to this, pass the self-decoder in one run. */
const SEGMENT_STEP = 8;
/** Answers that read a stream through its index, or several streams, in one turn; each needs a reading of its own. */
export const READ_ALONE = 4;
/** A still scene is kept at least this often, so that every moment of it can be found by its time. */
export const MERGE_MAX_MS = 10_000;

export interface AnswerListener {
  delta(text: string): void;
  done(end: AnswerEnd): void;
  failed(error: YocoError): void;
}

/** A stream as a snapshot takes it. */
export interface Captured {
  readonly content: StreamContent;
  readonly limits: CacheLimits;
}

interface Stream {
  readonly name: string;
  readonly cache: KvCache;
  readonly intake: IntakeStream;
  readonly frames: FrameJob[];
  readonly mergeBelow: number;
  /** Visual tokens of the last frame that was kept, and its time. */
  kept: KeptFrame | undefined;
}

interface FrameJob {
  readonly timeMs: number;
  readonly rgb: Uint8Array;
  /** When it came, ms of `performance.now`. */
  readonly arrivedMs: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: YocoError) => void;
}

/** A stream that an answer reads, up to the question's moment. */
interface Asked {
  readonly stream: Stream;
  readonly asOfMs: number;
}

interface ActiveAnswer {
  readonly asked: readonly Asked[];
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  readonly segment: QuestionSegment;
  readonly random: () => number;
  readonly inputTokens: number;
  readonly asOfMs: number;
  readonly ids: number[];
  readonly evidence: EvidenceTally;
  precision: Precision;
  /** Of the last token, for the index. */
  queries: Float32Array | undefined;
  text: string;
  cancelled: boolean;
}

interface WaitingQuestion {
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  cancelled: boolean;
}

/** A question that is checked and encoded, and whose segment is not begun. */
interface Opening {
  readonly id: number;
  readonly waiting: WaitingQuestion;
  readonly asked: readonly Asked[];
  readonly asOfMs: number;
  readonly tokens: SegmentTokens;
}

/** One step of an answer: what it may read, and with what. */
interface Decoding {
  readonly id: number;
  readonly answer: ActiveAnswer;
  readonly sources: readonly KvSource[];
  readonly input: ReaderInput;
}

export class Scheduler {
  readonly #model: Model;
  readonly #maxAnswers: number;
  readonly #streams = new Map<string, Stream>();
  readonly #waiting = new Map<number, WaitingQuestion>();
  readonly #answers = new Map<number, ActiveAnswer>();
  readonly #times = { ...NO_TIMES };
  /** What waits for a moment between two turns, when no stream is half through a frame and none is read. */
  #between: (() => Promise<void>)[] = [];
  /** Streams in the order in which their turn comes; the one served last goes to the end. */
  #turn: Stream[] = [];
  #running = false;
  #stopped = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(model: Model, options: { readonly maxAnswers: number }) {
    this.#model = model;
    this.#maxAnswers = options.maxAnswers;
  }

  get times(): EngineTimes {
    return { ...this.#times };
  }

  /** Opens an empty stream; one of that name must not be open. */
  open(name: string, { limitBytes, mergeBelow }: CacheLimits): void {
    if (this.#streams.has(name)) throw new YocoError('stream_exists', { param: 'name' });
    const cache = this.#model.newCache(limitBytes);
    const intake = this.#model.intake.open(cache);
    const stream: Stream = { name, cache, intake, frames: [], mergeBelow, kept: undefined };
    this.#streams.set(name, stream);
    this.#turn.push(stream);
  }

  /**
   * What a stream holds, between two frames of it. Rejects with `stream_not_found`, or `stream_empty` where it has no
   * frame yet. The content shares memory with the stream until the stream lets go of it (see `KvCache.content`).
   */
  capture(name: string): Promise<Captured> {
    return new Promise((resolve, reject) => {
      this.#between.push(async () => {
        const stream = this.#streams.get(name);
        if (stream === undefined || stream.cache.frames === 0) {
          reject(new YocoError(stream === undefined ? 'stream_not_found' : 'stream_empty', { param: 'stream' }));
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
    if (this.#streams.has(name)) throw new YocoError('stream_exists', { param: 'name' });
    const empty = this.#model.newCache(limitBytes);
    const cache = KvCache.from({ ...empty.shape, limitBytes }, content.cache);
    if (cache.bytes > limitBytes && cache.sealedFrames > 0) {
      // Making room for all of it at once would stop every stream for seconds.
      const detail = `memory.limit_mb: the snapshot needs at least ${Math.ceil(cache.bytes / 2 ** 20)}.`;
      throw new YocoError('definition_invalid', { param: 'memory.limit_mb', detail });
    }
    const intake = this.#model.intake.open(cache, content.window);
    const stream: Stream = { name, cache, intake, frames: [], mergeBelow, kept: content.kept };
    this.#streams.set(name, stream);
    this.#turn.push(stream);
    return sizesOf(cache, cache.endOf(cache.frames - 1));
  }

  /** Forgets a stream. Its frames, waiting questions and answers in progress fail with `stream_deleted`. */
  close(name: string): void {
    const stream = this.#streams.get(name);
    if (stream === undefined) return;
    this.#streams.delete(name);
    this.#turn = this.#turn.filter((other) => other !== stream);
    // Between two turns, when no run reads it.
    this.#between.push(() => {
      stream.intake.close();
      return Promise.resolve();
    });
    this.#wake();
    for (const job of stream.frames.splice(0)) job.reject(new YocoError('stream_deleted'));
    const gone = ({ streams }: AskRequest): YocoError =>
      new YocoError('stream_deleted', streams.length > 1 ? { detail: `It is "${name}".` } : {});
    for (const [id, answer] of this.#answers) {
      if (!answer.asked.some((asked) => asked.stream === stream)) continue;
      this.#answers.delete(id);
      answer.listener.failed(gone(answer.request));
    }
    for (const [id, { request, listener }] of this.#waiting) {
      if (!request.streams.some((asked) => asked.name === name)) continue;
      this.#waiting.delete(id);
      listener.failed(gone(request));
    }
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
    if (this.#waiting.size + this.#answers.size >= this.#maxAnswers) {
      listener.failed(new YocoError('too_many_questions', { detail: `The limit is ${this.#maxAnswers}.` }));
      return;
    }
    this.#waiting.set(id, { request, listener, cancelled: false });
    this.#wake();
  }

  /** Takes effect before the next token. An unknown id is an answer that has just ended. */
  cancel(id: number): void {
    const answer = this.#answers.get(id) ?? this.#waiting.get(id);
    if (answer !== undefined) answer.cancelled = true;
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
    let admitted = 0;
    // Questions that come while others are opened join them: those of a burst get their first tokens in one step.
    for (let i = 0; i < ADMISSIONS && this.#waiting.size > 0 && admitted < MAX_SEGMENT_TOKENS; i++)
      admitted += await this.#admit(MAX_SEGMENT_TOKENS - admitted);
    const decoded = await this.#decode();
    const appended = await this.#appendFrames();
    // Who waited for a moment may have brought new work while this turn passed.
    return between.length > 0 || admitted > 0 || this.#waiting.size > 0 || decoded || appended;
  }

  // --- questions ---------------------------------------------------------------------------------------------

  /** Opens waiting questions of up to `room` tokens in all, and one at least; returns of how many. */
  async #admit(room: number): Promise<number> {
    let taken = 0;
    // Questions of about as many tokens pass the self-decoder in one run.
    const groups: Opening[][] = [];
    const byLength = new Map<number, Opening[]>();
    for (const [id, waiting] of this.#waiting) {
      try {
        const opening = this.#opening(id, waiting);
        if (waiting.cancelled) {
          this.#waiting.delete(id);
          waiting.listener.done(unanswered(opening));
          continue;
        }
        const length = Math.ceil(opening.tokens.ids.length / SEGMENT_STEP) * SEGMENT_STEP;
        if (taken > 0 && taken + length > room) break;
        taken += length;
        const group = byLength.get(length);
        if (group !== undefined && (group.length + 1) * length <= MAX_SEGMENT_TOKENS) group.push(opening);
        else {
          const begun = [opening];
          groups.push(begun);
          byLength.set(length, begun);
        }
      } catch (error) {
        this.#waiting.delete(id);
        waiting.listener.failed(YocoError.from(error));
      }
    }
    for (const group of groups) await this.#open(group);
    return taken;
  }

  async #open(group: readonly Opening[]): Promise<void> {
    const { config, selfDecoder, embeddings } = this.#model;
    const tokens = group.map((opening) => opening.tokens);
    try {
      const segments = await this.#timed('selfDecoder', () =>
        QuestionSegment.openAll(selfDecoder, embeddings, config, tokens),
      );
      segments.forEach((segment, i) => {
        const opening = group[i];
        // It is gone when its stream was closed meanwhile.
        if (opening === undefined || !this.#waiting.delete(opening.id)) return;
        this.#answers.set(opening.id, begin(opening, segment));
      });
    } catch (error) {
      for (const { id, waiting } of group) {
        if (this.#waiting.delete(id)) waiting.listener.failed(YocoError.from(error));
      }
    }
  }

  /** Checks a question and encodes it. */
  #opening(id: number, waiting: WaitingQuestion): Opening {
    const { request } = waiting;
    const { tokenizer, config } = this.#model;
    const most = config.streamTags;
    if (request.streams.length < 1 || request.streams.length > most) {
      const detail = `One question may read 1 to ${most} streams, and names ${request.streams.length}.`;
      throw new YocoError('invalid_request', { param: 'streams', detail });
    }
    const several = request.streams.length > 1;
    const asked = request.streams.map((one) => this.#moment(one, several));
    const asOfMs = Math.max(...asked.map((one) => one.asOfMs));
    const names = asked.map((one) => one.stream.name);
    const said = (text: string): string => (several ? namesToCameras(text, names) : text);
    const turns = request.turns.map((turn) => ({ ...turn, question: said(turn.question), answer: said(turn.answer) }));
    const tokens = segmentTokens(tokenizer, config, turns, said(request.question), asOfMs);
    if (tokens.ids.length > MAX_SEGMENT_TOKENS) {
      const detail = `It has ${tokens.ids.length} tokens with its earlier turns; the limit is ${MAX_SEGMENT_TOKENS}.`;
      throw new YocoError(request.turns.length > 0 ? 'conversation_full' : 'question_too_long', { detail });
    }
    return { id, waiting, asked, asOfMs, tokens };
  }

  /** The newest kept frame of a stream that a question may see. Errors of one among `several` name it. */
  #moment({ name, asOfMs }: AskedStream, several: boolean): Asked {
    const which = several ? { param: 'streams', detail: `It is "${name}".` } : { param: 'stream' };
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new YocoError('stream_not_found', which);
    const { cache } = stream;
    const firstMs = cache.times[0];
    if (firstMs === undefined) throw new YocoError('stream_empty', which);
    const lastMs = cache.endOf(cache.frames - 1);
    const wanted = asOfMs ?? lastMs;
    if (wanted < firstMs || wanted > lastMs) {
      const range = `${(firstMs / 1000).toFixed(1)} s to ${(lastMs / 1000).toFixed(1)} s`;
      throw new YocoError('time_out_of_range', {
        param: 'as_of',
        detail: `Kept are ${range}${several ? ` of "${name}"` : ''}.`,
      });
    }
    const frame = cache.framesUpTo(wanted) - 1;
    return { stream, asOfMs: Math.min(wanted, cache.endOf(frame)) };
  }

  async #decode(): Promise<boolean> {
    if (this.#answers.size === 0) return false;
    for (const [id, answer] of this.#answers) if (answer.cancelled) this.#finish(id, answer, 'cancelled');
    const going: ActiveAnswer[] = [];
    const together = new Map<Stream, Decoding[]>();
    let alone = 0;
    for (const [id, answer] of [...this.#answers]) {
      const decoding = this.#decoding(id, answer);
      if (decoding === null) continue;
      const [only, ...others] = answer.asked;
      if (only === undefined || others.length > 0 || !this.#model.reader.readsAll(decoding.sources)) {
        if (alone++ >= READ_ALONE) continue;
        going.push(...(await this.#decodeAlone(decoding)));
        // To the end of the line: the next turn begins with those that waited.
        if (this.#answers.delete(id)) this.#answers.set(id, answer);
        continue;
      }
      const group = together.get(only.stream);
      if (group !== undefined) group.push(decoding);
      else together.set(only.stream, [decoding]);
    }
    for (const [stream, group] of together) going.push(...(await this.#decodeTogether(stream, group)));
    if (going.length > 0) await this.#extend(going);
    return true;
  }

  /** The last token of each answer passes the self-decoder. */
  async #extend(going: readonly ActiveAnswer[]): Promise<void> {
    const { embeddings, selfDecoder } = this.#model;
    try {
      const outputs = await this.#timed('selfDecoder', () =>
        selfDecoder.step(
          going.map((answer) => ({
            window: answer.segment.window,
            tokens: embeddings.lookup(answer.ids.slice(-1)),
            timesMs: [-1],
          })),
        ),
      );
      outputs.forEach((next, i) => going[i]?.segment.extend(next));
    } catch (error) {
      for (const [id, answer] of this.#answers) {
        if (!going.includes(answer)) continue;
        this.#answers.delete(id);
        answer.listener.failed(YocoError.from(error));
      }
    }
  }

  /** What an answer may read now; null when it failed because nothing of that is kept any more. */
  #decoding(id: number, answer: ActiveAnswer): Decoding | null {
    const sources = answer.asked.map(({ stream, asOfMs }) => ({
      cache: stream.cache,
      frames: stream.cache.framesUpTo(asOfMs),
      momentMs: asOfMs,
    }));
    if (sources.every((source) => source.frames === 0)) {
      this.#answers.delete(id);
      answer.listener.failed(new YocoError('time_out_of_range', { param: 'as_of' }));
      return null;
    }
    return { id, answer, sources, input: { ...answer.segment.own, queries: answer.queries } };
  }

  /** One token of an answer that reads several streams, or one through its index. */
  async #decodeAlone(decoding: Decoding): Promise<ActiveAnswer[]> {
    const { reader } = this.#model;
    try {
      const output = await this.#timed('crossDecoder', () => reader.read(decoding.sources, decoding.input));
      return this.#take(decoding, output) ? [decoding.answer] : [];
    } catch (error) {
      if (this.#answers.delete(decoding.id)) decoding.answer.listener.failed(YocoError.from(error));
      return [];
    }
  }

  /** One token of every answer on one stream; returns those that go on. */
  async #decodeTogether(stream: Stream, group: readonly Decoding[]): Promise<ActiveAnswer[]> {
    const { reader } = this.#model;
    const inputs = group.map(({ sources, input }) => ({ frames: sources[0]?.frames ?? 0, input }));
    let outputs: Reading[];
    try {
      outputs = await this.#timed('crossDecoder', () => reader.readTogether(stream.cache, inputs));
    } catch (error) {
      for (const { id, answer } of group) if (this.#answers.delete(id)) answer.listener.failed(YocoError.from(error));
      return [];
    }
    return group
      .filter((decoding, i) => {
        const output = outputs[i];
        return output !== undefined && this.#take(decoding, output);
      })
      .map(({ answer }) => answer);
  }

  /** Takes one token into an answer; returns whether the answer goes on. */
  #take({ id, answer }: Decoding, output: Reading): boolean {
    const { config } = this.#model;
    if (this.#answers.get(id) !== answer) return false; // a stream of it was closed during the run
    const { temperature, topP } = answer.request;
    const sampled = sample(output.logits, { temperature, topP, random: answer.random });
    const token = config.answerTokens[sampled];
    const ended = token === undefined || token === config.endToken;
    if (!ended || answer.ids.length === 0) answer.evidence.add(output.looked);
    answer.precision = worstOf([answer.precision, output.precision]);
    if (ended) {
      this.#finish(id, answer, 'stop');
      return false;
    }
    answer.queries = output.queries;
    answer.ids.push(token);
    this.#times.answerTokens++;
    if (config.endsAtRepetition && saysItTwice(answer.ids, () => this.#model.tokenizer.decode(answer.ids))) {
      answer.ids.length /= 2;
      this.#finish(id, answer, 'stop');
      return false;
    }
    this.#say(answer);
    if (answer.ids.length < answer.request.maxTokens) return true;
    this.#finish(id, answer, 'length');
    return false;
  }

  /**
   * Sends what is new of the text; a character whose bytes are not complete waits for the next token, and so do tokens
   * that may turn out to say the answer again.
   */
  #say(answer: ActiveAnswer, complete = false): void {
    const { config, tokenizer } = this.#model;
    const held = config.endsAtRepetition && !complete ? repeatedTail(answer.ids) : 0;
    const written = tokenizer.decode(answer.ids.slice(0, answer.ids.length - held)).trimStart();
    if (written.endsWith('\uFFFD') && !complete) return;
    const names = answer.asked.map(({ stream }) => stream.name);
    const text = names.length === 1 ? written : camerasToNames(complete ? written : settled(written), names);
    if (text.length <= answer.text.length) return;
    answer.listener.delta(text.slice(answer.text.length));
    answer.text = text;
  }

  #finish(id: number, answer: ActiveAnswer, finish: AnswerEnd['finish']): void {
    this.#answers.delete(id);
    this.#say(answer, true);
    answer.listener.done({
      text: answer.text,
      finish,
      asOfMs: answer.asOfMs,
      streams: momentsOf(answer.asked),
      precision: answer.precision,
      evidence: answer.evidence.spans(
        answer.asked.map(({ stream, asOfMs }) => ({ name: stream.name, cache: stream.cache, untilMs: asOfMs })),
      ),
      inputTokens: answer.inputTokens,
      outputTokens: answer.ids.length,
    });
  }

  // --- frames ------------------------------------------------------------------------------------------------

  async #appendFrames(): Promise<boolean> {
    const waiting = this.#turn.filter((stream) => stream.frames.length > 0);
    if (waiting.length === 0) return false;
    // Vision takes longest: while answers are written, no more frames than are needed to keep up stand between two tokens.
    const few = Math.min(FRAME_BATCH, Math.ceil(waiting.length / 2));
    const answering = this.#answers.size + this.#waiting.size > 0;
    const overdue = waiting.filter(isOverdue);
    const inOrder = [...overdue, ...waiting.filter((stream) => !overdue.includes(stream))];
    // Of overdue ones no more than a batch either: where all are, answers would wait for every stream at each token.
    const most = answering ? Math.min(FRAME_BATCH, Math.max(few, overdue.length)) : FRAME_BATCH;
    await this.#appendBatch(inOrder.slice(0, most));
    return true;
  }

  /** One frame of each of these streams, at most FRAME_BATCH; after the first one a new question goes before the others. */
  async #appendBatch(chosen: readonly Stream[]): Promise<void> {
    const { vision, intake } = this.#model;
    const batch: { stream: Stream; job: FrameJob; tokens: Float32Array }[] = [];
    let taken = 0;
    for (const stream of chosen) {
      if (taken > 0 && this.#waiting.size > 0 && !isOverdue(stream)) break;
      const job = stream.frames.shift();
      if (job === undefined) continue;
      taken++;
      this.#served(stream);
      try {
        const tokens = await this.#timed('vision', () => vision.tokens(job.rgb));
        if (isStill(stream, job.timeMs, tokens)) {
          stream.cache.merge(job.timeMs);
          this.#appended(stream, job);
        } else batch.push({ stream, job, tokens });
      } catch (cause) {
        job.reject(new YocoError('internal', { cause }));
      }
    }
    if (batch.length === 0) return;
    try {
      await this.#timed('selfDecoder', () =>
        intake.take(batch.map(({ stream, job, tokens }) => ({ stream: stream.intake, tokens, timeMs: job.timeMs }))),
      );
      for (const { stream, job, tokens } of batch) {
        stream.kept = { tokens, timeMs: job.timeMs };
        this.#appended(stream, job);
      }
    } catch (cause) {
      for (const { job } of batch) job.reject(new YocoError('internal', { cause }));
    }
  }

  /** Its turn comes last now. */
  #served(stream: Stream): void {
    const others = this.#turn.filter((other) => other !== stream);
    if (others.length < this.#turn.length) this.#turn = [...others, stream];
  }

  /** Tells that a frame is in the cache of its stream, which may have been closed meanwhile. */
  #appended({ name, cache }: Stream, job: FrameJob): void {
    if (this.#streams.get(name)?.cache !== cache) {
      job.reject(new YocoError('stream_deleted'));
      return;
    }
    this.#times.frames++;
    job.resolve(sizesOf(cache, job.timeMs));
  }

  async #timed<T>(part: 'vision' | 'selfDecoder' | 'crossDecoder', run: () => Promise<T>): Promise<T> {
    const begin = performance.now();
    try {
      return await run();
    } finally {
      this.#times[part] += performance.now() - begin;
    }
  }
}

function begin({ waiting, asked, asOfMs, tokens }: Opening, segment: QuestionSegment): ActiveAnswer {
  return {
    asked,
    request: waiting.request,
    listener: waiting.listener,
    segment,
    random: seededRandom(waiting.request.seed),
    inputTokens: tokens.ids.length,
    asOfMs,
    ids: [],
    evidence: new EvidenceTally(asked.length),
    precision: 'full',
    queries: undefined,
    text: '',
    cancelled: waiting.cancelled,
  };
}

function momentsOf(asked: readonly Asked[]): AnswerEnd['streams'] {
  return asked.map(({ stream, asOfMs }) => ({ name: stream.name, asOfMs }));
}

/** Of a question that was cancelled before it was begun. */
function unanswered({ asked, asOfMs, tokens }: Opening): AnswerEnd {
  return {
    text: '',
    finish: 'cancelled',
    asOfMs,
    streams: momentsOf(asked),
    precision: 'full',
    evidence: [],
    inputTokens: tokens.ids.length,
    outputTokens: 0,
  };
}

function sizesOf(cache: KvCache, lastMs: number): Appended {
  const { frames, mergedFrames, thinnedFrames, droppedFrames, sealedFrames } = cache;
  return {
    firstMs: cache.times[0] ?? lastMs,
    lastMs,
    frames: frames + mergedFrames + thinnedFrames + droppedFrames,
    cacheTokens: frames * cache.shape.tokensPerFrame,
    cacheBytes: cache.bytes,
    sealedFrames,
    mergedFrames,
    thinnedFrames,
    droppedFrames,
  };
}

/** Whether the next frame of a stream has waited for too long. */
function isOverdue({ frames: [next] }: Stream): boolean {
  return next !== undefined && performance.now() - next.arrivedMs > OVERDUE_MS;
}

/** Whether a frame hardly differs from the last one that was kept, and that one is recent. */
function isStill({ kept, mergeBelow }: Stream, timeMs: number, tokens: Float32Array): boolean {
  if (mergeBelow <= 0 || kept === undefined || timeMs - kept.timeMs >= MERGE_MAX_MS) return false;
  let difference = 0;
  let length = 0;
  tokens.forEach((value, i) => {
    const before = kept.tokens[i] ?? 0;
    difference += (value - before) ** 2;
    length += before ** 2;
  });
  return difference < mergeBelow ** 2 * length;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
