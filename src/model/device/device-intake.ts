/** Takes frames through a self-decoder on a device. Window, K and V stay there; a copy of K and V goes to the host. */
import type { Intake, IntakeFrame, IntakeStream, IntakeResult } from '../intake.ts';
import type { KvCache } from '../kv-cache.ts';
import type { Tensor } from '../onnxruntime.ts';
import { float32Tensor, output } from '../session.ts';
import { CLOCK_CODE_SIZE, clockCode } from '../time-code.ts';
import type { WindowContent } from '../window.ts';
import { SegmentWindow } from '../window.ts';
import type { Device } from './device.ts';
import { deviceOutput } from './device-session.ts';

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
    this.#pastK = float32Tensor(host.keys, dims);
    this.#pastV = float32Tensor(host.values, dims);
    device.memory.open(cache);
  }

  async windowContent(): Promise<WindowContent> {
    const { selfLayers, selfKvHeads, headDim, window } = this.#device.config;
    const results = await this.#device.windowReadback.run({ past_k: this.#pastK, past_v: this.#pastV });
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
  async append(tokens: Float32Array, timeMs: number): Promise<void> {
    const { config, memory, selfDecoder } = this.#device;
    const { tokensPerFrame: n, width, window } = config;
    const clock = new Float32Array(n * CLOCK_CODE_SIZE);
    const code = clockCode(timeMs);
    for (let token = 0; token < n; token++) clock.set(code, token * CLOCK_CODE_SIZE);
    const results = await selfDecoder.run({
      tokens: float32Tensor(tokens, [1, n, width]),
      clock: float32Tensor(clock, [1, n, CLOCK_CODE_SIZE]),
      past_k: this.#pastK,
      past_v: this.#pastV,
      past_length: float32Tensor(Float32Array.of(this.#length), [1]),
    });
    this.#pastK.dispose();
    this.#pastV.dispose();
    this.#pastK = deviceOutput(results, 'next_k');
    this.#pastV = deviceOutput(results, 'next_v');
    this.#length = Math.min(window, this.#length + n);
    const frame = { k: deviceOutput(results, 'k'), v: deviceOutput(results, 'v') };
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
  async append(frames: readonly IntakeFrame<DeviceStream>[]): Promise<IntakeResult[]> {
    const taken: IntakeResult[] = [];
    for (const { stream, tokens, timeMs } of frames) {
      taken.push(
        await stream.append(tokens, timeMs).then(
          () => null,
          (cause: unknown) => ({ cause }),
        ),
      );
    }
    return taken;
  }
}
