/** Who may call: API keys, view keys, browsers' short-lived tokens, and the checks of Host and Origin. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { YocoError } from '../errors.ts';
import { hostName } from '../host-name.ts';
import { isLoopback, type ResolvedOptions } from './server-options.ts';

/** A configured key. permissions.ts says what each kind may do. */
export interface KnownKey {
  readonly kind: 'api' | 'view';
  /** Position among the keys of its kind, from 1. */
  readonly number: number;
  /** Stable for a key of this kind while the service runs, whatever its position; does not reveal the key. */
  readonly id: string;
}

/** API keys and view keys, as in `ServerOptions`. */
export type Keys = Pick<ResolvedOptions, 'apiKeys' | 'viewKeys'>;

/**
 * The credential that a request presented. `open`: no keys are configured. A token's `key` is the one that fetched it.
 */
export type Grant =
  | { readonly kind: 'open' }
  | { readonly kind: 'key'; readonly key: KnownKey }
  | { readonly kind: 'token'; readonly key: KnownKey; readonly stream: string | null };

/** Subprotocols that carry a credential, since browsers cannot set a header on a WebSocket. */
const TOKEN_PROTOCOL = 'yoco-token.';
/** The convention of OpenAI's browser client. */
const KEY_PROTOCOL = 'openai-insecure-api-key.';
/** The key of tokens while no keys are configured. It is never checked; if it were, it would allow the least. */
const NO_KEY: KnownKey = { kind: 'view', number: 0, id: '' };

/** The signed content of a token: expiry, stream, the `id` of the key that fetched it, and a nonce. */
type Payload = [expiresAtMs: number, stream: string | null, key: string, nonce: string];

interface DigestedKey extends KnownKey {
  readonly digest: Buffer;
}

export class Authenticator {
  readonly #options: ResolvedOptions;
  #keys: readonly DigestedKey[];
  /** Signs tokens; new at each start, so a restart invalidates all tokens. */
  readonly #secret = randomBytes(32);

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#keys = this.#digestKeys(options);
  }

  /**
   * Replaces the keys with `keys`, which are validated already; tokens of removed keys become invalid. Returns how many
   * keys were added and removed.
   */
  rekey(keys: Keys): { readonly added: number; readonly removed: number } {
    const before = this.#keys;
    this.#keys = this.#digestKeys(keys);
    const lackingIn = (others: readonly DigestedKey[]) => (key: DigestedKey) => !others.some(({ id }) => id === key.id);
    return {
      added: this.#keys.filter(lackingIn(before)).length,
      removed: before.filter(lackingIn(this.#keys)).length,
    };
  }

  /** Whether an earlier grant is still valid: keys may have changed since. */
  isStillValid(grant: Grant): boolean {
    if (!this.requiresKey) return true;
    return grant.kind !== 'open' && this.#keys.some(({ id }) => id === grant.key.id);
  }

  /** False when no key is configured and everybody on this machine is served. */
  get requiresKey(): boolean {
    return this.#keys.length > 0;
  }

  /**
   * Checks the Host header (DNS rebinding, while no key protects the service) and the Origin header (cross-site
   * requests, WebSocket hijacking). Throws `forbidden` or `origin_forbidden`.
   */
  checkHostAndOrigin(headers: IncomingHttpHeaders, secure: boolean): void {
    const host = parseHostHeader(headers.host);
    if (!this.requiresKey && (host === null || !(isLoopback(host) || this.#options.allowedHosts.includes(host)))) {
      throw new YocoError('forbidden', {
        param: 'Host',
        detail: 'Without API keys only requests to loopback host names are answered.',
      });
    }
    const { origin } = headers;
    if (origin === undefined || this.isAllowedOrigin(origin)) return;
    if (origin !== `${secure ? 'https' : 'http'}://${headers.host ?? ''}` && !this.#isSameHost(origin, headers.host)) {
      throw new YocoError('origin_forbidden', { param: 'Origin' });
    }
  }

  /** True for a configured origin, which also gets CORS headers. */
  isAllowedOrigin(origin: string): boolean {
    return this.#options.allowedOrigins.includes(origin);
  }

  /** Checks `Authorization: Bearer KEY|TOKEN`. Throws `unauthorized`. */
  checkBearer(headers: IncomingHttpHeaders): Grant {
    if (!this.requiresKey) return { kind: 'open' };
    const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer === undefined) {
      throw new YocoError('unauthorized', { param: 'Authorization', detail: 'Send Authorization: Bearer KEY.' });
    }
    return this.#authenticate(bearer, 'Authorization');
  }

  /** Checks an upgrade: the header, else a credential among the subprotocols. Throws `unauthorized`. */
  checkUpgrade(headers: IncomingHttpHeaders): Grant {
    if (!this.requiresKey || headers.authorization !== undefined) return this.checkBearer(headers);
    for (const offered of (headers['sec-websocket-protocol'] ?? '').split(',').map((text) => text.trim())) {
      if (offered.startsWith(TOKEN_PROTOCOL)) {
        const grant = this.#verifyToken(offered.slice(TOKEN_PROTOCOL.length));
        if (grant) return grant;
        throw new YocoError('unauthorized', {
          param: 'Sec-WebSocket-Protocol',
          detail: 'The token is wrong or has expired.',
        });
      }
      if (offered.startsWith(KEY_PROTOCOL)) {
        return this.#authenticate(offered.slice(KEY_PROTOCOL.length), 'Sec-WebSocket-Protocol');
      }
    }
    return this.checkBearer(headers);
  }

  /**
   * Issues a token that may open WebSockets, read and ask until it expires: about `stream`, or about any if that is
   * null. It may push frames if the key of `grant` may.
   */
  issueToken(grant: Grant, stream: string | null): { token: string; expiresAtMs: number } {
    const expiresAtMs = Date.now() + this.#options.tokenTtlMs;
    const { id } = grant.kind === 'open' ? NO_KEY : grant.key;
    const payload: Payload = [expiresAtMs, stream, id, randomBytes(9).toString('base64url')];
    const body = Buffer.from(JSON.stringify(payload)).toString('base64url');
    return { token: `${body}.${this.#sign(body)}`, expiresAtMs };
  }

  #authenticate(credential: string, param: string): Grant {
    const given = digest(credential);
    // Every key is compared, so that the time taken does not reveal which one came near.
    let found: DigestedKey | null = null;
    for (const key of this.#keys) found = timingSafeEqual(key.digest, given) ? key : found;
    if (found !== null) return { kind: 'key', key: withoutDigest(found) };
    const token = this.#verifyToken(credential);
    if (token) return token;
    throw new YocoError('unauthorized', { param });
  }

  #verifyToken(token: string): Grant | null {
    const [body, signature, ...rest] = token.split('.');
    if (body === undefined || signature === undefined || rest.length > 0) return null;
    if (!timingSafeEqual(digest(signature), digest(this.#sign(body)))) return null;
    const [expiresAtMs, stream, id] = JSON.parse(Buffer.from(body, 'base64url').toString()) as Payload;
    const key = this.#keys.find((one) => one.id === id);
    return key !== undefined && Date.now() < expiresAtMs ? { kind: 'token', key: withoutDigest(key), stream } : null;
  }

  #digestKeys({ apiKeys, viewKeys }: Keys): DigestedKey[] {
    const ofKind = (kind: KnownKey['kind'], keys: readonly string[]): DigestedKey[] =>
      keys.map((key, i) => ({ kind, number: i + 1, id: this.#sign(`${kind} key ${key}`), digest: digest(key) }));
    return [...ofKind('api', apiKeys), ...ofKind('view', viewKeys)];
  }

  #sign(body: string): string {
    return createHmac('sha256', this.#secret).update(body).digest('base64url');
  }

  /** Behind a proxy that terminates TLS the scheme differs, so only the host can be compared. */
  #isSameHost(origin: string, host: string | undefined): boolean {
    return this.requiresKey && URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
  }
}

function withoutDigest({ kind, number, id }: DigestedKey): KnownKey {
  return { kind, number, id };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The host of a Host header without its port, or null when it is missing or malformed. */
function parseHostHeader(host: string | undefined): string | null {
  if (host === undefined || !URL.canParse(`http://${host}`)) return null;
  return hostName(new URL(`http://${host}`).hostname);
}
