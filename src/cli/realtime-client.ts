/** A small client of `/v1/realtime`, limited to what `ask` and the demo use. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { ERRORS, YocoError } from '../errors.ts';
import { authorization } from './http-client.ts';
import { errorShape, errorFromResponse, safeJson, serviceError } from './service-error.ts';
import { endpoint, unreachableError } from './service-address.ts';

export interface ClientOptions {
  /** `http://127.0.0.1:8080`, or https; includes the path that a proxy puts before the service's own. */
  readonly server: string;
  readonly stream: string;
  /** The value of YOCO_API_KEY. */
  readonly key?: string;
  /** The service is pinged after this long without a sign of life, and given up after as long again, ms. */
  readonly silenceMs?: number;
}

const SILENCE_MS = 20_000;
/** How long the service may take to answer a close, ms. */
const CLOSE_TIMEOUT_MS = 1_000;

const answerExtra = z
  .object({
    /** Null when several streams were asked: each has its own in `streams`. */
    as_of: z.number().nullable(),
    as_of_time: z.string(),
    since: z.number().nullable(),
    streams: z.array(
      z
        .object({
          name: z.string(),
          as_of: z.number(),
          as_of_time: z.string(),
          /** Start of the part that was read; null: all that is kept. */
          since_time: z.string().nullable(),
        })
        .loose(),
    ),
    precision: z.enum(['full', 'int8', 'thinned']),
    confidence: z.number(),
    evidence: z.array(
      z
        .object({ stream: z.string(), start: z.number(), end: z.number(), peak: z.number(), weight: z.number() })
        .loose(),
    ),
    latency_ms: z.object({ first_token: z.number(), total: z.number() }).loose(),
  })
  .loose();

const answeredEvent = z.object({
  answer: z.string(),
  /** The previous answer; null at first. */
  previous: z.string().nullable(),
  status: z.enum(['completed', 'incomplete']),
  yoco: answerExtra,
});

const deletedEvent = z.object({ error: errorShape.nullable() });

const doneEvent = z.object({
  type: z.literal('response.done'),
  response: z.object({
    status: z.enum(['completed', 'cancelled', 'incomplete', 'failed']),
    status_details: z.object({ error: errorShape.nullish() }).nullish(),
    output: z.array(z.object({ content: z.array(z.object({ text: z.string() }).loose()) }).loose()),
    yoco: answerExtra.nullish(),
  }),
});

export type AnswerExtra = z.infer<typeof answerExtra>;
export type AskOutcome = z.infer<typeof doneEvent>['response'];
export type StandingAnswer = z.infer<typeof answeredEvent>;

const event = z.object({ type: z.string() }).loose();

export interface AskParams {
  readonly asOf?: number | string | undefined;
  readonly since?: number | string | undefined;
  /** Default: the stream that the client is connected to. */
  readonly streams?: readonly string[] | 'all' | undefined;
  /** Whether the previous turns are part of the prompt; by default the question is asked by itself. */
  readonly followUp?: boolean | undefined;
}

export interface AskStandingOptions {
  /** Seconds between askings. */
  readonly every?: number | undefined;
  /** How many consecutive askings must give a new answer before it is reported. */
  readonly holds?: number | undefined;
  /** An answer with lower confidence counts as none, 0..1. */
  readonly minConfidence?: number | undefined;
  readonly streams?: readonly string[] | 'all' | undefined;
}

/** Close code of a connection whose key is no longer accepted (docs/protocol.md): reconnecting is of no use. */
const UNAUTHORIZED_CLOSE_CODE = 4401;

export class RealtimeClient {
  readonly #socket: WebSocket;
  #deliverNext: ((message: Record<string, unknown>) => void) | undefined;
  readonly #queue: Record<string, unknown>[] = [];
  #closed: YocoError | undefined;

  private constructor(socket: WebSocket, silenceMs: number) {
    this.#socket = socket;
    this.#startKeepalive(socket, silenceMs);
    socket.on('message', (data: Buffer) => {
      const { data: message } = event.safeParse(safeJson(data.toString('utf8')));
      if (message === undefined) {
        this.#closed ??= errorFromResponse('', 0);
        socket.terminate();
      } else if (this.#deliverNext !== undefined) this.#deliverNext(message);
      else this.#queue.push(message);
    });
    socket.on('close', (code, reason) => {
      this.#closed ??= closeError(code, reason.toString('utf8'));
      this.#deliverNext?.({ type: 'closed' });
    });
    socket.on('error', () => undefined);
  }

  /**
   * Throws `invalid_request` (`server`, or for the key), `service_unreachable` when no service answers, or what the
   * service answered instead of opening the connection.
   */
  static async connect(options: ClientOptions): Promise<RealtimeClient> {
    const url = endpoint(options.server, '/v1/realtime');
    url.protocol = url.protocol.replace('http', 'ws');
    url.searchParams.set('stream', options.stream);
    const socket = new WebSocket(url, 'realtime', { headers: { ...authorization(options.key) } });
    const client = new RealtimeClient(socket, options.silenceMs ?? SILENCE_MS);
    const refused = new Promise<never>((_, reject) => {
      socket.once('unexpected-response', (_request, response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          reject(errorFromResponse(Buffer.concat(chunks).toString('utf8'), response.statusCode ?? 0));
        });
      });
      socket.once('error', (cause) => {
        reject(unreachableError(options.server, cause));
      });
    });
    refused.catch(() => undefined);
    try {
      await Promise.race([once(socket, 'open'), refused]);
    } catch (error) {
      // Otherwise the liveness timer would keep the process running until the connection counts as dead.
      socket.terminate();
      throw error;
    }
    return client;
  }

  /**
   * Asks, and calls back with each piece of the answer. Throws the service's error, `connection_closed`, and
   * `service_unreachable` if what answers is not the service.
   */
  async ask(question: string, onDelta: (piece: string) => void, params: AskParams = {}): Promise<AskOutcome> {
    const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text: question }] };
    const response = { yoco: { as_of: params.asOf, since: params.since, streams: params.streams } };
    if (params.followUp === true) {
      this.#send({ type: 'conversation.item.create', item });
      this.#send({ type: 'response.create', response });
    } else {
      this.#send({ type: 'response.create', response: { ...response, conversation: 'none', input: [item] } });
    }
    for (;;) {
      const message = await this.#nextEvent();
      if (message['type'] === 'response.output_text.delta' && typeof message['delta'] === 'string') {
        onDelta(message['delta']);
      }
      if (message['type'] === 'response.done') {
        const { response } = parseEvent(doneEvent, message);
        const error = response.status_details?.error;
        if (response.status === 'failed' && error != null) throw errorFromResponse(JSON.stringify({ error }), 0);
        return response;
      }
    }
  }

  /**
   * Asks repeatedly, and yields the first answer and every change. Ends when everything it asks about has ended. Throws
   * what `ask` throws.
   */
  async *askStanding(question: string, params: AskStandingOptions = {}): AsyncGenerator<StandingAnswer, void> {
    const { minConfidence, ...others } = params;
    const standing = { question, ...others, min_confidence: minConfidence };
    this.#send({ type: 'yoco.standing_question.create', standing_question: standing });
    for (;;) {
      const message = await this.#nextEvent();
      switch (message['type']) {
        case 'yoco.standing_question.answered':
          yield parseEvent(answeredEvent, message);
          break;
        case 'yoco.standing_question.deleted': {
          const { error } = parseEvent(deletedEvent, message);
          if (error === null) return;
          throw errorFromResponse(JSON.stringify({ error }), 0);
        }
      }
    }
  }

  close(): void {
    this.#socket.close();
    setTimeout(() => {
      this.#socket.terminate();
    }, CLOSE_TIMEOUT_MS).unref();
  }

  /** A lost network gives no sign, and an answer may take hours to come. */
  #startKeepalive(socket: WebSocket, silenceMs: number): void {
    let heardAt = performance.now();
    for (const sign of ['message', 'ping', 'pong']) socket.on(sign, () => (heardAt = performance.now()));
    const watch = setInterval(() => {
      const silentMs = performance.now() - heardAt;
      if (silentMs > 2 * silenceMs) socket.terminate();
      else if (silentMs > silenceMs && socket.readyState === socket.OPEN) socket.ping();
    }, silenceMs / 4);
    socket.once('close', () => {
      clearInterval(watch);
    });
  }

  #send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** The next event. Throws what `ask` throws. */
  async #nextEvent(): Promise<Record<string, unknown>> {
    const message = await this.#nextMessage();
    if (message['type'] === 'closed') throw this.#closed ?? new YocoError('connection_closed');
    if (message['type'] === 'error') throw errorFromResponse(JSON.stringify(message), 0);
    return message;
  }

  #nextMessage(): Promise<Record<string, unknown>> {
    const ready = this.#queue.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#closed !== undefined) return Promise.resolve({ type: 'closed' });
    return new Promise((resolve) => {
      this.#deliverNext = (message) => {
        this.#deliverNext = undefined;
        resolve(message);
      };
    });
  }
}

/** Why a connection was closed. The service's own reason is an error's code and message; only the message is shown. */
function closeError(code: number, reason: string): YocoError {
  const [, name = '', message = ''] = /^(\w+): (.+)$/s.exec(reason) ?? [];
  const told = Object.hasOwn(ERRORS, name) ? message : reason;
  const why = told === '' ? '' : `: ${told.replace(/\.$/, '')}`;
  const error = code === UNAUTHORIZED_CLOSE_CODE ? serviceError('unauthorized', told) : null;
  return error ?? new YocoError('connection_closed', { detail: `Close code ${code}${why}.` });
}

/** Throws `service_unreachable` if an event does not have the service's form. */
function parseEvent<T>(schema: z.ZodType<T>, message: Record<string, unknown>): T {
  const parsed = schema.safeParse(message);
  if (!parsed.success) throw errorFromResponse('', 0);
  return parsed.data;
}
