/** Bodies of routes that take JSON: the parser of pictures serves all routes, and must not serve these. */
import type { FastifyRequest } from 'fastify';
import { YocoError } from '../errors.ts';

/** A definition or a request is a small JSON object; nothing larger is read. */
export const JSON_BYTES = 64 * 1024;

/** The body, `{}` where there is none. Throws `media_type_unsupported` where a picture was sent. */
export function jsonBody(request: FastifyRequest): unknown {
  if (Buffer.isBuffer(request.body)) {
    throw new YocoError('media_type_unsupported', { param: 'Content-Type', detail: 'Send application/json.' });
  }
  return request.body ?? {};
}
