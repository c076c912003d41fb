/**
 * What each credential may do once the gate has let it in. An API key may do everything, a view key may read and ask,
 * and a token may do less than the key that fetched it. A route that is neither a read nor listed here needs an API
 * key, so new routes that change something are closed by default.
 */
import { YocoError } from '../errors.ts';
import type { Grant } from './auth.ts';

const ASK = 'POST /v1/chat/completions';
const FETCH_TOKEN = 'POST /v1/token';
const PUSH = 'POST /v1/streams/:name/frames';
/** Start of the routes about one stream, their `:name`. */
const STREAM_ROUTE = '/v1/streams/:name';
/** Their path has no `:name`, so the routes themselves check a token's stream. */
const MODEL_ROUTES: readonly string[] = [ASK, 'GET /v1/models/:model', 'HEAD /v1/models/:model'];

/** What a request asks for. */
export interface RequestedRoute {
  readonly method: string;
  /** The matched route, such as `/v1/streams/:name`; undefined if there is none. */
  readonly route: string | undefined;
  /** The value of `:name`. */
  readonly name: string | undefined;
}

const RESTRICTED_GRANTS: Readonly<Record<string, Grant>> = {
  'view keys': { kind: 'key', key: { kind: 'view', number: 1, id: '' } },
  'tokens of view keys': { kind: 'token', key: { kind: 'view', number: 1, id: '' }, stream: null },
  'tokens of API keys': { kind: 'token', key: { kind: 'api', number: 1, id: '' }, stream: null },
};

/** Whether the caller may create, restore and delete streams, and write and delete snapshots. */
export function mayChange(grant: Grant): boolean {
  return grant.kind === 'open' || (grant.kind === 'key' && grant.key.kind === 'api');
}

/** Whether the caller may push frames. */
export function mayPush(grant: Grant): boolean {
  return grant.kind === 'open' || grant.key.kind === 'api';
}

/** Throws `forbidden`, saying which kind of key is needed. */
export function checkRoute(grant: Grant, asked: RequestedRoute): void {
  if (mayChange(grant)) return;
  const operation = `${asked.method} ${asked.route ?? ''}`;
  if (operation === PUSH && !mayPush(grant)) throw pushForbiddenError();
  if (allows(grant, asked, operation)) return;
  const detail =
    grant.kind === 'token'
      ? 'A token may not do this; use an API key.'
      : 'A view key may only look and ask; use an API key.';
  throw new YocoError('forbidden', { detail });
}

/** The kinds of credentials, in words, that a route refuses. */
export function refusedCredentials(method: string, route: string): string[] {
  return Object.entries(RESTRICTED_GRANTS).flatMap(([who, grant]) => {
    try {
      checkRoute(grant, { method, route, name: undefined });
      return [];
    } catch {
      return [who];
    }
  });
}

/** The `forbidden` of pushed frames, over HTTP or a WebSocket. */
export function pushForbiddenError(): YocoError {
  const detail = 'A view key and its tokens may not push frames; use an API key or a token of one.';
  return new YocoError('forbidden', { detail });
}

/** The `forbidden` of a token that is bound to the stream `bound` and names others. */
export function otherStreamsForbiddenError(bound: string, param?: string): YocoError {
  const detail = `The token is for the stream "${bound}" only.`;
  return new YocoError('forbidden', param === undefined ? { detail } : { param, detail });
}

function allows(grant: Grant, { method, route, name }: RequestedRoute, operation: string): boolean {
  if (MODEL_ROUTES.includes(operation)) return true;
  if (operation === FETCH_TOKEN) return grant.kind === 'key';
  const bound = grant.kind === 'token' ? grant.stream : null;
  const isOwn = bound === null || (route?.startsWith(STREAM_ROUTE) === true && name === bound);
  return isOwn && (operation === PUSH || method === 'GET' || method === 'HEAD');
}
