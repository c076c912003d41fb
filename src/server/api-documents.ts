/**
 * `GET /openapi.json` (OpenAPI 3.1) and `GET /asyncapi.json` (AsyncAPI 3.0): the machine-readable interface, generated
 * from the schemas that validate what clients send and from those of what the service sends (wire-schemas.ts).
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clientDefinitionSchema } from '../ingest/definition.ts';
import type { LiveService } from '../live/types.ts';
import { VERSION } from '../version.ts';
import { chatRequest } from './chat-requests.ts';
import { CLIENT_EVENTS } from './realtime-events.ts';
import { refusedCredentials } from './permissions.ts';
import { snapshotRequest } from './snapshot-routes.ts';
import { PICTURE_TYPES } from './stream-routes.ts';
import { tokenRequest } from './token-routes.ts';
import * as wire from './wire-schemas.ts';

type Json = Record<string, unknown>;

const LICENCE = { name: 'Apache-2.0', identifier: 'Apache-2.0' };
const SECURITY = [{}, { bearer: [] }];
const BEARER = {
  type: 'http',
  scheme: 'bearer',
  description:
    'An API key or a view key of the service, or a token of `POST /v1/token`; what each may not do is `forbidden`. Not required where no ' +
    'keys are configured.',
};

export function apiDocumentRoutes(app: FastifyInstance, live: LiveService): void {
  const documents = { '/openapi.json': openApi, '/asyncapi.json': asyncApi };
  for (const [path, document] of Object.entries(documents)) {
    // Generated on the first request: hardly any service ever gets one.
    let text: string | undefined;
    app.get(path, (_request, reply) => {
      text ??= JSON.stringify(document(live));
      return reply.type('application/json; charset=utf-8').send(text);
    });
  }
}

/** A schema as JSON Schema. Output may get more fields later, so its schema allows fields that it does not list. */
function toJsonSchema(zodSchema: z.ZodType, io: 'input' | 'output'): Json {
  const made: Json = z.toJSONSchema(zodSchema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  delete made['$schema'];
  return made;
}

// --- OpenAPI ---

const OUTPUT_SCHEMAS = {
  Error: wire.errorBody,
  Health: wire.healthSchema,
  Readiness: wire.readinessSchema,
  Stream: wire.streamSchema,
  StreamList: wire.streamList,
  StreamDeleted: wire.streamDeleted,
  FrameTaken: wire.frameTaken,
  Snapshot: wire.snapshotSchema,
  SnapshotList: wire.snapshotList,
  SnapshotDeleted: wire.snapshotDeleted,
  Token: wire.tokenSchema,
  Model: wire.modelSchema,
  ModelList: wire.modelList,
  ChatCompletion: wire.chatCompletion,
  ChatChunk: wire.chatChunk,
  StandingQuestionList: wire.standingList,
  StandingAnswered: wire.standingAnswered,
  StandingDeleted: wire.standingDeleted,
  SourceStatus: wire.sourceStatusEvent,
} as const;

const INPUT_SCHEMAS = {
  StreamDefinition: clientDefinitionSchema,
  SnapshotRequest: snapshotRequest,
  TokenRequest: tokenRequest,
  ChatRequest: chatRequest,
} as const;

type SchemaName = keyof typeof OUTPUT_SCHEMAS | keyof typeof INPUT_SCHEMAS;

const ref = (name: SchemaName): Json => ({ $ref: `#/components/schemas/${name}` });
const jsonContent = (name: SchemaName): Json => ({ 'application/json': { schema: ref(name) } });
const picture = { type: 'string', format: 'binary' };

const TIME_PARAM = { name: 't', in: 'query', schema: { type: 'string' } };
const NAME_PARAM = { name: 'name', in: 'path', required: true, schema: { type: 'string' } };

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly Json[];
  readonly body?: SchemaName;
  readonly bodyRequired?: boolean;
  readonly requestBody?: Json;
  /** Status of the answer, and the schema of its body. */
  readonly status?: number;
  readonly responseSchema?: SchemaName;
  readonly content?: Json;
  readonly headers?: Json;
  /** Further answers, by status, that are no errors or lack the error format. */
  readonly otherResponses?: Json;
  /** True if no key is needed. */
  readonly isPublic?: boolean;
}

const OPERATIONS: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  '/healthz': { get: { summary: 'Whether the process runs.', responseSchema: 'Health', isPublic: true } },
  '/readyz': {
    get: {
      summary: 'Whether the model is loaded; 503 while it loads and while the service shuts down.',
      responseSchema: 'Readiness',
      otherResponses: { 503: { description: 'Loading or shutting down.', content: jsonContent('Readiness') } },
      isPublic: true,
    },
  },
  '/metrics': {
    get: { summary: 'Metrics in Prometheus’ text format.', content: { 'text/plain': { schema: { type: 'string' } } } },
  },
  '/v1/streams': {
    get: { summary: 'All streams.', responseSchema: 'StreamList' },
    post: {
      summary: 'Creates a stream.',
      body: 'StreamDefinition',
      status: 201,
      responseSchema: 'Stream',
      headers: { location: { schema: { type: 'string' } } },
    },
  },
  '/v1/streams/{name}': {
    get: { summary: 'One stream.', parameters: [NAME_PARAM], responseSchema: 'Stream' },
    delete: {
      summary: 'Deletes a stream and everything that it remembers.',
      parameters: [NAME_PARAM],
      responseSchema: 'StreamDeleted',
    },
  },
  '/v1/streams/{name}/frames': {
    get: {
      summary: 'What the model saw at a time, or sees now.',
      parameters: [
        NAME_PARAM,
        { ...TIME_PARAM, description: 'Seconds since the stream began (also as "1:42"), "-30s", or RFC 3339.' },
        { name: 'if-none-match', in: 'header', schema: { type: 'string' }, description: 'The `etag` of a picture.' },
      ],
      content: { 'image/jpeg': { schema: picture } },
      headers: {
        'x-yoco-time': { description: 'Seconds since the stream began.', schema: { type: 'number' } },
        'x-yoco-wall-time': { schema: { type: 'string', format: 'date-time' } },
        etag: { schema: { type: 'string' } },
      },
      otherResponses: { 304: { description: 'The picture is still the one of `if-none-match`.' } },
    },
    post: {
      summary: 'Pushes a picture into a push stream.',
      parameters: [
        NAME_PARAM,
        {
          ...TIME_PARAM,
          description:
            'When it was taken: seconds since the stream began, or RFC 3339; default: the time of its arrival.',
        },
      ],
      requestBody: {
        required: true,
        content: Object.fromEntries(PICTURE_TYPES.map((type) => [type, { schema: picture }])),
      },
      responseSchema: 'FrameTaken',
    },
  },
  '/v1/streams/{name}/standing_questions': {
    get: {
      summary: 'The standing questions of a stream’s file, with their latest answers.',
      parameters: [NAME_PARAM],
      responseSchema: 'StandingQuestionList',
    },
  },
  '/v1/streams/{name}/snapshot': {
    post: {
      summary: 'Saves what a stream holds to a snapshot file.',
      parameters: [NAME_PARAM],
      body: 'SnapshotRequest',
      bodyRequired: false,
      status: 201,
      responseSchema: 'Snapshot',
    },
  },
  '/v1/snapshots': { get: { summary: 'The snapshots, newest first.', responseSchema: 'SnapshotList' } },
  '/v1/snapshots/{file}': {
    delete: {
      summary: 'Removes a snapshot.',
      parameters: [{ name: 'file', in: 'path', required: true, schema: { type: 'string' } }],
      responseSchema: 'SnapshotDeleted',
    },
  },
  '/v1/token': {
    post: {
      summary: 'A short-lived token for a browser, for all streams or one.',
      body: 'TokenRequest',
      bodyRequired: false,
      responseSchema: 'Token',
    },
  },
  '/v1/models': { get: { summary: 'The streams as models.', responseSchema: 'ModelList' } },
  '/v1/models/{model}': {
    get: {
      summary: 'One stream as a model.',
      parameters: [{ name: 'model', in: 'path', required: true, schema: { type: 'string' } }],
      responseSchema: 'Model',
    },
  },
  '/v1/chat/completions': {
    post: {
      summary: 'Answers one question about a stream, or several.',
      body: 'ChatRequest',
      content: {
        ...jsonContent('ChatCompletion'),
        'text/event-stream': { schema: ref('ChatChunk') },
      },
    },
  },
  '/v1/realtime': {
    get: {
      summary: 'The WebSocket (asyncapi.json).',
      parameters: [
        { name: 'stream', in: 'query', schema: { type: 'string' } },
        {
          name: 'model',
          in: 'query',
          schema: { type: 'string' },
          description: 'BUNDLE@STREAM, instead of stream.',
        },
      ],
      status: 101,
    },
  },
  '/openapi.json': { get: { summary: 'This document.', isPublic: true } },
  '/asyncapi.json': { get: { summary: 'The WebSocket’s events.', isPublic: true } },
};

/** Requests that the service itself sends, to the addresses that streams' files name. */
const WEBHOOKS = {
  standingQuestion: {
    post: {
      summary:
        'A standing question of a stream’s file has a new answer or is no longer asked, or the stream’s source is away, back or over.',
      parameters: ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => ({
        name,
        in: 'header',
        required: name !== 'webhook-signature',
        schema: { type: 'string' },
      })),
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: { oneOf: [ref('StandingAnswered'), ref('StandingDeleted'), ref('SourceStatus')] },
          },
        },
      },
      responses: { '2XX': { description: 'Accepted. After any other response the event is retried or given up.' } },
      security: [{}],
    },
  },
};

function openApi(): Json {
  const schemas = {
    ...Object.fromEntries(
      Object.entries(OUTPUT_SCHEMAS).map(([name, zodSchema]) => [name, toJsonSchema(zodSchema, 'output')]),
    ),
    ...Object.fromEntries(
      Object.entries(INPUT_SCHEMAS).map(([name, zodSchema]) => [name, toJsonSchema(zodSchema, 'input')]),
    ),
  };
  const paths = Object.fromEntries(
    Object.entries(OPERATIONS).map(([path, methods]) => [
      path,
      Object.fromEntries(
        Object.entries(methods).map(([method, operation]) => [
          method,
          { ...operationJson(operation), ...accessDescription(path, method, operation) },
        ]),
      ),
    ]),
  );
  return {
    openapi: '3.1.0',
    info: {
      title: 'yoco-live',
      version: VERSION,
      license: LICENCE,
      summary: 'Watches live video and answers questions about it.',
    },
    servers: [{ url: '/' }],
    security: SECURITY,
    paths,
    webhooks: WEBHOOKS,
    components: { schemas, securitySchemes: { bearer: BEARER } },
  };
}

/** Which credentials are refused, according to the permission rules. */
function accessDescription(path: string, method: string, { isPublic }: Operation): Json {
  const refused = refusedCredentials(method.toUpperCase(), path.replace(/\{(\w+)\}/g, ':$1'));
  return isPublic === true || refused.length === 0 ? {} : { description: `Forbidden to ${refused.join(', ')}.` };
}

function operationJson(operation: Operation): Json {
  const { summary, parameters, body, bodyRequired = true, requestBody } = operation;
  const { status = 200, responseSchema, headers, otherResponses, isPublic } = operation;
  const content = operation.content ?? (responseSchema === undefined ? undefined : jsonContent(responseSchema));
  return {
    summary,
    ...(parameters === undefined ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: bodyRequired, content: jsonContent(body) } }),
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: {
      [status]: {
        description: summary,
        ...(content === undefined ? {} : { content }),
        ...(headers === undefined ? {} : { headers }),
      },
      ...otherResponses,
      default: { description: 'What went wrong.', content: jsonContent('Error') },
    },
    ...(isPublic === true ? { security: [{}] } : {}),
  };
}

// --- AsyncAPI ---

function asyncApi(live: LiveService): Json {
  const eventTypes = Object.keys(wire.SERVER_EVENTS) as (keyof typeof wire.SERVER_EVENTS)[];
  const message = (name: string, payload: Json): Json => ({ name, contentType: 'application/json', payload });
  const fromServer = Object.fromEntries(
    eventTypes.map((type) => [
      messageKey('server', type),
      message(type, toJsonSchema(wire.serverEvent(type), 'output')),
    ]),
  );
  const fromClient = Object.fromEntries(
    Object.entries(CLIENT_EVENTS).map(([type, zodSchema]) => [
      messageKey('client', type),
      message(type, toJsonSchema(zodSchema, 'input')),
    ]),
  );
  const messages = { ...fromClient, ...fromServer };
  const refs = (keys: readonly string[]): Json[] =>
    keys.map((key) => ({ $ref: `#/channels/realtime/messages/${key}` }));
  const channel = { $ref: '#/channels/realtime' };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'yoco-live',
      version: VERSION,
      license: { name: LICENCE.name },
      description: 'Event names and shapes of the OpenAI Realtime API (GA); extensions are named `yoco`.',
    },
    defaultContentType: 'application/json',
    channels: {
      realtime: {
        address: '/v1/realtime',
        title: 'A session on one stream; it may ask about others, too.',
        messages: Object.fromEntries(
          Object.keys(messages).map((key) => [key, { $ref: `#/components/messages/${key}` }]),
        ),
        bindings: {
          ws: {
            method: 'GET',
            query: {
              type: 'object',
              properties: {
                stream: { type: 'string', description: 'Name of the stream.' },
                model: { type: 'string', description: `${live.bundle.name}@STREAM, instead of stream.` },
              },
            },
          },
        },
      },
    },
    operations: {
      // From the service's point of view.
      receive: { action: 'receive', channel, messages: refs(Object.keys(fromClient)) },
      send: { action: 'send', channel, messages: refs(Object.keys(fromServer)) },
    },
    components: { messages, securitySchemes: { bearer: BEARER } },
  };
}

/** Prefixed by the side: clients and the server may share an event type. */
function messageKey(side: 'client' | 'server', type: string): string {
  return `${side}.${type}`;
}
