/** Hides credentials in anything that is shown or logged. Rather hides too much than too little. */

const HIDDEN = '***';

// Each run of letters is tried once, from its beginning: in linear time, since a client's URL may be all of one name.
const USER_INFO = /(?<![a-z0-9+.-])([a-z0-9+.-]+:\/\/)[^\s/?#'"]*@/gi;
/**
 * `name=` anywhere, since some cameras carry `user=admin_password=...` in the path; a name begins where no other one
 * does.
 */
const FIELD = /(?<![a-z0-9_.%-])([a-z0-9_.%-]+)=/gi;
const SECRET_NAME =
  /token|key|pass|pwd|pw|auth|sig|secret|cred|user|usr|login|session|jwt|hdn|hmac|code$|(?:^|[_.-])(?:sid|pin)(?:[_.-]|$)/i;
const VALUE_END = /[&#\s'"]|$/g;
/**
 * The query of a URL in a text. Whether it is a URL is looked at from its `?` on, so that it is not looked at for each
 * letter.
 */
const QUERY = /\?(?<=:\/\/[^\s?'"]*\?)[^\s#'"]*/g;
const QUERY_FIELD = /([?&;#])([^?&;#]+)/g;
/** Nobody can list what a secret may be called, so only these are shown: which picture a camera is to send. */
const SHOWN_FIELD =
  /^(?:action|camera|channel|codec|compression|fps|height|profile|proto|quality|resolution|stream|subtype|unicast|videocodec|width)(?:=|$)/i;
/** The two parts of a URL in a text: what comes before its path, and the path. */
const PATH = /(?<![a-z0-9+.-])([a-z0-9+.-]+:\/\/[^\s/?#'"]*)(\/[^\s?#'"]*)/gi;
/** What may stand right behind a URL in a text, and is then no part of it. */
const AFTER_URL = ':.,;)]';
/** Between the parameters of a name in a path. */
const PARAMETER_END = /(;|%3b)/i;
/** The ending of a name in a path, which says what kind of file it is; shown also where the name is a key. */
const ENDING = /\.[a-z0-9]{1,5}$/i;
/**
 * What may be a key in a path: cameras and streaming services have theirs as a name of its own. A base64 that is
 * encoded has slashes.
 */
const KEY_LIKE = /^[\w.~=+%/-]{16,}$/;
/** The date and time of a recording, which makes no key of its name. */
const DATE = /(?<![a-z0-9])(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T_-]\d\d-?\d\d(?:-?\d\d)?)?(?![a-z0-9])/gi;
/** Between words of a name. */
const WORD_END = /[_.=]/;
/** A piece of a name in a path that is made of words: `main`, `h264Preview`, `channel2`, `01`, `1080p`, `1280x720`. */
const WORD =
  /^(?:(?:h26[45])?(?:[A-Z]+|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*)\d{0,2}|h26[45]|\d{1,4}(?:p|k|fps|kbps|mb|x\d{1,4})?)$/;
const AUTHORIZATION = /(authorization:\s*)\S+(\s+\S+)?/gi;

/**
 * Removes user names, passwords, keys, what queries hold, and each of `secrets` from a text, such as a URL or a line of
 * ffmpeg. From a path it removes what has a colon (`admin:12345`), and what looks like a key.
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  const named = text.replace(USER_INFO, `$1${HIDDEN}@`);
  // First of all, since a field's value may have slashes, behind which its name is not seen.
  const plain = withoutFields(named).replace(PATH, (_, before: string, path: string) => before + ofText(path));
  let result = plain.replace(QUERY, withoutValues).replace(AUTHORIZATION, `$1${HIDDEN}`);
  for (const secret of secrets) if (secret !== '') result = result.replaceAll(secret, HIDDEN);
  return result;
}

/**
 * As `redact`, of one URL. All before its last `@` is hidden where that may end a password, which may hold any
 * character, also one that ends a password for whoever reads the URL by its rules.
 */
export function redactUrl(url: string): string {
  const [scheme, end] = [url.indexOf('://'), url.lastIndexOf('@')];
  const mayHide = scheme >= 0 && mayEndPassword(url.slice(scheme + '://'.length, end + 1));
  const [address = '', ...query] = (mayHide ? `${url.slice(0, scheme)}://${HIDDEN}${url.slice(end)}` : url).split('?');
  // A quotation mark or a blank, which ends a URL in a text, ends no value here.
  const path = address.indexOf('/', scheme < 0 ? 0 : scheme + '://'.length);
  const shown = path < 0 ? address : address.slice(0, path) + withoutSecrets(withoutFields(address.slice(path)));
  return redact(shown) + withoutValues(query.map((part) => `?${part}`).join(''));
}

/** Redacts a path in a text. */
function ofText(path: string): string {
  let end = path.length;
  while (AFTER_URL.includes(path.charAt(end - 1))) end -= 1;
  return withoutSecrets(path.slice(0, end)) + path.slice(end);
}

/** Redacts a whole path. */
function withoutSecrets(path: string): string {
  return path
    .split('/')
    .map((name) => piecesOf(name).map((piece) => (piece.isSecret ? HIDDEN : piece.text)))
    .map((pieces) => pieces.join(''))
    .join('/');
}

interface Piece {
  readonly text: string;
  readonly isSecret: boolean;
}

/** A name between two slashes, all of it, cut into what is shown and what is not. */
function piecesOf(name: string): Piece[] {
  // A password may hold what ends a parameter.
  if (decoded(name).includes(':')) return [{ text: name, isSecret: true }];
  return name.split(PARAMETER_END).flatMap((part) => {
    const ending = ENDING.exec(part)?.[0] ?? '';
    const stem = part.slice(0, part.length - ending.length);
    return [
      { text: stem, isSecret: isKey(decoded(stem)) },
      { text: ending, isSecret: false },
    ];
  });
}

function isKey(text: string): boolean {
  if (!KEY_LIKE.test(text) || !/[a-z]/i.test(text)) return false;
  const named = text.replace(DATE, 'date');
  return /\d/.test(named) && !isOfWords(named);
}

function isOfWords(text: string): boolean {
  const words = text.split(WORD_END);
  return words.length > 1 && words.every((word) => WORD.test(word));
}

/** Whether an `@` may end a password after this part of an address. */
function mayEndPassword(address: string): boolean {
  const [host = ''] = address.split(/[/?\\]/, 1);
  return address.includes('#') || mayHoldPassword(host);
}

/**
 * Whether what stands before the path may hold a password: a host alone, without a port, is no user with a password,
 * whatever `@` comes after it.
 */
export function mayHoldPassword(host: string): boolean {
  return /[:@]/.test(host.replace(/^\[[^\]]*\]/, ''));
}

/** Values of secret fields, to the end of each value. */
function withoutFields(text: string): string {
  let result = '';
  let copied = 0;
  FIELD.lastIndex = 0;
  for (let field = FIELD.exec(text); field !== null; field = FIELD.exec(text)) {
    if (!SECRET_NAME.test(decoded(field[1] ?? ''))) continue;
    VALUE_END.lastIndex = FIELD.lastIndex;
    const end = VALUE_END.exec(text)?.index ?? text.length;
    result += `${text.slice(copied, FIELD.lastIndex)}${HIDDEN}`;
    copied = FIELD.lastIndex = end;
  }
  return result + text.slice(copied);
}

/** A query, from its `?` on; a field without a name, or with one that is encoded, is hidden as a whole. */
function withoutValues(query: string): string {
  return query.replace(QUERY_FIELD, (whole, before: string, field: string) => {
    if (SHOWN_FIELD.test(field)) return whole;
    return `${before}${/^[\w.-]+=/.exec(field)?.[0] ?? ''}${HIDDEN}`;
  });
}

/** The credentials that a URL holds, in its path too, raw and decoded, longest first, to be given to `redact`. */
export function secretsOf(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { username, password, pathname, search } = new URL(url);
  const fields = [...search.matchAll(QUERY_FIELD)].map(([, , field = '']) => field);
  const values = fields.filter((field) => !SHOWN_FIELD.test(field)).map((field) => field.slice(field.indexOf('=') + 1));
  const parts = pathname
    .split('/')
    .flatMap(piecesOf)
    .filter(({ isSecret }) => isSecret);
  const found = new Set(
    [username, password, ...parts.map(({ text }) => text), ...values].flatMap((value) => [value, decoded(value)]),
  );
  // A one-letter user name would blank half of every message; it is hidden where it stands in a URL.
  return [...found].filter((value) => value.length > 2).sort((a, b) => b.length - a.length);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
