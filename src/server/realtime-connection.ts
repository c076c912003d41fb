/** One WebSocket: heartbeat, bounded outbound queue, coalesced status, close codes. */
import type { RawData, WebSocket } from 'ws';
import { ERRORS, type ErrorCode, type YocoError } from '../errors.ts';
import type { LiveStream } from '../live/types.ts';
import type { ResolvedOptions } from './server-options.ts';
import { newId } from './ids.ts';
import { RealtimeSession, type SessionHost, type SessionScope } from './realtime-session.ts';
import type { UnsentEvent } from './unsent-event.ts';

/** Close codes: 4xxx follow graphql-ws's protocol, the others come from RFC 6455 and its registry. */
export const CLOSE_CODES = {
  going_away: 1001,
  too_large: 1009,
  try_again_later: 1013,
  invalid: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  not_found: 4404,
  timeout: 4408,
  too_many: 4429,
} as const;

/** Status events wait while more than this share of the outbound queue is full; answers do not. */
const STATUS_SHARE = 0.25;

/** What the connection needs from its server. */
export interface ConnectionHost {
  /** Bytes received from the client so far. */
  bytesRead(): number;
  /** Called with each error of a client's message. */
  onError(error: YocoError): void;
  /** Called once, when the socket is closed. */
  onClose(): void;
}

export class RealtimeConnection {
  readonly #socket: WebSocket;
  readonly #stream: LiveStream;
  readonly #options: ResolvedOptions;
  readonly #session: RealtimeSession;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #host: ConnectionHost;
  #bytesRead = 0;
  #closing = false;
  #draining = false;
  #invalid = 0;
  #unsubscribe: (() => void) | null = null;
  #statusTimer: NodeJS.Timeout | null = null;
  #statusDue = false;

  constructor(socket: WebSocket, scope: SessionScope, options: ResolvedOptions, host: ConnectionHost) {
    this.#socket = socket;
    this.#stream = scope.stream;
    this.#options = options;
    this.#host = host;
    socket.on('message', (data, isBinary) => {
      this.#receive(data, isBinary);
    });
    // ws itself closes the socket, e.g. with 1009 or 1007; the error needs a listener all the same.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#end();
    });
    this.#heartbeat = setInterval(() => {
      this.#checkHeartbeat();
    }, options.heartbeatMs);
    const sessionHost: SessionHost = {
      send: (event) => {
        this.send(event);
      },
      setStatusEnabled: (enabled) => {
        this.#setStatusEnabled(enabled);
      },
      onValidated: (valid) => {
        this.#countInvalid(valid);
      },
      onError: (error) => {
        host.onError(error);
      },
      isDraining: () => this.#draining,
      onIdle: () => {
        if (this.#draining) this.close(CLOSE_CODES.going_away, 'shutting_down');
      },
    };
    this.#session = new RealtimeSession(scope, options, sessionHost);
  }

  /** Sends now or, when the client reads too slowly, closes with 1013. Nothing is dropped on an open connection. */
  send(event: UnsentEvent): void {
    if (this.#closing) return;
    if (this.#socket.bufferedAmount > this.#options.maxBufferedBytes) {
      this.close(CLOSE_CODES.try_again_later, 'client_too_slow');
      return;
    }
    this.#socket.send(JSON.stringify({ event_id: newId('event'), ...event }));
  }

  /** Sends `yoco.go_away` and refuses new responses; closes with 1001 once those in progress are done. */
  drain(timeLeftMs: number): void {
    if (this.#draining) return;
    this.send({ type: 'yoco.go_away', time_left: timeLeftMs / 1_000 });
    this.#draining = true;
    // Standing questions would compete with the answers being drained.
    this.#session.stopStandingQuestions();
    if (!this.#session.isResponding) this.close(CLOSE_CODES.going_away, 'shutting_down');
  }

  /**
   * Starts the closing handshake; terminates the socket if the peer does not answer in time. `message` follows `reason`
   * in the close frame; default: the error's message.
   */
  close(code: number, reason: ErrorCode, message = ERRORS[reason].message): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#session.close();
    this.#socket.close(code, `${reason}: ${message}`);
    setTimeout(() => {
      this.#socket.terminate();
    }, this.#options.closeGraceMs).unref();
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#closing) return;
    // The socket's binary type is `nodebuffer`, so a message is one Buffer.
    const message = data as Buffer;
    if (isBinary) this.#session.receiveImage(message);
    else this.#session.receive(message.toString('utf8'));
  }

  #checkHeartbeat(): void {
    // Any byte is a sign of life: a pong can be stuck behind a large message that takes long to arrive.
    const bytesRead = this.#host.bytesRead();
    if (bytesRead === this.#bytesRead) {
      this.close(CLOSE_CODES.timeout, 'timeout');
      return;
    }
    this.#bytesRead = bytesRead;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  #countInvalid(valid: boolean): void {
    this.#invalid = valid ? 0 : this.#invalid + 1;
    if (this.#invalid < this.#options.maxInvalidMessages) return;
    this.close(CLOSE_CODES.invalid, 'invalid_request', 'Too many invalid messages in a row.');
  }

  #setStatusEnabled(enabled: boolean): void {
    if (!enabled) {
      this.#stopStatus();
      return;
    }
    if (this.#unsubscribe) return;
    this.#session.sendStatus();
    this.#unsubscribe = this.#stream.onChange(() => {
      this.#statusDue = true;
      this.#scheduleStatus();
    });
  }

  /** Sends at most one status event per interval, always with the newest state. */
  #scheduleStatus(): void {
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = null;
      if (!this.#statusDue || !this.#unsubscribe) return;
      if (this.#socket.bufferedAmount > this.#options.maxBufferedBytes * STATUS_SHARE) {
        this.#scheduleStatus();
        return;
      }
      this.#statusDue = false;
      this.#session.sendStatus();
    }, this.#options.statusIntervalMs);
  }

  #stopStatus(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    if (this.#statusTimer) clearTimeout(this.#statusTimer);
    this.#statusTimer = null;
  }

  #end(): void {
    this.#closing = true;
    clearInterval(this.#heartbeat);
    this.#stopStatus();
    this.#session.close();
    this.#host.onClose();
  }
}
