/** Maps ffmpeg's messages on stderr to errors of the catalogue. */
import { YocoError, type ErrorCode } from '../errors.ts';
import type { FfmpegInput } from './ffmpeg-input.ts';
import { redact } from './redact.ts';

/** Advice for messages that give none. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  // The server does not support this transport.
  [/method [A-Z_]+ failed: 461\b/i, 'Try the other `source.transport`.'],
  [
    /^Format (?:image2|\w+_pipe) not on whitelist/,
    'It is a picture, not a video; pictures are pushed (`source.push`).',
  ],
];

type Kind = FfmpegInput['kind'];
const NETWORK: readonly Kind[] = ['rtsp', 'http'];

/**
 * In order of precedence: the first pattern that matches any line wins, so a cause comes before its consequences. Some
 * apply only to certain kinds of input.
 */
const ERROR_PATTERNS: readonly (readonly [RegExp, ErrorCode, (readonly Kind[])?])[] = [
  // After a signal, whatever ffmpeg was doing fails too.
  [/^exiting normally, received signal \d+/i, 'ffmpeg_failed'],
  [/opening (?:de|en)coder.*(?:resource temporarily unavailable|cannot allocate memory)/i, 'ffmpeg_failed'],
  [/\b40[13] (?:unauthorized|forbidden)|(?:failed|returned):? 40[13]\b|authorization failed/i, 'source_unauthorized'],
  [/404 not found|returned:? 404|failed:? 404/i, 'source_not_found'],
  [/no such file or directory|no such device|cannot find a proper format.*v4l2/i, 'source_not_found'],
  [/matches no streams|does not contain any stream/i, 'source_no_video'],
  // An RTSP server that cannot play at the moment, such as 453 when too many clients watch.
  [/method [A-Z_]+ failed: [45]\d\d\b/i, 'source_unreachable'],
  // A server that was asked too often or too slowly, and will answer later.
  [/HTTP error (?:408|425|429)\b|429 Too Many/i, 'source_unreachable'],
  [/\b4XX Client Error/i, 'source_not_found'],
  // A connection that was accepted and then closed: the route to the camera, such as a tunnel, is up, but the camera is
  // not.
  [/^(?:rtsps?:\S*|\[in#\d+.*\] error opening input:) invalid data found/i, 'source_unreachable', ['rtsp']],
  [
    /not on whitelist|moov atom not found|invalid data found|unsupported protocol|no protocol handler/i,
    'source_invalid',
  ],
  [/could not find codec parameters|decoder .* not found|unknown decoder|invalid argument/i, 'source_invalid'],
  [/connection refused|timed out|unreachable|no route to host|reset by peer|broken pipe/i, 'source_unreachable'],
  [/failed to resolve|name or service not known|temporary failure in name/i, 'source_unreachable'],
  [/5\d\d server error|5XX Server Error|failed: 5\d\d|permission denied|resource busy/i, 'source_unreachable'],
  // On a network, these mean that the other side went away, not that the data is bad.
  [/input\/output error|end of file|immediate exit/i, 'source_unreachable', NETWORK],
  [/is a directory|input\/output error|end of file|immediate exit/i, 'source_invalid', ['file', 'device']],
];

/** The error that the last lines of a failed ffmpeg indicate. Its detail is the line itself, without credentials. */
export function errorFromStderr(lines: readonly string[], kind: Kind, secrets: readonly string[]): YocoError {
  for (const [pattern, code, kinds] of ERROR_PATTERNS) {
    if (kinds !== undefined && !kinds.includes(kind)) continue;
    const line = lines.find((candidate) => pattern.test(candidate));
    if (line === undefined) continue;
    const hint = HINTS.find(([about]) => about.test(line))?.[1];
    const said = cleanLine(line, secrets);
    return new YocoError(code, { detail: hint === undefined ? said : `${said} ${hint}` });
  }
  const last = lines.at(-1);
  const details = last === undefined ? {} : { detail: cleanLine(last, secrets) };
  return new YocoError(NETWORK.includes(kind) ? 'source_unreachable' : 'source_invalid', details);
}

/**
 * What ffmpeg reports about a recording that it still plays as if it were whole: the container says that data is
 * missing, or reading failed before the end. A lost connection alone is no such sign, since ffmpeg reconnects.
 */
const TRUNCATION_PATTERNS = [
  /^\[\S+ @ 0x[0-9a-f]+\] (?:File ended prematurely|Read error$|stream \d+, offset 0x[0-9a-f]+: partial file)/i,
  /^(?:(?:https?|file):.*|\[in#\d+.*\] Error during demuxing): (?:input\/output error|(?:connection|operation) .*)$/i,
];

/** The error of a recording that ended early, if the line reports one. */
export function truncationErrorOf(line: string, secrets: readonly string[]): YocoError | null {
  if (!TRUNCATION_PATTERNS.some((pattern) => pattern.test(line))) return null;
  return new YocoError('source_incomplete', { detail: cleanLine(line, secrets) });
}

/**
 * The query that ffmpeg builds from its own options for an inner address, as in `tcp://10.0.0.1:554?timeout=10000000`.
 * No user wrote it.
 */
const INNER_QUERY = /(?<![a-z0-9+.-])((?:tcp|tls|udp|rtp|srtp):\/\/[^\s/?'"]*)\?[^\s'"]*/gi;
/** Precedes a file's name: the scheme that marks it as a file, and its hidden folder. */
const REDACTED_FILE_PREFIX = /\bfile:\*{3}/g;

/** Removes `[hls @ 0x55...]` and credentials, and truncates the line. */
function cleanLine(line: string, secrets: readonly string[]): string {
  const text = redact(line, secrets)
    .replace(INNER_QUERY, '$1')
    .replace(REDACTED_FILE_PREFIX, '')
    .replace(/\[[^\]]* @ 0x[0-9a-f]+\] */gi, '')
    .trim()
    .slice(0, 300);
  return `ffmpeg: ${text}${/[.!?]$/.test(text) ? '' : '.'}`;
}
