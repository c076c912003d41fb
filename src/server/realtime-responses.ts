/** The responses of one session that are in progress: whether another may begin, with which request, and which end. */
import { YocoError } from '../errors.ts';
import type { SessionConversation } from './realtime-conversation.ts';
import type { ResponseParams } from './realtime-events.ts';
import { questionOf, userItemOf } from './realtime-items.ts';
import { RealtimeResponse, type ResponseHost } from './realtime-response.ts';
import type { SessionSettings } from './realtime-settings.ts';
import type { SessionStreams } from './realtime-streams.ts';
import { samplingOf } from './request-fields.ts';
import type { ResolvedOptions } from './server-options.ts';

/** What responses read of their session. */
export interface ResponseContext {
  readonly conversation: SessionConversation;
  readonly streams: SessionStreams;
  readonly settings: SessionSettings;
}

/** What responses need from their session. */
export interface SessionResponsesHost extends ResponseHost {
  isDraining(): boolean;
  /** Called when the last response in progress has ended. */
  onIdle(): void;
}

/** What bounds responses. */
type ResponseLimits = Pick<ResolvedOptions, 'maxResponsesPerConnection' | 'questionMaxChars'>;

export class SessionResponses {
  readonly #context: ResponseContext;
  readonly #limits: ResponseLimits;
  readonly #host: SessionResponsesHost;
  readonly #open = new Map<string, RealtimeResponse>();

  constructor(context: ResponseContext, limits: ResponseLimits, host: SessionResponsesHost) {
    this.#context = context;
    this.#limits = limits;
    this.#host = host;
  }

  /** Whether no response is in progress. */
  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  /** Whether a turn of the conversation is in progress. */
  get hasTurn(): boolean {
    return this.#openTurn !== undefined;
  }

  /**
   * Begins a response. Throws `shutting_down`, `too_many_questions`, `invalid_request`, `response_in_progress`,
   * `conversation_full`, the errors of the question and of its scope, and what `Conversation.ask` throws; then nothing
   * has changed.
   */
  create(params: ResponseParams): void {
    const { conversation, streams, settings } = this.#context;
    const isOutOfBand = params.conversation === 'none';
    this.#checkMayBegin(params, isOutOfBand);
    const question = this.#questionOf(params, isOutOfBand);
    const { fresh, times, streamsParam, anyOf } = streams.scopeOf(params.yoco ?? {}, settings.current);
    const turn = isOutOfBand ? null : conversation.nextTurn(fresh);
    const response = new RealtimeResponse(
      {
        question,
        turn,
        conversation: turn?.conversation ?? fresh,
        maxTokens: settings.maxTokensOf(params.max_output_tokens, 'response.max_output_tokens'),
        // Passed each time: the conversation may have begun with a question that named its streams.
        options: { ...times, ...samplingOf(params.yoco ?? {}), anyOf },
        metadata: params.metadata ?? null,
        streamsParam,
      },
      this.#host,
    );
    this.#open.set(response.id, response);
    void response.run().finally(() => {
      this.#open.delete(response.id);
      if (this.isIdle) this.#host.onIdle();
    });
  }

  /** Cancels the response `id`; undefined: the conversation's turn. Throws `response_not_found`. */
  cancel(id: string | undefined): void {
    const response = id === undefined ? this.#openTurn : this.#open.get(id);
    if (!response) throw new YocoError('response_not_found', { param: 'response_id' });
    response.cancel();
  }

  /** Cancels every response. */
  close(): void {
    for (const response of this.#open.values()) response.cancel();
  }

  get #openTurn(): RealtimeResponse | undefined {
    return [...this.#open.values()].find(({ isTurn }) => isTurn);
  }

  /**
   * Throws if no response may begin, whatever its question. `isOutOfBand`: outside the conversation, not as its next
   * turn.
   */
  #checkMayBegin(params: ResponseParams, isOutOfBand: boolean): void {
    if (this.#host.isDraining()) throw new YocoError('shutting_down');
    const { maxResponsesPerConnection: limit } = this.#limits;
    if (this.#open.size >= limit) {
      throw new YocoError('too_many_questions', { detail: `${limit} responses are in progress on this connection.` });
    }
    if (isOutOfBand !== (params.input !== undefined)) {
      throw new YocoError('invalid_request', {
        param: 'response.input',
        detail: 'response.input: requires response.conversation "none", and the other way round.',
      });
    }
    if (isOutOfBand) return;
    if (this.hasTurn) throw new YocoError('response_in_progress');
    this.#context.conversation.assertRoom();
  }

  #questionOf({ input }: ResponseParams, isOutOfBand: boolean): string {
    const items = input ? input.map(userItemOf) : this.#context.conversation.pending;
    return questionOf(items, this.#limits.questionMaxChars, isOutOfBand ? 'response.input' : 'conversation.item');
  }
}
