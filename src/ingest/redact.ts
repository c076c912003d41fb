/** Hides credentials in anything that is shown or logged. Rather hides too much than too little. */

const HIDDEN = '***';

const USER_INFO = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#'"]*@/gi;
/** `name=value` anywhere, since some cameras carry `user=admin_password=...` in the path. */
const SECRET_FIELD =
  /([a-z0-9_.%-]*(?:token|key|pass|pwd|auth|sig|secret|cred|user|login|session)[a-z0-9_.%-]*)=[^&#\s'"]*/gi;
const AUTHORIZATION = /(authorization:\s*)\S+(\s+\S+)?/gi;

/** Removes user names, passwords, keys and each of `secrets` from a text, such as a URL or a line of ffmpeg. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let result = text
    .replace(USER_INFO, `$1${HIDDEN}@`)
    .replace(SECRET_FIELD, `$1=${HIDDEN}`)
    .replace(AUTHORIZATION, `$1${HIDDEN}`);
  for (const secret of secrets) if (secret !== '') result = result.replaceAll(secret, HIDDEN);
  return result;
}

/** The credentials that a URL holds, raw and decoded, longest first, to be given to `redact`. */
export function secretsOf(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { username, password, searchParams } = new URL(url);
  const fields = [...searchParams].filter(([name]) => redact(`${name}=x`) !== `${name}=x`).map(([, value]) => value);
  const found = new Set([username, password, ...fields].flatMap((value) => [value, decoded(value)]));
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
