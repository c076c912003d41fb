/** Answers in progress, one token per step; answers that read the same part of a stream share one run. */
import { YocoError } from '../errors.ts';
import { EvidenceTally } from '../model/evidence.ts';
import { type Precision, worstPrecision } from '../model/precision.ts';
import type { Model } from '../model/model.ts';
import type { QuestionSegment } from '../model/question.ts';
import { type ReadStart, type KvSource, readableFrames, type ReaderInput, type Reading } from '../model/reader.ts';
import { repeatedTailLength, isExactRepeat } from '../model/repetition.ts';
import { logProbability, sample, seededRandom } from '../model/sampling.ts';
import { camerasToNames, stablePrefix } from './camera-names.ts';
import type { EngineStream } from './engine-stream.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';
import type { AnswerEnd, AnswerListener, AskRequest } from './protocol.ts';
import type { RunTimes } from './run-times.ts';

/**
 * Limit of separate cache reads per turn: of answers that read through an index, several streams, or from a `start` on.
 * Answers on one stream with the same `start` share a read.
 */
const MAX_UNSHARED_READS = 4;

/** A stream that an answer reads, up to the question's moment; a null `start` starts at the oldest kept frame. */
export interface StreamRead {
  readonly stream: EngineStream;
  readonly asOfMs: number;
  readonly start: ReadStart | null;
}

/** A question whose answer can begin. */
export interface OpenedQuestion {
  readonly reads: readonly StreamRead[];
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  readonly segment: QuestionSegment;
  readonly inputTokens: number;
  readonly asOfMs: number;
  /** Whether it was cancelled while its question was opened. */
  readonly cancelled: boolean;
}

interface Answer extends OpenedQuestion {
  readonly random: () => number;
  readonly ids: number[];
  readonly evidence: EvidenceTally;
  /** One per token, and one for the end. */
  readonly logProbabilities: number[];
  precision: Precision;
  text: string;
  cancelled: boolean;
}

/** Steps of answers that read the same part of one stream and share one run. */
interface SharedRead {
  readonly stream: EngineStream;
  readonly start: ReadStart | null;
  readonly steps: DecodeStep[];
}

/** One decode step of an answer: what it may read, and its input. */
interface DecodeStep {
  readonly id: number;
  readonly answer: Answer;
  readonly sources: readonly KvSource[];
  readonly input: ReaderInput;
}

export class Answers {
  readonly #model: Model;
  readonly #runs: RunTimes;
  readonly #answers = new Map<number, Answer>();

  constructor(model: Model, runs: RunTimes) {
    this.#model = model;
    this.#runs = runs;
  }

  get size(): number {
    return this.#answers.size;
  }

  begin(id: number, question: OpenedQuestion): void {
    this.#answers.set(id, {
      ...question,
      random: seededRandom(question.request.seed),
      ids: [],
      evidence: new EvidenceTally(question.reads.length),
      logProbabilities: [],
      precision: 'full',
      text: '',
    });
  }

  /** Takes effect before the next token. */
  cancel(id: number): void {
    const answer = this.#answers.get(id);
    if (answer !== undefined) answer.cancelled = true;
  }

  /** Fails the answers that read a closed stream. */
  failForStream(stream: EngineStream): void {
    for (const [id, { reads, request, listener }] of this.#answers) {
      if (!reads.some((one) => one.stream === stream)) continue;
      this.#answers.delete(id);
      listener.failed(streamDeletedError(stream.name, request));
    }
  }

  /**
   * Decodes a token of every answer, with at most MAX_UNSHARED_READS separate reads; returns whether there were
   * answers.
   */
  async decode(): Promise<boolean> {
    if (this.#answers.size === 0) return false;
    for (const [id, answer] of this.#answers) if (answer.cancelled) this.#finish(id, answer, 'cancelled');
    const continuing: Answer[] = [];
    const sharedReads: SharedRead[] = [];
    let unsharedCount = 0;
    for (const [id, answer] of [...this.#answers]) {
      const step = this.#prepareStep(id, answer);
      if (step === null) continue;
      const [only, ...others] = answer.reads;
      if (only === undefined || others.length > 0 || !this.#model.reader.readsAll(step.sources)) {
        if (unsharedCount++ >= MAX_UNSHARED_READS) continue;
        continuing.push(...(await this.#decodeUnshared(step)));
        this.#moveToEnd(id, answer);
        continue;
      }
      const { stream, start } = only;
      const group = sharedReads.find((one) => one.stream === stream && isSameStart(one.start, start));
      if (group !== undefined) group.steps.push(step);
      // Each begin needs a run of its own; these count towards MAX_UNSHARED_READS.
      else if (start === null || unsharedCount++ < MAX_UNSHARED_READS)
        sharedReads.push({ stream, start, steps: [step] });
    }
    for (const group of sharedReads) {
      continuing.push(...(await this.#decodeShared(group)));
      if (group.start !== null) for (const { id, answer } of group.steps) this.#moveToEnd(id, answer);
    }
    // Sends the new text now: the next run blocks the event loop, and vision may follow it.
    await yieldToEventLoop();
    if (continuing.length > 0) await this.#extend(continuing);
    return true;
  }

  /** Moves an answer to the end of the queue, so that the next turn starts with those that waited. */
  #moveToEnd(id: number, answer: Answer): void {
    if (this.#answers.delete(id)) this.#answers.set(id, answer);
  }

  /** Passes the last token of each answer through the self-decoder. */
  async #extend(continuing: readonly Answer[]): Promise<void> {
    const { embeddings, selfDecoder } = this.#model;
    try {
      const outputs = await this.#runs.measure('selfDecoder', () =>
        selfDecoder.step(
          continuing.map((answer) => ({
            window: answer.segment.window,
            tokens: embeddings.lookup(answer.ids.slice(-1)),
            timesMs: [-1],
          })),
        ),
      );
      outputs.forEach((next, i) => continuing[i]?.segment.extend(next));
    } catch (error) {
      for (const [id, answer] of this.#answers) {
        if (!continuing.includes(answer)) continue;
        this.#answers.delete(id);
        answer.listener.failed(YocoError.from(error));
      }
    }
  }

  /** What an answer may read now. If no frame of it is kept any more, the answer fails and the result is null. */
  #prepareStep(id: number, answer: Answer): DecodeStep | null {
    const sources = answer.reads.map(({ stream, asOfMs, start }) => ({
      cache: stream.cache,
      frames: stream.cache.times.countUpTo(asOfMs),
      momentMs: asOfMs,
      start: start ?? undefined,
    }));
    if (sources.every((source) => readableFrames(source) === 0)) {
      this.#answers.delete(id);
      const hasFrames = sources.some((source) => source.frames > 0);
      const gap = { param: 'since', detail: 'Nothing is kept from then to the moment of the question.' };
      answer.listener.failed(new YocoError('time_out_of_range', hasFrames ? gap : { param: 'as_of' }));
      return null;
    }
    return { id, answer, sources, input: answer.segment.readerInput };
  }

  /** Decodes one token of an answer that reads several streams, or one stream through its index. */
  async #decodeUnshared(step: DecodeStep): Promise<Answer[]> {
    const { reader } = this.#model;
    try {
      const output = await this.#runs.measure('crossDecoder', () => reader.read(step.sources, step.input));
      return this.#addToken(step, output) ? [step.answer] : [];
    } catch (error) {
      if (this.#answers.delete(step.id)) step.answer.listener.failed(YocoError.from(error));
      return [];
    }
  }

  /** Decodes one token of answers that read the same part of one stream; returns those that continue. */
  async #decodeShared({ stream, start, steps }: SharedRead): Promise<Answer[]> {
    const { reader } = this.#model;
    const inputs = steps.map(({ sources, input }) => ({ frames: sources[0]?.frames ?? 0, input }));
    let outputs: Reading[];
    try {
      outputs = await this.#runs.measure('crossDecoder', () =>
        reader.readShared(stream.cache, inputs, start ?? undefined),
      );
    } catch (error) {
      for (const { id, answer } of steps) if (this.#answers.delete(id)) answer.listener.failed(YocoError.from(error));
      return [];
    }
    return steps
      .filter((step, i) => {
        const output = outputs[i];
        return output !== undefined && this.#addToken(step, output);
      })
      .map(({ answer }) => answer);
  }

  /** Adds a token to an answer; returns whether the answer continues. */
  #addToken({ id, answer }: DecodeStep, output: Reading): boolean {
    const { config } = this.#model;
    if (this.#answers.get(id) !== answer) return false; // one of its streams was closed during the run
    const { temperature, topP, ignoreEndToken = false } = answer.request;
    const sampled = sample(output.logits, { temperature, topP, random: answer.random });
    const token = config.answerTokens[sampled];
    const ended = token === undefined || (token === config.endToken && !ignoreEndToken);
    if (!ended || answer.ids.length === 0) answer.evidence.add(output.attention);
    answer.precision = worstPrecision([answer.precision, output.precision]);
    answer.logProbabilities.push(logProbability(output.logits, sampled));
    if (ended) {
      this.#finish(id, answer, 'stop');
      return false;
    }
    answer.segment.recordReading(output);
    answer.ids.push(token);
    this.#runs.countAnswerToken();
    if (
      config.endsAtRepetition &&
      !ignoreEndToken &&
      isExactRepeat(answer.ids, () => this.#model.tokenizer.decode(answer.ids))
    ) {
      answer.ids.length /= 2;
      answer.logProbabilities.length /= 2;
      this.#finish(id, answer, 'stop');
      return false;
    }
    this.#sendText(answer);
    if (answer.ids.length < answer.request.maxTokens) return true;
    this.#finish(id, answer, 'length');
    return false;
  }

  /**
   * Sends the new text. An incomplete character waits for its next bytes, and so do tokens that may turn out to repeat
   * the answer.
   */
  #sendText(answer: Answer, complete = false): void {
    const { config, tokenizer } = this.#model;
    const held = config.endsAtRepetition && !complete ? repeatedTailLength(answer.ids) : 0;
    const written = tokenizer.decode(answer.ids.slice(0, answer.ids.length - held)).trimStart();
    if (written.endsWith('\uFFFD') && !complete) return;
    const names = answer.reads.map(({ stream }) => stream.name);
    const text = names.length === 1 ? written : camerasToNames(complete ? written : stablePrefix(written), names);
    if (text.length <= answer.text.length) return;
    answer.listener.delta(text.slice(answer.text.length));
    answer.text = text;
  }

  #finish(id: number, answer: Answer, finish: AnswerEnd['finish']): void {
    this.#answers.delete(id);
    this.#sendText(answer, true);
    answer.listener.done({
      text: answer.text,
      finish,
      asOfMs: answer.asOfMs,
      streams: seenStreamsOf(answer.reads),
      precision: answer.precision,
      evidence: answer.evidence.spans(
        answer.reads.map(({ stream, asOfMs, start }) => ({
          name: stream.name,
          cache: stream.cache,
          untilMs: asOfMs,
          fromMs: clampedSinceMs(start, asOfMs),
        })),
      ),
      confidence: answer.ids.length === 0 ? 0 : Math.exp(answer.logProbabilities.reduce((sum, one) => sum + one, 0)),
      inputTokens: answer.inputTokens,
      outputTokens: answer.ids.length,
    });
  }
}

/** The error of a question one of whose streams was closed. */
export function streamDeletedError(name: string, { streams }: AskRequest): YocoError {
  return new YocoError('stream_deleted', streams.length > 1 ? { detail: `It is "${name}".` } : {});
}

export function seenStreamsOf(reads: readonly StreamRead[]): AnswerEnd['streams'] {
  return reads.map(({ stream, asOfMs, start }) => ({
    name: stream.name,
    asOfMs,
    sinceMs: clampedSinceMs(start, asOfMs) ?? null,
  }));
}

/** One of several streams may end before the begin: nothing of it was read, and its begin is shown as its end. */
function clampedSinceMs(start: ReadStart | null, asOfMs: number): number | undefined {
  return start === null ? undefined : Math.min(start.sinceMs, asOfMs);
}

function isSameStart(one: ReadStart | null, other: ReadStart | null): boolean {
  return one?.sinceMs === other?.sinceMs && one?.sceneMs === other?.sceneMs;
}
