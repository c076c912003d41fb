/** Starts the service's HTTP and WebSocket side over a `LiveService`. */
import type { ServerResponse } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { YocoError } from '../errors.ts';
import type { StandingQuestionDefinition } from '../ingest/definition.ts';
import type { LiveService, LiveStream } from '../live/types.ts';
import { AuditLog } from './audit.ts';
import { Authenticator, type Keys } from './auth.ts';
import { createHttpApp, type HttpDeps } from './http.ts';
import { resolveOptions, type ResolvedOptions, type ServerOptions } from './server-options.ts';
import { listen, type Listener } from './listen.ts';
import { ServerMetrics } from './metrics.ts';
import { FileStandingQuestions } from './file-standing-questions.ts';
import { RealtimeServer } from './realtime-server.ts';
import { waitUntil } from './wait-until.ts';

export interface RunningServer {
  /** Base URL, e.g. `http://127.0.0.1:8080`, without a trailing slash. */
  readonly address: string;
  readonly port: number;
  /**
   * Applies the standing questions of a stream that was created or redefined after the start: new questions start,
   * unchanged ones continue, removed ones stop. Throws `definition_invalid` if a webhook's secret is missing, and
   * `shutting_down`.
   */
  readonly syncStandingQuestions: (stream: LiveStream) => void;
  /** Throws `definition_invalid` if a webhook of these questions of `stream` lacks its secret. */
  readonly checkStandingQuestions: (stream: string, questions: readonly StandingQuestionDefinition[]) => void;
  /**
   * Uses another certificate for new connections; open ones continue. Throws `config_invalid` if the key and
   * certificate are unusable or the server was started without TLS; then nothing has changed.
   */
  readonly renew: (tls: NonNullable<ServerOptions['tls']>) => void;
  /**
   * Replaces the keys. WebSockets opened with a removed key, or while no key was required, are closed with 4401; HTTP
   * answers in progress are finished. Throws `config_invalid` like `startServer`, and if the last API key would go;
   * then nothing has changed.
   */
  readonly rekey: (keys: Keys) => RekeyResult;
  /** Drains and stops listening; leaves the `LiveService` running. May be called more than once. */
  readonly close: () => Promise<void>;
}

/** How many keys were added and removed, and how many WebSockets were closed because of it. */
export interface RekeyResult {
  readonly added: number;
  readonly removed: number;
  readonly closed: number;
}

/** What the server is made of. */
interface Parts {
  readonly options: ResolvedOptions;
  readonly auth: Authenticator;
  readonly audit: AuditLog;
  readonly realtime: RealtimeServer;
  readonly standingQuestions: FileStandingQuestions;
  readonly requests: OpenRequests;
  readonly app: ReturnType<typeof createHttpApp>;
}

/**
 * Starts to listen, then to ask the standing questions of the existing streams. The caller owns `live` and closes it
 * after the server. Throws `config_invalid` naming the option, also if the port is taken or the certificate is
 * unusable, and `definition_invalid` if a webhook's secret is missing.
 */
export async function startServer(live: LiveService, options: ServerOptions = {}): Promise<RunningServer> {
  let closing: Promise<void> | null = null;
  const parts = buildParts(live, resolveOptions(options), () => closing !== null);
  const { app, standingQuestions } = parts;
  const listener = await openListener(parts);
  try {
    for (const stream of live.list()) standingQuestions.sync(stream);
  } catch (error) {
    closing = shutDown(parts, listener);
    await closing;
    throw error;
  }
  return {
    address: baseUrl(parts.options, listener.port),
    port: listener.port,
    syncStandingQuestions: (stream) => {
      standingQuestions.sync(stream);
    },
    checkStandingQuestions: (stream, questions) => {
      standingQuestions.check(stream, questions);
    },
    renew: (tls) => {
      renewCertificate(app.server, tls);
    },
    rekey: (keys) => replaceKeys(parts, options, keys),
    close: () => (closing ??= shutDown(parts, listener)),
  };
}

/** HTTP requests whose responses have not ended. */
class OpenRequests {
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Counts the request of this response until the response ends. */
  add(response: ServerResponse): void {
    this.#count += 1;
    response.once('close', () => (this.#count -= 1));
  }
}

/** Everything but the listener. Throws `config_invalid` if the certificate is unusable. */
function buildParts(live: LiveService, options: ResolvedOptions, isDraining: () => boolean): Parts {
  const auth = new Authenticator(options);
  const metrics: ServerMetrics = new ServerMetrics(live, () => realtime.connections);
  const audit = new AuditLog(options.log);
  const realtime: RealtimeServer = new RealtimeServer(live, auth, options, metrics, audit);
  const standingQuestions = new FileStandingQuestions(options, metrics);
  const requests = new OpenRequests();
  const app = buildApp(live, {
    auth,
    options,
    metrics,
    audit,
    standingQuestions,
    isDraining,
    onRequestStart: (response) => {
      requests.add(response);
    },
  });
  app.server.on('upgrade', (request, socket, head) => {
    realtime.upgrade(request, socket, head);
  });
  return { options, auth, audit, realtime, standingQuestions, requests, app };
}

/** The routes. Throws `config_invalid` if the certificate is unusable. */
function buildApp(live: LiveService, deps: HttpDeps): Parts['app'] {
  try {
    return createHttpApp(live, deps);
  } catch (cause) {
    if (!deps.options.tls) throw cause;
    throw tlsError(cause);
  }
}

/** Begins to listen. Throws `config_invalid` if the port or the host cannot be used; then the app is closed. */
async function openListener({ app, options: { host, port } }: Parts): Promise<Listener> {
  try {
    return await listen(app, host, port);
  } catch (cause) {
    await app.close();
    throw listenError(cause, host, port);
  }
}

function baseUrl({ host, tls }: ResolvedOptions, port: number): string {
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** See `RunningServer.renew`. */
function renewCertificate(server: Parts['app']['server'], tls: NonNullable<ServerOptions['tls']>): void {
  if (!(server instanceof HttpsServer)) {
    throw new YocoError('config_invalid', { param: 'tls', detail: 'The server was started without TLS.' });
  }
  try {
    // Validated first: an unusable certificate might leave the server half changed.
    createSecureContext(tls);
    server.setSecureContext(tls);
  } catch (cause) {
    throw tlsError(cause);
  }
}

/** See `RunningServer.rekey`. `options` are those of the start. */
function replaceKeys({ auth, realtime }: Parts, options: ServerOptions, { apiKeys, viewKeys }: Keys): RekeyResult {
  if (auth.requiresKey && apiKeys.length === 0) {
    // A key file that is briefly empty must not open the service to everybody who reaches it.
    const detail =
      'The new list of keys is empty. A service started with keys keeps requiring them; restart it to run without.';
    throw new YocoError('config_invalid', { param: 'apiKeys', detail });
  }
  const changed = auth.rekey(resolveOptions({ ...options, apiKeys, viewKeys }));
  return { ...changed, closed: realtime.closeRevoked() };
}

/** Drains, then stops listening: answers in progress get `drainMs`, connections without an end `closeGraceMs`. */
async function shutDown(parts: Parts, listener: Listener): Promise<void> {
  const { options, audit, realtime, standingQuestions, requests, app } = parts;
  const startMs = performance.now();
  const eventsSent = standingQuestions.close(options.drainMs);
  await realtime.drain();
  const closed = Promise.all([app.close(), listener.close()]);
  // Answers over HTTP get the same time as those over WebSockets.
  await waitUntil(() => requests.isEmpty, options.drainMs - (performance.now() - startMs));
  // Nothing else closes connections that became idle only now.
  app.server.closeIdleConnections();
  // Browsers preconnect without sending a request; Node does not count such connections as idle.
  const destroyTimer = setTimeout(listener.destroyConnections, options.closeGraceMs);
  await Promise.all([closed, eventsSent]);
  clearTimeout(destroyTimer);
  audit.close();
}

function tlsError(cause: unknown): YocoError {
  return new YocoError('config_invalid', { param: 'tls', detail: 'The key and certificate cannot be used.', cause });
}

function listenError(cause: unknown, host: string, port: number): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE' || code === 'EACCES') {
    const why = code === 'EADDRINUSE' ? 'is already in use' : 'cannot be used by this account';
    return new YocoError('config_invalid', { param: 'port', detail: `Port ${port} on ${host} ${why}.`, cause });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new YocoError('config_invalid', {
      param: 'host',
      detail: `"${host}" is not an address of this machine.`,
      cause,
    });
  }
  return cause;
}
