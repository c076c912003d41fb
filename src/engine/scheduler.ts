/**
 * One thread of model runs, fed by two queues: frames of all streams, and answers in progress.
 *
 * Each turn of the loop takes one decode step of every answer (one read of a stream's cache serves all who ask it), then
 * one batch of frames (at most one of each stream, since a frame needs the window that the one before it left). So no
 * asker waits longer than a batch of frames, and no frame longer than a decode step. Nothing here blocks between runs:
 * cancellation and new work are seen at every turn.
 */
import { YocoError } from '../errors.ts';
import { evidenceSpans } from '../model/evidence.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { Model } from '../model/model.ts';
import { QuestionSegment, segmentTokens } from '../model/question.ts';
import { sample, seededRandom } from '../model/sampling.ts';
import type { SegmentWindow } from '../model/window.ts';
import { type AnswerEnd, type Appended, type AskRequest, type EngineTimes, NO_TIMES } from './protocol.ts';

/** Streams in one batch of frames: the shape is fixed and padded, so that a stream's K, V do not depend on its neighbours. */
export const FRAME_BATCH = 4;
/** Tokens of a question with its earlier turns. */
export const MAX_SEGMENT_TOKENS = 1024;

export interface AnswerListener {
  delta(text: string): void;
  done(end: AnswerEnd): void;
  failed(error: YocoError): void;
}

interface Stream {
  readonly name: string;
  readonly cache: KvCache;
  readonly window: SegmentWindow;
  readonly frames: FrameJob[];
}

interface FrameJob {
  readonly timeMs: number;
  readonly rgb: Uint8Array;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: YocoError) => void;
}

interface ActiveAnswer {
  readonly stream: Stream;
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  readonly segment: QuestionSegment;
  readonly random: () => number;
  readonly inputTokens: number;
  readonly asOfMs: number;
  /** Number of the first frame after the question's moment, counted since the stream began. */
  readonly frameLimit: number;
  readonly ids: number[];
  /** Attention on each visible frame, added up over the answer's tokens; index 0 is frame `evidenceFirst`. */
  evidence: Float32Array;
  evidenceFirst: number;
  text: string;
  cancelled: boolean;
}

interface WaitingQuestion {
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  cancelled: boolean;
}

export class Scheduler {
  readonly #model: Model;
  readonly #maxAnswers: number;
  readonly #streams = new Map<string, Stream>();
  readonly #waiting = new Map<number, WaitingQuestion>();
  readonly #answers = new Map<number, ActiveAnswer>();
  readonly #times = { ...NO_TIMES };
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
  open(name: string, limitBytes: number): void {
    if (this.#streams.has(name)) throw new YocoError('stream_exists', { param: 'name' });
    const stream: Stream = {
      name,
      cache: this.#model.newCache(limitBytes),
      window: this.#model.selfDecoder.newWindow(),
      frames: [],
    };
    this.#streams.set(name, stream);
    this.#turn.push(stream);
  }

  /** Forgets a stream. Its frames, waiting questions and answers in progress fail with `stream_deleted`. */
  close(name: string): void {
    const stream = this.#streams.get(name);
    if (stream === undefined) return;
    this.#streams.delete(name);
    this.#turn = this.#turn.filter((other) => other !== stream);
    const error = new YocoError('stream_deleted');
    for (const job of stream.frames.splice(0)) job.reject(error);
    for (const [id, answer] of this.#answers) {
      if (answer.stream !== stream) continue;
      this.#answers.delete(id);
      answer.listener.failed(error);
    }
    for (const [id, { request, listener }] of this.#waiting) {
      if (request.stream !== name) continue;
      this.#waiting.delete(id);
      listener.failed(error);
    }
  }

  /** Resolves when the frame's K, V are in the cache. Rejects with `stream_not_found` or `stream_deleted`. */
  append(name: string, timeMs: number, rgb: Uint8Array): Promise<Appended> {
    const stream = this.#streams.get(name);
    if (stream === undefined) return Promise.reject(new YocoError('stream_not_found'));
    return new Promise((resolve, reject) => {
      stream.frames.push({ timeMs, rgb, resolve, reject });
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
    const admitted = await this.#admit();
    const decoded = await this.#decode();
    const appended = await this.#appendFrames();
    return admitted || decoded || appended;
  }

  // --- questions ---------------------------------------------------------------------------------------------

  async #admit(): Promise<boolean> {
    if (this.#waiting.size === 0) return false;
    for (const [id, waiting] of [...this.#waiting]) {
      if (!this.#waiting.has(id)) continue; // its stream was closed while another began
      try {
        const answer = await this.#begin(waiting);
        if (!this.#waiting.delete(id)) continue;
        answer.cancelled = waiting.cancelled;
        this.#answers.set(id, answer);
      } catch (error) {
        if (this.#waiting.delete(id)) waiting.listener.failed(YocoError.from(error));
      }
    }
    return true;
  }

  async #begin(waiting: WaitingQuestion): Promise<ActiveAnswer> {
    const { request } = waiting;
    const stream = this.#streams.get(request.stream);
    if (stream === undefined) throw new YocoError('stream_not_found', { param: 'stream' });
    const { cache } = stream;
    const firstMs = cache.times[0];
    const lastMs = cache.times.at(-1);
    if (firstMs === undefined || lastMs === undefined) throw new YocoError('stream_empty', { param: 'stream' });
    const wanted = request.asOfMs ?? lastMs;
    if (wanted < firstMs || wanted > lastMs) {
      const range = `${(firstMs / 1000).toFixed(1)} s to ${(lastMs / 1000).toFixed(1)} s`;
      throw new YocoError('time_out_of_range', { param: 'as_of', detail: `Kept are ${range}.` });
    }
    const visible = cache.framesUpTo(wanted);
    const asOfMs = cache.times[visible - 1] ?? lastMs;
    const frameLimit = cache.firstFrame + visible;
    const { tokenizer, config, selfDecoder, embeddings } = this.#model;
    const tokens = segmentTokens(tokenizer, config, request.turns, request.question, asOfMs);
    if (tokens.ids.length > MAX_SEGMENT_TOKENS) {
      const detail = `It has ${tokens.ids.length} tokens with its earlier turns; the limit is ${MAX_SEGMENT_TOKENS}.`;
      throw new YocoError(request.turns.length > 0 ? 'conversation_full' : 'question_too_long', { detail });
    }
    const segment = await this.#timed('selfDecoder', () =>
      QuestionSegment.open(selfDecoder, embeddings, config, tokens),
    );
    return {
      stream,
      request,
      listener: waiting.listener,
      segment,
      random: seededRandom(request.seed),
      inputTokens: tokens.ids.length,
      asOfMs,
      frameLimit,
      ids: [],
      evidence: new Float32Array(0),
      evidenceFirst: cache.firstFrame,
      text: '',
      cancelled: waiting.cancelled,
    };
  }

  async #decode(): Promise<boolean> {
    if (this.#answers.size === 0) return false;
    for (const [id, answer] of this.#answers) if (answer.cancelled) this.#finish(id, answer, 'cancelled');
    const byStream = new Map<Stream, [number, ActiveAnswer][]>();
    for (const entry of this.#answers) {
      const group = byStream.get(entry[1].stream);
      if (group === undefined) byStream.set(entry[1].stream, [entry]);
      else group.push(entry);
    }
    const going: ActiveAnswer[] = [];
    for (const [stream, group] of byStream) {
      const asking = group.filter(([id, answer]) => {
        if (answer.frameLimit > stream.cache.firstFrame) return true;
        // Everything that this question may see was dropped while it was answered.
        this.#answers.delete(id);
        answer.listener.failed(new YocoError('time_out_of_range', { param: 'as_of' }));
        return false;
      });
      if (asking.length > 0) going.push(...(await this.#decodeStream(stream, asking)));
    }
    if (going.length > 0) {
      const { embeddings, selfDecoder } = this.#model;
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
    }
    return true;
  }

  /** One token of every answer on one stream; returns those that go on. */
  async #decodeStream(stream: Stream, group: readonly [number, ActiveAnswer][]): Promise<ActiveAnswer[]> {
    const { config, crossDecoder } = this.#model;
    const { cache } = stream;
    const firstFrame = cache.firstFrame;
    const frames = Math.max(...group.map(([, answer]) => answer.frameLimit)) - firstFrame;
    const outputs = await this.#timed('crossDecoder', () =>
      crossDecoder.step(
        cache.view(frames),
        group.map(([, { segment, frameLimit }]) => ({
          hidden: segment.hidden,
          visible: (frameLimit - firstFrame) * config.tokensPerFrame,
          ownK: segment.k,
          ownV: segment.v,
          ownLength: segment.length,
        })),
      ),
    );
    const going: ActiveAnswer[] = [];
    outputs.forEach(({ logits, evidence }, i) => {
      const entry = group[i];
      if (entry === undefined) return;
      const [id, answer] = entry;
      if (this.#answers.get(id) !== answer) return; // its stream was closed during the run
      const { temperature, topP } = answer.request;
      const token = config.answerTokens[sample(logits, { temperature, topP, random: answer.random })];
      if (token === undefined || token === config.endToken) {
        if (answer.ids.length === 0) addEvidence(answer, evidence, config.tokensPerFrame, firstFrame);
        this.#finish(id, answer, 'stop');
        return;
      }
      addEvidence(answer, evidence, config.tokensPerFrame, firstFrame);
      answer.ids.push(token);
      this.#times.answerTokens++;
      this.#say(answer);
      if (answer.ids.length >= answer.request.maxTokens) this.#finish(id, answer, 'length');
      else going.push(answer);
    });
    return going;
  }

  /** Sends what is new of the text; a character whose bytes are not complete waits for the next token. */
  #say(answer: ActiveAnswer): void {
    const text = this.#model.tokenizer.decode(answer.ids).trimStart();
    if (text.endsWith('�') || text.length <= answer.text.length) return;
    answer.listener.delta(text.slice(answer.text.length));
    answer.text = text;
  }

  #finish(id: number, answer: ActiveAnswer, finish: AnswerEnd['finish']): void {
    this.#answers.delete(id);
    const { cache } = answer.stream;
    // Without the frames that were dropped after the evidence was last added to.
    const shares = answer.evidence.subarray(cache.firstFrame - answer.evidenceFirst);
    answer.listener.done({
      text: answer.text,
      finish,
      asOfMs: answer.asOfMs,
      evidence: evidenceSpans(shares, cache.times),
      inputTokens: answer.inputTokens,
      outputTokens: answer.ids.length,
    });
  }

  // --- frames ------------------------------------------------------------------------------------------------

  async #appendFrames(): Promise<boolean> {
    const chosen = this.#turn.filter((stream) => stream.frames.length > 0).slice(0, FRAME_BATCH);
    if (chosen.length === 0) return false;
    this.#turn = [...this.#turn.filter((stream) => !chosen.includes(stream)), ...chosen];
    const { config, vision, selfDecoder } = this.#model;
    const batch: { stream: Stream; job: FrameJob; tokens: Float32Array }[] = [];
    for (const stream of chosen) {
      const job = stream.frames.shift();
      if (job === undefined) continue;
      try {
        batch.push({ stream, job, tokens: await this.#timed('vision', () => vision.tokens(job.rgb)) });
      } catch (cause) {
        job.reject(new YocoError('internal', { cause }));
      }
    }
    try {
      const outputs = await this.#timed('selfDecoder', () =>
        selfDecoder.step(
          batch.map(({ stream, job, tokens }) => ({
            window: stream.window,
            tokens,
            timesMs: new Array<number>(config.tokensPerFrame).fill(Math.round(job.timeMs)),
          })),
          FRAME_BATCH,
          config.window,
        ),
      );
      outputs.forEach(({ k, v }, i) => {
        const entry = batch[i];
        if (entry === undefined) return;
        const { stream, job } = entry;
        if (this.#streams.get(stream.name) !== stream) {
          job.reject(new YocoError('stream_deleted'));
          return;
        }
        const { cache } = stream;
        cache.append(job.timeMs, k, v);
        this.#times.frames++;
        job.resolve({
          firstMs: cache.times[0] ?? job.timeMs,
          lastMs: job.timeMs,
          frames: cache.firstFrame + cache.frames,
          cacheTokens: cache.frames * config.tokensPerFrame,
          cacheBytes: cache.bytes,
        });
      });
    } catch (cause) {
      for (const { job } of batch) job.reject(new YocoError('internal', { cause }));
    }
    return true;
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

/** Adds one token's attention, frame by frame; the frames may have moved on since the token before. */
function addEvidence(answer: ActiveAnswer, shares: Float32Array, tokensPerFrame: number, firstFrame: number): void {
  const frames = answer.frameLimit - firstFrame;
  const sum = new Float32Array(frames);
  const moved = firstFrame - answer.evidenceFirst;
  for (let frame = 0; frame < frames; frame++) {
    let share = answer.evidence[frame + moved] ?? 0;
    for (let i = 0; i < tokensPerFrame; i++) share += shares[frame * tokensPerFrame + i] ?? 0;
    sum[frame] = share;
  }
  answer.evidence = sum;
  answer.evidenceFirst = firstFrame;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
