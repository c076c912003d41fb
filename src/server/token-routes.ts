/** `/v1/token`: short-lived tokens with which browsers open WebSockets. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { LiveService } from '../live/types.ts';
import type { Authenticator, Grant } from './auth.ts';
import { jsonBody } from './json-body.ts';
import { parseOrThrow } from './parse-request.ts';

export const tokenRequest = z.strictObject({ stream: z.string().min(1).max(200).optional() });

/** Returns the credential that a request presented. */
type GrantOf = (request: FastifyRequest) => Grant;

export function tokenRoutes(app: FastifyInstance, live: LiveService, auth: Authenticator, grantOf: GrantOf): void {
  app.post('/v1/token', (request) => {
    const { stream } = parseOrThrow(tokenRequest, jsonBody(request));
    if (stream !== undefined) live.get(stream);
    const { token, expiresAtMs } = auth.issueToken(grantOf(request), stream ?? null);
    return { object: 'yoco.token', token, expires_at: new Date(expiresAtMs).toISOString(), stream: stream ?? null };
  });
}
