/** `/v1/realtime`: accepts or refuses each upgrade, tracks the open connections, and drains them. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { YocoError } from '../errors.ts';
import type { LiveService, LiveStream } from '../live/types.ts';
import type { AuditLog, Refused } from './audit.ts';
import type { Gate, Grant } from './auth.ts';
import { writeError } from './errors-http.ts';
import type { ServerLimits } from './limits.ts';
import type { ServerMetrics } from './metrics.ts';
import { modelName, streamOfModel } from './model-name.ts';
import { mayPush } from './permissions.ts';
import { CLOSE, RealtimeConnection } from './realtime-connection.ts';
import { until } from './until.ts';
import { isWebSocket } from './upgrade.ts';

const SUBPROTOCOL = 'realtime';
/** The only address that accepts upgrades. */
const PATH = '/v1/realtime';
/** Longest reason of a close frame (RFC 6455, 5.5: 125 bytes less those of the code). */
const CLOSE_REASON_BYTES = 123;
/** Protocol versions that ws accepts; any other is answered with these (RFC 6455, 4.4). */
const VERSIONS = '13, 8';
/** Refused WebSockets of pages that may be open at once to deliver their close code; further ones get an HTTP error. */
const MAX_REFUSED = 64;
/** Nothing that arrives on them is read. */
const REFUSED_PAYLOAD_BYTES = 125;
/** Largest message of a client that may not push pictures; events above JSON_BYTES are refused with an error first. */
const TEXT_PAYLOAD_BYTES = 1024 * 1024;

export class RealtimeServer {
  readonly #live: LiveService;
  readonly #gate: Gate;
  readonly #limits: ServerLimits;
  readonly #metrics: ServerMetrics;
  readonly #audit: AuditLog;
  /** Each with the credential that it presented. */
  readonly #connections = new Map<RealtimeConnection, Grant>();
  /** For clients that may push pictures. */
  readonly #pushing: WebSocketServer;
  /** For clients that may only look and ask: their messages are small. */
  readonly #asking: WebSocketServer;
  /** For refused clients, which may have no credential and must not fill the memory. */
  readonly #refusing: WebSocketServer;
  #refused = 0;
  #draining = false;

  constructor(live: LiveService, gate: Gate, limits: ServerLimits, metrics: ServerMetrics, audit: AuditLog) {
    this.#live = live;
    this.#gate = gate;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#audit = audit;
    this.#pushing = webSockets(limits.maxPayloadBytes);
    this.#asking = webSockets(Math.min(limits.maxPayloadBytes, TEXT_PAYLOAD_BYTES));
    this.#refusing = webSockets(REFUSED_PAYLOAD_BYTES);
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
      if (!isWebSocket(request)) {
        const detail =
          'Only WebSocket upgrades are supported; send the request without an Upgrade header, as HTTP/1.1.';
        throw new YocoError('invalid_request', { param: 'Upgrade', detail });
      }
      if (!URL.canParse(address, base)) throw new YocoError('not_found');
      const url = new URL(address, base);
      if (url.pathname !== PATH) throw new YocoError('not_found');
      this.#gate.checkAddress(request.headers, this.#limits.tls !== undefined);
      this.#admit(url, request, socket, head);
      socket.off('error', ignore);
    } catch (thrown) {
      writeError(socket, this.#report(thrown, request));
    }
  }

  /** Closes the connections whose keys are no longer accepted; returns how many. */
  closeRevoked(): number {
    const revoked = [...this.#connections].filter(([, grant]) => !this.#gate.isStillValid(grant));
    for (const [connection] of revoked) connection.close(CLOSE.unauthorized, 'unauthorized');
    return revoked.length;
  }

  /**
   * Sends `yoco.go_away`, waits for answers in progress, closes with 1001; resolves when all sockets are gone or the
   * grace period is over.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    const { drainMs, closeGraceMs } = this.#limits;
    for (const connection of this.#connections.keys()) connection.drain(drainMs);
    await until(() => this.#connections.size === 0, drainMs);
    for (const connection of this.#connections.keys()) connection.close(CLOSE.going_away, 'shutting_down');
    await until(() => this.#connections.size === 0, closeGraceMs + 1_000);
  }

  #admit(url: URL, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    let stream: LiveStream;
    let grant: Grant | undefined;
    let bound: string | null = null;
    try {
      if (this.#draining) throw new YocoError('shutting_down');
      grant = this.#gate.checkUpgrade(request.headers);
      if (grant.kind === 'token') bound = grant.stream;
      if (bound !== null) this.#checkBound(url.searchParams, bound);
      stream = this.#findStream(url.searchParams);
      if (this.#connections.size >= this.#limits.maxConnections) throw new YocoError('too_many_connections');
    } catch (thrown) {
      const error = this.#report(thrown, request, grant);
      // Only browsers send an Origin, and a page cannot read the status of a refused upgrade.
      if (request.headers.origin === undefined || this.#refused >= MAX_REFUSED) writeError(socket, error);
      else this.#closeAtOnce(error, request, socket, head);
      return;
    }
    const shown = grant;
    // Captured now: a closed socket no longer knows its address.
    const about = refusedOf(request, grant);
    const may = { bound: bound !== null, mayPush: mayPush(grant) };
    const sockets = may.mayPush ? this.#pushing : this.#asking;
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const scope = { live: this.#live, stream, ...may, metrics: this.#metrics };
      const connection = new RealtimeConnection(webSocket, scope, this.#limits, {
        bytesRead: () => (socket as Duplex & Pick<Socket, 'bytesRead'>).bytesRead,
        failed: (error) => {
          this.#audit.refused(error, about);
        },
        gone: () => {
          this.#connections.delete(connection);
        },
      });
      this.#connections.set(connection, shown);
    });
  }

  /** Accepts the WebSocket and closes it at once with a code that the page can read; ignores what it sends. */
  #closeAtOnce(error: YocoError, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#refusing.handleUpgrade(request, socket, head, (webSocket) => {
      this.#refused += 1;
      webSocket.once('close', () => (this.#refused -= 1));
      webSocket.on('error', () => undefined);
      webSocket.close(closeCode(error), closeReason(`${error.code}: ${error.message}`));
      setTimeout(() => {
        webSocket.terminate();
      }, this.#limits.closeGraceMs).unref();
    });
  }

  /** Throws `forbidden` if another stream is named, before a look-up could reveal which exist. */
  #checkBound(query: URLSearchParams, bound: string): void {
    const [named, model] = [query.get('stream'), query.get('model')];
    const own = modelName(this.#live, { name: bound });
    const isOwn = named === null ? model === null || model === own : named === bound;
    if (!isOwn) throw new YocoError('forbidden', { detail: 'The token is for another stream.' });
  }

  /**
   * `?stream=NAME`, or `?model=BUNDLE@NAME` for clients that send only a model. Beside `stream`, any model is accepted
   * except that of another stream. Throws `invalid_request` if no stream is named, or two: a connection is about one,
   * and it might not be the one that is meant. Other parameters are ignored.
   */
  #findStream(query: URLSearchParams): LiveStream {
    for (const param of ['stream', 'model']) {
      if (query.getAll(param).length > 1)
        throw wrongAddress(param, 'may be given once; a question may name several streams.');
    }
    const [named, model] = [query.get('stream'), query.get('model')];
    if (named !== null) {
      const stream = this.#live.get(named);
      if (model?.includes('@') === true && model !== modelName(this.#live, stream)) {
        throw wrongAddress('model', `names another stream than stream=${stream.name} does.`);
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
    this.#audit.refused(error, refusedOf(request, grant));
    if (error.code === 'internal') this.#limits.log.error({ err: error.cause }, 'An upgrade failed.');
    return error;
  }
}

function wrongAddress(param: string, what: string): YocoError {
  return new YocoError('invalid_request', { param, detail: `${param}: ${what}` });
}

function webSockets(maxPayload: number): WebSocketServer {
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
function refusedOf({ socket, method, headers }: IncomingMessage, grant?: Grant): Refused {
  return { from: socket.remoteAddress, method, route: PATH, origin: headers.origin, grant };
}

/** Answers a handshake that ws refuses, with the header that says what it would accept. */
function refuseHandshake({ message }: Error, socket: Duplex, { method }: IncomingMessage): void {
  if (method !== 'GET') {
    writeError(socket, new YocoError('method_not_allowed', { detail: 'It accepts GET.' }), ['Allow: GET']);
    return;
  }
  const header = /Sec-WebSocket-\w+/.exec(message)?.[0];
  const details = { detail: `${message}.`, ...(header === undefined ? {} : { param: header }) };
  writeError(socket, new YocoError('invalid_request', details), [`Sec-WebSocket-Version: ${VERSIONS}`]);
}

/** Cuts `text` to what fits into a close frame. */
function closeReason(text: string): string {
  let reason = text;
  while (Buffer.byteLength(reason) > CLOSE_REASON_BYTES) reason = reason.slice(0, -1);
  return reason;
}

function closeCode(error: YocoError): number {
  switch (error.status) {
    case 401:
      return CLOSE.unauthorized;
    case 403:
      return CLOSE.forbidden;
    case 404:
      return CLOSE.not_found;
    case 429:
      return CLOSE.too_many;
    default:
      return error.status >= 500 ? CLOSE.try_again_later : CLOSE.invalid;
  }
}
