/** Schemas of what the service sends, for the API documents and for the tests that check the service against them. */
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../errors.ts';

const seconds = z.number().describe('Seconds since the stream began, rounded to 1 ms.');
const wallTime = z.iso.datetime().describe('RFC 3339, in UTC.');
const count = z.int().min(0);
const id = z.string();

export const errorSchema = z.object({
  type: z.enum([
    'invalid_request_error',
    'authentication_error',
    'permission_error',
    'rate_limit_error',
    'server_error',
  ]),
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  param: z.string().nullable().describe('The field, query parameter or header that was wrong.'),
  retryable: z.boolean().describe('Whether the same request may succeed later.'),
});

export const errorBody = z.object({ error: errorSchema });

export const healthSchema = z.object({ status: z.literal('ok') });

export const readinessSchema = z.object({ status: z.enum(['ready', 'loading', 'draining']) });

export const streamSchema = z.object({
  object: z.literal('yoco.stream'),
  name: z.string(),
  description: z.string().nullable(),
  source: z.string().describe('What the source is, with credentials and folders hidden.'),
  state: z.enum(['connecting', 'playing', 'reconnecting', 'ended', 'failed', 'stopped']),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  fps: z.number(),
  frames: count,
  dropped_frames: count,
  late_frames: count,
  reconnects: count,
  first: seconds.nullable(),
  last: seconds.nullable(),
  first_time: wallTime.nullable(),
  last_time: wallTime.nullable(),
  last_change: seconds
    .nullable()
    .describe('Time of the newest frame whose picture differs from the one before it; null before a frame came.'),
  last_change_time: wallTime.nullable(),
  started_at: wallTime,
  recorded_at: wallTime
    .nullable()
    .describe('When a recording was made, if its definition says so; all its wall times then count from that time.'),
  cache: z.object({
    tokens: count,
    bytes: count,
    limit_bytes: count,
    int8_frames: count,
    merged_frames: count,
    thinned_frames: count,
    dropped_frames: count,
  }),
});

export const streamList = z.object({
  object: z.literal('list'),
  bundle: z.object({ name: z.string(), parameters: count, licence: z.string(), streams_per_question: count }),
  may_change: z.boolean().describe('Whether the caller may create and delete streams; view keys and tokens may not.'),
  data: z.array(streamSchema),
});

export const streamDeleted = z.object({
  object: z.literal('yoco.stream.deleted'),
  name: z.string(),
  deleted: z.literal(true),
});

export const frameTaken = z.union([
  z.object({ accepted: z.literal(true), t: seconds, time: wallTime }),
  z.object({ accepted: z.literal(false), reason: z.enum(['late', 'out_of_order']) }),
]);

export const snapshotSchema = z.object({
  object: z.literal('yoco.snapshot'),
  file: z.string(),
  bytes: count,
  stream: z.string().nullable(),
  fps: z.number().nullable(),
  frames: count.nullable(),
  first: seconds.nullable(),
  last: seconds.nullable(),
  first_time: wallTime.nullable(),
  last_time: wallTime.nullable(),
  created_at: wallTime.nullable(),
  bundle: z.string().nullable(),
  error: z.string().nullable().describe('Why the file cannot be used, as a code.'),
});

export const snapshotList = z.object({ object: z.literal('list'), data: z.array(snapshotSchema) });

export const snapshotDeleted = z.object({
  object: z.literal('yoco.snapshot.deleted'),
  file: z.string(),
  deleted: z.literal(true),
});

export const tokenSchema = z.object({
  object: z.literal('yoco.token'),
  token: z.string(),
  expires_at: wallTime,
  stream: z.string().nullable(),
});

export const modelSchema = z.object({
  id: z.string().describe('BUNDLE@STREAM'),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
});

export const modelList = z.object({ object: z.literal('list'), data: z.array(modelSchema) });

const evidence = z.object({
  stream: z.string(),
  start: seconds,
  end: seconds,
  peak: seconds.describe('The frame of the span with the most attention.'),
  weight: z.number().min(0).max(1).describe('Share of the cross-attention over all streams.'),
  start_time: wallTime,
  end_time: wallTime,
  peak_time: wallTime,
});

const confidence = z.number().min(0).max(1).describe('The probability that the model assigns to the answer.');

export const answerSchema = z.object({
  stream: z.string().nullable().describe('Null if several streams were asked.'),
  as_of: seconds.nullable(),
  as_of_time: wallTime,
  since: seconds.nullable().describe('Time from which the stream was read; null: everything kept, or several streams.'),
  streams: z.array(
    z.object({
      name: z.string(),
      as_of: seconds,
      as_of_time: wallTime,
      since: seconds.nullable(),
      since_time: wallTime.nullable(),
    }),
  ),
  precision: z.enum(['full', 'int8', 'thinned']),
  confidence,
  evidence: z.array(evidence),
  latency_ms: z.object({ first_token: count, total: count }),
});

/** How a reported answer of a standing question ended. */
const reportedStatus = z.enum(['completed', 'incomplete']);

/** A standing question of a stream's file. */
export const standingSchema = z.object({
  object: z.literal('yoco.standing_question'),
  id,
  question: z.string(),
  every: z.number(),
  holds: z.int(),
  min_confidence: z.number(),
  webhook: z.string().nullable().describe('Host of the webhook’s address, with its port if it has one.'),
  state: z
    .enum(['waiting', 'answered', 'missed', 'ended'])
    .describe('`waiting`: not asked yet; `answered`, `missed`: outcome of the last asking; `ended`: no longer asked.'),
  error: errorSchema.nullable().describe('Why it was missed or has ended.'),
  asked_time: wallTime.nullable(),
  answer: z.string().nullable().describe('The answer that was reported last.'),
  since_time: wallTime.nullable().describe('The moment of that answer.'),
  told: z
    .array(
      z.object({
        answer: z.string(),
        previous: z.string().nullable(),
        status: reportedStatus,
        as_of: seconds.nullable(),
        as_of_time: wallTime,
        confidence,
        evidence: z.array(evidence),
      }),
    )
    .describe('The answers that were reported, newest first.'),
});

export const standingList = z.object({ object: z.literal('list'), data: z.array(standingSchema) });

const chatUsage = z.object({ prompt_tokens: count, completion_tokens: count, total_tokens: count });
const finish = z.enum(['stop', 'length']);

export const chatCompletion = z.object({
  id,
  object: z.literal('chat.completion'),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.literal(0),
      message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
      logprobs: z.null(),
      finish_reason: finish,
    }),
  ),
  usage: chatUsage,
  yoco: answerSchema,
});

export const chatChunk = z.object({
  id,
  object: z.literal('chat.completion.chunk'),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.literal(0),
      delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
      logprobs: z.null(),
      finish_reason: finish.nullable(),
    }),
  ),
  usage: chatUsage.optional(),
  yoco: answerSchema.optional(),
});

// --- The WebSocket's events ---

const item = z.object({
  id,
  object: z.literal('realtime.item'),
  type: z.literal('message'),
  role: z.enum(['user', 'assistant']),
  status: z.enum(['completed', 'incomplete', 'in_progress']),
  content: z.array(z.object({ type: z.enum(['input_text', 'output_text']), text: z.string() })),
});

const wanted = z.union([z.literal('all'), z.array(z.string())]).nullable();

const session = z.object({
  type: z.literal('realtime'),
  object: z.literal('realtime.session'),
  id,
  model: z.string(),
  output_modalities: z.tuple([z.literal('text')]),
  max_output_tokens: z.int().min(1),
  tools: z.array(z.unknown()).max(0),
  yoco: z.object({
    stream: streamSchema,
    streams: wanted,
    as_of: z.union([z.number(), z.string()]).nullable(),
    since: z.union([z.number(), z.string()]).nullable(),
    status: z.boolean(),
    conversation_id: id,
  }),
});

const response = z.object({
  object: z.literal('realtime.response'),
  id,
  conversation_id: id.nullable(),
  status: z.enum(['in_progress', 'completed', 'incomplete', 'cancelled', 'failed']),
  status_details: z
    .object({ type: z.string(), reason: z.string().optional(), error: errorSchema.optional() })
    .nullable(),
  output_modalities: z.tuple([z.literal('text')]),
  max_output_tokens: z.int().min(1),
  metadata: z.record(z.string(), z.string()).nullable(),
  output: z.array(item),
  usage: z
    .object({
      total_tokens: count,
      input_tokens: count,
      output_tokens: count,
      input_token_details: z.object({
        text_tokens: count,
        audio_tokens: count,
        image_tokens: count,
        cached_tokens: count,
      }),
      output_token_details: z.object({ text_tokens: count, audio_tokens: count }),
    })
    .nullable(),
  yoco: answerSchema.optional(),
});

const responseFields = { response_id: id, output_index: z.literal(0) };
const partFields = { ...responseFields, item_id: id, content_index: z.literal(0) };
const part = z.object({ type: z.literal('text'), text: z.string() });
const standing = { standing_question_id: id };

/** The fields of each event besides `type` and `event_id`, by type. */
export const SERVER_EVENTS = {
  'session.created': { session },
  'session.updated': { session },
  'conversation.created': { conversation: z.object({ id, object: z.literal('realtime.conversation') }) },
  'conversation.item.added': { previous_item_id: id.nullable(), item },
  'conversation.item.done': { previous_item_id: id.nullable(), item },
  'conversation.item.retrieved': { item },
  'conversation.item.deleted': { item_id: id },
  'response.created': { response },
  'response.output_item.added': { ...responseFields, item },
  'response.output_item.done': { ...responseFields, item },
  'response.content_part.added': { ...partFields, part },
  'response.content_part.done': { ...partFields, part },
  'response.output_text.delta': { ...partFields, delta: z.string() },
  'response.output_text.done': { ...partFields, text: z.string() },
  'response.done': { response },
  error: {
    error: errorSchema.extend({
      event_id: z.string().nullable().describe('The client’s own id of the event that was wrong.'),
    }),
    yoco: z
      .object({ frame: z.int().min(1) })
      .optional()
      .describe('The pushed frame that this is about.'),
  },
  'yoco.frame.accepted': { number: z.int().min(1), t: seconds, time: wallTime },
  'yoco.frame.dropped': { number: z.int().min(1), reason: z.enum(['late', 'out_of_order', 'busy']) },
  'yoco.stream.status': { stream: streamSchema },
  'yoco.standing_question.created': {
    standing_question: z.object({
      id,
      object: z.literal('yoco.standing_question'),
      question: z.string(),
      streams: wanted,
      every: z.number(),
      holds: z.int(),
      min_confidence: z.number(),
    }),
  },
  'yoco.standing_question.answered': {
    ...standing,
    answer: z.string(),
    previous: z.string().nullable(),
    status: reportedStatus,
    yoco: answerSchema,
  },
  'yoco.standing_question.deleted': { ...standing, error: errorSchema.nullable() },
  'yoco.pong': { ping_event_id: z.string().nullable() },
  'yoco.go_away': { time_left: z.number().min(0) },
} as const satisfies Record<string, z.ZodRawShape>;

/** The schema of one event. */
export function serverEvent(type: keyof typeof SERVER_EVENTS) {
  return z.object({ type: z.literal(type), event_id: id, ...SERVER_EVENTS[type] });
}

/** The schema of a webhook's event about a standing question of a stream's file. */
function webhookEvent<T extends keyof typeof SERVER_EVENTS>(type: T) {
  const commonFields = { id, created_at: wallTime, stream: z.string(), question: z.string() };
  return z.object({ type: z.literal(type), ...commonFields, ...SERVER_EVENTS[type] });
}

export const standingAnswered = webhookEvent('yoco.standing_question.answered').extend({
  picture: z
    .object({ stream: z.string(), t: seconds, time: wallTime, jpeg: z.base64() })
    .nullable()
    .optional()
    .describe(
      'If the file asks for it: the frame that the answer rests on most, as the model saw it; null if it is no longer kept.',
    ),
});
export const standingDeleted = webhookEvent('yoco.standing_question.deleted');
export const sourceStatusEvent = z.object({
  type: z.literal('yoco.stream.status'),
  id,
  created_at: wallTime,
  stream: z.string(),
  state: z
    .enum(['reconnecting', 'playing', 'frozen', 'ended', 'failed'])
    .describe(
      '`reconnecting`: no frames arrive; `frozen`: they show the same picture; `playing`: they arrive, or change, again.',
    ),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  last_time: wallTime.nullable().describe('Time of the newest frame.'),
  last_change_time: wallTime
    .nullable()
    .describe('Time of the newest frame whose picture differs from the one before it.'),
});
