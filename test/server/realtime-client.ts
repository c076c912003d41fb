/** A plain WebSocket client for tests: records every event, and waits for the next match. */
import { once } from 'node:events';
import WebSocket, { type ClientOptions } from 'ws';

/** The fields that tests read, typed as if every event had them: a wrong event fails an expectation, not a type. */
export interface Event {
  type: string;
  event_id: string;
  delta: string;
  text: string;
  response_id: string;
  item_id: string;
  previous_item_id: string | null;
  ping_event_id: string | null;
  number: number;
  time_left: number;
  item: { id: string; role: string; content: [{ text: string }] };
  error: { type: string; code: string; message: string; param: string | null; event_id: string | null };
  session: { model: string; max_output_tokens: number; yoco: { streams: string[] | string | null; as_of: unknown } };
  stream: { last: number; state: string };
  standing_question: { id: string };
  standing_question_id: string;
  answer: string;
  previous: string | null;
  status: string;
  yoco: { as_of: number | null; streams: { name: string }[] };
  response: {
    id: string;
    status: string;
    conversation_id: string | null;
    metadata: Record<string, string>;
    output: [{ id: string; status: string }];
    usage: { output_tokens: number };
    yoco: { as_of: number | null; since: number | null; streams: { name: string; as_of: number }[] };
  };
}

export class RealtimeClient {
  readonly socket: WebSocket;
  readonly events: Event[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #seen = 0;
  readonly #waiting = new Set<() => void>();

  private constructor(url: string, protocols: string[], options: ClientOptions) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on('message', (data: Buffer) => {
      this.events.push(JSON.parse(data.toString()) as Event);
      for (const wake of this.#waiting) wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const wake of this.#waiting) wake();
      });
    });
  }

  /** `address` is the server's `http://...` address. Rejects when the upgrade is refused. */
  static async open(
    address: string,
    query = 'stream=kitchen',
    protocols: string[] = [],
    options: ClientOptions = {},
  ): Promise<RealtimeClient> {
    const url = `${address.replace(/^http/, 'ws')}/v1/realtime${query === '' ? '' : `?${query}`}`;
    const client = new RealtimeClient(url, protocols, options);
    await once(client.socket, 'open');
    return client;
  }

  send(event: object | string): void {
    this.socket.send(typeof event === 'string' ? event : JSON.stringify(event));
  }

  /** Asks for a response outside the conversation. */
  ask(text: string, response: object = {}, eventId?: string): void {
    this.send({
      type: 'response.create',
      ...(eventId === undefined ? {} : { event_id: eventId }),
      response: { conversation: 'none', input: [userMessage(text)], ...response },
    });
  }

  /** The next unseen event that matches; the events before it count as seen from then on. */
  async next(fits: string | ((event: Event) => boolean), withinMs = 15_000): Promise<Event> {
    const test = typeof fits === 'string' ? (event: Event) => event.type === fits : fits;
    const end = Date.now() + withinMs;
    for (;;) {
      while (this.#seen < this.events.length) {
        const event = this.events[this.#seen++];
        if (event && test(event)) return event;
      }
      const left = end - Date.now();
      if (left <= 0 || this.socket.readyState === WebSocket.CLOSED) {
        const types = this.events.map(({ type }) => type).join(', ');
        throw new Error(`No event fits ${fits.toString()}; seen: ${types}`);
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        this.#waiting.add(wake);
      });
    }
  }

  close(): void {
    this.socket.terminate();
  }
}

export function userMessage(text: string) {
  return { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
}

/** The response to an upgrade that the server refuses; rejects if it accepts. */
export async function refusedUpgrade(
  address: string,
  query: string,
  options: ClientOptions = {},
  protocols: string[] = [],
): Promise<{ status: number; body: { error: Record<string, unknown> } }> {
  const socket = new WebSocket(`${address.replace(/^http/, 'ws')}/v1/realtime?${query}`, protocols, options);
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.terminate();
      reject(new Error('The upgrade was accepted.'));
    });
    socket.on('error', () => undefined);
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as { error: Record<string, unknown> };
        resolve({ status: response.statusCode ?? 0, body });
      });
    });
  });
}
