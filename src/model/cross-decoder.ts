/** The half that video never enters: one new token of each question on one stream, read from its cache. */
import type { BundleConfig } from './bundle.ts';
import type { KvView } from './kv-cache.ts';
import type { InferenceSession, Tensor } from './onnxruntime.ts';
import { floats, integers, output } from './session.ts';

export interface CrossDecoderInput {
  /** `[width]`, from the self-decoder. */
  readonly hidden: Float32Array;
  /** The moment of the question, ms. */
  readonly momentMs: number;
  /** How many tokens of the view this question may see. */
  readonly visible: number;
  /**
   * From how many tokens those were chosen; the same where nothing was left out. Attention is as sharp as for so many.
   */
  readonly context: number;
  /** The segment's own K and V, `[ownLength, kvHeads, headDim]`. */
  readonly ownK: Float32Array;
  readonly ownV: Float32Array;
  readonly ownLength: number;
  /** What an earlier token of the answer counted and this one takes over; without, it counts anew. */
  readonly counted?: Float32Array | undefined;
}

export interface CrossDecoderOutput {
  /** Over the answer's tokens (`answerTokens` of the bundle). */
  readonly logits: Float32Array;
  /** Share of attention on each of the view's frames; what is missing to 1 went to the segment itself. */
  readonly evidence: Float32Array;
  /** Of all layers, what an index is asked with: `[crossLayers, crossHeads, headDim + features of time]`. */
  readonly queries: Float32Array;
  /** What the tally counted of what is asked for, `[COUNTS]`; what was taken over where something was. */
  readonly counts: Float32Array;
}

/** What a tally says: how many tokens it found, and for how many seconds their frames had stood. */
export const COUNTS = 2;
/** In the graph, of a token that counts anew. */
const ANEW = -1;

export class CrossDecoder {
  readonly #session: InferenceSession;
  readonly #config: BundleConfig;

  constructor(session: InferenceSession, config: BundleConfig) {
    this.#session = session;
    this.#config = config;
  }

  /** One read of `cache` serves all `inputs`. */
  async step(cache: KvView, inputs: readonly CrossDecoderInput[]): Promise<CrossDecoderOutput[]> {
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
      hidden: floats(hidden, [count, c.width]),
      times: integers(cache.times.map(Math.round)),
      since: integers(cache.since.map(Math.round)),
      stood: integers(cache.stood.map(Math.round)),
      ahead: integers(cache.ahead.map(Math.round)),
      moment: integers(inputs.map((input) => Math.round(input.momentMs))),
      visible: integers(inputs.map((input) => input.visible)),
      context: integers(inputs.map((input) => input.context)),
      own_k: floats(ownK, [count, own, c.kvHeads, c.headDim]),
      own_v: floats(ownV, [count, own, c.kvHeads, c.headDim]),
      own_length: integers(inputs.map((input) => input.ownLength)),
      counted: floats(countedOf(inputs), [count, COUNTS]),
    };
    cache.keys.forEach((keys, head) => (feeds[`k${head}`] = floats(keys, [cache.tokens, c.headDim])));
    cache.values.forEach((values, head) => (feeds[`v${head}`] = floats(values, [cache.tokens, c.headDim])));
    const results = await this.#session.run(feeds);
    const logits = output(results, 'logits');
    const evidence = output(results, 'evidence');
    const queries = output(results, 'queries');
    const counts = output(results, 'counts');
    const answers = c.answerTokens.length;
    const querySize = queries.length / count;
    const frames = cache.times.length;
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

/** `[questions, COUNTS]`, as the graphs take it. */
export function countedOf(inputs: readonly Pick<CrossDecoderInput, 'counted'>[]): Float32Array {
  const all = new Float32Array(inputs.length * COUNTS).fill(ANEW);
  inputs.forEach(({ counted }, i) => {
    if (counted !== undefined) all.set(counted, i * COUNTS);
  });
  return all;
}
