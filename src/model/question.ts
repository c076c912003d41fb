/** A question's own segment: its earlier turns, its tokens, and the answer as it grows. */
import type { CrossDecoderOutput } from './cross-decoder.ts';
import type { Embeddings } from './embeddings.ts';
import type { ReaderInput } from './reader.ts';
import { rewriteAgo } from './time-language/relative-time.ts';
import type { SelfDecoder, SelfDecoderOutput } from './self-decoder.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { BundleConfig } from './bundle.ts';
import type { SegmentWindow } from './window.ts';

export interface Turn {
  readonly question: string;
  /** The moment of the question on the stream's clock, ms. */
  readonly timeMs: number;
  readonly answer: string;
}

export interface SegmentTokens {
  readonly ids: readonly number[];
  /** Time of each token, ms; -1 for a token without one. */
  readonly timesMs: readonly number[];
}

/**
 * `[start, with its moment] question [end] answer [end] ... [start] question [end]`. `streamCount`: number of streams.
 * Each has its own clock, so "10 seconds ago" is only rewritten as a time if there is one.
 */
export function segmentTokens(
  tokenizer: Tokenizer,
  config: BundleConfig,
  turns: readonly Turn[],
  question: string,
  timeMs: number,
  streamCount = 1,
): SegmentTokens {
  const ids: number[] = [];
  const timesMs: number[] = [];
  const add = (tokens: readonly number[], time = -1): void => {
    tokens.forEach((id) => {
      ids.push(id);
      timesMs.push(time);
    });
  };
  const ask = (text: string, time: number): void => {
    add([config.startToken], Math.round(time));
    add(tokenizer.encode(streamCount > 1 ? text : rewriteAgo(text, time)));
    add([config.endToken]);
  };
  for (const turn of turns) {
    ask(turn.question, turn.timeMs);
    add(tokenizer.encode(turn.answer));
    add([config.endToken]);
  }
  ask(question, timeMs);
  return { ids, timesMs };
}

/**
 * Grows by one token per step. Holds the K and V of the segment, which no other segment sees, and what each token
 * passes on to later ones: queries and counts.
 */
export class QuestionSegment {
  readonly window: SegmentWindow;
  /** The moment of the question, ms. */
  readonly momentMs: number;
  hidden: Float32Array;
  #k: Float32Array;
  #v: Float32Array;
  #length: number;
  readonly #tokenSize: number;
  readonly #countedAt: number;
  /** Number of answer tokens read so far. */
  #answerTokensRead = 0;
  /** Queries of the last one, for the index. */
  #queries: Float32Array | undefined;
  #priorCounts: Float32Array | undefined;

  private constructor(
    window: SegmentWindow,
    first: SelfDecoderOutput,
    timesMs: readonly number[],
    { kvHeads, headDim, countedAt }: BundleConfig,
  ) {
    this.window = window;
    this.momentMs = timesMs.findLast((time) => time >= 0) ?? 0;
    this.hidden = first.hidden;
    this.#length = timesMs.length;
    this.#tokenSize = kvHeads * headDim;
    this.#countedAt = countedAt;
    this.#k = first.k.slice();
    this.#v = first.v.slice();
  }

  /** Opens segments in one run. Shorter ones are padded, so similar lengths waste the least. */
  static async openAll(
    decoder: SelfDecoder,
    embeddings: Embeddings,
    config: BundleConfig,
    questions: readonly SegmentTokens[],
  ): Promise<QuestionSegment[]> {
    const inputs = questions.map(({ ids, timesMs }) => {
      const window = decoder.newWindow(Math.min(config.window, ids.length + config.maxAnswerTokens));
      return { window, tokens: embeddings.lookup(ids), timesMs };
    });
    const outputs = await decoder.step(inputs);
    return outputs.map((output, i) => {
      const input = inputs[i];
      if (input === undefined) throw new RangeError('more outputs than questions');
      return new QuestionSegment(input.window, output, input.timesMs, config);
    });
  }

  static async open(
    decoder: SelfDecoder,
    embeddings: Embeddings,
    config: BundleConfig,
    question: SegmentTokens,
  ): Promise<QuestionSegment> {
    const [segment] = await QuestionSegment.openAll(decoder, embeddings, config, [question]);
    if (segment === undefined) throw new RangeError('a segment needs a token');
    return segment;
  }

  /** The reader's input for the segment's next token. */
  get readerInput(): ReaderInput {
    return {
      hidden: this.hidden,
      momentMs: this.momentMs,
      ownK: this.k,
      ownV: this.v,
      ownLength: this.#length,
      queries: this.#queries,
      priorCounts: this.#priorCounts,
    };
  }

  get length(): number {
    return this.#length;
  }

  get k(): Float32Array {
    return this.#k.subarray(0, this.#length * this.#tokenSize);
  }

  get v(): Float32Array {
    return this.#v.subarray(0, this.#length * this.#tokenSize);
  }

  /** Takes the reader's output for an answer token; later tokens start from it. */
  recordReading({ queries, counts }: Pick<CrossDecoderOutput, 'queries' | 'counts'>): void {
    this.#queries = queries;
    if (this.#answerTokensRead === this.#countedAt) this.#priorCounts = counts;
    this.#answerTokensRead++;
  }

  /** Appends the self-decoder's output for one more answer token. */
  extend(next: SelfDecoderOutput): void {
    const end = this.#length * this.#tokenSize;
    if (end + this.#tokenSize > this.#k.length) {
      const grow = (old: Float32Array): Float32Array => {
        const larger = new Float32Array(Math.max(old.length * 2, end + this.#tokenSize));
        larger.set(old);
        return larger;
      };
      this.#k = grow(this.#k);
      this.#v = grow(this.#v);
    }
    this.#k.set(next.k, end);
    this.#v.set(next.v, end);
    this.#length++;
    this.hidden = next.hidden;
  }
}
