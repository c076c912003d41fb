/** The HTTP side: access control, health, tokens, streams, the page, and one format for all errors. */
import type { ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify';
import { YocoError } from '../errors.ts';
import type { LiveService } from '../live/types.ts';
import { apiDocumentRoutes } from './api-documents.ts';
import type { AuditLog, Caller } from './audit.ts';
import type { Authenticator, Grant } from './auth.ts';
import { chatRoutes } from './chat-routes.ts';
import { errorFromHttp, errorFromParser, errorJson, writeError } from './errors-http.ts';
import { CoalescedBody } from './coalesced-body.ts';
import { MAX_JSON_BYTES } from './json-body.ts';
import type { ResolvedOptions } from './server-options.ts';
import type { ServerMetrics } from './metrics.ts';
import type { FileStandingQuestions } from './file-standing-questions.ts';
import { pageRoutes } from './page.ts';
import { checkRoute, mayChange } from './permissions.ts';
import { snapshotRoutes } from './snapshot-routes.ts';
import { streamRoutes } from './stream-routes.ts';
import { tokenRoutes } from './token-routes.ts';
import { isWebSocketUpgrade } from './upgrade.ts';

/** Answered without a key and for any Host header: probes know neither keys nor names. */
const HEALTH_PATHS = ['/healthz', '/readyz'];
/** Scraped by monitors. It reveals the streams' names, so it needs the same access as `/v1/streams`. */
const METRICS_PATH = '/metrics';
const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const HEADER_NAMES = /^[a-z0-9-]{1,64}(?:, ?[a-z0-9-]{1,64}){0,40}$/i;
const EXPOSED_HEADERS = 'x-yoco-time, x-yoco-wall-time, location';

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

  /** Who sent each request; stored because a closed connection no longer has an address. */
  const callers = new WeakMap<FastifyRequest, Caller>();

  app.setErrorHandler((error, request, reply) =>
    sendError(reply, report(errorFromHttp(error, request.routeOptions.bodyLimit), request)),
  );
  app.setNotFoundHandler((_request, reply) => sendError(reply, new YocoError('not_found')));

  app.addHook('onRequest', async (request, reply) => {
    onRequestStart?.(reply.raw);
    void reply
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      // Browsers send no Origin for pictures that other sites embed.
      .header('cross-origin-resource-policy', 'same-origin');
    const path = request.url.split('?', 1)[0] ?? '';
    if (HEALTH_PATHS.includes(path)) return;
    auth.checkHostAndOrigin(request.headers, options.tls !== undefined);
    allowCrossOrigin(request, reply);
    // The matched route, not the path as sent: the router also accepts encoded (`/%761/`) and absolute addresses.
    const route = request.routeOptions.url ?? path;
    if (!(route.startsWith('/v1/') || route === METRICS_PATH) || request.method === 'OPTIONS') return;
    if (isDraining()) throw new YocoError('shutting_down');
    const grant = auth.checkBearer(request.headers);
    callers.set(request, { grant, address: request.ip });
    const { name } = request.params as { name?: string };
    checkRoute(grant, { method: request.method, route: request.routeOptions.url, name });
  });

  // The key may have been removed while the body arrived.
  app.addHook('preHandler', (request, _reply, done) => {
    const caller = callers.get(request);
    done(caller === undefined || auth.isStillValid(caller.grant) ? undefined : new YocoError('unauthorized'));
  });

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
  tokenRoutes(app, live, auth, grantOf);
  streamRoutes(app, live, options, logChange, (request) => mayChange(grantOf(request)));
  snapshotRoutes(app, live, logChange);
  chatRoutes(app, live, { options, metrics, boundStreamOf });
  apiDocumentRoutes(app, live);
  pageRoutes(app);
  for (const [url, methods] of [...methodsOf]) refuseOtherMethods(app, url, methods);
  return app;

  function allowCrossOrigin(request: FastifyRequest, reply: FastifyReply): void {
    const { origin } = request.headers;
    if (origin === undefined || !auth.isAllowedOrigin(origin)) return;
    void reply
      .header('access-control-allow-origin', origin)
      .header('access-control-expose-headers', EXPOSED_HEADERS)
      .header('vary', 'Origin');
  }

  /** The credential that a request under `/v1` presented. */
  function grantOf(request: FastifyRequest): Grant {
    const caller = callers.get(request);
    if (caller === undefined) throw new Error(`No API key was checked at ${request.routeOptions.url ?? ''}.`);
    return caller.grant;
  }

  /** The stream that a request's token is bound to. */
  function boundStreamOf(request: FastifyRequest): string | null {
    const grant = grantOf(request);
    return grant.kind === 'token' ? grant.stream : null;
  }

  function logChange(request: FastifyRequest, fields: object, message: string): void {
    const caller = callers.get(request);
    if (caller !== undefined) audit.logChange(caller, fields, message);
  }

  function report(error: YocoError, request: FastifyRequest): YocoError {
    const { ip: from, method, headers, routeOptions } = request;
    const { grant } = callers.get(request) ?? {};
    audit.logRefusal(error, { address: from, method, route: routeOptions.url, origin: headers.origin, grant });
    if (error.code === 'internal') {
      // Without the query, which may hold a secret.
      const [url] = request.url.split('?', 1);
      options.log.error({ err: error.cause, method, url }, 'A request failed.');
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
