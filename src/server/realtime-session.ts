/**
 * One client's session on one stream, which may also ask others: takes its messages, hands each event to the part that
 * it is for (settings, conversation, responses, standing questions, pushed frames), and reports errors. Knows nothing
 * of sockets.
 */
import { YocoError } from '../errors.ts';
import type { LiveStream } from '../live/types.ts';
import { errorJson } from './errors-http.ts';
import { newId } from './ids.ts';
import type { ServerMetrics } from './metrics.ts';
import { modelName } from './model-name.ts';
import { SessionConversation } from './realtime-conversation.ts';
import { checkSize, parseEvent, parseJson, type ClientEvent, type UserItem } from './realtime-events.ts';
import { FrameIntake } from './realtime-frames.ts';
import { questionOf, userItemOf } from './realtime-items.ts';
import { SessionResponses, type SessionResponsesHost } from './realtime-responses.ts';
import { SessionSettings } from './realtime-settings.ts';
import { StandingQuestions, type StandingQuestionsHost } from './realtime-standing.ts';
import { SessionStreams, type AskableStreams } from './realtime-streams.ts';
import type { ResolvedOptions } from './server-options.ts';
import { sessionJson, type SessionJson } from './session-json.ts';
import { streamJson } from './stream-json.ts';
import type { UnsentEvent } from './unsent-event.ts';

/** What a session may do. Its own stream is also pushed to, and reported by `yoco.stream.status`. */
export interface SessionScope extends AskableStreams {
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
  readonly #stream: LiveStream;
  readonly #options: ResolvedOptions;
  readonly #host: SessionHost;
  readonly #model: string;
  readonly #id = newId('sess');
  readonly #settings: SessionSettings;
  readonly #conversation: SessionConversation;
  readonly #responses: SessionResponses;
  readonly #standing: StandingQuestions;
  readonly #frames: FrameIntake;

  /** Sends `session.created`. */
  constructor(scope: SessionScope, options: ResolvedOptions, host: SessionHost) {
    const { stream, metrics } = scope;
    this.#stream = stream;
    this.#options = options;
    this.#host = host;
    this.#model = modelName(scope.live, stream);
    const emit = (event: UnsentEvent): void => {
      host.send(event);
    };
    const partHost: SessionResponsesHost & StandingQuestionsHost = {
      emit,
      isDraining: () => host.isDraining(),
      onIdle: () => {
        host.onIdle();
      },
      onEnded: (status, firstTokenMs) => {
        metrics.countResponse(status, firstTokenMs);
      },
      onAsked: (outcome) => {
        metrics.countAsking(outcome);
      },
      reportInternal: (error) => {
        this.#report(error);
      },
    };
    const streams = new SessionStreams(scope);
    const settings = new SessionSettings(streams, options.maxOutputTokens);
    const conversation = new SessionConversation(options.maxConversationItems, emit);
    this.#settings = settings;
    this.#conversation = conversation;
    this.#responses = new SessionResponses({ conversation, streams, settings }, options, partHost);
    this.#standing = new StandingQuestions(streams, options, partHost);
    this.#frames = new FrameIntake(
      stream,
      { mayPush: scope.mayPush, maxPending: options.maxPendingFrames },
      emit,
      (error, eventId, number) => {
        this.#sendError(error, eventId, { number });
      },
    );
    emit({ type: 'session.created', session: this.#describe() });
  }

  get isResponding(): boolean {
    return !this.#responses.isIdle;
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
    this.#responses.close();
  }

  #handle(event: ClientEvent): void {
    switch (event.type) {
      case 'session.update':
        this.#settings.update(event.session);
        this.#host.send({ type: 'session.updated', session: this.#describe() });
        this.#host.setStatusEnabled(this.#settings.current.wantsStatus);
        return;
      case 'conversation.item.create':
        this.#addItem(event.item, event.previous_item_id ?? null);
        return;
      case 'conversation.item.retrieve':
        this.#host.send({ type: 'conversation.item.retrieved', item: this.#conversation.item(event.item_id) });
        return;
      case 'conversation.item.delete':
        this.#conversation.remove(event.item_id);
        return;
      case 'response.create':
        this.#responses.create(event.response ?? {});
        return;
      case 'response.cancel':
        this.#responses.cancel(event.response_id);
        return;
      case 'yoco.conversation.reset':
        this.#reset();
        return;
      case 'yoco.frame.append':
        this.#frames.append(event);
        return;
      case 'yoco.standing_question.create':
        this.#standing.create(event.standing_question, this.#settings.current.maxTokens);
        return;
      case 'yoco.standing_question.delete':
        this.#standing.delete(event.standing_question_id);
        return;
      case 'yoco.ping':
        this.#host.send({ type: 'yoco.pong', ping_event_id: event.event_id ?? null });
        return;
    }
  }

  #addItem(params: UserItem, previousId: string | null): void {
    this.#conversation.checkPrevious(previousId);
    const item = userItemOf(params);
    questionOf([item], this.#options.questionMaxChars, 'item.content');
    this.#conversation.add(item);
  }

  #reset(): void {
    if (this.#responses.hasTurn) throw new YocoError('response_in_progress', { detail: 'Cancel it first.' });
    this.#conversation.reset();
  }

  #describe(): SessionJson {
    return sessionJson({
      id: this.#id,
      model: this.#model,
      conversationId: this.#conversation.id,
      stream: this.#stream.status(),
      settings: this.#settings.current,
    });
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

/** Whether no correct client sends such an event, whatever the state of the session. */
function isInvalid(error: unknown): boolean {
  return error instanceof YocoError && error.code === 'invalid_request';
}
