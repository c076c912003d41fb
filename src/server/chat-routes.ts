/** `/v1/chat/completions` and `/v1/models`: one question over HTTP, in the format of OpenAI's API; stateless. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { YocoError } from '../errors.ts';
import type { Answer, AnswerResult, Conversation, LiveService, LiveStream } from '../live/types.ts';
import { answerJson, statusOf } from './answer-json.ts';
import { resolveScope, withStreamsParam } from './question-scope.ts';
import { type ChatRequest, chatRequest, questionAndTurns } from './chat-requests.ts';
import { errorJson } from './errors-http.ts';
import { jsonBody } from './json-body.ts';
import type { ResolvedOptions } from './server-options.ts';
import type { ResponseStatus } from './metric-tables.ts';
import type { ServerMetrics } from './metrics.ts';
import { modelName, streamOfModel } from './model-name.ts';
import { otherStreamsForbiddenError } from './permissions.ts';
import { parseOrThrow } from './parse-request.ts';
import { newId } from './ids.ts';
import { samplingOf } from './request-fields.ts';

/** Body limit for the messages of a whole conversation; the question itself is limited by `questionMaxChars`. */
const MAX_CHAT_BYTES = 1024 * 1024;

export interface ChatDeps {
  readonly options: ResolvedOptions;
  readonly metrics: Pick<ServerMetrics, 'countResponse'>;
  /** The only stream that a request may ask; null: any. */
  readonly boundStreamOf: (request: FastifyRequest) => string | null;
}

export function chatRoutes(app: FastifyInstance, live: LiveService, deps: ChatDeps): void {
  const { options, metrics, boundStreamOf } = deps;
  app.get('/v1/models', () => ({ object: 'list', data: live.list().map((stream) => modelJson(live, stream)) }));
  app.get<{ Params: { model: string } }>('/v1/models/:model', (request) => {
    const { model } = request.params;
    checkTokenStream({ model }, live, boundStreamOf(request));
    return modelJson(live, streamOfModel(live, model));
  });

  app.post('/v1/chat/completions', { bodyLimit: MAX_CHAT_BYTES }, async (request, reply) => {
    const params = parseOrThrow(chatRequest, jsonBody(request));
    const { question, turns } = questionAndTurns(params.messages, options.questionMaxChars);
    checkTokenStream(params, live, boundStreamOf(request));
    const { streams: wanted = null, as_of: asOf = null, since = null } = params.yoco ?? {};
    const defaultStream = streamOfModel(live, params.model);
    const scope = {
      defaultStream,
      wanted,
      asOf,
      since,
      streamsParam: wanted === null ? 'model' : 'yoco.streams',
      asOfParam: 'yoco.as_of',
      sinceParam: 'yoco.since',
    };
    const { conversation, times } = resolveScope(live, scope);
    const abort = new AbortController();
    // If the connection ends before the answer does, nobody reads the rest.
    reply.raw.once('close', () => {
      abort.abort();
    });
    const answer = conversation.ask(question, {
      ...times,
      ...samplingOf(params),
      turns,
      maxTokens: maxTokensOf(params, options.maxOutputTokens),
      signal: abort.signal,
    });
    // The result is awaited after the last piece; an earlier rejection must not count as unhandled.
    answer.result.catch(() => undefined);
    const { streamsParam } = scope;
    const created = Math.floor(Date.now() / 1_000);
    const chat: Chat = { id: newId('chatcmpl'), created, params, conversation, streamsParam, answer };
    try {
      return await (params.stream === true ? streamCompletion(chat, reply, deps) : buildCompletion(chat, metrics));
    } catch (error) {
      metrics.countResponse('failed', null);
      throw withStreamsParam(YocoError.from(error), streamsParam);
    }
  });
}

interface Chat {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly params: ChatRequest;
  readonly conversation: Conversation;
  /** The field of the request that names the streams. */
  readonly streamsParam: string;
  readonly answer: Answer;
}

async function buildCompletion(chat: Chat, metrics: ChatDeps['metrics']) {
  const result = await chat.answer.result;
  metrics.countResponse(statusOf(result), firstTokenOf(result));
  const message = { role: 'assistant', content: result.text, refusal: null };
  return {
    ...baseFields(chat, 'chat.completion'),
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReasonOf(result) }],
    usage: usageOf(result),
    yoco: answerJson(result, chat.conversation),
  };
}

/** Answers with server-sent events. An error before the first piece sets the HTTP status; a later one is an event. */
async function streamCompletion(chat: Chat, reply: FastifyReply, deps: ChatDeps): Promise<FastifyReply> {
  const pieces = chat.answer[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (reply.raw.destroyed) {
    // The client has left, so `events`, which counts all other outcomes, never runs.
    deps.metrics.countResponse('cancelled', null);
    return reply.hijack();
  }
  return reply
    .type('text/event-stream; charset=utf-8')
    .header('cache-control', 'no-cache')
    .header('x-accel-buffering', 'no')
    .send(Readable.from(events(chat, pieces, first, deps)));
}

async function* events(
  chat: Chat,
  pieces: AsyncIterator<string>,
  first: IteratorResult<string>,
  { metrics, options }: ChatDeps,
): AsyncGenerator<string, void> {
  const chunk = (delta: object, finish: string | null = null, more: object = {}): string =>
    event({
      ...baseFields(chat, 'chat.completion.chunk'),
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...more,
    });
  // Stays `cancelled` if the client leaves before the end.
  const outcome: { status: ResponseStatus; firstTokenMs: number | null } = { status: 'cancelled', firstTokenMs: null };
  try {
    yield chunk({ role: 'assistant', content: '' });
    for (let piece = first; piece.done !== true; piece = await pieces.next()) yield chunk({ content: piece.value });
    const result = await chat.answer.result;
    Object.assign(outcome, { status: statusOf(result), firstTokenMs: firstTokenOf(result) });
    yield chunk({}, finishReasonOf(result), { yoco: answerJson(result, chat.conversation) });
    if (chat.params.stream_options?.include_usage === true) {
      yield event({ ...baseFields(chat, 'chat.completion.chunk'), choices: [], usage: usageOf(result) });
    }
    yield 'data: [DONE]\n\n';
  } catch (thrown) {
    outcome.status = 'failed';
    const error = withStreamsParam(YocoError.from(thrown), chat.streamsParam);
    if (error.code === 'internal') options.log.error({ err: error.cause, model: chat.params.model }, 'A chat failed.');
    yield event({ error: errorJson(error) });
  } finally {
    metrics.countResponse(outcome.status, outcome.firstTokenMs);
  }
}

const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

function baseFields({ id, created, params }: Chat, object: string) {
  return { id, object, created, model: params.model };
}

function finishReasonOf({ finish }: AnswerResult): 'stop' | 'length' {
  return finish === 'length' ? 'length' : 'stop';
}

/** Null for a cancelled answer, as over a WebSocket: the histogram holds answers that somebody waited for. */
const firstTokenOf = ({ finish, firstTokenMs }: AnswerResult): number | null =>
  finish === 'cancelled' ? null : firstTokenMs;

function usageOf({ inputTokens, outputTokens }: AnswerResult) {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
}

/** Caps the limit instead of refusing it: the defaults of clients are far above what answers hold. */
function maxTokensOf({ max_completion_tokens: tokens, max_tokens: older }: ChatRequest, limit: number): number {
  return Math.min(tokens ?? older ?? limit, limit);
}

/** Throws `forbidden` before any stream is looked up, so that a refused client does not learn which exist. */
function checkTokenStream(
  { model, yoco }: Pick<ChatRequest, 'model' | 'yoco'>,
  live: LiveService,
  boundStream: string | null,
): void {
  if (boundStream === null) return;
  const { streams } = yoco ?? {};
  const asksOthers = streams === 'all' || streams?.some((name) => name !== boundStream) === true;
  if (!asksOthers && model === `${live.bundle.name}@${boundStream}`) return;
  throw otherStreamsForbiddenError(boundStream, asksOthers ? 'yoco.streams' : 'model');
}

function modelJson(live: LiveService, stream: LiveStream) {
  const created = Math.floor(stream.status().startedAtMs / 1_000);
  return { id: modelName(live, stream), object: 'model', created, owned_by: 'yoco-live' };
}
