/** How frames enter caches, whether their window lies on the host or on a device. */
import type { BundleConfig } from './bundle.ts';
import type { KvCache } from './kv-cache.ts';
import type { SelfDecoder } from './self-decoder.ts';
import type { SegmentWindow, WindowContent } from './window.ts';

/**
 * Streams in one batch of frames. The shape is fixed and padded, so that a stream's K and V do not depend on which
 * other streams are in the batch.
 */
export const FRAME_BATCH = 4;

/** A stream as the self-decoder sees it: a cache, and the window for its next frame. */
export interface IntakeStream {
  readonly cache: KvCache;
  /** A copy of the window's content. */
  windowContent(): Promise<WindowContent>;
  /** Frees memory outside the JavaScript heap. */
  close(): void;
}

/** A frame of a stream: its visual tokens `[tokensPerFrame, width]` and its time. */
export interface IntakeFrame<Stream extends IntakeStream> {
  readonly stream: Stream;
  readonly tokens: Float32Array;
  readonly timeMs: number;
}

/** Outcome for one frame: null if it is in its cache, otherwise the cause of the failure. */
export type IntakeResult = { readonly cause: unknown } | null;

export interface Intake<Stream extends IntakeStream = IntakeStream> {
  /** Opens a stream whose frames go to `cache`, and resumes from `window` if given. */
  open(cache: KvCache, window?: WindowContent): Stream;
  /**
   * Takes one frame of each of these streams, at most FRAME_BATCH, into their windows and caches. Rejects if no frame
   * was taken.
   */
  append(frames: readonly IntakeFrame<Stream>[]): Promise<IntakeResult[]>;
}

export class HostStream implements IntakeStream {
  readonly cache: KvCache;
  readonly segmentWindow: SegmentWindow;

  constructor(cache: KvCache, segment: SegmentWindow) {
    this.cache = cache;
    this.segmentWindow = segment;
  }

  windowContent(): Promise<WindowContent> {
    return Promise.resolve(this.segmentWindow.content());
  }

  close(): void {
    // Everything is in the JavaScript heap.
  }
}

/** Intake on the processor: one run of the self-decoder for all streams. */
export class HostIntake implements Intake<HostStream> {
  readonly #selfDecoder: SelfDecoder;
  readonly #config: BundleConfig;

  constructor(selfDecoder: SelfDecoder, config: BundleConfig) {
    this.#selfDecoder = selfDecoder;
    this.#config = config;
  }

  open(cache: KvCache, window?: WindowContent): HostStream {
    const segment = this.#selfDecoder.newWindow();
    if (window !== undefined) segment.append(window.keys, window.values, window.length);
    return new HostStream(cache, segment);
  }

  async append(frames: readonly IntakeFrame<HostStream>[]): Promise<IntakeResult[]> {
    const { tokensPerFrame, window } = this.#config;
    const inputs = frames.map(({ stream, tokens, timeMs }) => ({
      window: stream.segmentWindow,
      tokens,
      timesMs: new Array<number>(tokensPerFrame).fill(Math.round(timeMs)),
    }));
    const outputs = await this.#selfDecoder.step(inputs, FRAME_BATCH, window);
    return frames.map(({ stream, timeMs }, i) => {
      const output = outputs[i];
      if (output === undefined) return { cause: new RangeError('fewer outputs than frames') };
      try {
        stream.cache.append(timeMs, output.k, output.v);
        return null;
      } catch (cause) {
        return { cause };
      }
    });
  }
}
