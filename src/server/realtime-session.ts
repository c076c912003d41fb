/**
 * One client's session on one stream, which may also ask others: its conversation, responses, standing questions and
 * pushed frames. Knows nothing of sockets.
 */
import { YocoError } from '../errors.ts';
import type { Conversation, LiveService, LiveStream, WantedStreams } from '../live/types.ts';
import { resolveScope, type TimeRange } from './question-scope.ts';
import { errorJson } from './errors-http.ts';
import type { ResolvedOptions } from './server-options.ts';
import type { ServerMetrics } from './metrics.ts';
import { modelName } from './model-name.ts';
import { otherStreamsForbiddenError } from './permissions.ts';
import {
  checkSize,
  parseEvent,
  parseJson,
  type ClientEvent,
  type ResponseParams,
  type SessionParams,
} from './realtime-events.ts';
import { FrameIntake } from './realtime-frames.ts';
import { newId } from './ids.ts';
import { SessionConversation, type Turn } from './realtime-conversation.ts';
import { questionOf, userItemOf } from './realtime-items.ts';
import { RealtimeResponse, type ResponseHost, type TurnOutcome } from './realtime-response.ts';
import { questionText, samplingOf, type WireStreams } from './request-fields.ts';
import { StandingQuestions } from './realtime-standing.ts';
import { streamJson } from './stream-json.ts';
import { checkTime, frameTime, type WireTime } from './times.ts';
import type { UnsentEvent } from './unsent-event.ts';

/** What a session may ask about. */
export interface SessionScope {
  readonly live: LiveService;
  /** The session's own stream: asked by default, pushed to, and reported by `yoco.stream.status`. */
  readonly stream: LiveStream;
  /** True for a token bound to this stream: no other may be asked. */
  readonly isTokenBound: boolean;
  /** False for a view key and its tokens. */
  readonly mayPush: boolean;
  readonly metrics: Pick<ServerMetrics, 'countResponse' | 'countAsking'>;
}

/** What the session needs from its connection. */
export interface SessionHost {
  send(event: UnsentEvent): void;
  /** Called after each `session.update` with whether the client wants the stream's status. */
  setStatusEnabled(enabled: boolean): void;
  /** Called after each text message with whether it was valid. */
  onValidated(valid: boolean): void;
  /** Called with each error that is sent to the client. */
  onError(error: YocoError): void;
  isDraining(): boolean;
  /** Called when the last response in progress has ended. */
  onIdle(): void;
}

export class RealtimeSession {
  readonly #scope: SessionScope;
  readonly #stream: LiveStream;
  readonly #options: ResolvedOptions;
  readonly #host: SessionHost;
  readonly #model: string;
  readonly #id = newId('sess');
  readonly #responses = new Map<string, RealtimeResponse>();
  readonly #frames: FrameIntake;
  readonly #standing: StandingQuestions;
  readonly #conversation: SessionConversation;
  #maxTokens: number;
  #wantsStatus = false;
  #streams: WireStreams | null = null;
  #asOf: WireTime | null = null;
  #since: WireTime | null = null;

  constructor(scope: SessionScope, options: ResolvedOptions, host: SessionHost) {
    const { stream } = scope;
    this.#scope = scope;
    this.#stream = stream;
    this.#options = options;
    this.#host = host;
    this.#model = modelName(scope.live, stream);
    this.#conversation = new SessionConversation(options.maxConversationItems, (event) => {
      host.send(event);
    });
    this.#maxTokens = options.maxOutputTokens;
    this.#frames = new FrameIntake(
      stream,
      { mayPush: scope.mayPush, maxPending: options.maxPendingFrames },
      (event) => {
        host.send(event);
      },
      (error, eventId, number) => {
        this.#sendError(error, eventId, { number });
      },
    );
    this.#standing = new StandingQuestions(
      {
        converse: (wanted, param) => this.#converse(wanted, param),
        emit: (event) => {
          host.send(event);
        },
        onAsked: (outcome) => {
          scope.metrics.countAsking(outcome);
        },
        reportInternal: (error) => {
          this.#report(error);
        },
      },
      options.maxStandingQuestionsPerConnection,
    );
    host.send({ type: 'session.created', session: this.#describe() });
  }

  get isResponding(): boolean {
    return this.#responses.size > 0;
  }

  /** Handles one text message. Never throws: errors go back as `error` events. */
  receive(text: string): void {
    let eventId: string | null = null;
    let isParsed = false;
    try {
      const message = parseJson(text);
      if (typeof message['event_id'] === 'string') eventId = message['event_id'].slice(0, 512);
      checkSize(text, message);
      const event = parseEvent(message);
      isParsed = true;
      this.#handle(event);
      this.#host.onValidated(true);
    } catch (error) {
      this.#sendError(error, eventId);
      this.#host.onValidated(isParsed && !isInvalid(error));
    }
  }

  /** Handles one binary message: a JPEG or PNG, timed by its arrival. */
  receiveImage(image: Uint8Array): void {
    this.#frames.enqueue(image, undefined, null);
  }

  sendStatus(): void {
    this.#host.send({ type: 'yoco.stream.status', stream: streamJson(this.#stream.status()) });
  }

  /** Stops the standing questions without an event: the connection is about to end. */
  stopStandingQuestions(): void {
    this.#standing.close();
  }

  /** Cancels every response and stops the standing questions; the connection is gone. */
  close(): void {
    this.#standing.close();
    for (const response of this.#responses.values()) response.cancel();
  }

  #handle(event: ClientEvent): void {
    switch (event.type) {
      case 'session.update':
        this.#update(event.session);
        this.#host.send({ type: 'session.updated', session: this.#describe() });
        this.#host.setStatusEnabled(this.#wantsStatus);
        return;
      case 'conversation.item.create': {
        this.#conversation.checkPrevious(event.previous_item_id ?? null);
        const item = userItemOf(event.item);
        questionOf([item], this.#options.questionMaxChars, 'item.content');
        this.#conversation.add(item);
        return;
      }
      case 'conversation.item.retrieve':
        this.#host.send({ type: 'conversation.item.retrieved', item: this.#conversation.item(event.item_id) });
        return;
      case 'conversation.item.delete':
        this.#conversation.remove(event.item_id);
        return;
      case 'response.create':
        this.#respond(event.response ?? {});
        return;
      case 'response.cancel':
        this.#findResponse(event.response_id).cancel();
        return;
      case 'yoco.conversation.reset':
        this.#reset();
        return;
      case 'yoco.frame.append':
        this.#frames.enqueue(
          decodeBase64(event.image),
          event.t === undefined ? undefined : frameTime(event.t, 't'),
          event.event_id ?? null,
        );
        return;
      case 'yoco.standing_question.create': {
        if (this.#host.isDraining()) throw new YocoError('shutting_down');
        const { standing_question: standing } = event;
        const text = questionText(standing.question, this.#options.questionMaxChars, 'standing_question.question');
        this.#standing.create(standing, text, this.#maxTokens);
        return;
      }
      case 'yoco.standing_question.delete':
        this.#standing.delete(event.standing_question_id);
        return;
      case 'yoco.ping':
        this.#host.send({ type: 'yoco.pong', ping_event_id: event.event_id ?? null });
        return;
    }
  }

  /** Applies all fields, or none if one is wrong. */
  #update({ max_output_tokens: tokens, yoco = {} }: SessionParams): void {
    const maxTokens =
      tokens === undefined ? this.#maxTokens : this.#resolveMaxTokens(tokens, 'session.max_output_tokens');
    const { streams = this.#streams, as_of: asOf = this.#asOf, since = this.#since } = yoco;
    // "all" is resolved at each question.
    if (Array.isArray(yoco.streams)) this.#converse(yoco.streams, 'session.yoco.streams');
    if (yoco.as_of != null) checkTime(yoco.as_of, 'session.yoco.as_of');
    if (yoco.since != null) checkTime(yoco.since, 'session.yoco.since');
    this.#maxTokens = maxTokens;
    this.#wantsStatus = yoco.status ?? this.#wantsStatus;
    this.#streams = streams;
    this.#asOf = asOf;
    this.#since = since;
  }

  /** A fresh conversation about the wanted streams; null: the session's own. */
  #converse(wanted: WantedStreams | null, param: string): Conversation {
    const { live, stream } = this.#scope;
    this.#checkScope(wanted, param);
    return wanted === null ? stream.converse() : live.converse(wanted, param);
  }

  /**
   * Runs before the streams are looked up, so that a refused client does not learn which exist. Throws `forbidden`, or
   * `stream_deleted` if the token's stream is gone: another one may have its name by now.
   */
  #checkScope(wanted: WantedStreams | null, param: string): void {
    const { stream, isTokenBound } = this.#scope;
    if (!isTokenBound || wanted === null) return;
    if (wanted === 'all' || wanted.some((name) => name !== stream.name)) {
      throw otherStreamsForbiddenError(stream.name, param);
    }
    if (stream.status().sourceStatus.state === 'stopped') throw new YocoError('stream_deleted', { param });
  }

  /**
   * What a response is about: a fresh conversation, the times, the field that names the streams (`streamsParam`), and
   * whether no stream was named (`anyOf`).
   */
  #resolveScope({ yoco = {} }: ResponseParams): {
    fresh: Conversation;
    times: TimeRange;
    streamsParam: string;
    anyOf: boolean;
  } {
    const { streams: wanted = this.#streams, as_of: asOf = this.#asOf, since = this.#since } = yoco;
    // The address names the session's own stream.
    const streamsParam =
      wanted === null ? 'stream' : `${yoco.streams === undefined ? 'session' : 'response'}.yoco.streams`;
    const asOfParam = `${yoco.as_of === undefined ? 'session' : 'response'}.yoco.as_of`;
    const sinceParam = `${yoco.since === undefined ? 'session' : 'response'}.yoco.since`;
    this.#checkScope(wanted, streamsParam);
    const scope = { defaultStream: this.#stream, wanted, asOf, since, streamsParam, asOfParam, sinceParam };
    const { conversation: fresh, times } = resolveScope(this.#scope.live, scope);
    return { fresh, times, streamsParam, anyOf: wanted === 'all' };
  }

  #respond(params: ResponseParams): void {
    const outOfBand = params.conversation === 'none';
    this.#checkMayRespond(params, outOfBand);
    const items = params.input ? params.input.map(userItemOf) : this.#conversation.pending;
    const question = questionOf(
      items,
      this.#options.questionMaxChars,
      outOfBand ? 'response.input' : 'conversation.item',
    );
    const { fresh, times, streamsParam, anyOf } = this.#resolveScope(params);
    const turn = outOfBand ? null : this.#conversation.nextTurn(fresh);
    const response = new RealtimeResponse(
      {
        question,
        conversationId: outOfBand ? null : this.#conversation.id,
        maxTokens:
          params.max_output_tokens === undefined
            ? this.#maxTokens
            : this.#resolveMaxTokens(params.max_output_tokens, 'response.max_output_tokens'),
        // Passed each time: the conversation may have begun with a question that named its streams.
        options: { ...times, ...samplingOf(params.yoco ?? {}), anyOf },
        metadata: params.metadata ?? null,
        conversation: turn?.conversation ?? fresh,
        streamsParam,
      },
      this.#responseHost(turn),
    );
    turn?.begin();
    this.#responses.set(response.id, response);
    const onSettled = (outcome: TurnOutcome): void => {
      turn?.settle(outcome);
    };
    void response.run(onSettled).finally(() => {
      this.#responses.delete(response.id);
      if (this.#responses.size === 0) this.#host.onIdle();
    });
  }

  /**
   * Throws if no response may begin, whatever its question. `outOfBand`: outside the conversation, not as its next
   * turn.
   */
  #checkMayRespond(params: ResponseParams, outOfBand: boolean): void {
    if (this.#host.isDraining()) throw new YocoError('shutting_down');
    if (this.#responses.size >= this.#options.maxResponsesPerConnection) {
      throw new YocoError('too_many_questions', {
        detail: `${this.#options.maxResponsesPerConnection} responses are in progress on this connection.`,
      });
    }
    if (outOfBand !== (params.input !== undefined)) {
      throw new YocoError('invalid_request', {
        param: 'response.input',
        detail: 'response.input: requires response.conversation "none", and the other way round.',
      });
    }
    if (!outOfBand) this.#checkConversation();
  }

  /** The host of a response; `turn` is null outside the conversation. */
  #responseHost(turn: Turn | null): ResponseHost {
    return {
      emit: (event) => {
        this.#host.send(event);
      },
      onItemStarted: (item) => {
        turn?.addAnswer(item);
      },
      onItemCompleted: (item) => {
        turn?.completeAnswer(item);
      },
      onEnded: (status, firstTokenMs) => {
        this.#scope.metrics.countResponse(status, firstTokenMs);
      },
      reportInternal: (error) => {
        this.#report(error);
      },
    };
  }

  #checkConversation(): void {
    if ([...this.#responses.values()].some(({ conversationId }) => conversationId !== null)) {
      throw new YocoError('response_in_progress');
    }
    this.#conversation.assertRoom();
  }

  #resolveMaxTokens(value: number | 'inf', param: string): number {
    const limit = this.#options.maxOutputTokens;
    if (value === 'inf') return limit;
    if (value > limit) throw new YocoError('invalid_request', { param, detail: `${param}: the limit is ${limit}.` });
    return value;
  }

  #findResponse(id: string | undefined): RealtimeResponse {
    const found =
      id === undefined
        ? [...this.#responses.values()].find(({ conversationId }) => conversationId !== null)
        : this.#responses.get(id);
    if (!found) throw new YocoError('response_not_found', { param: 'response_id' });
    return found;
  }

  #reset(): void {
    if ([...this.#responses.values()].some(({ conversationId }) => conversationId !== null)) {
      throw new YocoError('response_in_progress', { detail: 'Cancel it first.' });
    }
    this.#conversation.reset();
  }

  #describe() {
    return {
      type: 'realtime' as const,
      object: 'realtime.session' as const,
      id: this.#id,
      model: this.#model,
      output_modalities: ['text'] as ['text'],
      max_output_tokens: this.#maxTokens,
      tools: [],
      yoco: {
        stream: streamJson(this.#stream.status()),
        streams: this.#streams,
        as_of: this.#asOf,
        since: this.#since,
        status: this.#wantsStatus,
        conversation_id: this.#conversation.id,
      },
    };
  }

  #sendError(thrown: unknown, eventId: string | null, frame?: { number: number }): void {
    const error = YocoError.from(thrown);
    if (error.code === 'internal') this.#report(error);
    this.#host.onError(error);
    this.#host.send({
      type: 'error',
      error: { ...errorJson(error), event_id: eventId },
      ...(frame ? { yoco: { frame: frame.number } } : {}),
    });
  }

  #report(error: YocoError): void {
    this.#options.log.error({ err: error.cause, stream: this.#stream.name }, 'A realtime event failed.');
  }
}

/** Throws `invalid_request` when the text is not base64. */
function decodeBase64(text: string): Buffer {
  const bare = text.replace(/^data:image\/(jpeg|png);base64,/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(bare) || bare.length % 4 === 1) {
    const detail =
      'image: must be base64 without line breaks, or a data URL ("data:image/jpeg;base64,..."), of a JPEG or PNG.';
    throw new YocoError('invalid_request', { param: 'image', detail });
  }
  return Buffer.from(bare, 'base64');
}

/** Whether no correct client sends such an event, whatever the state of the session. */
function isInvalid(error: unknown): boolean {
  return error instanceof YocoError && error.code === 'invalid_request';
}
