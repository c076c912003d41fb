/** Takes frames through a self-decoder on a device. Window, K and V stay there; a copy of K and V goes to the host. */
import type { Intake, IntakeFrame, IntakeStream, Taken } from '../intake.ts';
import type { KvCache } from '../kv-cache.ts';
import type { Tensor } from '../onnxruntime.ts';
import { floats, output } from '../session.ts';
import { CLOCK_CODE_SIZE, clockCode } from '../time-code.ts';
import type { WindowContent } from '../window.ts';
import { SegmentWindow } from '../window.ts';
import type { Device } from './device.ts';
import { tensor } from './device-session.ts';

/** A stream whose window `[1, layers, window, kvHeads, headDim]` lies on a device. */
export class DeviceStream implements IntakeStream {
  readonly cache: KvCache;
  readonly #device: Device;
  #pastK: Tensor;
  #pastV: Tensor;
  /** Number of real tokens in the window. */
  #length: number;

  constructor(device: Device, cache: KvCache, content?: WindowContent) {
    const { selfLayers, selfKvHeads, headDim, window } = device.config;
    this.#device = device;
    this.cache = cache;
    this.#length = content?.length ?? 0;
    const host = new SegmentWindow(selfLayers, selfKvHeads * headDim, window);
    if (content !== undefined) host.append(content.keys, content.values, content.length);
    const dims = [1, selfLayers, window, selfKvHeads, headDim];
    this.#pastK = floats(host.keys, dims);
    this.#pastV = floats(host.values, dims);
    device.memory.open(cache);
  }

  async window(): Promise<WindowContent> {
    const { selfLayers, selfKvHeads, headDim, window } = this.#device.config;
    const results = await this.#device.window.run({ past_k: this.#pastK, past_v: this.#pastV });
    const host = new SegmentWindow(selfLayers, selfKvHeads * headDim, window);
    host.append(output(results, 'host_k'), output(results, 'host_v'), window);
    const size = selfLayers * this.#length * selfKvHeads * headDim;
    const [keys, values] = [new Float32Array(size), new Float32Array(size)];
    host.copyInto(keys, values, this.#length, 0);
    return { keys, values, length: this.#length };
  }

  close(): void {
    this.#device.memory.drop(this.cache);
    this.#pastK.dispose();
    this.#pastV.dispose();
  }

  /** Takes one frame into the window, the pages and the cache. */
  async take(tokens: Float32Array, timeMs: number): Promise<void> {
    const { config, memory, selfDecoder } = this.#device;
    const { tokensPerFrame: n, width, window } = config;
    const clock = new Float32Array(n * CLOCK_CODE_SIZE);
    const code = clockCode(timeMs);
    for (let token = 0; token < n; token++) clock.set(code, token * CLOCK_CODE_SIZE);
    const results = await selfDecoder.run({
      tokens: floats(tokens, [1, n, width]),
      clock: floats(clock, [1, n, CLOCK_CODE_SIZE]),
      past_k: this.#pastK,
      past_v: this.#pastV,
      past_length: floats(Float32Array.of(this.#length), [1]),
    });
    this.#pastK.dispose();
    this.#pastV.dispose();
    this.#pastK = tensor(results, 'next_k');
    this.#pastV = tensor(results, 'next_v');
    this.#length = Math.min(window, this.#length + n);
    const frame = { k: tensor(results, 'k'), v: tensor(results, 'v') };
    try {
      // The host comes first: it decides what is dropped, and the device follows.
      this.cache.append(timeMs, output(results, 'host_k'), output(results, 'host_v'));
      await memory.append(this.cache, timeMs, frame);
    } finally {
      frame.k.dispose();
      frame.v.dispose();
    }
  }
}

export class DeviceIntake implements Intake<DeviceStream> {
  readonly #device: Device;

  constructor(device: Device) {
    this.#device = device;
  }

  open(cache: KvCache, window?: WindowContent): DeviceStream {
    return new DeviceStream(this.#device, cache, window);
  }

  /** One frame after the other: a stream's window stays in place instead of being gathered into a batch. */
  async take(frames: readonly IntakeFrame<DeviceStream>[]): Promise<Taken[]> {
    const taken: Taken[] = [];
    for (const { stream, tokens, timeMs } of frames) {
      taken.push(
        await stream.take(tokens, timeMs).then(
          () => null,
          (cause: unknown) => ({ cause }),
        ),
      );
    }
    return taken;
  }
}
