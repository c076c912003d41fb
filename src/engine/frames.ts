/** Frames of all streams on their way into the caches: which are taken in now, and which are merged. */
import { YocoError } from '../errors.ts';
import { FRAME_BATCH } from '../model/intake.ts';
import type { Model } from '../model/model.ts';
import { type EngineStream, type EngineStreams, type FrameJob, sizesOf } from './engine-stream.ts';
import { nextTurn } from './next-turn.ts';
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

/** A frame whose visual tokens are made, and that is not in its cache yet. */
interface Seen {
  readonly stream: EngineStream;
  readonly job: FrameJob;
  readonly tokens: Float32Array;
}

export class Frames {
  readonly #model: Model;
  readonly #streams: EngineStreams;
  readonly #runs: RunTimes;
  readonly #asking: Asking;
  /** At most one of each stream, and FRAME_BATCH in all. */
  #seen: Seen[] = [];

  constructor(model: Model, streams: EngineStreams, runs: RunTimes, asking: Asking) {
    this.#model = model;
    this.#streams = streams;
    this.#runs = runs;
    this.#asking = asking;
  }

  /** Takes in what this turn has room for; returns whether there was anything. */
  async takeSome(): Promise<boolean> {
    const begun = this.#seen.map(({ stream }) => stream);
    const waiting = this.#streams.withFrames().filter((stream) => !begun.includes(stream));
    if (waiting.length === 0 && begun.length === 0) return false;
    // Vision takes longest: while answers are written, no more frames than are needed to keep up stand between two
    // tokens.
    const few = Math.min(FRAME_BATCH, Math.ceil(waiting.length / 2));
    const answering = this.#asking.answering() || this.#asking.waiting();
    const overdue = waiting.filter((stream) => isOverdue(stream.frames[0]));
    const inOrder = [...overdue, ...waiting.filter((stream) => !overdue.includes(stream))];
    // No more than a batch of overdue ones either: where all are overdue, answers would wait for every stream at each
    // token.
    const most = answering ? Math.min(FRAME_BATCH, Math.max(few, overdue.length)) : FRAME_BATCH;
    await this.#see(inOrder.slice(0, Math.min(most, FRAME_BATCH - begun.length)));
    // A question goes before their step of the self-decoder, too, as long as no frame is overdue for it.
    const full = this.#seen.length === FRAME_BATCH || this.#seen.some(({ job }) => isOverdue(job));
    if (full || !(await this.#questionWaits())) await this.#takeBatch();
    return true;
  }

  /** Whether a question waits, of those too that came during the last run: it held up the event loop. */
  async #questionWaits(): Promise<boolean> {
    await nextTurn();
    return this.#asking.waiting();
  }

  /**
   * Makes the visual tokens of one frame of each of these streams; after the first one a new question goes before the
   * others.
   */
  async #see(chosen: readonly EngineStream[]): Promise<void> {
    const { vision } = this.#model;
    let taken = 0;
    for (const stream of chosen) {
      if (taken > 0 && !isOverdue(stream.frames[0]) && (await this.#questionWaits())) break;
      const job = stream.frames.shift();
      if (job === undefined) continue;
      taken++;
      this.#streams.served(stream);
      try {
        // Before the window of its stream has seen it.
        stream.cache.times.check(job.timeMs);
        const tokens = await this.#runs.timed('vision', () => vision.tokens(job.rgb));
        if (isStill(stream, job.timeMs, tokens)) {
          stream.cache.merge(job.timeMs);
          this.#appended(stream, job);
        } else this.#seen.push({ stream, job, tokens });
      } catch (cause) {
        job.reject(new YocoError('internal', { cause }));
      }
    }
  }

  /** Takes what was seen into the caches, in one run. */
  async #takeBatch(): Promise<void> {
    const batch: Seen[] = [];
    for (const seen of this.#seen.splice(0)) {
      // What a closed stream had outside of JavaScript's memory is freed by now.
      if (this.#streams.get(seen.stream.name) === seen.stream) batch.push(seen);
      else seen.job.reject(new YocoError('stream_deleted'));
    }
    if (batch.length === 0) return;
    const { intake } = this.#model;
    try {
      const taken = await this.#runs.timed('selfDecoder', () =>
        intake.take(batch.map(({ stream, job, tokens }) => ({ stream: stream.intake, tokens, timeMs: job.timeMs }))),
      );
      batch.forEach(({ stream, job, tokens }, i) => {
        const failed = taken[i];
        if (failed != null) {
          job.reject(new YocoError('internal', failed));
          return;
        }
        stream.kept = { tokens, timeMs: job.timeMs };
        this.#appended(stream, job);
      });
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

/** Whether a frame has waited for too long. */
function isOverdue(job: FrameJob | undefined): boolean {
  return job !== undefined && performance.now() - job.arrivedMs > OVERDUE_MS;
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
