/** Hides credentials in anything that is shown or logged. In doubt, it hides. */

const HIDDEN = '***';

// Each run of letters is tried only once, from its start. That keeps matching linear, since a client's URL may be one
// long name.
const USER_INFO = /(?<![a-z0-9+.-])([a-z0-9+.-]+:\/\/)[^\s/?#'"]*@/gi;
/**
 * Matches `name=` anywhere, since some cameras carry `user=admin_password=...` in the path. A name never starts inside
 * another one.
 */
const FIELD = /(?<![a-z0-9_.%-])([a-z0-9_.%-]+)=/gi;
const SECRET_NAME =
  /token|key|pass|pwd|pw|auth|sig|secret|cred|user|usr|login|session|jwt|hdn|hmac|code$|(?:^|[_.-])(?:sid|pin)(?:[_.-]|$)/i;
const VALUE_END = /[&#\s'"]|$/g;
/** The query of a URL in a text. The lookbehind for the URL runs only at each `?`, not at every letter. */
const QUERY = /\?(?<=:\/\/[^\s?'"]*\?)[^\s#'"]*/g;
const QUERY_FIELD = /([?&;#])([^?&;#]+)/g;
/**
 * An allowlist, since nobody can list every name a secret may have: only fields that select a camera's picture are
 * shown.
 */
const ALLOWED_FIELD =
  /^(?:action|camera|channel|codec|compression|fps|height|profile|proto|quality|resolution|stream|subtype|unicast|videocodec|width)(?:=|$)/i;
/** The two parts of a URL in a text: everything before its path, and the path. */
const PATH = /(?<![a-z0-9+.-])([a-z0-9+.-]+:\/\/[^\s/?#'"]*)(\/[^\s?#'"]*)/gi;
/** Punctuation that may follow a URL in a text and is not part of it. */
const TRAILING_PUNCTUATION = ':.,;)]';
/** Separates the parameters of a path segment. */
const PARAMETER_SEPARATOR = /(;|%3b)/i;
/** The extension of a path segment, which says what kind of file it is; shown even if the segment is a key. */
const EXTENSION = /\.[a-z0-9]{1,5}$/i;
/**
 * A possible key in a path: cameras and streaming services use keys as path segments. Encoded base64 may contain
 * slashes.
 */
const KEY_LIKE = /^[\w.~=+%/-]{16,}$/;
/** The date and time of a recording, which do not make a path segment a key. */
const DATE = /(?<![a-z0-9])(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T_-]\d\d-?\d\d(?:-?\d\d)?)?(?![a-z0-9])/gi;
/** Separates the words of a path segment. */
const WORD_SEPARATOR = /[_.=]/;
/** A word in a path segment: `main`, `h264Preview`, `channel2`, `01`, `1080p`, `1280x720`. */
const WORD =
  /^(?:(?:h26[45])?(?:[A-Z]+|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*)\d{0,2}|h26[45]|\d{1,4}(?:p|k|fps|kbps|mb|x\d{1,4})?)$/;
const AUTHORIZATION = /(authorization:\s*)\S+(\s+\S+)?/gi;

/**
 * Removes user names, passwords, keys, query values and each of `secrets` from a text, such as a URL or a line of
 * ffmpeg. In paths it hides segments with a colon (`admin:12345`) and anything that looks like a key.
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  const named = text.replace(USER_INFO, `$1${HIDDEN}@`);
  // Fields come first: a value may contain slashes, and splitting the path at them would separate it from its name.
  const plain = redactFields(named).replace(PATH, (_, before: string, path: string) => before + redactPathInText(path));
  let result = plain.replace(QUERY, redactQuery).replace(AUTHORIZATION, `$1${HIDDEN}`);
  for (const secret of secrets) if (secret !== '') result = result.replaceAll(secret, HIDDEN);
  return result;
}

/**
 * Like `redact`, but for a single URL. Everything before its last `@` is hidden if that may end a password. A password
 * may contain any character, even one that by the rules of URLs would end it.
 */
export function redactUrl(url: string): string {
  const [scheme, end] = [url.indexOf('://'), url.lastIndexOf('@')];
  const mayHide = scheme >= 0 && mayEndPassword(url.slice(scheme + '://'.length, end + 1));
  const [address = '', ...query] = (mayHide ? `${url.slice(0, scheme)}://${HIDDEN}${url.slice(end)}` : url).split('?');
  // Quotation marks and blanks end a URL in a text, but do not end a value here.
  const path = address.indexOf('/', scheme < 0 ? 0 : scheme + '://'.length);
  const shown = path < 0 ? address : address.slice(0, path) + redactPath(redactFields(address.slice(path)));
  return redact(shown) + redactQuery(query.map((part) => `?${part}`).join(''));
}

/** Redacts a path in a text. */
function redactPathInText(path: string): string {
  let end = path.length;
  while (TRAILING_PUNCTUATION.includes(path.charAt(end - 1))) end -= 1;
  return redactPath(path.slice(0, end)) + path.slice(end);
}

/** Redacts a whole path. */
function redactPath(path: string): string {
  return path
    .split('/')
    .map((name) => splitSegment(name).map((piece) => (piece.isSecret ? HIDDEN : piece.text)))
    .map((pieces) => pieces.join(''))
    .join('/');
}

interface Piece {
  readonly text: string;
  readonly isSecret: boolean;
}

/** Cuts a whole path segment into pieces to show and pieces to hide. */
function splitSegment(name: string): Piece[] {
  // A password may contain a parameter separator.
  if (safeDecode(name).includes(':')) return [{ text: name, isSecret: true }];
  return name.split(PARAMETER_SEPARATOR).flatMap((part) => {
    const extension = EXTENSION.exec(part)?.[0] ?? '';
    const stem = part.slice(0, part.length - extension.length);
    return [
      { text: stem, isSecret: isKey(safeDecode(stem)) },
      { text: extension, isSecret: false },
    ];
  });
}

function isKey(text: string): boolean {
  if (!KEY_LIKE.test(text) || !/[a-z]/i.test(text)) return false;
  const named = text.replace(DATE, 'date');
  return /\d/.test(named) && !consistsOfWords(named);
}

function consistsOfWords(text: string): boolean {
  const words = text.split(WORD_SEPARATOR);
  return words.length > 1 && words.every((word) => WORD.test(word));
}

/** Whether the `@` at the end of this part of an address may end a password. */
function mayEndPassword(address: string): boolean {
  const [host = ''] = address.split(/[/?\\]/, 1);
  return address.includes('#') || mayHoldPassword(host);
}

/** Whether the part before the path may hold a password. A bare host without a port cannot, whatever `@` follows it. */
export function mayHoldPassword(host: string): boolean {
  return /[:@]/.test(host.replace(/^\[[^\]]*\]/, ''));
}

/** Hides the values of secret fields, each to its end. */
function redactFields(text: string): string {
  let result = '';
  let copied = 0;
  FIELD.lastIndex = 0;
  for (let field = FIELD.exec(text); field !== null; field = FIELD.exec(text)) {
    if (!SECRET_NAME.test(safeDecode(field[1] ?? ''))) continue;
    VALUE_END.lastIndex = FIELD.lastIndex;
    const end = VALUE_END.exec(text)?.index ?? text.length;
    result += `${text.slice(copied, FIELD.lastIndex)}${HIDDEN}`;
    copied = FIELD.lastIndex = end;
  }
  return result + text.slice(copied);
}

/**
 * Hides values in a query that begins with its `?`. A field without a name, or with an encoded one, is hidden as a
 * whole.
 */
function redactQuery(query: string): string {
  return query.replace(QUERY_FIELD, (whole, before: string, field: string) => {
    if (ALLOWED_FIELD.test(field)) return whole;
    return `${before}${/^[\w.-]+=/.exec(field)?.[0] ?? ''}${HIDDEN}`;
  });
}

/** The credentials in a URL, including its path, raw and decoded, longest first, to be passed to `redact`. */
export function secretsOf(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { username, password, pathname, search } = new URL(url);
  const fields = [...search.matchAll(QUERY_FIELD)].map(([, , field = '']) => field);
  const values = fields
    .filter((field) => !ALLOWED_FIELD.test(field))
    .map((field) => field.slice(field.indexOf('=') + 1));
  const parts = pathname
    .split('/')
    .flatMap(splitSegment)
    .filter(({ isSecret }) => isSecret);
  const found = new Set(
    [username, password, ...parts.map(({ text }) => text), ...values].flatMap((value) => [value, safeDecode(value)]),
  );
  // A user name of one or two letters would blank half of every message; it is hidden within URLs anyway.
  return [...found].filter((value) => value.length > 2).sort((a, b) => b.length - a.length);
}

function safeDecode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
