/** `/v1/realtime`: accepts or refuses each upgrade, tracks the open connections, and drains them. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { YocoError } from '../errors.ts';
import type { LiveService, LiveStream } from '../live/types.ts';
import type { AuditLog, RefusedRequest } from './audit.ts';
import type { Authenticator, Grant } from './auth.ts';
import { writeError } from './errors-http.ts';
import type { ResolvedOptions } from './server-options.ts';
import type { ServerMetrics } from './metrics.ts';
import { modelName, streamOfModel } from './model-name.ts';
import { mayPush, otherStreamsForbiddenError } from './permissions.ts';
import { CLOSE_CODES, RealtimeConnection } from './realtime-connection.ts';
import { waitUntil } from './wait-until.ts';
import { isWebSocketUpgrade } from './upgrade.ts';

const SUBPROTOCOL = 'realtime';
/** The only address that accepts upgrades. */
const PATH = '/v1/realtime';
/** Longest reason of a close frame (RFC 6455, 5.5: 125 bytes less those of the code). */
const MAX_CLOSE_REASON_BYTES = 123;
/** Protocol versions that ws accepts; any other is answered with these (RFC 6455, 4.4). */
const WEBSOCKET_VERSIONS = '13, 8';
/** Refused WebSockets of pages that may be open at once to deliver their close code; further ones get an HTTP error. */
const MAX_REFUSED_SOCKETS = 64;
/** Nothing that arrives on them is read. */
const MAX_REFUSED_PAYLOAD_BYTES = 125;
/**
 * Largest message of a client that may not push pictures; events above MAX_JSON_BYTES are refused with an error first.
 */
const MAX_TEXT_PAYLOAD_BYTES = 1024 * 1024;

export class RealtimeServer {
  readonly #live: LiveService;
  readonly #auth: Authenticator;
  readonly #options: ResolvedOptions;
  readonly #metrics: ServerMetrics;
  readonly #audit: AuditLog;
  /** Each with the credential that it presented. */
  readonly #connections = new Map<RealtimeConnection, Grant>();
  /** For clients that may push pictures. */
  readonly #pushServer: WebSocketServer;
  /** For clients that may only look and ask: their messages are small. */
  readonly #viewServer: WebSocketServer;
  /** For refused clients, which may have no credential and must not fill the memory. */
  readonly #refusalServer: WebSocketServer;
  #refusedSockets = 0;
  #draining = false;

  constructor(
    live: LiveService,
    auth: Authenticator,
    options: ResolvedOptions,
    metrics: ServerMetrics,
    audit: AuditLog,
  ) {
    this.#live = live;
    this.#auth = auth;
    this.#options = options;
    this.#metrics = metrics;
    this.#audit = audit;
    this.#pushServer = createWebSocketServer(options.maxPayloadBytes);
    this.#viewServer = createWebSocketServer(Math.min(options.maxPayloadBytes, MAX_TEXT_PAYLOAD_BYTES));
    this.#refusalServer = createWebSocketServer(MAX_REFUSED_PAYLOAD_BYTES);
  }

  /** Number of open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Handles one `upgrade` event of the HTTP server. Never throws. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // The socket may fail before ws takes it over.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    try {
      const [address, base] = [request.url ?? '/', 'http://localhost'];
      if (!isWebSocketUpgrade(request)) {
        const detail =
          'Only WebSocket upgrades are supported; send the request without an Upgrade header, as HTTP/1.1.';
        throw new YocoError('invalid_request', { param: 'Upgrade', detail });
      }
      if (!URL.canParse(address, base)) throw new YocoError('not_found');
      const url = new URL(address, base);
      if (url.pathname !== PATH) throw new YocoError('not_found');
      this.#auth.checkHostAndOrigin(request.headers, this.#options.tls !== undefined);
      this.#admit(url, request, socket, head);
      socket.off('error', ignore);
    } catch (thrown) {
      writeError(socket, this.#report(thrown, request));
    }
  }

  /** Closes the connections whose keys are no longer accepted; returns how many. */
  closeRevoked(): number {
    const revoked = [...this.#connections].filter(([, grant]) => !this.#auth.isStillValid(grant));
    for (const [connection] of revoked) connection.close(CLOSE_CODES.unauthorized, 'unauthorized');
    return revoked.length;
  }

  /**
   * Sends `yoco.go_away`, waits for answers in progress, closes with 1001; resolves when all sockets are gone or the
   * grace period is over.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    const { drainMs, closeGraceMs } = this.#options;
    for (const connection of this.#connections.keys()) connection.drain(drainMs);
    await waitUntil(() => this.#connections.size === 0, drainMs);
    for (const connection of this.#connections.keys()) connection.close(CLOSE_CODES.going_away, 'shutting_down');
    await waitUntil(() => this.#connections.size === 0, closeGraceMs + 1_000);
  }

  #admit(url: URL, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    let stream: LiveStream;
    let grant: Grant | undefined;
    let bound: string | null = null;
    try {
      if (this.#draining) throw new YocoError('shutting_down');
      grant = this.#auth.checkUpgrade(request.headers);
      if (grant.kind === 'token') bound = grant.stream;
      if (bound !== null) this.#checkTokenStream(url.searchParams, bound);
      stream = this.#findStream(url.searchParams);
      if (this.#connections.size >= this.#options.maxConnections) throw new YocoError('too_many_connections');
    } catch (thrown) {
      const error = this.#report(thrown, request, grant);
      // Only browsers send an Origin, and a page cannot read the status of a refused upgrade.
      if (request.headers.origin === undefined || this.#refusedSockets >= MAX_REFUSED_SOCKETS)
        writeError(socket, error);
      else this.#acceptAndClose(error, request, socket, head);
      return;
    }
    const acceptedGrant = grant;
    // Captured now: a closed socket no longer knows its address.
    const refusal = refusedRequestOf(request, grant);
    const access = { isTokenBound: bound !== null, mayPush: mayPush(grant) };
    const sockets = access.mayPush ? this.#pushServer : this.#viewServer;
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const scope = { live: this.#live, stream, ...access, metrics: this.#metrics };
      const connection = new RealtimeConnection(webSocket, scope, this.#options, {
        bytesRead: () => (socket as Duplex & Pick<Socket, 'bytesRead'>).bytesRead,
        onError: (error) => {
          this.#audit.logRefusal(error, refusal);
        },
        onClose: () => {
          this.#connections.delete(connection);
        },
      });
      this.#connections.set(connection, acceptedGrant);
    });
  }

  /** Accepts the WebSocket and closes it at once with a code that the page can read; ignores what it sends. */
  #acceptAndClose(error: YocoError, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#refusalServer.handleUpgrade(request, socket, head, (webSocket) => {
      this.#refusedSockets += 1;
      webSocket.once('close', () => (this.#refusedSockets -= 1));
      webSocket.on('error', () => undefined);
      webSocket.close(closeCode(error), closeReason(`${error.code}: ${error.message}`));
      setTimeout(() => {
        webSocket.terminate();
      }, this.#options.closeGraceMs).unref();
    });
  }

  /** Throws `forbidden` if another stream is named, before a look-up could reveal which exist. */
  #checkTokenStream(query: URLSearchParams, bound: string): void {
    const [streamName, model] = [query.get('stream'), query.get('model')];
    const own = modelName(this.#live, { name: bound });
    const isOwn = streamName === null ? model === null || model === own : streamName === bound;
    if (!isOwn) throw otherStreamsForbiddenError(bound);
  }

  /**
   * `?stream=NAME`, or `?model=BUNDLE@NAME` for clients that send only a model. Beside `stream`, any model is accepted
   * except that of another stream. Throws `invalid_request` if no stream is named, or two: a connection is about one,
   * and it might not be the one that is meant. Other parameters are ignored.
   */
  #findStream(query: URLSearchParams): LiveStream {
    for (const param of ['stream', 'model']) {
      if (query.getAll(param).length > 1)
        throw queryError(param, 'may be given once; a question may name several streams.');
    }
    const [streamName, model] = [query.get('stream'), query.get('model')];
    if (streamName !== null) {
      const stream = this.#live.get(streamName);
      if (model?.includes('@') === true && model !== modelName(this.#live, stream)) {
        throw queryError('model', `names another stream than stream=${stream.name} does.`);
      }
      return stream;
    }
    const bundle = this.#live.bundle.name;
    if (model === null) {
      throw new YocoError('invalid_request', {
        param: 'stream',
        detail: `Name the stream: ?stream=NAME, or ?model=${bundle}@NAME.`,
      });
    }
    return streamOfModel(this.#live, model);
  }

  #report(thrown: unknown, request: IncomingMessage, grant?: Grant): YocoError {
    const error = YocoError.from(thrown);
    this.#audit.logRefusal(error, refusedRequestOf(request, grant));
    if (error.code === 'internal') this.#options.log.error({ err: error.cause }, 'An upgrade failed.');
    return error;
  }
}

function queryError(param: string, what: string): YocoError {
  return new YocoError('invalid_request', { param, detail: `${param}: ${what}` });
}

function createWebSocketServer(maxPayload: number): WebSocketServer {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload,
    perMessageDeflate: false,
    // A subprotocol that carries a credential is never echoed.
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  return server.on('wsClientError', refuseHandshake);
}

/** What the log says about a refused client. */
function refusedRequestOf({ socket, method, headers }: IncomingMessage, grant?: Grant): RefusedRequest {
  return { address: socket.remoteAddress, method, route: PATH, origin: headers.origin, grant };
}

/** Answers a handshake that ws refuses, with the header that says what it would accept. */
function refuseHandshake({ message }: Error, socket: Duplex, { method }: IncomingMessage): void {
  if (method !== 'GET') {
    writeError(socket, new YocoError('method_not_allowed', { detail: 'It accepts GET.' }), ['Allow: GET']);
    return;
  }
  const header = /Sec-WebSocket-\w+/.exec(message)?.[0];
  const details = { detail: `${message}.`, ...(header === undefined ? {} : { param: header }) };
  writeError(socket, new YocoError('invalid_request', details), [`Sec-WebSocket-Version: ${WEBSOCKET_VERSIONS}`]);
}

/** Cuts `text` to what fits into a close frame. */
function closeReason(text: string): string {
  let reason = text;
  while (Buffer.byteLength(reason) > MAX_CLOSE_REASON_BYTES) reason = reason.slice(0, -1);
  return reason;
}

function closeCode(error: YocoError): number {
  switch (error.status) {
    case 401:
      return CLOSE_CODES.unauthorized;
    case 403:
      return CLOSE_CODES.forbidden;
    case 404:
      return CLOSE_CODES.not_found;
    case 429:
      return CLOSE_CODES.too_many;
    default:
      return error.status >= 500 ? CLOSE_CODES.try_again_later : CLOSE_CODES.invalid;
  }
}
