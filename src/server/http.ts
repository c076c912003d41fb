/** The HTTP side: access control, health, tokens, streams, the page, and one format for all errors. */
import type { ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify';
import { YocoError } from '../errors.ts';
import type { LiveService } from '../live/types.ts';
import { apiDocumentRoutes } from './api-documents.ts';
import { AccessControl, METRICS_PATH } from './access-control.ts';
import type { AuditLog } from './audit.ts';
import type { Authenticator } from './auth.ts';
import { chatRoutes } from './chat-routes.ts';
import { errorFromHttp, errorFromParser, errorJson, writeError } from './errors-http.ts';
import { CoalescedBody } from './coalesced-body.ts';
import { MAX_JSON_BYTES } from './json-body.ts';
import type { ResolvedOptions } from './server-options.ts';
import type { ServerMetrics } from './metrics.ts';
import type { FileStandingQuestions } from './file-standing-questions.ts';
import { pageRoutes } from './page.ts';
import { mayChange } from './permissions.ts';
import { snapshotRoutes } from './snapshot-routes.ts';
import { type LogChange, streamRoutes } from './stream-routes.ts';
import { tokenRoutes } from './token-routes.ts';
import { isWebSocketUpgrade } from './upgrade.ts';

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const HEADER_NAMES = /^[a-z0-9-]{1,64}(?:, ?[a-z0-9-]{1,64}){0,40}$/i;

export interface HttpDeps {
  readonly auth: Authenticator;
  readonly options: ResolvedOptions;
  readonly metrics: ServerMetrics;
  readonly audit: AuditLog;
  readonly standingQuestions: Pick<FileStandingQuestions, 'list'>;
  readonly isDraining: () => boolean;
  /** Called at the start of each request. */
  readonly onRequestStart?: (response: ServerResponse) => void;
}

/** An application without routes; it answers errors that occur before routing. */
function newApp(options: ResolvedOptions): FastifyInstance {
  const shared = {
    logger: false,
    bodyLimit: MAX_JSON_BYTES,
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: 200 },
    exposeHeadRoutes: true,
    // fastify's 503 has its own format; `isDraining` gives ours.
    return503OnClosing: false,
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket): void => {
      if (error.code === 'ECONNRESET' || !socket.writable || hasResponseStarted(socket)) socket.destroy();
      else writeError(socket, errorFromParser(error));
    },
    // Raised before any hook or route, e.g. for an address that cannot be decoded.
    frameworkErrors: (error: unknown, _request: FastifyRequest, reply: FastifyReply): void => {
      void sendError(reply, errorFromHttp(error));
    },
  } as const;
  // The option is newer than Node's type declarations.
  const http = { shouldUpgradeCallback: isWebSocketUpgrade } as ServerOptions;
  // fastify has a separate type for an https server; the routes are the same.
  return options.tls ? Fastify({ ...shared, https: { ...http, ...options.tls } }) : Fastify({ ...shared, http });
}

/** Accepts JSON only (stream-routes.ts adds pictures): plain text would reach the routes unparsed. */
function registerJsonParser(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Some clients send a content type even without a body.
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parseJson(request, body as string, done);
  });
}

export function createHttpApp(live: LiveService, deps: HttpDeps) {
  const { auth, options, metrics, audit, standingQuestions, isDraining, onRequestStart } = deps;
  const app = newApp(options);

  const access = new AccessControl({ auth, audit, isTls: options.tls !== undefined, isDraining });

  app.setErrorHandler((error, request, reply) =>
    sendError(reply, report(errorFromHttp(error, request.routeOptions.bodyLimit), request)),
  );
  app.setNotFoundHandler((_request, reply) => sendError(reply, new YocoError('not_found')));

  app.addHook('onRequest', async (_request, reply) => {
    onRequestStart?.(reply.raw);
    void reply
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      // Browsers send no Origin for pictures that other sites embed.
      .header('cross-origin-resource-policy', 'same-origin');
  });
  access.install(app);

  app.addHook('preParsing', (_request, _reply, body, done) => {
    done(null, new CoalescedBody(body));
  });

  registerJsonParser(app);

  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store');
  });

  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', (route) => {
    const methods = methodsOf.get(route.url) ?? new Set<string>();
    for (const method of [route.method].flat()) methods.add(method);
    methodsOf.set(route.url, methods);
  });

  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const ready = live.ready && !isDraining();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : isDraining() ? 'draining' : 'loading' });
  });
  app.get(METRICS_PATH, async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  app.get<{ Params: { name: string } }>('/v1/streams/:name/standing_questions', ({ params }) => ({
    object: 'list',
    data: standingQuestions.list(live.get(params.name)),
  }));
  app.get('/v1/realtime', () => {
    throw new YocoError('invalid_request', {
      param: 'Upgrade',
      detail: 'This address accepts WebSocket connections only.',
    });
  });
  const grantOf = (request: FastifyRequest) => access.grantOf(request);
  const logChange: LogChange = (request, fields, message) => {
    access.logChange(request, fields, message);
  };
  tokenRoutes(app, live, auth, grantOf);
  streamRoutes(app, live, options, logChange, (request) => mayChange(grantOf(request)));
  snapshotRoutes(app, live, logChange);
  chatRoutes(app, live, { options, metrics, boundStreamOf: (request) => access.boundStreamOf(request) });
  apiDocumentRoutes(app, live);
  pageRoutes(app);
  for (const [url, methods] of [...methodsOf]) refuseOtherMethods(app, url, methods);
  return app;

  function report(error: YocoError, request: FastifyRequest): YocoError {
    access.logRefusal(error, request);
    if (error.code === 'internal') {
      // Without the query, which may hold a secret.
      const [url] = request.url.split('?', 1);
      options.log.error({ err: error.cause, method: request.method, url }, 'A request failed.');
    }
    return error;
  }
}

/**
 * Whether a response has begun, into which no error may be written. Node has no public way to tell: its own handler
 * reads the same field.
 */
function hasResponseStarted(socket: Socket): boolean {
  const { _httpMessage: answer } = socket as Socket & { readonly _httpMessage?: ServerResponse | null };
  return answer?.headersSent === true;
}

function refuseOtherMethods(app: FastifyInstance, url: string, allowed: ReadonlySet<string>): void {
  const allow = [...allowed].sort().join(', ');
  app.route({
    method: METHODS.filter((method) => !allowed.has(method)),
    url,
    // Before the body is read.
    onRequest: async (request, reply) => {
      void reply.header('allow', allow);
      if (request.method !== 'OPTIONS') throw new YocoError('method_not_allowed', { detail: `It accepts ${allow}.` });
    },
    handler: (request, reply) =>
      reply
        .code(204)
        .header('access-control-allow-methods', allow)
        .header('access-control-allow-headers', allowedHeaders(request))
        .header('access-control-max-age', '600')
        .send(),
  });
}

/** Clients of OpenAI's API add headers about themselves; a page that may call the service may send these, too. */
function allowedHeaders({ headers }: FastifyRequest): string {
  const asked = headers['access-control-request-headers'];
  return asked !== undefined && HEADER_NAMES.test(asked) ? asked : 'authorization, content-type';
}

function sendError(reply: FastifyReply, error: YocoError): FastifyReply {
  if (error.status === 401) void reply.header('www-authenticate', 'Bearer');
  return reply
    .code(error.status)
    .type('application/json; charset=utf-8')
    .send({ error: errorJson(error) });
}
