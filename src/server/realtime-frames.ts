/** Pictures pushed over one WebSocket: numbered, taken in their order, one reply each, bounded. */
import { YocoError } from '../errors.ts';
import type { LiveStream } from '../live/types.ts';
import type { ServerEvent } from './realtime-events.ts';
import { seconds, wallTime } from './times.ts';

export class FrameIntake {
  readonly #stream: LiveStream;
  readonly #limit: number;
  readonly #emit: (event: ServerEvent) => void;
  readonly #fail: (error: unknown, eventId: string | null, number: number) => void;
  #number = 0;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(
    stream: LiveStream,
    limit: number,
    emit: (event: ServerEvent) => void,
    fail: (error: unknown, eventId: string | null, number: number) => void,
  ) {
    this.#stream = stream;
    this.#limit = limit;
    this.#emit = emit;
    this.#fail = fail;
  }

  /** `eventId` is the client's own, for the reply. The picture is not copied: the caller gives it away. */
  take(image: Uint8Array, timeMs: number | undefined, eventId: string | null): void {
    const number = ++this.#number;
    if (this.#waiting >= this.#limit) {
      this.#emit({ type: 'yoco.frame.dropped', number, reason: 'busy' });
      return;
    }
    this.#waiting += 1;
    this.#last = this.#last.then(() => this.#push(number, image, timeMs, eventId));
  }

  async #push(number: number, image: Uint8Array, timeMs: number | undefined, eventId: string | null): Promise<void> {
    try {
      if (image.length === 0) throw new YocoError('image_undecodable', { param: 'image' });
      const outcome = await this.#stream.push(image, timeMs);
      this.#emit(
        outcome.accepted
          ? {
              type: 'yoco.frame.accepted',
              number,
              t: seconds(outcome.timeMs),
              time: wallTime(outcome.timeMs, this.#stream.status().startedAtMs),
            }
          : { type: 'yoco.frame.dropped', number, reason: outcome.reason },
      );
    } catch (error) {
      this.#fail(error, eventId, number);
    } finally {
      this.#waiting -= 1;
    }
  }
}
