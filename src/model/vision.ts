/** Pictures to visual tokens: the frozen backbone and the projector, one graph. */
import type { BundleConfig } from './bundle.ts';
import { type InferenceSession, Tensor } from './onnxruntime.ts';
import { output } from './session.ts';

export class Vision {
  readonly #session: InferenceSession;
  readonly #config: BundleConfig;

  constructor(session: InferenceSession, config: BundleConfig) {
    this.#session = session;
    this.#config = config;
  }

  /** Bytes of one picture. */
  get pictureBytes(): number {
    return this.#config.imageSize ** 2 * 3;
  }

  /**
   * `rgb`: one picture, `[size, size, 3]` bytes. Returns its tokens, `[tokensPerFrame, width]`. Each run takes one
   * picture: on a CPU, convolutions gain nothing from a batch, and a picture's tokens cannot depend on its neighbours.
   */
  async encode(rgb: Uint8Array): Promise<Float32Array> {
    const size = this.#config.imageSize;
    const results = await this.#session.run({ rgb: new Tensor('uint8', rgb, [1, size, size, 3]) });
    return output(results, 'tokens');
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
