/**
 * Logs who changed what and who was refused: a line for each stream or snapshot that a client creates or deletes, and
 * rate-limited lines for refusals, so that nobody can flood the log. A line identifies a key by its position in the
 * settings and never holds a credential.
 */
import type { YocoError } from '../errors.ts';
import { redact } from '../ingest/redact.ts';
import type { Grant } from './auth.ts';
import type { ServerLog } from './limits.ts';

/**
 * The first refusal of an error code and address is logged at once; further ones are counted in one line per this
 * interval, ms.
 */
export const REFUSALS_EVERY_MS = 60_000;
/** Pairs of error code and address that are counted separately at a time; further ones share one line. */
export const MAX_REFUSED = 32;
/** An origin is whatever the client sends, so it is cut to this length. */
const ORIGIN_CHARS = 100;
const REFUSALS: readonly string[] = ['unauthorized', 'origin_forbidden', 'forbidden', 'source_forbidden'];

/** Who sent a request. */
export interface Caller {
  readonly grant: Grant;
  /** Address of the other end of the connection. */
  readonly from: string;
}

/** A refused request. `route` is the route's pattern, since the address as sent may hold a secret. */
export interface Refused {
  readonly from: string | undefined;
  readonly method: string | undefined;
  readonly route: string | undefined;
  readonly origin: string | undefined;
  /** The credential that was accepted before the refusal, if any. */
  readonly grant?: Grant | undefined;
}

interface Recent {
  /** Fields of the lines about further refusals. */
  readonly about: object;
  readonly timer: NodeJS.Timeout;
  more: number;
}

export class AuditLog {
  readonly #log: ServerLog;
  readonly #everyMs: number;
  readonly #recent = new Map<string, Recent>();

  constructor(log: ServerLog, everyMs: number = REFUSALS_EVERY_MS) {
    this.#log = log;
    this.#everyMs = everyMs;
  }

  changed({ grant, from }: Caller, fields: object, message: string): void {
    this.#log.info?.({ ...fields, by: byOf(grant), from }, message);
  }

  /** Takes any error of a request or of a WebSocket event, and logs those that refuse access. */
  refused(error: YocoError, { from = 'unknown', method, route, origin, grant }: Refused): void {
    const { code, message } = error;
    if (!REFUSALS.includes(code)) return;
    const own = `${code} ${from}`;
    const shares = !this.#recent.has(own) && this.#recent.size >= MAX_REFUSED;
    const key = shares ? '' : own;
    const recent = this.#recent.get(key);
    if (recent !== undefined) {
      recent.more += 1;
      return;
    }
    const named = origin === undefined ? {} : { origin: redact(origin.slice(0, ORIGIN_CHARS)) };
    const by = grant === undefined ? {} : { by: byOf(grant) };
    this.#log.warn({ code, ...by, from, method, route, ...named }, `A request was refused: ${message}`);
    const timer = setTimeout(() => {
      this.#sum(key);
    }, this.#everyMs).unref();
    this.#recent.set(key, { about: shares ? {} : { code, from }, timer, more: 0 });
  }

  /** Logs the counts that are still outstanding. */
  close(): void {
    for (const { about, timer, more } of this.#recent.values()) {
      clearTimeout(timer);
      this.#tellOfMore(about, more);
    }
    this.#recent.clear();
  }

  /** Logs the count and runs again, for as long as refusals come. */
  #sum(key: string): void {
    const recent = this.#recent.get(key);
    if (recent === undefined) return;
    if (recent.more === 0) {
      this.#recent.delete(key);
      return;
    }
    this.#tellOfMore(recent.about, recent.more);
    recent.more = 0;
    recent.timer.refresh();
  }

  #tellOfMore(about: object, requests: number): void {
    if (requests > 0)
      this.#log.warn({ ...about, requests }, 'More requests were refused since the last message about this.');
  }
}

/** `key 2`, `view key 1`, `token of view key 1`, or `none` where no keys are configured. */
function byOf(grant: Grant): string {
  if (grant.kind === 'open') return 'none';
  const { kind, number } = grant.key;
  return `${grant.kind === 'token' ? 'token of ' : ''}${kind === 'view' ? 'view ' : ''}key ${number}`;
}
