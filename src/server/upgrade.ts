/** Recognises the upgrade requests that the service supports. */
import type { IncomingMessage } from 'node:http';

/**
 * HTTP/2 clients also offer `h2c` on plain requests. A server may ignore that (RFC 9110, 7.8), which Node allows from
 * version 24.9 on, through this callback. Older versions hand such a request to the `upgrade` listener only, and its
 * body is not read.
 */
export function isWebSocketUpgrade({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}
