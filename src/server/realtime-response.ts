/** One response: turns an answer of the live service into the event sequence of OpenAI Realtime. */
import { YocoError } from '../errors.ts';
import type { Answer, AnswerResult, AskOptions, Conversation } from '../live/types.ts';
import { answerJson, statusOf } from './answer-json.ts';
import { withStreamsParam } from './question-scope.ts';
import { errorJson } from './errors-http.ts';
import { newId } from './ids.ts';
import type { ResponseStatus } from './metric-tables.ts';
import type { Turn } from './realtime-conversation.ts';
import { assistantItem, type Item } from './realtime-items.ts';
import type { UnsentEvent } from './unsent-event.ts';
import type { ResponseJson } from './wire-types.ts';

/** What a response needs from its session. */
export interface ResponseHost {
  emit(event: UnsentEvent): void;
  /** Called at the end with the response's status; `firstTokenMs` is null if it failed or was cancelled. */
  onEnded(status: ResponseStatus, firstTokenMs: number | null): void;
  /** Called once for each unexpected error. */
  reportInternal(error: YocoError): void;
}

export interface ResponseRequest {
  readonly question: string;
  /** The turn that it is of the session's conversation; null: it is outside of it. */
  readonly turn: Turn | null;
  readonly conversation: Conversation;
  readonly maxTokens: number;
  readonly options: Omit<AskOptions, 'signal' | 'maxTokens'>;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** The field that errors about the streams name. */
  readonly streamsParam: string;
}

type Outcome =
  | { readonly kind: 'ended'; readonly result: AnswerResult }
  | { readonly kind: 'failed'; readonly error: YocoError }
  | { readonly kind: 'cancelled' };

type EndedResponse = ResponseJson & { readonly status: ResponseStatus };

export class RealtimeResponse {
  readonly id = newId('resp');
  readonly #request: ResponseRequest;
  readonly #host: ResponseHost;
  readonly #itemId = newId('item');
  readonly #abort = new AbortController();
  readonly #answer: Answer;
  #text = '';
  #itemOpen = false;

  /** Asks the question. Throws what `ask` throws, before any event is sent. */
  constructor(request: ResponseRequest, host: ResponseHost) {
    this.#request = request;
    this.#host = host;
    this.#answer = request.conversation.ask(request.question, {
      ...request.options,
      maxTokens: request.maxTokens,
      signal: this.#abort.signal,
    });
    // The result is awaited after the last piece; an earlier rejection must not count as unhandled.
    this.#answer.result.catch(() => undefined);
  }

  /** Whether it is a turn of the session's conversation. */
  get isTurn(): boolean {
    return this.#request.turn !== null;
  }

  /** Ends the answer between two tokens; `response.done` follows. */
  cancel(): void {
    this.#abort.abort();
  }

  /** Sends every event of the response; its turn is settled before `response.done`. Never rejects. */
  async run(): Promise<void> {
    const { turn } = this.#request;
    turn?.begin();
    this.#host.emit({ type: 'response.created', response: this.#body('in_progress') });
    const outcome = await this.#streamText();
    const answered = outcome.kind === 'ended' && outcome.result.finish !== 'cancelled';
    if (answered) this.#openItem();
    const complete = outcome.kind === 'ended' && outcome.result.finish === 'stop';
    const item = this.#itemOpen ? this.#closeItem(complete ? 'completed' : 'incomplete') : null;
    turn?.settle(outcome.kind === 'failed' ? 'failed' : answered ? 'answered' : 'forgotten');
    const response = this.#doneBody(outcome, item);
    this.#host.onEnded(response.status, answered ? outcome.result.firstTokenMs : null);
    this.#host.emit({ type: 'response.done', response });
  }

  async #streamText(): Promise<Outcome> {
    try {
      for await (const piece of this.#answer) {
        if (piece === '') continue;
        this.#openItem();
        this.#text += piece;
        this.#host.emit({ type: 'response.output_text.delta', ...this.#partFields(), delta: piece });
      }
      return { kind: 'ended', result: await this.#answer.result };
    } catch (thrown) {
      if (this.#abort.signal.aborted) return { kind: 'cancelled' };
      const error = YocoError.from(thrown);
      if (error.code === 'internal') this.#host.reportInternal(error);
      return { kind: 'failed', error };
    }
  }

  #openItem(): void {
    if (this.#itemOpen) return;
    this.#itemOpen = true;
    const item = assistantItem(this.#itemId, 'in_progress', null);
    this.#host.emit({ type: 'response.output_item.added', response_id: this.id, output_index: 0, item });
    this.#request.turn?.addAnswer(item);
    this.#host.emit({ type: 'response.content_part.added', ...this.#partFields(), part: { type: 'text', text: '' } });
  }

  #closeItem(status: 'completed' | 'incomplete'): Item {
    const item = assistantItem(this.#itemId, status, this.#text);
    this.#host.emit({ type: 'response.output_text.done', ...this.#partFields(), text: this.#text });
    this.#host.emit({
      type: 'response.content_part.done',
      ...this.#partFields(),
      part: { type: 'text', text: this.#text },
    });
    this.#host.emit({ type: 'response.output_item.done', response_id: this.id, output_index: 0, item });
    this.#request.turn?.completeAnswer(item);
    return item;
  }

  #doneBody(outcome: Outcome, item: Item | null): EndedResponse {
    const output = item ? [item] : [];
    if (outcome.kind === 'failed') {
      const error = withStreamsParam(outcome.error, this.#request.streamsParam);
      const details = { type: 'failed', error: errorJson(error) };
      return { ...this.#body('failed'), status_details: details, output };
    }
    if (outcome.kind === 'cancelled')
      return { ...this.#body('cancelled'), status_details: STATUS_DETAILS.cancelled, output };
    const { result } = outcome;
    const status = statusOf(result);
    return {
      ...this.#body(status),
      status_details: STATUS_DETAILS[status],
      output,
      usage: usageOf(result),
      yoco: answerJson(result, this.#request.conversation),
    };
  }

  #body<S extends ResponseJson['status']>(status: S): ResponseJson & { readonly status: S } {
    return {
      object: 'realtime.response',
      id: this.id,
      status,
      status_details: null,
      output: [],
      conversation_id: this.#request.turn?.conversationId ?? null,
      output_modalities: ['text'],
      max_output_tokens: this.#request.maxTokens,
      metadata: this.#request.metadata && { ...this.#request.metadata },
      usage: null,
    };
  }

  #partFields() {
    return { response_id: this.id, item_id: this.#itemId, output_index: 0, content_index: 0 } as const;
  }
}

const STATUS_DETAILS = {
  completed: { type: 'completed' },
  incomplete: { type: 'incomplete', reason: 'max_output_tokens' },
  cancelled: { type: 'cancelled', reason: 'client_cancelled' },
} as const;

function usageOf({ inputTokens, outputTokens }: AnswerResult) {
  return {
    total_tokens: inputTokens + outputTokens,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    input_token_details: { text_tokens: inputTokens, audio_tokens: 0, image_tokens: 0, cached_tokens: 0 },
    output_token_details: { text_tokens: outputTokens, audio_tokens: 0 },
  };
}
