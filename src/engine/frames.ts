/** Frames of all streams on their way into the caches: which are taken in now, and which are merged. */
import { YocoError } from '../errors.ts';
import { FRAME_BATCH } from '../model/intake.ts';
import type { Model } from '../model/model.ts';
import { type EngineStream, type EngineStreams, type FrameJob, sizesOf } from './engine-stream.ts';
import type { RunTimes } from './run-times.ts';

/** A frame that has waited for so long is taken in this turn, however many answers are being written. */
export const OVERDUE_MS = 250;
/** A still scene is kept at least this often, so that every moment of it can be found by its time. */
export const MERGE_MAX_MS = 10_000;

/** What frames give way to. */
export interface Asking {
  /** Whether a question waits. */
  waiting(): boolean;
  /** Whether an answer is being written. */
  answering(): boolean;
}

export class Frames {
  readonly #model: Model;
  readonly #streams: EngineStreams;
  readonly #runs: RunTimes;
  readonly #asking: Asking;

  constructor(model: Model, streams: EngineStreams, runs: RunTimes, asking: Asking) {
    this.#model = model;
    this.#streams = streams;
    this.#runs = runs;
    this.#asking = asking;
  }

  /** Takes in what this turn has room for; returns whether there was anything. */
  async takeSome(): Promise<boolean> {
    const waiting = this.#streams.withFrames();
    if (waiting.length === 0) return false;
    // Vision takes longest: while answers are written, no more frames than are needed to keep up stand between two tokens.
    const few = Math.min(FRAME_BATCH, Math.ceil(waiting.length / 2));
    const answering = this.#asking.answering() || this.#asking.waiting();
    const overdue = waiting.filter(isOverdue);
    const inOrder = [...overdue, ...waiting.filter((stream) => !overdue.includes(stream))];
    // Of overdue ones no more than a batch either: where all are, answers would wait for every stream at each token.
    const most = answering ? Math.min(FRAME_BATCH, Math.max(few, overdue.length)) : FRAME_BATCH;
    await this.#takeBatch(inOrder.slice(0, most));
    return true;
  }

  /** One frame of each of these streams, at most FRAME_BATCH; after the first one a new question goes before the others. */
  async #takeBatch(chosen: readonly EngineStream[]): Promise<void> {
    const { vision, intake } = this.#model;
    const batch: { stream: EngineStream; job: FrameJob; tokens: Float32Array }[] = [];
    let taken = 0;
    for (const stream of chosen) {
      if (taken > 0 && this.#asking.waiting() && !isOverdue(stream)) break;
      const job = stream.frames.shift();
      if (job === undefined) continue;
      taken++;
      this.#streams.served(stream);
      try {
        const tokens = await this.#runs.timed('vision', () => vision.tokens(job.rgb));
        if (isStill(stream, job.timeMs, tokens)) {
          stream.cache.merge(job.timeMs);
          this.#appended(stream, job);
        } else batch.push({ stream, job, tokens });
      } catch (cause) {
        job.reject(new YocoError('internal', { cause }));
      }
    }
    if (batch.length === 0) return;
    try {
      await this.#runs.timed('selfDecoder', () =>
        intake.take(batch.map(({ stream, job, tokens }) => ({ stream: stream.intake, tokens, timeMs: job.timeMs }))),
      );
      for (const { stream, job, tokens } of batch) {
        stream.kept = { tokens, timeMs: job.timeMs };
        this.#appended(stream, job);
      }
    } catch (cause) {
      for (const { job } of batch) job.reject(new YocoError('internal', { cause }));
    }
  }

  /** Tells that a frame is in the cache of its stream, which may have been closed meanwhile. */
  #appended({ name, cache }: EngineStream, job: FrameJob): void {
    if (this.#streams.get(name)?.cache !== cache) {
      job.reject(new YocoError('stream_deleted'));
      return;
    }
    this.#runs.countFrame();
    job.resolve(sizesOf(cache, job.timeMs));
  }
}

/** Whether the next frame of a stream has waited for too long. */
function isOverdue({ frames: [next] }: EngineStream): boolean {
  return next !== undefined && performance.now() - next.arrivedMs > OVERDUE_MS;
}

/** Whether a frame hardly differs from the last one that was kept, and that one is recent. */
function isStill({ kept, mergeBelow }: EngineStream, timeMs: number, tokens: Float32Array): boolean {
  if (mergeBelow <= 0 || kept === undefined || timeMs - kept.timeMs >= MERGE_MAX_MS) return false;
  let difference = 0;
  let length = 0;
  tokens.forEach((value, i) => {
    const before = kept.tokens[i] ?? 0;
    difference += (value - before) ** 2;
    length += before ** 2;
  });
  return difference < mergeBelow ** 2 * length;
}
