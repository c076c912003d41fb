/**
 * Schemas of what a client may send on the WebSocket. Names and shapes follow the OpenAI Realtime API (GA), with
 * extensions under `yoco`. Fields of that API without meaning for a text answer about video are accepted and ignored
 * (`noEffect`); unknown fields are refused, so that a typo does not pass silently.
 */
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import { MIN_CONFIDENCE, STANDING_EVERY_MS, STANDING_HOLDS } from '../question-limits.ts';
import { MAX_JSON_BYTES } from './json-body.ts';
import { parseOrThrow } from './parse-request.ts';
import { noEffect, noTools, seed, streams, temperature, time, topP } from './request-fields.ts';

const id = z.string().min(1).max(128);
const envelope = { event_id: z.string().max(512).optional() };

const textOnly = z.tuple([z.literal('text')], { error: 'must be ["text"]: the service writes text only' }).optional();
const outputTokens = z.union([z.int().min(1), z.literal('inf')], { error: 'must be a whole number above 0, or "inf"' });

const userItem = z.strictObject({
  id: id.optional(),
  object: z.literal('realtime.item').optional(),
  type: z.literal('message'),
  role: z.literal('user', { error: 'must be "user": other roles’ turns come from the model' }),
  status: z.enum(['completed', 'incomplete', 'in_progress']).optional(),
  content: z
    .array(
      z.strictObject({
        type: z.literal('input_text', { error: 'must be "input_text": questions are text' }),
        text: z.string(),
      }),
    )
    .min(1)
    .max(16),
});

const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((pairs) => Object.keys(pairs).length <= 16, { error: 'may hold at most 16 pairs' })
  .nullish();

const session = z.strictObject({
  type: z.literal('realtime', { error: 'must be "realtime"' }).optional(),
  output_modalities: textOnly,
  max_output_tokens: outputTokens.optional(),
  tools: noTools.optional(),
  yoco: z
    .strictObject({
      status: z.boolean().optional(),
      streams: streams.nullish(),
      as_of: time.nullish(),
      since: time.nullish(),
    })
    .optional(),
  model: noEffect,
  instructions: noEffect,
  audio: noEffect,
  include: noEffect,
  parallel_tool_calls: noEffect,
  prompt: noEffect,
  reasoning: noEffect,
  tool_choice: noEffect,
  tracing: noEffect,
  truncation: noEffect,
});

const response = z.strictObject({
  conversation: z.enum(['auto', 'none']).optional(),
  input: z.array(userItem).min(1).max(16).optional(),
  max_output_tokens: outputTokens.optional(),
  metadata,
  output_modalities: textOnly,
  tools: noTools.optional(),
  yoco: z
    .strictObject({
      streams: streams.nullish(),
      as_of: time.nullish(),
      since: time.nullish(),
      temperature: temperature.optional(),
      top_p: topP.optional(),
      seed: seed.optional(),
    })
    .optional(),
  instructions: noEffect,
  audio: noEffect,
  parallel_tool_calls: noEffect,
  prompt: noEffect,
  reasoning: noEffect,
  tool_choice: noEffect,
});

const standingQuestion = z.strictObject({
  id: id.optional(),
  question: z.string(),
  /** Seconds. */
  every: z
    .number()
    .min(STANDING_EVERY_MS.min / 1_000)
    .max(STANDING_EVERY_MS.max / 1_000)
    .optional(),
  holds: z.int().min(STANDING_HOLDS.min).max(STANDING_HOLDS.max).optional(),
  min_confidence: z.number().min(MIN_CONFIDENCE.min).max(MIN_CONFIDENCE.max).optional(),
  streams: streams.nullish(),
});

/** Schema of each client event, by type. */
export const CLIENT_EVENTS = {
  'session.update': z.strictObject({ ...envelope, type: z.literal('session.update'), session }),
  'conversation.item.create': z.strictObject({
    ...envelope,
    type: z.literal('conversation.item.create'),
    previous_item_id: id.nullish(),
    item: userItem,
  }),
  'conversation.item.retrieve': z.strictObject({
    ...envelope,
    type: z.literal('conversation.item.retrieve'),
    item_id: id,
  }),
  'conversation.item.delete': z.strictObject({
    ...envelope,
    type: z.literal('conversation.item.delete'),
    item_id: id,
  }),
  'response.create': z.strictObject({
    ...envelope,
    type: z.literal('response.create'),
    response: response.optional(),
  }),
  'response.cancel': z.strictObject({ ...envelope, type: z.literal('response.cancel'), response_id: id.optional() }),
  'yoco.conversation.reset': z.strictObject({ ...envelope, type: z.literal('yoco.conversation.reset') }),
  'yoco.frame.append': z.strictObject({
    ...envelope,
    type: z.literal('yoco.frame.append'),
    image: z.string().min(1),
    t: z
      .union([z.number().min(0), z.string().max(64)], {
        error: 'must be seconds since the stream began, or a wall time with its zone',
      })
      .optional(),
  }),
  'yoco.standing_question.create': z.strictObject({
    ...envelope,
    type: z.literal('yoco.standing_question.create'),
    standing_question: standingQuestion,
  }),
  'yoco.standing_question.delete': z.strictObject({
    ...envelope,
    type: z.literal('yoco.standing_question.delete'),
    standing_question_id: id,
  }),
  'yoco.ping': z.strictObject({ ...envelope, type: z.literal('yoco.ping') }),
} as const;

export const CLIENT_EVENT_TYPES = Object.keys(CLIENT_EVENTS);

export type ClientEvent = {
  [K in keyof typeof CLIENT_EVENTS]: z.infer<(typeof CLIENT_EVENTS)[K]>;
}[keyof typeof CLIENT_EVENTS];
export type UserItem = z.infer<typeof userItem>;
export type ResponseParams = z.infer<typeof response>;
export type StandingParams = z.infer<typeof standingQuestion>;
export type SessionParams = z.infer<typeof session>;

/** Parses a client's message. Throws `invalid_json`, or `invalid_request` if it is not an object. */
export function parseJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new YocoError('invalid_json', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new YocoError('invalid_request', { detail: 'A message is a JSON object with a type.' });
  }
  return value as Record<string, unknown>;
}

/**
 * Throws `message_too_large` if a message exceeds `MAX_JSON_BYTES` without the picture that it pushes: validating a
 * large message field by field would block all other clients.
 */
export function checkSize(text: string, message: Record<string, unknown>): void {
  const whole = Buffer.byteLength(text);
  if (whole <= MAX_JSON_BYTES) return;
  const { type, image } = message;
  // Not measured by serialising the rest again: deep nesting would overflow the stack.
  const picture = type === 'yoco.frame.append' && typeof image === 'string' ? writtenBytes(image, text, whole) : 0;
  const bytes = whole - picture;
  if (bytes <= MAX_JSON_BYTES) return;
  const detail = `Without a picture in yoco.frame.append it has ${bytes} bytes; the limit is ${MAX_JSON_BYTES}.`;
  throw new YocoError('message_too_large', { detail });
}

/**
 * Bytes of the string `value` as it is written in the JSON text `text` of `whole` bytes: some encoders escape the "/"
 * or "+" of base64, so that it takes more than its own bytes.
 */
function writtenBytes(value: string, text: string, whole: number): number {
  const plain = Buffer.byteLength(value);
  if (whole - plain <= MAX_JSON_BYTES) return plain;
  const literal = longestLiteral(text);
  return JSON.parse(literal) === value ? Buffer.byteLength(literal) : plain;
}

/** The longest string of a JSON text, as written; reads no further once more than `MAX_JSON_BYTES` lie beside it. */
function longestLiteral(text: string): string {
  let longest = '""';
  for (let start = text.indexOf('"'); start >= 0 && start - longest.length <= MAX_JSON_BYTES;) {
    let end = text.indexOf('"', start + 1);
    while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
    if (end + 1 - start > longest.length) longest = text.slice(start, end + 1);
    start = text.indexOf('"', end + 1);
  }
  return longest;
}

/** Whether the quotation mark at `at` is part of a string: an odd number of backslashes precedes it. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charAt(first - 1) === '\\') first -= 1;
  return (at - first) % 2 === 1;
}

/** Throws `unknown_event`, or `invalid_request` whose `param` is the path of the first wrong field. */
export function parseEvent(message: Record<string, unknown>): ClientEvent {
  const { type } = message;
  if (typeof type !== 'string') {
    throw new YocoError('invalid_request', { param: 'type', detail: 'type must be the name of an event.' });
  }
  if (!Object.hasOwn(CLIENT_EVENTS, type)) {
    throw new YocoError('unknown_event', { param: 'type', detail: `Known types: ${CLIENT_EVENT_TYPES.join(', ')}.` });
  }
  return parseOrThrow<ClientEvent>(CLIENT_EVENTS[type as keyof typeof CLIENT_EVENTS], message);
}
