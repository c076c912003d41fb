/** ONNX Runtime sessions on a device: chosen outputs stay there, and the bytes transferred are counted. */
import { YocoError } from '../../errors.ts';
import * as ort from '../onnxruntime.ts';

/** Bytes transferred between this process and the device. */
export interface Transfers {
  toDevice: number;
  toHost: number;
}

export class DeviceSession {
  readonly #session: ort.InferenceSession;
  readonly #transfers: Transfers;

  private constructor(session: ort.InferenceSession, transfers: Transfers) {
    this.#session = session;
    this.#transfers = transfers;
  }

  /**
   * `deviceOutputs`: outputs that stay on the device; the caller must dispose of their tensors. `profile`: filename
   * prefix of a profile that tells which operators ran where. Throws `device_unavailable` if WebGPU finds no usable
   * device.
   */
  static async open(
    filename: string,
    deviceOutputs: readonly string[],
    transfers: Transfers,
    profile?: string,
  ): Promise<DeviceSession> {
    const options: ort.InferenceSession.SessionOptions = {
      executionProviders: ['webgpu'],
      graphOptimizationLevel: 'all',
      preferredOutputLocation: Object.fromEntries(deviceOutputs.map((name) => [name, 'gpu-buffer'] as const)),
      logSeverityLevel: 3,
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    };
    try {
      return new DeviceSession(await ort.InferenceSession.create(filename, options), transfers);
    } catch (cause) {
      throw new YocoError('device_unavailable', { detail: 'WebGPU found none, or it cannot run the model.', cause });
    }
  }

  async run(feeds: Readonly<Record<string, ort.Tensor>>): Promise<Readonly<Record<string, ort.Tensor>>> {
    for (const tensor of Object.values(feeds))
      if (tensor.location === 'cpu') this.#transfers.toDevice += bytesOf(tensor);
    const results = await this.#session.run(feeds);
    for (const tensor of Object.values(results))
      if (tensor.location === 'cpu') this.#transfers.toHost += bytesOf(tensor);
    return results;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** All graphs hold float32. */
const bytesOf = (tensor: ort.Tensor): number => tensor.size * Float32Array.BYTES_PER_ELEMENT;

/** An output that stays on the device. */
export function deviceOutput(results: Readonly<Record<string, ort.Tensor>>, name: string): ort.Tensor {
  const found = results[name];
  if (found === undefined) throw new YocoError('bundle_damaged', { detail: `A graph lacks the output ${name}.` });
  return found;
}
