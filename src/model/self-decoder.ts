/**
 * The half of the model that every token passes through once: new tokens in, their shared K and V out. The bundle
 * determines the state that it carries from step to step: the last keys and values of sliding-window attention, or the
 * states of a gated retention (models/training/retention.py), whose size is constant from the first token on.
 */
import type { BundleConfig } from './bundle.ts';
import type { InferenceSession } from './onnxruntime.ts';
import { float32Tensor, int64Tensor, output } from './session.ts';
import { SegmentWindow } from './window.ts';

/** The new tokens of one segment, `n` of them. */
export interface SelfDecoderInput {
  readonly window: SegmentWindow;
  /** `[n, width]`. */
  readonly tokens: Float32Array;
  /** Time of each token in ms; negative for a token without one. */
  readonly timesMs: readonly number[];
}

export interface SelfDecoderOutput {
  /** Hidden state of the last token, `[width]`: the cross-decoder's input. */
  readonly hidden: Float32Array;
  /** Shared K and V of the new tokens, `[n, kvHeads, headDim]`. */
  readonly k: Float32Array;
  readonly v: Float32Array;
}

/**
 * Buffers up to this size are kept for the next run. A batch of frames fits; one of many long conversations does not.
 */
const SPARE_FLOATS = 2 ** 20;

export class SelfDecoder {
  readonly #session: InferenceSession;
  readonly #config: BundleConfig;
  /** Buffers of an earlier run in which the segments' states were gathered, for reuse. */
  #spare: readonly [Float32Array, Float32Array] | undefined;

  constructor(session: InferenceSession, config: BundleConfig) {
    this.#session = session;
    this.#config = config;
  }

  /** The state of a new segment. `capacity`: initial tokens; a question is short, a stream fills its window. */
  newWindow(capacity?: number): SegmentWindow {
    const c = this.#config;
    return new SegmentWindow(
      c.selfLayers,
      c.selfKvHeads * c.headDim,
      c.window,
      this.#isRetention ? c.window : capacity,
    );
  }

  get #isRetention(): boolean {
    return this.#config.selfDecoder === 'retention';
  }

  /**
   * Runs one step for several segments and appends to their windows. Segments with fewer new tokens than the longest
   * are padded at the end, where none of their tokens look. `rows` and `past` fix the padded shape of the run, so that
   * the bits of one segment's K and V do not depend on how many others share the run. By default the shape is as small
   * as the inputs allow.
   */
  async step(inputs: readonly SelfDecoderInput[], rows = inputs.length, past?: number): Promise<SelfDecoderOutput[]> {
    const [c, isRetention] = [this.#config, this.#isRetention];
    if (inputs.length === 0) return [];
    const n = Math.max(...inputs.map((input) => input.timesMs.length));
    const p = isRetention ? c.window : (past ?? Math.max(1, ...inputs.map((input) => input.window.length)));
    const tokens = new Float32Array(rows * n * c.width);
    const times = new Array<number>(rows * n).fill(-1);
    const lengths = new Array<number>(rows).fill(0);
    const rowSize = c.selfLayers * p * c.selfKvHeads * c.headDim;
    const buffers = this.#takeBuffers(rows * rowSize);
    const [pastK, pastV] = [buffers[0].subarray(0, rows * rowSize), buffers[1].subarray(0, rows * rowSize)];
    inputs.forEach((input, i) => {
      tokens.set(input.tokens, i * n * c.width);
      input.timesMs.forEach((t, j) => (times[i * n + j] = t));
      lengths[i] = isRetention ? input.timesMs.length : Math.min(p, input.window.length);
      input.window.copyInto(pastK, pastV, p, i * rowSize);
    });
    const pastDims = [rows, c.selfLayers, p, c.selfKvHeads, c.headDim];
    const results = await this.#session.run({
      tokens: float32Tensor(tokens, [rows, n, c.width]),
      time_ms: int64Tensor(times, [rows, n]),
      past_k: float32Tensor(pastK, pastDims),
      past_v: float32Tensor(pastV, pastDims),
      // Padding must not enter a retention's states; of a window's new rows only the real ones are appended.
      [isRetention ? 'new_length' : 'past_length']: int64Tensor(lengths),
    });
    if (buffers[0].length <= SPARE_FLOATS) this.#spare = buffers;
    const hidden = output(results, 'hidden');
    const k = output(results, 'k');
    const v = output(results, 'v');
    const windowK = output(results, 'window_k');
    const windowV = output(results, 'window_v');
    const tokenSize = c.kvHeads * c.headDim;
    return inputs.map((input, i) => {
      const own = input.timesMs.length;
      // A retention's states fill the whole window, so appending them replaces the old ones.
      const [rowsGiven, rowsKept] = isRetention ? [p, p] : [n, own];
      const size = c.selfKvHeads * c.headDim;
      const firstRows = (rows: Float32Array): Float32Array =>
        truncateRows(rows, i * c.selfLayers, c.selfLayers, rowsGiven * size, rowsKept * size);
      input.window.append(firstRows(windowK), firstRows(windowV), rowsKept);
      const last = i * n + own - 1;
      return {
        hidden: hidden.slice(last * c.width, (last + 1) * c.width),
        k: k.subarray(i * n * tokenSize, (last + 1) * tokenSize),
        v: v.subarray(i * n * tokenSize, (last + 1) * tokenSize),
      };
    });
  }

  /**
   * Two buffers whose first `size` floats are zero. A run of frames needs megabytes: fresh buffers each time would pile
   * up until the next garbage collection. A run that starts during another one gets its own.
   */
  #takeBuffers(size: number): readonly [Float32Array, Float32Array] {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare === undefined || spare[0].length < size) return [new Float32Array(size), new Float32Array(size)];
    for (const buffer of spare) buffer.fill(0, 0, size);
    return spare;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** The first `kept` numbers of each of `count` rows of `size` numbers, starting at row `first`, concatenated. */
function truncateRows(all: Float32Array, first: number, count: number, size: number, kept: number): Float32Array {
  if (kept === size) return all.subarray(first * size, (first + count) * size);
  const cut = new Float32Array(count * kept);
  for (let row = 0; row < count; row++) {
    const from = (first + row) * size;
    cut.set(all.subarray(from, from + kept), row * kept);
  }
  return cut;
}
