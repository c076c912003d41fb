/** Pictures pushed over one WebSocket: numbered, processed in order, one reply each, in a bounded queue. */
import { YocoError } from '../errors.ts';
import { checkCaptureTime } from '../ingest/capture-time.ts';
import type { LiveStream } from '../live/types.ts';
import { pushForbiddenError } from './permissions.ts';
import type { ClientEvent } from './realtime-events.ts';
import { frameTime, seconds, wallTime } from './times.ts';
import type { UnsentEvent } from './unsent-event.ts';

export interface FrameIntakeOptions {
  readonly mayPush: boolean;
  /** Limit of pictures that wait for the engine. */
  readonly maxPending: number;
}

/** A queued picture. */
interface QueuedFrame {
  readonly image: Uint8Array;
  readonly time: number | Date | undefined;
  /** Arrival, by `performance.now()`. */
  readonly arrivedMs: number;
}

export class FrameIntake {
  readonly #stream: LiveStream;
  readonly #options: FrameIntakeOptions;
  readonly #emit: (event: UnsentEvent) => void;
  readonly #fail: (error: unknown, eventId: string | null, number: number) => void;
  #number = 0;
  #pending = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(
    stream: LiveStream,
    options: FrameIntakeOptions,
    emit: (event: UnsentEvent) => void,
    fail: (error: unknown, eventId: string | null, number: number) => void,
  ) {
    this.#stream = stream;
    this.#options = options;
    this.#emit = emit;
    this.#fail = fail;
  }

  /** Takes in the picture of an event. Throws `invalid_request` if it is not base64 or its time is malformed. */
  append({ image, t, event_id: eventId }: Extract<ClientEvent, { type: 'yoco.frame.append' }>): void {
    this.enqueue(decodeBase64(image), t === undefined ? undefined : frameTime(t, 't'), eventId ?? null);
  }

  /** `eventId` is the client's own, for errors. The picture is not copied: the caller must not reuse it. */
  enqueue(image: Uint8Array, time: number | Date | undefined, eventId: string | null): void {
    const number = ++this.#number;
    if (!this.#options.mayPush) {
      this.#fail(pushForbiddenError(), eventId, number);
      return;
    }
    if (this.#pending >= this.#options.maxPending) {
      this.#emit({ type: 'yoco.frame.dropped', number, reason: 'busy' });
      return;
    }
    this.#pending += 1;
    const arrivedMs = performance.now();
    this.#last = this.#last.then(() => this.#push(number, { image, time, arrivedMs }, eventId));
  }

  async #push(number: number, { image, time, arrivedMs }: QueuedFrame, eventId: string | null): Promise<void> {
    try {
      checkCaptureTime(time, 't');
      if (image.length === 0) throw new YocoError('image_undecodable', { param: 'image' });
      // Its time is its arrival, not the moment when the pictures before it were decoded.
      const outcome = await this.#stream.push(image, time, performance.now() - arrivedMs);
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
      this.#pending -= 1;
    }
  }
}

/** Throws `invalid_request` when the text is not base64. */
function decodeBase64(text: string): Buffer {
  const bare = text.replace(/^data:image\/(jpeg|png);base64,/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(bare) || bare.length % 4 === 1) {
    const detail =
      'image: must be base64 without line breaks, or a data URL ("data:image/jpeg;base64,..."), of a JPEG or PNG.';
    throw new YocoError('invalid_request', { param: 'image', detail });
  }
  return Buffer.from(bare, 'base64');
}
