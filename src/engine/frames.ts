/** Frames of all streams on their way into the caches: which are taken in now, and which are merged. */
import { YocoError } from '../errors.ts';
import { FRAME_BATCH } from '../model/intake.ts';
import type { Model } from '../model/model.ts';
import { type EngineStream, type EngineStreams, type FrameJob, sizesOf } from './engine-stream.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';
import type { RunTimes } from './run-times.ts';

/** A frame that has waited this long is overdue: it is taken in ahead of others, even while answers are written. */
export const OVERDUE_MS = 250;
/** A still scene is kept at least this often, so that every moment of it can be found by its time. */
export const MERGE_MAX_MS = 10_000;

/** Work that has priority over frames. */
export interface PriorityWork {
  /** Whether a question waits. */
  isQuestionWaiting(): boolean;
  /** Whether an answer is being written. */
  isAnswering(): boolean;
}

/** A frame whose visual tokens are computed, but which is not in its cache yet. */
interface EncodedFrame {
  readonly stream: EngineStream;
  readonly job: FrameJob;
  readonly tokens: Float32Array;
}

export class Frames {
  readonly #model: Model;
  readonly #streams: EngineStreams;
  readonly #runs: RunTimes;
  readonly #priorityWork: PriorityWork;
  /** At most one per stream, and FRAME_BATCH in total. */
  #encoded: EncodedFrame[] = [];

  constructor(model: Model, streams: EngineStreams, runs: RunTimes, priorityWork: PriorityWork) {
    this.#model = model;
    this.#streams = streams;
    this.#runs = runs;
    this.#priorityWork = priorityWork;
  }

  /** Takes in as many frames as fit into this turn; returns whether there were any. */
  async takeIn(): Promise<boolean> {
    const begun = this.#encoded.map(({ stream }) => stream);
    const waiting = this.#streams.withFrames().filter((stream) => !begun.includes(stream));
    if (waiting.length === 0 && begun.length === 0) return false;
    // Vision is the slowest part: while answers are written, only as many frames as are needed to keep up go between
    // two tokens.
    const few = Math.min(FRAME_BATCH, Math.ceil(waiting.length / 2));
    const answering = this.#priorityWork.isAnswering() || this.#priorityWork.isQuestionWaiting();
    const overdue = waiting.filter((stream) => isOverdue(stream.queuedFrames[0]));
    const inOrder = [...overdue, ...waiting.filter((stream) => !overdue.includes(stream))];
    // Overdue frames are limited to a batch, too: if all were taken, answers would wait for every stream at each token.
    const most = answering ? Math.min(FRAME_BATCH, Math.max(few, overdue.length)) : FRAME_BATCH;
    await this.#encode(inOrder.slice(0, Math.min(most, FRAME_BATCH - begun.length)));
    // A question also goes ahead of the batch's self-decoder step, unless the batch is full or has an overdue frame.
    const full = this.#encoded.length === FRAME_BATCH || this.#encoded.some(({ job }) => isOverdue(job));
    if (full || !(await this.#isQuestionWaiting())) await this.#takeBatch();
    return true;
  }

  /** Whether a question waits, including those that arrived while the last run blocked the event loop. */
  async #isQuestionWaiting(): Promise<boolean> {
    await yieldToEventLoop();
    return this.#priorityWork.isQuestionWaiting();
  }

  /**
   * Computes the visual tokens of one frame of each of these streams. After the first frame, a new question goes ahead
   * of those that are not overdue.
   */
  async #encode(chosen: readonly EngineStream[]): Promise<void> {
    const { vision } = this.#model;
    let taken = 0;
    for (const stream of chosen) {
      if (taken > 0 && !isOverdue(stream.queuedFrames[0]) && (await this.#isQuestionWaiting())) break;
      const job = stream.queuedFrames.shift();
      if (job === undefined) continue;
      taken++;
      this.#streams.moveToEnd(stream);
      try {
        // Checked before the frame enters its stream's window.
        stream.cache.times.checkOrder(job.timeMs);
        const tokens = await this.#runs.measure('vision', () => vision.encode(job.rgb));
        if (isStill(stream, job.timeMs, tokens)) {
          stream.cache.merge(job.timeMs);
          this.#reportAppended(stream, job);
        } else this.#encoded.push({ stream, job, tokens });
      } catch (cause) {
        job.reject(new YocoError('internal', { cause }));
      }
    }
  }

  /** Takes the seen frames into the caches, in one run. */
  async #takeBatch(): Promise<void> {
    const batch: EncodedFrame[] = [];
    for (const frame of this.#encoded.splice(0)) {
      // What a closed stream held outside JavaScript's memory is already freed.
      if (this.#streams.get(frame.stream.name) === frame.stream) batch.push(frame);
      else frame.job.reject(new YocoError('stream_deleted'));
    }
    if (batch.length === 0) return;
    const { intake } = this.#model;
    try {
      const taken = await this.#runs.measure('selfDecoder', () =>
        intake.append(batch.map(({ stream, job, tokens }) => ({ stream: stream.intake, tokens, timeMs: job.timeMs }))),
      );
      batch.forEach(({ stream, job, tokens }, i) => {
        const failed = taken[i];
        if (failed != null) {
          job.reject(new YocoError('internal', failed));
          return;
        }
        stream.kept = { tokens, timeMs: job.timeMs };
        this.#reportAppended(stream, job);
      });
    } catch (cause) {
      for (const { job } of batch) job.reject(new YocoError('internal', { cause }));
    }
  }

  /** Reports that a frame is in its stream's cache, unless the stream was closed meanwhile. */
  #reportAppended({ name, cache }: EngineStream, job: FrameJob): void {
    if (this.#streams.get(name)?.cache !== cache) {
      job.reject(new YocoError('stream_deleted'));
      return;
    }
    this.#runs.countFrame();
    job.resolve(sizesOf(cache, job.timeMs));
  }
}

/** Whether a frame is overdue. */
function isOverdue(job: FrameJob | undefined): boolean {
  return job !== undefined && performance.now() - job.arrivedMs > OVERDUE_MS;
}

/** Whether a frame hardly differs from the last kept one, which is recent enough to merge it into. */
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
