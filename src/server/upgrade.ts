/** Which requests ask for another protocol that the service speaks. */
import type { IncomingMessage } from 'node:http';

/**
 * Clients of HTTP/2 offer `h2c` with plain requests, too. A server may ignore that (RFC 9110, 7.8), and Node from
 * version 24.9 on lets it, by this; before, such a request reaches nobody but who listens for upgrades, and what it
 * brings is not read.
 */
export function isWebSocket({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}
