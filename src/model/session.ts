/** ONNX Runtime sessions. `run` blocks its thread, so only the engine process calls it. */
import { YocoError } from '../errors.ts';
import { InferenceSession, Tensor } from './onnxruntime.ts';

export interface SessionOptions {
  /** Threads within one operator; default: ONNX Runtime's choice, one per core. */
  readonly threads?: number;
  /** Execution provider; operators that it does not support run on the CPU. Default: `cpu`. */
  readonly provider?: 'cpu' | 'webgpu';
  /**
   * Whether the memory of a run comes from an arena that is kept for the next run. Meant for graphs with few large
   * shapes: glibc before 2.38 cannot reuse a freed aligned block for another of the same size, so its heap grows by the
   * difference.
   */
  readonly arena?: boolean;
}

export async function openSession(filename: string, options: SessionOptions = {}): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(filename, {
      executionProviders: [options.provider ?? 'cpu'],
      graphOptimizationLevel: 'all',
      // Off by default: shapes vary with every question, and an arena would keep the largest of each forever.
      enableCpuMemArena: options.arena ?? false,
      enableMemPattern: false,
      // Vision, both decoders and the index take turns, each with its own threads. By default, threads that have just
      // run spin while they wait for work, which slows the next session, ffmpeg and the service (onnxruntime #11841,
      // #17011).
      extra: { session: { intra_op: { allow_spinning: '0' } } },
      logSeverityLevel: 3,
      ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    });
  } catch (cause) {
    throw new YocoError('bundle_damaged', { detail: `${filename} cannot be loaded.`, cause });
  }
}

export function float32Tensor(data: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', data, dims);
}

export function int64Tensor(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
}

/** The float32 output of this name. */
export function output(results: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  const tensor = results[name];
  if (!(tensor?.data instanceof Float32Array)) {
    throw new YocoError('bundle_damaged', { detail: `A graph lacks the output ${name}.` });
  }
  return tensor.data;
}
