/** The half of the model that video never enters: reads a view of a cache for one new token of each question. */
import type { BundleConfig } from './bundle.ts';
import type { KvView } from './kv-cache.ts';
import type { InferenceSession, Tensor } from './onnxruntime.ts';
import { float32Tensor, int64Tensor, output } from './session.ts';

export interface CrossDecoderInput {
  /** `[width]`, from the self-decoder. */
  readonly hidden: Float32Array;
  /** The moment of the question, ms. */
  readonly momentMs: number;
  /** How many tokens of the view this question may see. */
  readonly visibleTokens: number;
  /** Number of tokens from which those were chosen; equal if nothing was left out. Sets how sharp attention is. */
  readonly contextTokens: number;
  /** K and V of the question's own segment, `[ownLength, kvHeads, headDim]`. */
  readonly ownK: Float32Array;
  readonly ownV: Float32Array;
  readonly ownLength: number;
  /** The counts of an earlier token of the answer, reused by this one; undefined: count anew. */
  readonly priorCounts?: Float32Array | undefined;
}

export interface CrossDecoderOutput {
  /** Logits over the answer's tokens (`answerTokens` of the bundle). */
  readonly logits: Float32Array;
  /** Share of attention on each of the view's frames; the rest, up to 1, went to the segment itself. */
  readonly evidence: Float32Array;
  /** Queries of all layers, with which to ask an index: `[crossLayers, crossHeads, headDim + features of time]`. */
  readonly queries: Float32Array;
  /** What the tally counted of the thing asked for, `[COUNTS]`; the input's `priorCounts` if that was given. */
  readonly counts: Float32Array;
}

/** Size of a tally's result: the number of tokens it found, and the seconds for which their frames had stood. */
export const COUNTS = 2;
/** Tells the graph to count anew. */
const NO_PRIOR_COUNTS = -1;

export class CrossDecoder {
  readonly #session: InferenceSession;
  readonly #config: BundleConfig;

  constructor(session: InferenceSession, config: BundleConfig) {
    this.#session = session;
    this.#config = config;
  }

  /** One read of `view` serves all `inputs`. */
  async step(view: KvView, inputs: readonly CrossDecoderInput[]): Promise<CrossDecoderOutput[]> {
    const c = this.#config;
    const count = inputs.length;
    const own = Math.max(...inputs.map((input) => input.ownLength));
    const hidden = new Float32Array(count * c.width);
    const ownSize = own * c.kvHeads * c.headDim;
    const ownK = new Float32Array(count * ownSize);
    const ownV = new Float32Array(count * ownSize);
    inputs.forEach((input, i) => {
      hidden.set(input.hidden, i * c.width);
      ownK.set(input.ownK, i * ownSize);
      ownV.set(input.ownV, i * ownSize);
    });
    const feeds: Record<string, Tensor> = {
      hidden: float32Tensor(hidden, [count, c.width]),
      times: int64Tensor(view.times.map(Math.round)),
      since: int64Tensor(view.elapsed.map(Math.round)),
      stood: int64Tensor(view.durations.map(Math.round)),
      ahead: int64Tensor(view.clockOffsets.map(Math.round)),
      moment: int64Tensor(inputs.map((input) => Math.round(input.momentMs))),
      visible: int64Tensor(inputs.map((input) => input.visibleTokens)),
      context: int64Tensor(inputs.map((input) => input.contextTokens)),
      own_k: float32Tensor(ownK, [count, own, c.kvHeads, c.headDim]),
      own_v: float32Tensor(ownV, [count, own, c.kvHeads, c.headDim]),
      own_length: int64Tensor(inputs.map((input) => input.ownLength)),
      counted: float32Tensor(priorCountsOf(inputs), [count, COUNTS]),
    };
    view.keys.forEach((keys, head) => (feeds[`k${head}`] = float32Tensor(keys, [view.tokens, c.headDim])));
    view.values.forEach((values, head) => (feeds[`v${head}`] = float32Tensor(values, [view.tokens, c.headDim])));
    const results = await this.#session.run(feeds);
    const logits = output(results, 'logits');
    const evidence = output(results, 'evidence');
    const queries = output(results, 'queries');
    const counts = output(results, 'counts');
    const answers = c.answerTokens.length;
    const querySize = queries.length / count;
    const frames = view.times.length;
    return inputs.map((_, i) => ({
      logits: logits.subarray(i * answers, (i + 1) * answers),
      evidence: evidence.subarray(i * frames, (i + 1) * frames),
      queries: queries.subarray(i * querySize, (i + 1) * querySize),
      counts: counts.subarray(i * COUNTS, (i + 1) * COUNTS),
    }));
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** The graphs' `counted` input, `[questions, COUNTS]`. */
export function priorCountsOf(inputs: readonly Pick<CrossDecoderInput, 'priorCounts'>[]): Float32Array {
  const all = new Float32Array(inputs.length * COUNTS).fill(NO_PRIOR_COUNTS);
  inputs.forEach(({ priorCounts }, i) => {
    if (priorCounts !== undefined) all.set(priorCounts, i * COUNTS);
  });
  return all;
}
