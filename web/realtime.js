/** The WebSocket: connects, reconnects after a loss, and dispatches events by type. */
import { fetchSubprotocols } from './api.js';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 15_000;
/** A connection silent for this long is pinged, and given up after as long again without an answer. */
const SILENCE_MS = 20_000;

/** Close codes after which retrying is of no use. */
const FINAL_CLOSE_CODES = { 4401: 'unauthorized', 4403: 'forbidden', 4404: 'stream_not_found' };
/** The same reasons, as a person reads them. */
export const CLOSE_REASONS = {
  unauthorized: 'the key is not accepted',
  forbidden: 'the service does not allow it',
  stream_not_found: 'the stream is gone',
};

/**
 * Events: `state` ({state, code}: connecting, open, waiting, closed), `lost`, and each event of the server by its type,
 * with that event as `detail`.
 */
export class Realtime extends EventTarget {
  #stream = null;
  /**
   * Incremented by each `connect` and `close`: an attempt begun before is discarded, even if it is for the same stream.
   */
  #generation = 0;
  #socket = null;
  #attempts = 0;
  #timer = 0;
  #heartbeatTimer = 0;
  #lastMessageAt = 0;
  /** When the outstanding ping was sent, ms; null if there is none. */
  #pingedAt = null;

  connect(stream) {
    this.close();
    this.#stream = stream;
    this.#attempts = 0;
    void this.#open();
  }

  close() {
    this.#stream = null;
    this.#generation += 1;
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeatTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    if (socket) this.#emit('lost', {});
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes that wait to be sent. */
  get backlog() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** False when there is no connection. */
  send(event) {
    if (!this.isOpen) return false;
    this.#socket.send(event instanceof Blob ? event : JSON.stringify(event));
    return true;
  }

  async #open() {
    const [stream, generation] = [this.#stream, this.#generation];
    this.#emitState('connecting');
    let protocols;
    try {
      protocols = await fetchSubprotocols();
    } catch (error) {
      if (this.#generation !== generation) return;
      if (error.status === 401) this.#emitState('closed', 'unauthorized');
      else this.#retry();
      return;
    }
    if (this.#generation !== generation || stream === null) return;
    const url = new URL(`v1/realtime?stream=${encodeURIComponent(stream)}`, location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url, protocols);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket !== socket) return;
      this.#lastMessageAt = Date.now();
      this.#pingedAt = null;
      const event = JSON.parse(data);
      if (event.type === 'session.created') {
        this.#attempts = 0;
        this.#emitState('open');
      }
      this.#emit(event.type, event);
    });
    socket.addEventListener('close', ({ code }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      clearInterval(this.#heartbeatTimer);
      this.#emit('lost', {});
      if (FINAL_CLOSE_CODES[code]) this.#emitState('closed', FINAL_CLOSE_CODES[code]);
      else this.#retry();
    });
    this.#lastMessageAt = Date.now();
    this.#pingedAt = null;
    clearInterval(this.#heartbeatTimer);
    this.#heartbeatTimer = setInterval(() => this.#checkHeartbeat(socket), SILENCE_MS / 4);
  }

  #checkHeartbeat(socket) {
    const now = Date.now();
    // Browsers throttle the timers of hidden tabs, so silence proves nothing unless a ping is outstanding.
    const unanswered = this.#pingedAt !== null && now - this.#pingedAt > SILENCE_MS;
    if (unanswered || (!this.isOpen && now - this.#lastMessageAt > SILENCE_MS * 2)) {
      socket.close();
      // A dead network never confirms the close; go on without it.
      socket.dispatchEvent(new CloseEvent('close', { code: 1006 }));
    } else if (this.#pingedAt === null && now - this.#lastMessageAt > SILENCE_MS && this.send({ type: 'yoco.ping' })) {
      this.#pingedAt = now;
    }
  }

  #retry() {
    const maxDelayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempts++);
    this.#emitState('waiting');
    this.#timer = setTimeout(() => void this.#open(), maxDelayMs * (0.5 + Math.random() / 2));
  }

  #emitState(state, code = null) {
    this.#emit('state', { state, code });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
