/** The machine that figures are measured on, its limits, and tools to measure with. */
import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { float32Tensor, openSession, output } from '../src/model/session.ts';

export const GRAPHS = fileURLToPath(new URL('graphs', import.meta.url));

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  /** Load average over the minute before the benches: figures need an idle machine. */
  readonly load: number;
}

export function machine(): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    node: process.version,
    load: round(os.loadavg()[0] ?? 0),
  };
}

/** Median and 95th percentile (nearest rank): the least value that 95% of all do not exceed. 0 without values. */
export function quantiles(values: readonly number[]): { readonly median: number; readonly p95: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: round(median(values)), p95: round(sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0) };
}

/** The middle value, or the mean of the two middle ones. 0 without values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low = 0, high = 0] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return (low + high) / 2;
}

export function round(value: number, digits = 1): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

export interface RepeatOptions {
  /** Least and most timed runs, after one warm-up run. */
  readonly minRuns?: number;
  readonly maxRuns?: number;
  /** No run beyond `minRuns` begins after this long. */
  readonly seconds: number;
}

/** Milliseconds of each timed run. */
export async function repeat(run: () => Promise<unknown>, options: RepeatOptions): Promise<number[]> {
  const { minRuns = 3, maxRuns = 200, seconds } = options;
  await run();
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (times.length < minRuns || (times.length < maxRuns && performance.now() < end)) {
    const begin = performance.now();
    await run();
    times.push(performance.now() - begin);
  }
  return times;
}

export interface Limits {
  /** Read bandwidth of ONNX Runtime with all its threads (a sum over 256 MiB). */
  readonly readGBs: number;
  /** Bytes read plus bytes written by a copy in one thread. */
  readonly copyGBs: number;
  /** For a float32 product of two 1,024 x 1,024 matrices by ONNX Runtime with all its threads. */
  readonly gflops: number;
}

/** Upper bounds for any graph on this machine: the best of several runs. */
export async function limits(): Promise<Limits> {
  const rows = 1024;
  const columns = 65_536;
  const large = new Float32Array(rows * columns).fill(0.5);
  const target = new Float32Array(large.length);
  const sum = await openSession(path.join(GRAPHS, 'sum.onnx'));
  const product = await openSession(path.join(GRAPHS, 'matmul.onnx'));
  const square = float32Tensor(large.subarray(0, 1024 * 1024), [1024, 1024]);
  const options = { minRuns: 5, seconds: 1 };
  const reads = await repeat(
    async () => output(await sum.run({ a: float32Tensor(large, [rows, columns]) }), 'y'),
    options,
  );
  const copies = await repeat(() => {
    target.set(large);
    return Promise.resolve();
  }, options);
  const products = await repeat(() => product.run({ a: square, b: square }), options);
  await sum.release();
  await product.release();
  return {
    readGBs: round(large.byteLength / 1e6 / Math.min(...reads)),
    copyGBs: round((2 * large.byteLength) / 1e6 / Math.min(...copies)),
    gflops: round((2 * 1024 ** 3) / 1e6 / Math.min(...products)),
  };
}

/** Current resident memory of a process, and its peak since `resetPeak`; Linux only, 0 elsewhere. */
export async function residentBytes(pid: number | undefined): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid ?? 'self'}/status`, 'utf8').catch(() => '');
  const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}

/** Resets the peak of this process's resident memory, where the system supports it. */
export async function resetPeak(): Promise<void> {
  await writeFile('/proc/self/clear_refs', '5').catch(() => undefined);
}
