/** Normalises host names, so that those of the configuration can be compared with those of requests and addresses. */
import { isIP } from 'node:net';

/** Never in a host: blanks, and characters of a scheme, a user, a port, a path or a wildcard. */
const NO_HOST = /[\s:/?#@\\%*[\]]/;

/**
 * The host in lower case (non-ASCII letters as punycode), without a trailing dot; IPv6 in its shortest form, without
 * brackets. Null for anything but a single host, such as `cam.example:554`.
 */
export function hostName(text: string): string | null {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  const isV6 = isIP(bare) === 6;
  if (!isV6 && (text === '' || NO_HOST.test(text))) return null;
  const address = `http://${isV6 ? `[${bare}]` : text}`;
  if (!URL.canParse(address)) return null;
  const host = new URL(address).hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  return host === '' ? null : host;
}
