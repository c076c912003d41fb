/** Starts the service's HTTP and WebSocket side over a `LiveService`. */
import type { ServerResponse } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { YocoError } from '../errors.ts';
import type { LiveService, LiveStream } from '../live/types.ts';
import { AuditLog } from './audit.ts';
import { Authenticator, type Keys } from './auth.ts';
import { createHttpApp } from './http.ts';
import { resolveOptions, type ServerOptions } from './server-options.ts';
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

/**
 * Starts to listen, then to ask the standing questions of the existing streams. The caller owns `live` and closes it
 * after the server. Throws `config_invalid` naming the option, also if the port is taken or the certificate is
 * unusable, and `definition_invalid` if a webhook's secret is missing.
 */
export async function startServer(live: LiveService, options: ServerOptions = {}): Promise<RunningServer> {
  const resolved = resolveOptions(options);
  const auth = new Authenticator(resolved);
  const metrics: ServerMetrics = new ServerMetrics(live, () => realtime.connections);
  const audit = new AuditLog(resolved.log);
  const realtime: RealtimeServer = new RealtimeServer(live, auth, resolved, metrics, audit);
  const standingQuestions = new FileStandingQuestions(resolved, metrics);
  let closing: Promise<void> | null = null;
  /** HTTP requests whose responses have not ended. */
  let requests = 0;
  const app = build();
  app.server.on('upgrade', (request, socket, head) => {
    realtime.upgrade(request, socket, head);
  });
  let listener: Listener;
  try {
    listener = await listen(app, resolved.host, resolved.port);
  } catch (cause) {
    await app.close();
    throw listenError(cause, resolved.host, resolved.port);
  }
  try {
    for (const stream of live.list()) standingQuestions.sync(stream);
  } catch (error) {
    await close();
    throw error;
  }
  const { port } = listener;
  const host = resolved.host.includes(':') ? `[${resolved.host}]` : resolved.host;
  return {
    address: `${resolved.tls ? 'https' : 'http'}://${host}:${port}`,
    port,
    syncStandingQuestions: (stream) => {
      standingQuestions.sync(stream);
    },
    renew,
    rekey,
    close: () => (closing ??= close()),
  };

  function renew(tls: NonNullable<ServerOptions['tls']>): void {
    if (!(app.server instanceof HttpsServer)) {
      throw new YocoError('config_invalid', { param: 'tls', detail: 'The server was started without TLS.' });
    }
    try {
      // Validated first: an unusable certificate might leave the server half changed.
      createSecureContext(tls);
      app.server.setSecureContext(tls);
    } catch (cause) {
      throw tlsError(cause);
    }
  }

  function rekey({ apiKeys, viewKeys }: Keys): RekeyResult {
    if (auth.requiresKey && apiKeys.length === 0) {
      // A key file that is briefly empty must not open the service to everybody who reaches it.
      const detail =
        'The new list of keys is empty. A service started with keys keeps requiring them; restart it to run without.';
      throw new YocoError('config_invalid', { param: 'apiKeys', detail });
    }
    const changed = auth.rekey(resolveOptions({ ...options, apiKeys, viewKeys }));
    return { ...changed, closed: realtime.closeRevoked() };
  }

  function onRequestStart(response: ServerResponse): void {
    requests += 1;
    response.once('close', () => (requests -= 1));
  }

  function build(): ReturnType<typeof createHttpApp> {
    try {
      return createHttpApp(live, {
        auth,
        options: resolved,
        metrics,
        audit,
        standingQuestions,
        isDraining: () => closing !== null,
        onRequestStart,
      });
    } catch (cause) {
      if (!resolved.tls) throw cause;
      throw tlsError(cause);
    }
  }

  async function close(): Promise<void> {
    const startMs = performance.now();
    const eventsSent = standingQuestions.close(resolved.drainMs);
    await realtime.drain();
    const closed = Promise.all([app.close(), listener.close()]);
    // Answers over HTTP get the same time as those over WebSockets.
    await waitUntil(() => requests === 0, resolved.drainMs - (performance.now() - startMs));
    // Nothing else closes connections that became idle only now.
    app.server.closeIdleConnections();
    // Browsers preconnect without sending a request; Node does not count such connections as idle.
    const destroyTimer = setTimeout(listener.destroyConnections, resolved.closeGraceMs);
    await Promise.all([closed, eventsSent]);
    clearTimeout(destroyTimer);
    audit.close();
  }
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
