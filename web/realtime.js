/** The WebSocket: connects, reconnects after a loss, and dispatches events by type. */
import { subprotocols } from './api.js';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** A connection silent for this long is pinged, and given up after as long again without an answer. */
const SILENCE_MS = 20_000;

/** Close codes after which retrying is of no use. */
const FINAL = { 4401: 'unauthorized', 4403: 'forbidden', 4404: 'stream_not_found' };
/** The same reasons, as a person reads them. */
export const CLOSED_BECAUSE = {
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
  #turn = 0;
  #socket = null;
  #attempts = 0;
  #timer = 0;
  #watch = 0;
  #heard = 0;
  /** When the outstanding ping was sent, ms; null if there is none. */
  #asked = null;

  connect(stream) {
    this.close();
    this.#stream = stream;
    this.#attempts = 0;
    void this.#open();
  }

  close() {
    this.#stream = null;
    this.#turn += 1;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
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
    const [stream, turn] = [this.#stream, this.#turn];
    this.#state('connecting');
    let protocols;
    try {
      protocols = await subprotocols();
    } catch (error) {
      if (this.#turn !== turn) return;
      if (error.status === 401) this.#state('closed', 'unauthorized');
      else this.#retry();
      return;
    }
    if (this.#turn !== turn || stream === null) return;
    const url = new URL(`v1/realtime?stream=${encodeURIComponent(stream)}`, location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url, protocols);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket !== socket) return;
      this.#heard = Date.now();
      this.#asked = null;
      const event = JSON.parse(data);
      if (event.type === 'session.created') {
        this.#attempts = 0;
        this.#state('open');
      }
      this.#emit(event.type, event);
    });
    socket.addEventListener('close', ({ code }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      clearInterval(this.#watch);
      this.#emit('lost', {});
      if (FINAL[code]) this.#state('closed', FINAL[code]);
      else this.#retry();
    });
    this.#heard = Date.now();
    this.#asked = null;
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#listen(socket), SILENCE_MS / 4);
  }

  #listen(socket) {
    const now = Date.now();
    // Browsers throttle the timers of hidden tabs, so silence proves nothing unless a ping is outstanding.
    const unanswered = this.#asked !== null && now - this.#asked > SILENCE_MS;
    if (unanswered || (!this.isOpen && now - this.#heard > SILENCE_MS * 2)) {
      socket.close();
      // A dead network never confirms the close; go on without it.
      socket.dispatchEvent(new CloseEvent('close', { code: 1006 }));
    } else if (this.#asked === null && now - this.#heard > SILENCE_MS && this.send({ type: 'yoco.ping' })) {
      this.#asked = now;
    }
  }

  #retry() {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempts++);
    this.#state('waiting');
    this.#timer = setTimeout(() => void this.#open(), longest * (0.5 + Math.random() / 2));
  }

  #state(state, code = null) {
    this.#emit('state', { state, code });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
