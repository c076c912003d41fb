/** Answers in progress, one token per step; answers that read the same part of a stream share one run. */
import { YocoError } from '../errors.ts';
import { EvidenceTally } from '../model/evidence.ts';
import { type Precision, worstOf } from '../model/precision.ts';
import type { Model } from '../model/model.ts';
import type { QuestionSegment } from '../model/question.ts';
import { type ReadStart, type KvSource, readableFrames, type ReaderInput, type Reading } from '../model/reader.ts';
import { repeatedTail, saysItTwice } from '../model/repetition.ts';
import { logProbability, sample, seededRandom } from '../model/sampling.ts';
import { camerasToNames, settled } from './camera-names.ts';
import type { EngineStream } from './engine-stream.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';
import type { AnswerEnd, AnswerListener, AskRequest } from './protocol.ts';
import type { RunTimes } from './run-times.ts';

/**
 * Limit of separate cache reads per turn: of answers that read through an index, several streams, or from a `begin` on.
 * Answers on one stream with the same `begin` share a read.
 */
const MAX_UNSHARED_READS = 4;

/** A stream that an answer reads, up to the question's moment; a null `begin` starts at the oldest kept frame. */
export interface StreamRead {
  readonly stream: EngineStream;
  readonly asOfMs: number;
  readonly begin: ReadStart | null;
}

/** A question whose answer can begin. */
export interface Begun {
  readonly asked: readonly StreamRead[];
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  readonly segment: QuestionSegment;
  readonly inputTokens: number;
  readonly asOfMs: number;
  /** Whether it was cancelled while its question was opened. */
  readonly cancelled: boolean;
}

interface Answer extends Begun {
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
interface Together {
  readonly stream: EngineStream;
  readonly begin: ReadStart | null;
  readonly steps: Decoding[];
}

/** One decode step of an answer: what it may read, and its input. */
interface Decoding {
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

  begin(id: number, begun: Begun): void {
    this.#answers.set(id, {
      ...begun,
      random: seededRandom(begun.request.seed),
      ids: [],
      evidence: new EvidenceTally(begun.asked.length),
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
  failThoseOn(stream: EngineStream): void {
    for (const [id, { asked, request, listener }] of this.#answers) {
      if (!asked.some((one) => one.stream === stream)) continue;
      this.#answers.delete(id);
      listener.failed(streamGone(stream.name, request));
    }
  }

  /**
   * Decodes a token of every answer, with at most MAX_UNSHARED_READS separate reads; returns whether there were
   * answers.
   */
  async decode(): Promise<boolean> {
    if (this.#answers.size === 0) return false;
    for (const [id, answer] of this.#answers) if (answer.cancelled) this.#finish(id, answer, 'cancelled');
    const going: Answer[] = [];
    const together: Together[] = [];
    let alone = 0;
    for (const [id, answer] of [...this.#answers]) {
      const decoding = this.#decoding(id, answer);
      if (decoding === null) continue;
      const [only, ...others] = answer.asked;
      if (only === undefined || others.length > 0 || !this.#model.reader.readsAll(decoding.sources)) {
        if (alone++ >= MAX_UNSHARED_READS) continue;
        going.push(...(await this.#decodeAlone(decoding)));
        this.#toTheEnd(id, answer);
        continue;
      }
      const { stream, begin } = only;
      const group = together.find((one) => one.stream === stream && isTheSame(one.begin, begin));
      if (group !== undefined) group.steps.push(decoding);
      // Each begin needs a run of its own; these count towards MAX_UNSHARED_READS.
      else if (begin === null || alone++ < MAX_UNSHARED_READS) together.push({ stream, begin, steps: [decoding] });
    }
    for (const group of together) {
      going.push(...(await this.#decodeTogether(group)));
      if (group.begin !== null) for (const { id, answer } of group.steps) this.#toTheEnd(id, answer);
    }
    // Sends the new text now: the next run blocks the event loop, and vision may follow it.
    await yieldToEventLoop();
    if (going.length > 0) await this.#extend(going);
    return true;
  }

  /** Moves an answer to the end of the queue, so that the next turn starts with those that waited. */
  #toTheEnd(id: number, answer: Answer): void {
    if (this.#answers.delete(id)) this.#answers.set(id, answer);
  }

  /** Passes the last token of each answer through the self-decoder. */
  async #extend(going: readonly Answer[]): Promise<void> {
    const { embeddings, selfDecoder } = this.#model;
    try {
      const outputs = await this.#runs.timed('selfDecoder', () =>
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

  /** What an answer may read now. If no frame of it is kept any more, the answer fails and the result is null. */
  #decoding(id: number, answer: Answer): Decoding | null {
    const sources = answer.asked.map(({ stream, asOfMs, begin }) => ({
      cache: stream.cache,
      frames: stream.cache.times.upTo(asOfMs),
      momentMs: asOfMs,
      begin: begin ?? undefined,
    }));
    if (sources.every((source) => readableFrames(source) === 0)) {
      this.#answers.delete(id);
      const begins = sources.some((source) => source.frames > 0);
      const gap = { param: 'since', detail: 'Nothing is kept from then to the moment of the question.' };
      answer.listener.failed(new YocoError('time_out_of_range', begins ? gap : { param: 'as_of' }));
      return null;
    }
    return { id, answer, sources, input: answer.segment.own };
  }

  /** Decodes one token of an answer that reads several streams, or one stream through its index. */
  async #decodeAlone(decoding: Decoding): Promise<Answer[]> {
    const { reader } = this.#model;
    try {
      const output = await this.#runs.timed('crossDecoder', () => reader.read(decoding.sources, decoding.input));
      return this.#take(decoding, output) ? [decoding.answer] : [];
    } catch (error) {
      if (this.#answers.delete(decoding.id)) decoding.answer.listener.failed(YocoError.from(error));
      return [];
    }
  }

  /** Decodes one token of answers that read the same part of one stream; returns those that continue. */
  async #decodeTogether({ stream, begin, steps }: Together): Promise<Answer[]> {
    const { reader } = this.#model;
    const inputs = steps.map(({ sources, input }) => ({ frames: sources[0]?.frames ?? 0, input }));
    let outputs: Reading[];
    try {
      outputs = await this.#runs.timed('crossDecoder', () =>
        reader.readTogether(stream.cache, inputs, begin ?? undefined),
      );
    } catch (error) {
      for (const { id, answer } of steps) if (this.#answers.delete(id)) answer.listener.failed(YocoError.from(error));
      return [];
    }
    return steps
      .filter((decoding, i) => {
        const output = outputs[i];
        return output !== undefined && this.#take(decoding, output);
      })
      .map(({ answer }) => answer);
  }

  /** Adds a token to an answer; returns whether the answer continues. */
  #take({ id, answer }: Decoding, output: Reading): boolean {
    const { config } = this.#model;
    if (this.#answers.get(id) !== answer) return false; // one of its streams was closed during the run
    const { temperature, topP, ignoreEndToken: endless = false } = answer.request;
    const sampled = sample(output.logits, { temperature, topP, random: answer.random });
    const token = config.answerTokens[sampled];
    const ended = token === undefined || (token === config.endToken && !endless);
    if (!ended || answer.ids.length === 0) answer.evidence.add(output.attention);
    answer.precision = worstOf([answer.precision, output.precision]);
    answer.logProbabilities.push(logProbability(output.logits, sampled));
    if (ended) {
      this.#finish(id, answer, 'stop');
      return false;
    }
    answer.segment.take(output);
    answer.ids.push(token);
    this.#runs.countAnswerToken();
    if (
      config.endsAtRepetition &&
      !endless &&
      saysItTwice(answer.ids, () => this.#model.tokenizer.decode(answer.ids))
    ) {
      answer.ids.length /= 2;
      answer.logProbabilities.length /= 2;
      this.#finish(id, answer, 'stop');
      return false;
    }
    this.#say(answer);
    if (answer.ids.length < answer.request.maxTokens) return true;
    this.#finish(id, answer, 'length');
    return false;
  }

  /**
   * Sends the new text. An incomplete character waits for its next bytes, and so do tokens that may turn out to repeat
   * the answer.
   */
  #say(answer: Answer, complete = false): void {
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

  #finish(id: number, answer: Answer, finish: AnswerEnd['finish']): void {
    this.#answers.delete(id);
    this.#say(answer, true);
    answer.listener.done({
      text: answer.text,
      finish,
      asOfMs: answer.asOfMs,
      streams: momentsOf(answer.asked),
      precision: answer.precision,
      evidence: answer.evidence.spans(
        answer.asked.map(({ stream, asOfMs, begin }) => ({
          name: stream.name,
          cache: stream.cache,
          untilMs: asOfMs,
          fromMs: shownSince(begin, asOfMs),
        })),
      ),
      confidence: answer.ids.length === 0 ? 0 : Math.exp(answer.logProbabilities.reduce((sum, one) => sum + one, 0)),
      inputTokens: answer.inputTokens,
      outputTokens: answer.ids.length,
    });
  }
}

/** The error of a question one of whose streams was closed. */
export function streamGone(name: string, { streams }: AskRequest): YocoError {
  return new YocoError('stream_deleted', streams.length > 1 ? { detail: `It is "${name}".` } : {});
}

export function momentsOf(asked: readonly StreamRead[]): AnswerEnd['streams'] {
  return asked.map(({ stream, asOfMs, begin }) => ({
    name: stream.name,
    asOfMs,
    sinceMs: shownSince(begin, asOfMs) ?? null,
  }));
}

/** One of several streams may end before the begin: nothing of it was read, and its begin is shown as its end. */
function shownSince(begin: ReadStart | null, asOfMs: number): number | undefined {
  return begin === null ? undefined : Math.min(begin.sinceMs, asOfMs);
}

function isTheSame(one: ReadStart | null, other: ReadStart | null): boolean {
  return one?.sinceMs === other?.sinceMs && one?.sceneMs === other?.sceneMs;
}
