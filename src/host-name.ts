/** Names of hosts as an operator writes them and as requests and addresses have them, in one form to compare. */
import { isIP } from 'node:net';

/** What no host has: blanks, a scheme, a user, a port, a path, a wildcard. */
const NO_HOST = /[\s:/?#@\\%*[\]]/;

/**
 * The host in lower case (other letters as punycode), without a dot at the end; IPv6 in its shortest form, without
 * brackets. Null for what is no host, or more than one, such as `cam.example:554`.
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
