/**
 * Errors as clients see them: the same JSON object over HTTP, in a refused upgrade, and in the WebSocket's `error`
 * event.
 */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { YocoError } from '../errors.ts';
import type { ErrorJson } from './wire-types.ts';

export function errorJson(error: YocoError): ErrorJson {
  const { code, message, param, retryable } = error;
  return { type: errorType(error.status), code, message, param, retryable };
}

/**
 * Writes an HTTP error with optional extra headers to a bare socket and ends it: for refused upgrades and for requests
 * that are not valid HTTP.
 */
export function writeError(socket: Duplex, error: YocoError, headers: readonly string[] = []): void {
  const body = JSON.stringify({ error: errorJson(error) });
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? 'Error'}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    'Cache-Control: no-store',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(error.status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    ...headers,
  ];
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

const FASTIFY_CODES = new Map<string, ConstructorParameters<typeof YocoError>>([
  ['FST_ERR_CTP_BODY_TOO_LARGE', ['message_too_large', {}]],
  // The one route that takes pictures reports its types itself.
  [
    'FST_ERR_CTP_INVALID_MEDIA_TYPE',
    ['media_type_unsupported', { param: 'Content-Type', detail: 'Send application/json.' }],
  ],
  ['FST_ERR_CTP_INVALID_JSON_BODY', ['invalid_json', {}]],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', ['invalid_request', { param: 'Content-Length' }]],
  ['FST_ERR_BAD_URL', ['not_found', {}]],
  ['FST_ERR_MAX_PARAM_LENGTH', ['not_found', {}]],
]);

/** Converts anything thrown while handling an HTTP request, including fastify's errors; `bodyLimit` is the route's. */
export function errorFromHttp(error: unknown, bodyLimit?: number): YocoError {
  if (error instanceof YocoError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE' && bodyLimit !== undefined) {
    return new YocoError('message_too_large', { detail: `The limit of this address is ${bodyLimit} bytes.` });
  }
  const known = typeof code === 'string' ? FASTIFY_CODES.get(code) : undefined;
  if (known) return new YocoError(...known);
  // fastify sets status 400 on an error of the body's stream, e.g. when the connection breaks off.
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (status === 400) return new YocoError('invalid_request', { cause: error });
  if (status === 408) return new YocoError('timeout', { cause: error });
  return YocoError.from(error);
}

/** Converts what Node reports about a connection before there is a request. */
export function errorFromParser(error: { readonly code?: string | undefined }): YocoError {
  if (error.code === 'HPE_HEADER_OVERFLOW')
    return new YocoError('message_too_large', { detail: 'Its header is too long.' });
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return new YocoError('timeout');
  return new YocoError('invalid_request', { detail: 'It is not valid HTTP.' });
}

function errorType(status: number): ErrorJson['type'] {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
