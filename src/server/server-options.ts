/** Every option of the server, with its default and its bounds. `docs/protocol.md` lists the same limits. */
import { YocoError } from '../errors.ts';
import { hostName } from '../host-name.ts';
import { QUESTION_MAX_CHARS } from '../question-limits.ts';

/** Receives what clients are not told, e.g. the cause of an `internal` error. A pino logger fits. */
export interface ServerLog {
  /** Changes made by clients, and news of the standing questions in streams' files. */
  info?(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ServerOptions {
  /** Address to listen on. Without `apiKeys` it must be a loopback address. */
  readonly host?: string;
  /** TCP port, 0..65535; 0 takes a free one. */
  readonly port?: number;
  /** Keys that clients send as `Authorization: Bearer KEY`. Empty: no key is required, and only loopback is served. */
  readonly apiKeys?: readonly string[];
  /**
   * Keys that may only read and ask; sent the same way. They require at least one API key, and must differ from those.
   */
  readonly viewKeys?: readonly string[];
  /** Web origins besides the page's own that may call the service, e.g. `https://example.com`. */
  readonly allowedOrigins?: readonly string[];
  /** Host names accepted besides loopback ones while no key is configured, e.g. behind a proxy. */
  readonly allowedHosts?: readonly string[];
  /** PEM texts; with them the service speaks https and wss. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
  /** Largest WebSocket message or pushed picture, bytes. */
  readonly maxPayloadBytes?: number;
  /** WebSockets open at once. */
  readonly maxConnections?: number;
  /** Responses in progress at once on one WebSocket. */
  readonly maxResponsesPerConnection?: number;
  /** Standing questions at once on one WebSocket; 0 allows none. */
  readonly maxStandingQuestionsPerConnection?: number;
  /** Pushed pictures of one WebSocket that may wait for the engine; further ones are dropped as `busy`. */
  readonly maxPendingFrames?: number;
  /** Items in one conversation. */
  readonly maxConversationItems?: number;
  /** Invalid messages in a row before a WebSocket is closed with 4400. */
  readonly maxInvalidMessages?: number;
  /** Unsent bytes of one WebSocket before it is closed with 1013. */
  readonly maxBufferedBytes?: number;
  /** Time between two pings, ms; a WebSocket from which no byte arrives in between is closed with 4408. */
  readonly heartbeatMs?: number;
  /** Shortest time between two `yoco.stream.status` events, ms. */
  readonly statusIntervalMs?: number;
  /** Characters of one question. */
  readonly questionMaxChars?: number;
  /** Largest `max_output_tokens`, and what `"inf"` means. */
  readonly maxOutputTokens?: number;
  /** Lifetime of a browser's token, ms; a WebSocket opened with it stays open beyond that. */
  readonly tokenTtlMs?: number;
  /** How long `close()` waits for answers in progress, ms. */
  readonly drainMs?: number;
  /** How long a peer may take to answer a close before its socket is cut, ms. */
  readonly closeGraceMs?: number;
  readonly log?: ServerLog;
}

export type ResolvedOptions = Required<Omit<ServerOptions, 'tls' | 'log'>> &
  Pick<ServerOptions, 'tls'> & { readonly log: ServerLog };

const silent: ServerLog = { warn: () => undefined, error: () => undefined };

export const SERVER_DEFAULTS = {
  host: '127.0.0.1',
  port: 8080,
  apiKeys: [],
  viewKeys: [],
  allowedOrigins: [],
  allowedHosts: [],
  maxPayloadBytes: 8 * 1024 * 1024,
  maxConnections: 256,
  maxResponsesPerConnection: 8,
  maxStandingQuestionsPerConnection: 8,
  maxPendingFrames: 8,
  maxConversationItems: 200,
  maxInvalidMessages: 20,
  maxBufferedBytes: 1024 * 1024,
  heartbeatMs: 20_000,
  statusIntervalMs: 250,
  questionMaxChars: QUESTION_MAX_CHARS,
  maxOutputTokens: 256,
  tokenTtlMs: 60_000,
  drainMs: 5_000,
  closeGraceMs: 2_000,
  log: silent,
} as const satisfies ServerOptions;

/** Lower and upper bound of each numeric option. */
export const SERVER_BOUNDS = {
  port: [0, 65_535],
  maxPayloadBytes: [1_024, 64 * 1024 * 1024],
  maxConnections: [1, 100_000],
  maxResponsesPerConnection: [1, 1_000],
  maxStandingQuestionsPerConnection: [0, 1_000],
  maxPendingFrames: [1, 1_000],
  maxConversationItems: [2, 10_000],
  maxInvalidMessages: [1, 10_000],
  maxBufferedBytes: [16_384, 256 * 1024 * 1024],
  heartbeatMs: [50, 600_000],
  statusIntervalMs: [20, 60_000],
  questionMaxChars: [1, QUESTION_MAX_CHARS],
  maxOutputTokens: [1, 4_096],
  tokenTtlMs: [1_000, 3_600_000],
  drainMs: [0, 600_000],
  closeGraceMs: [50, 60_000],
} as const satisfies { readonly [K in keyof ServerOptions]?: readonly [number, number] };

/** Keys shorter than this are refused: they could be guessed. */
const MIN_KEY_CHARS = 16;
/** A key: printable ASCII without spaces. */
export const KEY_PATTERN = /^[\x21-\x7e]+$/;

/**
 * Merges `options` over the defaults and normalises host names for comparison. Throws `config_invalid` naming the
 * option; its message never repeats a key.
 */
export function resolveOptions(options: ServerOptions): ResolvedOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const merged: ResolvedOptions = { ...SERVER_DEFAULTS, ...given };
  const resolved = {
    ...merged,
    host: merged.host.replace(/^\[|\]$/g, ''),
    allowedHosts: merged.allowedHosts.map(allowedHost),
  };
  for (const [name, [min, max]] of Object.entries(SERVER_BOUNDS)) {
    const value = resolved[name as keyof typeof SERVER_BOUNDS];
    if (!Number.isInteger(value) || value < min || value > max) {
      throw optionError(name, `${name} must be a whole number from ${min} to ${max}; it is ${value}.`);
    }
  }
  checkKeys('apiKeys', 'API key', resolved.apiKeys);
  checkKeys('viewKeys', 'view key', resolved.viewKeys);
  if (resolved.viewKeys.length > 0 && resolved.apiKeys.length === 0) {
    throw optionError(
      'viewKeys',
      'View keys need at least one API key beside them: they cannot change anything themselves.',
    );
  }
  if (resolved.viewKeys.some((key) => resolved.apiKeys.includes(key))) {
    throw optionError('viewKeys', 'A view key is also an API key, and could change everything.');
  }
  for (const origin of resolved.allowedOrigins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw optionError('allowedOrigins', `"${origin}" is not an origin like https://example.com (no path, no slash).`);
    }
  }
  if (resolved.apiKeys.length === 0 && !isLoopback(resolved.host)) {
    throw optionError('host', `Without API keys the host must be a loopback address; it is "${resolved.host}".`);
  }
  return resolved;
}

/** Throws what `startServer` would throw for these options, without starting anything. */
export function checkServerOptions(options: ServerOptions): void {
  resolveOptions(options);
}

function checkKeys(name: 'apiKeys' | 'viewKeys', what: string, keys: readonly string[]): void {
  if (keys.every((key) => key.length >= MIN_KEY_CHARS && KEY_PATTERN.test(key))) return;
  throw optionError(name, `Each ${what} needs at least ${MIN_KEY_CHARS} printable ASCII characters, no spaces.`);
}

function allowedHost(text: string): string {
  const host = hostName(text);
  if (host !== null) return host;
  throw optionError(
    'allowedHosts',
    `"${text}" is not a host name like example.com (no scheme, port, path or wildcard).`,
  );
}

/** True for `localhost`, 127.0.0.0/8 and `::1`, with or without brackets. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

function optionError(param: string, detail: string): YocoError {
  return new YocoError('config_invalid', { param, detail });
}
