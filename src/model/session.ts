/** Sessions of ONNX Runtime. `run` blocks its thread: only the engine process calls it. */
import { YocoError } from '../errors.ts';
import { InferenceSession, Tensor } from './onnxruntime.ts';

export interface SessionOptions {
  /** Threads inside one operator; default: ONNX Runtime's choice, one a core. */
  readonly threads?: number;
  /** Where it runs; what it cannot compute runs on the CPU. Default: `cpu`. */
  readonly provider?: 'cpu' | 'webgpu';
  /**
   * Whether what a run needs for itself lies in one arena, kept for the next. For a graph with few large shapes:
   * glibc's heap cannot give a freed aligned block out again for one of the same size (before 2.38), and grows by the
   * difference.
   */
  readonly arena?: boolean;
}

export async function openSession(filename: string, options: SessionOptions = {}): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(filename, {
      executionProviders: [options.provider ?? 'cpu'],
      graphOptimizationLevel: 'all',
      // By default none: shapes vary with every question, and an arena would keep the largest of each for ever.
      enableCpuMemArena: options.arena ?? false,
      enableMemPattern: false,
      // Vision, both decoders and the index take turns, each with threads of its own. By default those that have just
      // run spin in wait of more, against the session whose turn it is, ffmpeg and the service (onnxruntime #11841,
      // #17011).
      extra: { session: { intra_op: { allow_spinning: '0' } } },
      logSeverityLevel: 3,
      ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    });
  } catch (cause) {
    throw new YocoError('bundle_damaged', { detail: `${filename} cannot be loaded.`, cause });
  }
}

export function floats(data: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', data, dims);
}

export function integers(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
}

/** The float32 output of that name. */
export function output(results: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  const tensor = results[name];
  if (!(tensor?.data instanceof Float32Array)) {
    throw new YocoError('bundle_damaged', { detail: `A graph lacks the output ${name}.` });
  }
  return tensor.data;
}
