/**
 * Who changed what, and who was refused, in the log: a line for each stream and each snapshot that a client makes or
 * ends, and for refusals so few lines that nobody can fill the log with them. A key is told by its place in the
 * settings; no credential is ever in a line.
 */
import type { YocoError } from '../errors.ts';
import { redact } from '../ingest/redact.ts';
import type { Grant } from './auth.ts';
import type { ServerLog } from './limits.ts';

/**
 * The first refusal of a kind and an address is logged at once; how many more came in so long after it, ms, is told in
 * one line.
 */
export const REFUSALS_EVERY_MS = 60_000;
/** Kinds of refusals by address that are told apart at a time; further ones share one line. */
export const MAX_REFUSED = 32;
/** An origin is whatever the client says. */
const ORIGIN_CHARS = 100;
const REFUSALS: readonly string[] = ['unauthorized', 'origin_forbidden', 'forbidden', 'source_forbidden'];

/** Who asks. */
export interface Caller {
  readonly grant: Grant;
  /** Address of the other end of the connection. */
  readonly from: string;
}

/**
 * What was refused. `route` is that of the service, since an address may hold what its sender should have kept to
 * himself.
 */
export interface Refused {
  readonly from: string | undefined;
  readonly method: string | undefined;
  readonly route: string | undefined;
  readonly origin: string | undefined;
  /** What who asked has shown, where that was found out. */
  readonly grant?: Grant | undefined;
}

interface Recent {
  /** What the lines of further refusals have. */
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

  /** Takes any error of a request, or of an event of an open WebSocket: those that refuse who asks are told of. */
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

  /** Tells what is not told yet. */
  close(): void {
    for (const { about, timer, more } of this.#recent.values()) {
      clearTimeout(timer);
      this.#tellOfMore(about, more);
    }
    this.#recent.clear();
  }

  /** Goes on for as long as refusals come. */
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
