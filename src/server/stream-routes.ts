/** `/v1/streams`: create, list, read and delete streams; read the frames that the model saw; push frames. */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { YocoError } from '../errors.ts';
import { checkCaptureTime } from '../ingest/capture-time.ts';
import type { LiveService } from '../live/types.ts';
import { matchesTag } from './entity-tag.ts';
import { jsonBody } from './json-body.ts';
import type { ResolvedOptions } from './server-options.ts';
import { streamJson } from './stream-json.ts';
import { frameTime, momentMs, seconds, wallTime } from './times.ts';

interface StreamRoute {
  Params: { name: string };
  Querystring: { t?: string | string[] };
}

/** Called with what a request has changed. */
export type LogChange = (request: FastifyRequest, fields: object, message: string) => void;

/** Content types of a pushed picture. */
export const PICTURE_TYPES = ['image/jpeg', 'image/png', 'application/octet-stream'];

export function streamRoutes(
  app: FastifyInstance,
  live: LiveService,
  options: ResolvedOptions,
  logChange: LogChange,
  mayChange: (request: FastifyRequest) => boolean,
): void {
  app.addContentTypeParser(
    PICTURE_TYPES,
    // No `bodyLimit` here: it would apply to every route.
    { parseAs: 'buffer' },
    (_request, body, done) => {
      done(null, body);
    },
  );

  app.get('/v1/streams', (request) => {
    const { name, parameters, licence, streamTags } = live.bundle;
    const data = live.list().map((stream) => streamJson(stream.status()));
    const bundle = { name, parameters, licence, streams_per_question: streamTags };
    return { object: 'list', bundle, may_change: mayChange(request), data };
  });

  app.post('/v1/streams', async (request, reply) => {
    const definition = jsonBody(request);
    const stream = await live.create(definition, 'client');
    const { name, source } = stream.status();
    const { restore } = definition as { readonly restore?: string };
    const [fields, action] =
      restore === undefined ? [{}, 'made a stream'] : [{ snapshot: restore }, 'restored a stream'];
    logChange(request, { stream: name, source, ...fields }, `A client ${action}.`);
    return reply
      .code(201)
      .header('location', `/v1/streams/${encodeURIComponent(stream.name)}`)
      .send(streamJson(stream.status()));
  });

  app.get<StreamRoute>('/v1/streams/:name', (request) => streamJson(live.get(request.params.name).status()));

  app.delete<StreamRoute>('/v1/streams/:name', async (request) => {
    const { name } = request.params;
    await live.delete(name);
    logChange(request, { stream: name }, 'A client deleted a stream.');
    return { object: 'yoco.stream.deleted', name, deleted: true };
  });

  frameRoutes(app, live, options);
}

function frameRoutes(app: FastifyInstance, live: LiveService, options: ResolvedOptions): void {
  app.get<StreamRoute>('/v1/streams/:name/frames', async (request, reply) => {
    const stream = live.get(request.params.name);
    const t = timeParamOf(request.query);
    const status = stream.status();
    const clock = { ...status, ...stream.pictures() };
    const frame = await stream.thumbnail(t === undefined ? undefined : momentMs(t, clock, 't', Date.now(), 'picture'));
    // The frame at a given time never changes, but after a delete a new stream may have the same name and even the same
    // start time: hence the picture's hash.
    const picture = createHash('sha256').update(frame.jpeg).digest('base64url');
    const tag = `"${status.startedAtMs}-${frame.timeMs}-${picture}"`;
    void reply
      .header('x-yoco-time', String(seconds(frame.timeMs)))
      .header('x-yoco-wall-time', wallTime(frame.timeMs, status.startedAtMs))
      .header('cache-control', 'private, no-cache')
      .header('etag', tag);
    if (matchesTag(request.headers['if-none-match'], tag)) return reply.code(304).send();
    return reply.type('image/jpeg').send(frame.jpeg);
  });

  const pushOptions = {
    bodyLimit: options.maxPayloadBytes,
    // Before the body is read: the parsers serve all routes and cannot know what this one accepts.
    onRequest: ({ headers }: FastifyRequest, _reply: unknown, done: (error?: Error) => void) => {
      done(pictureTypeError(headers['content-type']));
    },
  };
  app.post<StreamRoute>('/v1/streams/:name/frames', pushOptions, async (request) => {
    const { body, params, query } = request;
    const stream = live.get(params.name);
    if (!Buffer.isBuffer(body) || body.length === 0) {
      throw new YocoError('image_undecodable', { detail: 'The body is empty.' });
    }
    const t = timeParamOf(query);
    const time = t === undefined ? undefined : frameTime(t, 't');
    checkCaptureTime(time, 't');
    const outcome = await stream.push(body, time);
    if (!outcome.accepted) return outcome;
    return {
      accepted: true,
      t: seconds(outcome.timeMs),
      time: wallTime(outcome.timeMs, stream.status().startedAtMs),
    };
  });
}

function pictureTypeError(contentType = ''): YocoError | undefined {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (PICTURE_TYPES.includes(type)) return undefined;
  return new YocoError('media_type_unsupported', {
    param: 'Content-Type',
    detail: `Send the picture itself as ${PICTURE_TYPES.slice(0, -1).join(', ')} or ${PICTURE_TYPES.at(-1) ?? ''}.`,
  });
}

/** The `t` of a query. Any other parameter is refused: a frame pushed with `time=5` would silently lose its time. */
function timeParamOf(query: StreamRoute['Querystring']): string | undefined {
  const unknown = Object.keys(query).find((name) => name !== 't');
  if (unknown !== undefined) {
    // A query may hold a misplaced secret: only the start of the parameter's name is repeated.
    const param = unknown.slice(0, 64);
    throw new YocoError('invalid_request', { param, detail: `${param}: this parameter is unknown; expected t.` });
  }
  const { t } = query;
  if (Array.isArray(t)) throw new YocoError('invalid_request', { param: 't', detail: 't may be given once.' });
  // A time zone's "+" arrives as a space unless it was encoded as %2B.
  return t?.replace(/ (?=\d\d:\d\d$)/, '+');
}
