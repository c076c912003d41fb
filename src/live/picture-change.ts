/**
 * When a stream's picture last changed at all. A camera whose encoder has hung goes on sending the same picture: its
 * connection is alive and its frames are new, only their pixels tell. Noise makes two pictures of a working camera
 * differ, but for the frames between two key frames of a scene in which nothing moves.
 */
import type { Frame } from '../ingest/frame.ts';

export class PictureChange {
  #newest: Uint8Array | undefined;
  #changedMs: number | null = null;

  /** Time of the newest frame that differs from the one before it, or of the first frame; null before that. */
  get changedMs(): number | null {
    return this.#changedMs;
  }

  /** Takes the next frame; keeps its pixels until the one after it. */
  observe({ timeMs, rgb }: Pick<Frame, 'timeMs' | 'rgb'>): void {
    if (this.#newest === undefined || Buffer.compare(this.#newest, rgb) !== 0) this.#changedMs = timeMs;
    this.#newest = rgb;
  }
}
