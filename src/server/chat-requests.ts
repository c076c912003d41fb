/**
 * Schema of `POST /v1/chat/completions`: names and shapes follow OpenAI's API, with extensions under `yoco`. OpenAI
 * fields without meaning for a short text about video are accepted and ignored; unknown fields are refused.
 */
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import type { PastTurn } from '../live/types.ts';
import { noEffect, noTools, questionText, seed, streams, temperature, time, topP } from './request-fields.ts';

const tokens = z.int().min(1).nullish();

const text = z.union(
  [
    z.string(),
    z
      .array(
        z.strictObject({
          type: z.literal('text', { error: 'must be "text": the video comes from the stream' }),
          text: z.string(),
        }),
      )
      .max(1_000),
  ],
  { error: 'must be text, or a list of at most 1,000 {type: "text", text}' },
);

const message = z.strictObject({
  role: z.enum(['system', 'developer', 'user', 'assistant'], {
    error: 'must be "system", "developer", "user" or "assistant": the model calls no tools',
  }),
  content: text,
  name: noEffect,
  refusal: noEffect,
  annotations: noEffect,
  audio: noEffect,
  // OpenAI's Python client dumps these as null when an answer is sent back.
  function_call: z.null({ error: 'must be null: the model calls no functions' }).optional(),
  tool_calls: z.null({ error: 'must be null: the model calls no tools' }).optional(),
});

export const chatRequest = z.strictObject({
  model: z.string().min(1).max(400),
  messages: z.array(message).min(1).max(1_000),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional(), include_obfuscation: noEffect }).nullish(),
  max_tokens: tokens,
  max_completion_tokens: tokens,
  temperature: temperature.nullish(),
  top_p: topP.nullish(),
  seed: seed.nullish(),
  n: z.literal(1, { error: 'must be 1: one question has one answer' }).nullish(),
  tools: noTools.nullish(),
  response_format: z
    .object({ type: z.literal('text', { error: 'must be "text": the service writes text only' }) })
    .nullish(),
  yoco: z.strictObject({ streams: streams.nullish(), as_of: time.nullish(), since: time.nullish() }).nullish(),
  frequency_penalty: noEffect,
  logit_bias: noEffect,
  logprobs: noEffect,
  metadata: noEffect,
  modalities: noEffect,
  parallel_tool_calls: noEffect,
  presence_penalty: noEffect,
  prompt_cache_key: noEffect,
  reasoning_effort: noEffect,
  safety_identifier: noEffect,
  service_tier: noEffect,
  stop: noEffect,
  store: noEffect,
  tool_choice: noEffect,
  top_logprobs: noEffect,
  user: noEffect,
  verbosity: noEffect,
});

export type ChatRequest = z.infer<typeof chatRequest>;

/**
 * Joins the user messages after the last answer into the question, and pairs the earlier ones into turns. System and
 * developer messages are ignored, as are answers without a question. Throws `invalid_request` if no user message
 * follows the last answer, `question_empty`, `question_too_long`.
 */
export function questionAndTurns(
  messages: ChatRequest['messages'],
  maxChars: number,
): { question: string; turns: readonly PastTurn[] } {
  const turns: PastTurn[] = [];
  let asked: string[] = [];
  for (const { role, content } of messages) {
    const written = typeof content === 'string' ? content : content.map((part) => part.text).join('\n');
    if (role === 'user') asked.push(written);
    if (role !== 'assistant') continue;
    if (asked.length > 0) turns.push({ question: asked.join('\n').trim(), answer: written.trim() });
    asked = [];
  }
  if (asked.length === 0) {
    throw new YocoError('invalid_request', {
      param: 'messages',
      detail: 'messages: the last one must be from the user: it is the question.',
    });
  }
  return { question: questionText(asked.join('\n'), maxChars, 'messages'), turns };
}
