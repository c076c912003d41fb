/** Checks who sends each HTTP request before its body is read, and remembers it for routes, logs and later checks. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { YocoError } from '../errors.ts';
import type { AuditLog, Caller } from './audit.ts';
import type { Authenticator, Grant } from './auth.ts';
import { checkRoute } from './permissions.ts';

/** Answered without a key and for any Host header: probes know neither keys nor names. */
const HEALTH_PATHS = ['/healthz', '/readyz'];
/** Scraped by monitors. It reveals the streams' names, so it needs the same access as `/v1/streams`. */
export const METRICS_PATH = '/metrics';
const EXPOSED_HEADERS = 'x-yoco-time, x-yoco-wall-time, location';

export interface AccessControlOptions {
  readonly auth: Authenticator;
  readonly audit: AuditLog;
  readonly isTls: boolean;
  readonly isDraining: () => boolean;
}

export class AccessControl {
  readonly #options: AccessControlOptions;
  /** Who sent each request; stored because a closed connection no longer has an address. */
  readonly #callers = new WeakMap<FastifyRequest, Caller>();

  constructor(options: AccessControlOptions) {
    this.#options = options;
  }

  /** Adds the checks to an application. They throw what `Authenticator` and `checkRoute` throw, and `shutting_down`. */
  install(app: FastifyInstance): void {
    app.addHook('onRequest', async (request, reply) => {
      this.#check(request, reply);
    });
    // The key may have been removed while the body arrived.
    app.addHook('preHandler', (request, _reply, done) => {
      const caller = this.#callers.get(request);
      const isValid = caller === undefined || this.#options.auth.isStillValid(caller.grant);
      done(isValid ? undefined : new YocoError('unauthorized'));
    });
  }

  /** The credential that a request under `/v1` presented. */
  grantOf(request: FastifyRequest): Grant {
    const caller = this.#callers.get(request);
    if (caller === undefined) throw new Error(`No API key was checked at ${request.routeOptions.url ?? ''}.`);
    return caller.grant;
  }

  /** The stream that a request's token is bound to. */
  boundStreamOf(request: FastifyRequest): string | null {
    const grant = this.grantOf(request);
    return grant.kind === 'token' ? grant.stream : null;
  }

  /** Logs what a request has changed, with who sent it. */
  logChange(request: FastifyRequest, fields: object, message: string): void {
    const caller = this.#callers.get(request);
    if (caller !== undefined) this.#options.audit.logChange(caller, fields, message);
  }

  /** Logs a refused request, with who sent it if that is known. */
  logRefusal(error: YocoError, request: FastifyRequest): void {
    const { ip: address, method, headers, routeOptions } = request;
    const { grant } = this.#callers.get(request) ?? {};
    this.#options.audit.logRefusal(error, { address, method, route: routeOptions.url, origin: headers.origin, grant });
  }

  #check(request: FastifyRequest, reply: FastifyReply): void {
    const { auth, isTls, isDraining } = this.#options;
    const path = request.url.split('?', 1)[0] ?? '';
    if (HEALTH_PATHS.includes(path)) return;
    auth.checkHostAndOrigin(request.headers, isTls);
    this.#allowCrossOrigin(request, reply);
    // The matched route, not the path as sent: the router also accepts encoded (`/%761/`) and absolute addresses.
    const route = request.routeOptions.url ?? path;
    if (!(route.startsWith('/v1/') || route === METRICS_PATH) || request.method === 'OPTIONS') return;
    if (isDraining()) throw new YocoError('shutting_down');
    const grant = auth.checkBearer(request.headers);
    this.#callers.set(request, { grant, address: request.ip });
    const { name } = request.params as { name?: string };
    checkRoute(grant, { method: request.method, route: request.routeOptions.url, name });
  }

  #allowCrossOrigin(request: FastifyRequest, reply: FastifyReply): void {
    const { origin } = request.headers;
    if (origin === undefined || !this.#options.auth.isAllowedOrigin(origin)) return;
    void reply
      .header('access-control-allow-origin', origin)
      .header('access-control-expose-headers', EXPOSED_HEADERS)
      .header('vary', 'Origin');
  }
}
