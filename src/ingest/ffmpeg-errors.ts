/** What ffmpeg says on stderr, as an error of the catalogue. */
import { YocoError, type ErrorCode } from '../errors.ts';
import { redact } from './redact.ts';

/** In the order of their force: the first that matches any line wins, so the cause goes before its consequences. */
const SIGNS: readonly (readonly [RegExp, ErrorCode])[] = [
  // A signal that it hears makes whatever it was doing go wrong.
  [/^exiting normally, received signal \d+/i, 'ffmpeg_failed'],
  [/opening (?:de|en)coder.*(?:resource temporarily unavailable|cannot allocate memory)/i, 'ffmpeg_failed'],
  [/\b40[13] (?:unauthorized|forbidden)|(?:failed|returned):? 40[13]\b|authorization failed/i, 'source_unauthorized'],
  [/404 not found|returned:? 404|failed:? 404|\b4XX Client Error/i, 'source_not_found'],
  [/no such file or directory|no such device|cannot find a proper format.*v4l2/i, 'source_not_found'],
  [/matches no streams|does not contain any stream/i, 'source_no_video'],
  [
    /not on whitelist|moov atom not found|invalid data found|unsupported protocol|no protocol handler/i,
    'source_invalid',
  ],
  [/could not find codec parameters|decoder .* not found|unknown decoder|invalid argument/i, 'source_invalid'],
  [/connection refused|timed out|unreachable|no route to host|reset by peer|broken pipe/i, 'source_unreachable'],
  [/failed to resolve|name or service not known|temporary failure in name/i, 'source_unreachable'],
  [/5\d\d server error|5XX Server Error|failed: 5\d\d|permission denied|resource busy/i, 'source_unreachable'],
  [/is a directory|input\/output error|end of file|immediate exit/i, 'source_invalid'],
];

/** On a network, these mean that the other side went away, not that the data is bad. */
const NETWORK_SIGNS: typeof SIGNS = [[/input\/output error|end of file|immediate exit/i, 'source_unreachable']];

/** The error that the last lines of a failed ffmpeg speak of; its detail is the line itself, without credentials. */
export function errorOfFfmpeg(lines: readonly string[], onNetwork: boolean, secrets: readonly string[]): YocoError {
  for (const [sign, code] of onNetwork ? [...SIGNS.slice(0, -1), ...NETWORK_SIGNS] : SIGNS) {
    const line = lines.find((candidate) => sign.test(candidate));
    if (line !== undefined) return new YocoError(code, { detail: readable(line, secrets) });
  }
  const last = lines.at(-1);
  const details = last === undefined ? {} : { detail: readable(last, secrets) };
  return new YocoError(onNetwork ? 'source_unreachable' : 'source_invalid', details);
}

/** Without `[hls @ 0x55...]`, credentials and excess. */
function readable(line: string, secrets: readonly string[]): string {
  const text = redact(line, secrets)
    .replace(/\[[^\]]* @ 0x[0-9a-f]+\] */gi, '')
    .trim()
    .slice(0, 300);
  return `ffmpeg: ${text}${/[.!?]$/.test(text) ? '' : '.'}`;
}
