/** Bodies of JSON routes. The picture parser is registered for all routes, so these must refuse its Buffers. */
import type { FastifyRequest } from 'fastify';
import { YocoError } from '../errors.ts';

/** Default limit of a JSON body: definitions and requests are small objects. */
export const MAX_JSON_BYTES = 64 * 1024;

/** The parsed body, or `{}` if there is none. Throws `media_type_unsupported` for a picture. */
export function jsonBody(request: FastifyRequest): unknown {
  if (Buffer.isBuffer(request.body)) {
    throw new YocoError('media_type_unsupported', { param: 'Content-Type', detail: 'Send application/json.' });
  }
  return request.body ?? {};
}
