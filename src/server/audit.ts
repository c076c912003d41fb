/**
 * Logs who changed what and who was refused: a line for each stream or snapshot that a client creates or deletes, and
 * rate-limited lines for refusals, so that nobody can flood the log. A line identifies a key by its position in the
 * settings and never holds a credential.
 */
import type { YocoError } from '../errors.ts';
import { redact } from '../ingest/redact.ts';
import type { Grant } from './auth.ts';
import type { ServerLog } from './server-options.ts';

/**
 * The first refusal of an error code and address is logged at once; further ones are counted in one line per this
 * interval, ms.
 */
export const REFUSAL_SUMMARY_INTERVAL_MS = 60_000;
/** Pairs of error code and address that are counted separately at a time; further ones share one line. */
export const MAX_REFUSAL_KINDS = 32;
/** An origin is whatever the client sends, so it is cut to this length. */
const ORIGIN_CHARS = 100;
const REFUSAL_CODES: readonly string[] = ['unauthorized', 'origin_forbidden', 'forbidden', 'source_forbidden'];

/** Who sent a request. */
export interface Caller {
  readonly grant: Grant;
  /** Address of the other end of the connection. */
  readonly address: string;
}

/** A refused request. `route` is the route's pattern, since the address as sent may hold a secret. */
export interface RefusedRequest {
  readonly address: string | undefined;
  readonly method: string | undefined;
  readonly route: string | undefined;
  readonly origin: string | undefined;
  /** The credential that was accepted before the refusal, if any. */
  readonly grant?: Grant | undefined;
}

interface RefusalCounter {
  /** Fields of the lines about further refusals. */
  readonly fields: object;
  readonly timer: NodeJS.Timeout;
  count: number;
}

export class AuditLog {
  readonly #log: ServerLog;
  readonly #intervalMs: number;
  readonly #counters = new Map<string, RefusalCounter>();

  constructor(log: ServerLog, intervalMs: number = REFUSAL_SUMMARY_INTERVAL_MS) {
    this.#log = log;
    this.#intervalMs = intervalMs;
  }

  logChange({ grant, address: from }: Caller, fields: object, message: string): void {
    this.#log.info?.({ ...fields, by: describeGrant(grant), from }, message);
  }

  /** Takes any error of a request or of a WebSocket event, and logs those that refuse access. */
  logRefusal(error: YocoError, { address: from = 'unknown', method, route, origin, grant }: RefusedRequest): void {
    const { code, message } = error;
    if (!REFUSAL_CODES.includes(code)) return;
    const own = `${code} ${from}`;
    const shares = !this.#counters.has(own) && this.#counters.size >= MAX_REFUSAL_KINDS;
    const key = shares ? '' : own;
    const counter = this.#counters.get(key);
    if (counter !== undefined) {
      counter.count += 1;
      return;
    }
    const named = origin === undefined ? {} : { origin: redact(origin.slice(0, ORIGIN_CHARS)) };
    const by = grant === undefined ? {} : { by: describeGrant(grant) };
    this.#log.warn({ code, ...by, from, method, route, ...named }, `A request was refused: ${message}`);
    const timer = setTimeout(() => {
      this.#logSummary(key);
    }, this.#intervalMs).unref();
    this.#counters.set(key, { fields: shares ? {} : { code, from }, timer, count: 0 });
  }

  /** Logs the counts that are still outstanding. */
  close(): void {
    for (const { fields, timer, count } of this.#counters.values()) {
      clearTimeout(timer);
      this.#logCount(fields, count);
    }
    this.#counters.clear();
  }

  /** Logs the count and runs again, for as long as refusals come. */
  #logSummary(key: string): void {
    const counter = this.#counters.get(key);
    if (counter === undefined) return;
    if (counter.count === 0) {
      this.#counters.delete(key);
      return;
    }
    this.#logCount(counter.fields, counter.count);
    counter.count = 0;
    counter.timer.refresh();
  }

  #logCount(fields: object, count: number): void {
    if (count > 0)
      this.#log.warn({ ...fields, requests: count }, 'More requests were refused since the last message about this.');
  }
}

/** `key 2`, `view key 1`, `token of view key 1`, or `none` where no keys are configured. */
function describeGrant(grant: Grant): string {
  if (grant.kind === 'open') return 'none';
  const { kind, number } = grant.key;
  return `${grant.kind === 'token' ? 'token of ' : ''}${kind === 'view' ? 'view ' : ''}key ${number}`;
}
