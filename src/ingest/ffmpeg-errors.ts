/** What ffmpeg says on stderr, as an error of the catalogue. */
import { YocoError, type ErrorCode } from '../errors.ts';
import type { FfmpegInput } from './ffmpeg-input.ts';
import { redact } from './redact.ts';

/** What to do about a line that does not say so itself. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  // The server knows no such transport.
  [/method [A-Z_]+ failed: 461\b/i, 'Try the other `source.transport`.'],
  [
    /^Format (?:image2|\w+_pipe) not on whitelist/,
    'It is a picture, not a video; pictures are pushed (`source.push`).',
  ],
];

type Kind = FfmpegInput['kind'];
const NETWORK: readonly Kind[] = ['rtsp', 'http'];

/**
 * In the order of their force: the first that matches any line wins, so the cause goes before its consequences. Some
 * hold for inputs of some kinds only.
 */
const SIGNS: readonly (readonly [RegExp, ErrorCode, (readonly Kind[])?])[] = [
  // A signal that it hears makes whatever it was doing go wrong.
  [/^exiting normally, received signal \d+/i, 'ffmpeg_failed'],
  [/opening (?:de|en)coder.*(?:resource temporarily unavailable|cannot allocate memory)/i, 'ffmpeg_failed'],
  [/\b40[13] (?:unauthorized|forbidden)|(?:failed|returned):? 40[13]\b|authorization failed/i, 'source_unauthorized'],
  [/404 not found|returned:? 404|failed:? 404/i, 'source_not_found'],
  [/no such file or directory|no such device|cannot find a proper format.*v4l2/i, 'source_not_found'],
  [/matches no streams|does not contain any stream/i, 'source_no_video'],
  // A server that speaks RTSP and does not play now, such as 453 where too many watch.
  [/method [A-Z_]+ failed: [45]\d\d\b/i, 'source_unreachable'],
  // A server that is asked too often, or too slowly, and will answer later.
  [/HTTP error (?:408|425|429)\b|429 Too Many/i, 'source_unreachable'],
  [/\b4XX Client Error/i, 'source_not_found'],
  // A connection that was accepted and closed: the way to a camera, such as a tunnel, is there, and the camera is not.
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

/** The error that the last lines of a failed ffmpeg speak of; its detail is the line itself, without credentials. */
export function errorOfFfmpeg(lines: readonly string[], kind: Kind, secrets: readonly string[]): YocoError {
  for (const [sign, code, kinds] of SIGNS) {
    if (kinds !== undefined && !kinds.includes(kind)) continue;
    const line = lines.find((candidate) => sign.test(candidate));
    if (line === undefined) continue;
    const hint = HINTS.find(([about]) => about.test(line))?.[1];
    const said = readable(line, secrets);
    return new YocoError(code, { detail: hint === undefined ? said : `${said} ${hint}` });
  }
  const last = lines.at(-1);
  const details = last === undefined ? {} : { detail: readable(last, secrets) };
  return new YocoError(NETWORK.includes(kind) ? 'source_unreachable' : 'source_invalid', details);
}

/**
 * What ffmpeg says of a recording that it then plays as if it were whole: by its container data is missing, or it could
 * not be read to its end. That a connection was lost is not yet such a sign, since ffmpeg connects again.
 */
const CUT_SHORT = [
  /^\[\S+ @ 0x[0-9a-f]+\] (?:File ended prematurely|Read error$|stream \d+, offset 0x[0-9a-f]+: partial file)/i,
  /^(?:(?:https?|file):.*|\[in#\d+.*\] Error during demuxing): (?:input\/output error|(?:connection|operation) .*)$/i,
];

/** The error of a recording that ended before its end, where a line tells of one. */
export function cutShortOf(line: string, secrets: readonly string[]): YocoError | null {
  if (!CUT_SHORT.some((sign) => sign.test(line))) return null;
  return new YocoError('source_incomplete', { detail: readable(line, secrets) });
}

/**
 * What ffmpeg's options make of an address on the way to it, `tcp://10.0.0.1:554?timeout=10000000`: nobody has written
 * that query.
 */
const INNER_QUERY = /(?<![a-z0-9+.-])((?:tcp|tls|udp|rtp|srtp):\/\/[^\s/?'"]*)\?[^\s'"]*/gi;
/** In front of a file's name: how ffmpeg is told that it is one, and its folder, which is hidden. */
const BEFORE_FILE = /\bfile:\*{3}/g;

/** Without `[hls @ 0x55...]`, credentials and excess. */
function readable(line: string, secrets: readonly string[]): string {
  const text = redact(line, secrets)
    .replace(INNER_QUERY, '$1')
    .replace(BEFORE_FILE, '')
    .replace(/\[[^\]]* @ 0x[0-9a-f]+\] */gi, '')
    .trim()
    .slice(0, 300);
  return `ffmpeg: ${text}${/[.!?]$/.test(text) ? '' : '.'}`;
}
