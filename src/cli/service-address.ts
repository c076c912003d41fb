/** Where a running service is: what `--server` and YOCO_SERVER take, and the addresses that follow from it. */
import type { Command } from 'commander';
import { YocoError } from '../errors.ts';
import { systemCode } from '../system-code.ts';

const DEFAULT_SERVER = 'http://127.0.0.1:8080';

/** By Node's names, what a certificate lacks whose issuer is not known. */
const UNKNOWN_ISSUER = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];
/** What else a certificate is refused for. */
const BAD_CERTIFICATE = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID'];
/** What is told of a service without TLS that is asked for it, by `fetch` and by `ws`. */
const NO_TLS = ['ERR_SSL_WRONG_VERSION_NUMBER', 'EPROTO'];
/** The same of one that takes nothing but TLS, and of one that goes away. */
const HUNG_UP = ['UND_ERR_SOCKET', 'ECONNRESET'];

/** `--server`, as every command has it that talks to a service. */
export function serverOption(command: Command): Command {
  return command.option('--server <url>', `address of the service (default: YOCO_SERVER, else ${DEFAULT_SERVER})`);
}

/** The flag, else YOCO_SERVER, else this machine; empty is none. */
export function serverOf(flags: { readonly server?: string }, env: NodeJS.ProcessEnv = process.env): string {
  const given = [flags.server, env['YOCO_SERVER']].find((text) => text !== undefined && text.trim() !== '');
  return given?.trim() ?? DEFAULT_SERVER;
}

/**
 * A path of the service (`/v1/streams`), below the path that its address may have behind a proxy.
 * Throws `invalid_request` (`server`) where the address is none; it may hold a password, and is not repeated.
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
 * `service_unreachable` that says where nobody answers, or whose certificate is refused, or that https was asked where
 * http is spoken, or the other way round; and why, by the system's name for it.
 */
export function noAnswer(server: string, cause: unknown): YocoError {
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

/** The whole of an answer. Throws `connection_closed` where it is cut off. */
export function bodyOf(response: Response): Promise<string> {
  return response.text().catch((cause: unknown) => {
    throw new YocoError('connection_closed', { cause });
  });
}
