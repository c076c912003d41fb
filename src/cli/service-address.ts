/** Where a running service is: the values of `--server` and YOCO_SERVER, and the addresses derived from them. */
import type { Command } from 'commander';
import { YocoError } from '../errors.ts';
import { systemCode } from '../system-code.ts';

const DEFAULT_SERVER = 'http://127.0.0.1:8080';

/** Node's error codes for a certificate whose issuer is unknown. */
const UNKNOWN_ISSUER = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];
/** Node's error codes for a certificate that is refused for other reasons. */
const BAD_CERTIFICATE = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID'];
/** Error codes of `fetch` and `ws` when a service without TLS is asked for it. */
const NO_TLS = ['ERR_SSL_WRONG_VERSION_NUMBER', 'EPROTO'];
/** Error codes when a service that takes only TLS is asked without it, or when a service goes away. */
const HUNG_UP = ['UND_ERR_SOCKET', 'ECONNRESET'];

/** Adds `--server`, an option of every command that talks to a service. */
export function serverOption(command: Command): Command {
  return command.option('--server <url>', `address of the service (default: YOCO_SERVER, else ${DEFAULT_SERVER})`);
}

/** The flag, else YOCO_SERVER, else this machine; an empty value counts as unset. */
export function serverOf(flags: { readonly server?: string }, env: NodeJS.ProcessEnv = process.env): string {
  const given = [flags.server, env['YOCO_SERVER']].find((text) => text !== undefined && text.trim() !== '');
  return given?.trim() ?? DEFAULT_SERVER;
}

/**
 * The URL of a path of the service (`/v1/streams`), below the path that a proxy may add to its address. Throws
 * `invalid_request` (`server`) for an invalid address, without repeating it, since it may hold a password.
 */
export function endpoint(server: string, path: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  const plain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url === undefined || !plain || !['http:', 'https:'].includes(url.protocol)) {
    const detail = `--server or YOCO_SERVER: expected an address like ${DEFAULT_SERVER}, http or https, without user and query.`;
    throw new YocoError('invalid_request', { param: 'server', detail });
  }
  url.pathname = url.pathname.replace(/\/+$/, '') + path;
  return url;
}

/**
 * `service_unreachable` with the likely cause: nobody answers, the certificate is refused, or https was asked for where
 * http is spoken or the reverse. Includes the system's error code.
 */
export function unreachableError(server: string, cause: unknown): YocoError {
  const reason = systemCode(cause);
  const why = reason === undefined ? '' : ` (${reason})`;
  const isUnknown = UNKNOWN_ISSUER.includes(reason ?? '');
  if (isUnknown || BAD_CERTIFICATE.includes(reason ?? '')) {
    const help = isUnknown ? ' If it is your own, set NODE_EXTRA_CA_CERTS=cert.pem.' : '';
    return new YocoError('service_unreachable', {
      detail: `The certificate at ${server} is not trusted${why}.${help}`,
      cause,
    });
  }
  const isHttps = /^https:/i.test(server);
  if ((isHttps ? NO_TLS : HUNG_UP).includes(reason ?? '')) {
    const how = isHttps ? `does not speak TLS${why}: try http` : `closes the connection${why}: try https`;
    return new YocoError('service_unreachable', { detail: `The server at ${server} ${how}.`, cause });
  }
  return new YocoError('service_unreachable', { detail: `No service answers at ${server}${why}.`, cause });
}

/** The whole body of a response. Throws `connection_closed` if it is cut off. */
export function bodyOf(response: Response): Promise<string> {
  return response.text().catch((cause: unknown) => {
    throw new YocoError('connection_closed', { cause });
  });
}
