/**
 * Sends events in order to an address that the operator chose, following https://www.standardwebhooks.com: each request
 * has an id, a time and, with a secret, a signature over both and the body.
 */
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemCode } from '../system-code.ts';
import { VERSION } from '../version.ts';
import type { AnswerPicture } from './answer-picture.ts';
import { newId } from './ids.ts';

/** Events that may wait while one is sent; beyond that the oldest are dropped. */
export const MAX_QUEUED_EVENTS = 100;
/** JPEG bytes that may wait with them; beyond that the oldest events lose their pictures. */
export const MAX_QUEUED_PICTURE_BYTES = 2 ** 20;
/** Delays before each retry, ms; after the last retry the event is given up. */
const RETRY_DELAYS_MS: readonly number[] = [1_000, 5_000, 25_000];
/** Time limit for a response, ms. */
const TIMEOUT_MS = 10_000;
/** Statuses retried besides 5xx: they ask to be tried later. */
const RETRIED_STATUSES: readonly number[] = [408, 425, 429];
const SECRET_PREFIX = 'whsec_';
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** Shortest key, bytes. */
export const MIN_KEY_BYTES = 16;

/** Outcome of an event: given up after it was tried (`failed`), or before (`dropped`). */
export type WebhookOutcome = 'delivered' | 'failed' | 'dropped';

export interface WebhookOptions {
  readonly url: string;
  /** Signing key; see `signingKeyOf`. */
  readonly key?: Buffer;
  /** Called with why an event or picture was given up; omits the address's path, which may be a secret. */
  readonly onWarning: (message: string) => void;
  /** Called with an outcome and the number of events that had it. */
  readonly onOutcome?: (outcome: WebhookOutcome, events: number) => void;
  /** Default: `RETRY_DELAYS_MS`. */
  readonly retryDelaysMs?: readonly number[];
  /** Default: `TIMEOUT_MS`. */
  readonly timeoutMs?: number;
}

interface QueuedEvent {
  readonly id: string;
  readonly event: object;
  /** Null until it arrives, and after it was given up; absent if the event has none. */
  picture?: AnswerPicture | null;
  /** Resolves once no picture is outstanding. */
  readonly ready: Promise<void>;
}

interface Message {
  readonly id: string;
  readonly body: string;
}

/** Why an event did not arrive, and whether it is tried again. */
interface Failure {
  readonly reason: string;
  readonly retryable: boolean;
}

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #host: string;
  readonly #stop = new AbortController();
  readonly #queue: QueuedEvent[] = [];
  #sending: Promise<void> | null = null;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#host = new URL(options.url).host;
  }

  get url(): string {
    return this.#options.url;
  }

  /**
   * Queues `event` and returns at once. It is sent as JSON with an `id` that stays the same across retries, and with
   * `picture` once that resolves; later events wait for it. `picture` must not reject.
   */
  send(event: object, picture?: Promise<AnswerPicture | null>): void {
    if (this.#isStopped()) return;
    this.#queue.push(this.#createQueuedEvent(event, picture));
    if (this.#queue.length > MAX_QUEUED_EVENTS) {
      this.#queue.shift();
      this.#warn(`${MAX_QUEUED_EVENTS} events are queued; the oldest was dropped.`);
      this.#reportOutcome('dropped');
    }
    this.#sending ??= this.#sendAll();
  }

  #createQueuedEvent(event: object, picture?: Promise<AnswerPicture | null>): QueuedEvent {
    const id = newId('evt');
    if (picture === undefined) return { id, event, ready: Promise.resolve() };
    const queued: QueuedEvent = {
      id,
      event,
      picture: null,
      ready: picture.then((found) => {
        queued.picture = found;
        this.#dropExcessPictures();
      }),
    };
    return queued;
  }

  #dropExcessPictures(): void {
    let bytes = 0;
    for (const queued of this.#queue.toReversed()) {
      const size = queued.picture?.jpeg.byteLength ?? 0;
      bytes += size;
      if (size === 0 || bytes <= MAX_QUEUED_PICTURE_BYTES) continue;
      queued.picture = null;
      this.#warn(
        `${MAX_QUEUED_PICTURE_BYTES / 2 ** 20} MiB of pictures are queued; the oldest was dropped, but not its event.`,
      );
    }
  }

  /** Resolves when no event is waiting or being sent. */
  async whenDrained(): Promise<void> {
    await this.#sending;
  }

  /** Waiting events have `graceMs` to be sent and are then given up. */
  async close(graceMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#stop.abort();
    }, graceMs);
    await this.whenDrained();
    clearTimeout(timer);
    this.#stop.abort();
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      await next.ready;
      await this.#deliver(messageOf(next));
      if (!this.#isStopped()) continue;
      const left = this.#queue.splice(0).length;
      if (left === 0) continue;
      this.#warn(`${left} more queued events were dropped.`);
      this.#reportOutcome('dropped', left);
    }
    this.#sending = null;
  }

  async #deliver(message: Message): Promise<void> {
    const waits = this.#options.retryDelaysMs ?? RETRY_DELAYS_MS;
    for (let tries = 0; ; tries++) {
      const failure = await this.#post(message);
      if (failure === null) {
        this.#reportOutcome('delivered');
        return;
      }
      const wait = failure.retryable ? waits[tries] : undefined;
      // `close` ends the wait by aborting it.
      if (wait !== undefined) await sleep(wait, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (wait !== undefined && !this.#isStopped()) continue;
      this.#warn(
        `an event was given up: ${this.#isStopped() ? 'the service is shutting down, and ' : ''}${failure.reason}.`,
      );
      this.#reportOutcome('failed');
      return;
    }
  }

  /** A method, since the compiler does not see that the signal changes during an `await`. */
  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Null when the receiver accepted it. */
  async #post({ id, body }: Message): Promise<Failure | null> {
    const { url, key, timeoutMs = TIMEOUT_MS } = this.#options;
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const signature = key === undefined ? {} : { 'webhook-signature': sign(key, `${id}.${timestamp}.${body}`) };
    // Not `AbortSignal.any` with `AbortSignal.timeout`: in Node 20 such a timeout can be garbage-collected.
    const controller = new AbortController();
    const abort = (): void => {
      controller.abort();
    };
    const timer = setTimeout(abort, timeoutMs);
    this.#stop.signal.addEventListener('abort', abort);
    if (this.#isStopped()) abort();
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': `yoco-live/${VERSION}`,
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          ...signature,
        },
        body,
        // The operator did not choose where a redirect leads.
        redirect: 'manual',
        signal: controller.signal,
      });
      await response.body?.cancel();
      const { status } = response;
      if (status >= 200 && status < 300) return null;
      return { reason: `it answers ${status}`, retryable: status >= 500 || RETRIED_STATUSES.includes(status) };
    } catch (error) {
      if (this.#isStopped()) return { reason: 'it did not answer', retryable: false };
      if (controller.signal.aborted) return { reason: `no answer within ${timeoutMs / 1_000} s`, retryable: true };
      const code = systemCode(error);
      return { reason: `it cannot be reached${code === undefined ? '' : ` (${code})`}`, retryable: true };
    } finally {
      clearTimeout(timer);
      this.#stop.signal.removeEventListener('abort', abort);
    }
  }

  #warn(message: string): void {
    this.#options.onWarning(`The webhook at ${this.#host}: ${message}`);
  }

  #reportOutcome(outcome: WebhookOutcome, events = 1): void {
    this.#options.onOutcome?.(outcome, events);
  }
}

function messageOf({ id, event, picture }: QueuedEvent): Message {
  const pictured =
    picture === undefined
      ? {}
      : { picture: picture === null ? null : { ...picture, jpeg: picture.jpeg.toString('base64') } };
  return { id, body: JSON.stringify({ id, ...event, ...pictured }) };
}

/**
 * The signing key of a secret: the decoded base64 after `whsec_`, or the bytes of any other text. Null if the base64 is
 * invalid or the key is shorter than `MIN_KEY_BYTES`.
 */
export function signingKeyOf(secret: string): Buffer | null {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : null;
  if (encoded !== null && !BASE64.test(encoded)) return null;
  const key = encoded === null ? Buffer.from(secret) : Buffer.from(encoded, 'base64');
  return key.length < MIN_KEY_BYTES ? null : key;
}

function sign(key: Buffer, text: string): string {
  return `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
}
