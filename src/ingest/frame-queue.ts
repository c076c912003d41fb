/** The short queue between a source and the consumer of its frames. */
import type { Frame } from './frame.ts';

/** Maximum number of frames that wait for the consumer; at 224 x 224 a frame takes 147 KiB. */
export const QUEUE_LIMIT = 8;

/**
 * Single reader. When full it either blocks the writer (`hold`: files, nothing is lost) or drops the oldest frame and
 * counts it (`drop`: live sources, where the newest picture is what matters).
 */
export class FrameQueue {
  /** May change while the source determines whether it is live. */
  policy: 'hold' | 'drop';
  #frames: Frame[] = [];
  #ended = false;
  #error: unknown = null;
  #wakeReader: (() => void) | null = null;
  #wakeWriters: (() => void)[] = [];
  #dropped = 0;
  #delivered = 0;
  readonly #limit: number;

  constructor(policy: 'hold' | 'drop', limit: number = QUEUE_LIMIT) {
    this.policy = policy;
    this.#limit = limit;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Frames handed to the reader. */
  get delivered(): number {
    return this.#delivered;
  }

  get size(): number {
    return this.#frames.length;
  }

  /** Adds a frame; resolves when there is room for the next one. After the end, frames are ignored. */
  async push(frame: Frame): Promise<void> {
    if (this.#ended) return;
    this.#frames.push(frame);
    this.#wakeReader?.();
    while (this.#frames.length >= this.#limit && !this.#hasEnded()) {
      if (this.policy === 'drop') {
        if (this.#frames.length === this.#limit) return;
        this.#frames.shift();
        this.#dropped += 1;
      } else {
        await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
      }
    }
  }

  /** No more frames come. Queued frames are still delivered, then `error` is thrown, if there is one. */
  end(error: unknown = null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  /** Ends, and discards the queued frames. */
  cancel(): void {
    this.#frames = [];
    this.#error = null;
    this.#ended = true;
    this.#wake();
  }

  /** The next frame, or null at the end. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#delivered += 1;
        this.#wakeWriters.splice(0).forEach((wake) => {
          wake();
        });
        return frame;
      }
      if (this.#error !== null) throw this.#error as Error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => (this.#wakeReader = resolve));
      this.#wakeReader = null;
    }
  }

  /** A method, since the compiler does not see that `#ended` changes during an `await`. */
  #hasEnded(): boolean {
    return this.#ended;
  }

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeWriters.splice(0).forEach((wake) => {
      wake();
    });
  }
}
