/** The part of ffmpeg's command before `-i`: how to open a source, and what it may access. */
import { dirname, resolve, sep } from 'node:path';
import { YocoError } from '../errors.ts';
import type { SourceDefinition, UrlSourceDefinition } from './definition.ts';
import type { FfmpegBinary } from './ffmpeg-binary.ts';
import { secretsOf } from './redact.ts';

export interface FfmpegInput {
  readonly kind: 'rtsp' | 'http' | 'file' | 'device';
  readonly address: string;
  /** Absolute path of a file. */
  readonly path?: string;
  /** Input options, which depend on the version of ffmpeg. */
  readonly optionsFor: (binary: FfmpegBinary) => string[];
  /** Parts of the address that must not be shown. */
  readonly secrets: readonly string[];
}

/** A server that does not answer is given up after this time, microseconds. */
const NETWORK_TIMEOUT_US = 10_000_000;

/** The frame rate is not needed, and probing it would delay the first frame. */
const NO_FRAME_RATE_PROBE = ['-fpsprobesize', '0'];

/**
 * Containers that may be read. Excluded on purpose: `concat`, `sdp`, `dash`, `lavfi` and, for files, `hls`, whose text
 * can name other files and addresses; `image2`, which treats a name as a pattern. `jpeg_pipe` is safe: like `mjpeg`, it
 * reads nothing but the opened file. Newer versions of ffmpeg detect raw MJPEG as `jpeg_pipe`.
 */
const CONTAINERS =
  'mov,matroska,avi,gif,apng,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,mxf,nut,dv,m4v,h264,hevc,ivf,av1,obu,mjpeg,jpeg_pipe,' +
  'yuv4mpegpipe,' +
  // Allowed so that a file with sound alone can be told apart from one that is not media at all.
  'mp3,wav,flac,aac';
const HTTP_CONTAINERS = `${CONTAINERS},hls,mpjpeg,webvtt`;

/** How to open a source with ffmpeg. Throws `definition_invalid` when its credentials are not in the environment. */
export function ffmpegInput(source: Exclude<SourceDefinition, { push: true }>): FfmpegInput {
  if ('file' in source) {
    const path = resolve(source.file);
    // With `file:` in front, no name can be taken for an option or another protocol.
    return {
      kind: 'file',
      address: `file:${path}`,
      path,
      // Must not reveal where on the machine the file lies.
      secrets: [dirname(path) + sep],
      optionsFor: () => [
        ...['-protocol_whitelist', 'file', '-format_whitelist', CONTAINERS],
        ...(source.pace === 'realtime' ? ['-re'] : []),
      ],
    };
  }
  if ('device' in source) {
    return { kind: 'device', address: source.device, secrets: [], optionsFor: () => ['-f', 'v4l2'] };
  }
  const address = addressOf(source);
  const secrets = secretsOf(address);
  if (/^rtsps?:/i.test(address)) {
    const transport = source.transport ?? 'tcp';
    return { kind: 'rtsp', address, secrets, optionsFor: (binary) => rtspOptions(transport, binary) };
  }
  return { kind: 'http', address, secrets, optionsFor: httpOptions };
}

/** The same input, with pictures timestamped on arrival. */
export function withArrivalTimestamps(input: FfmpegInput): FfmpegInput {
  return {
    ...input,
    optionsFor: (binary) => [...input.optionsFor(binary), '-use_wallclock_as_timestamps', '1'],
  };
}

function rtspOptions(transport: string, binary: FfmpegBinary): string[] {
  return [
    ...['-protocol_whitelist', 'rtp,rtsp,rtsps,srtp,udp,tcp,tls,crypto', '-format_whitelist', 'rtsp,asf'],
    ...['-rtsp_transport', transport, '-allowed_media_types', 'video'],
    // Before ffmpeg 5, `-timeout` made ffmpeg listen for an incoming connection.
    ...[binary.libavformat[0] >= 59 ? '-timeout' : '-stimeout', String(NETWORK_TIMEOUT_US)],
    ...NO_FRAME_RATE_PROBE,
  ];
}

function httpOptions(): string[] {
  return [
    // The same whitelist applies to whatever an HLS playlist names, so a playlist cannot reach files.
    ...['-protocol_whitelist', 'http,https,httpproxy,tcp,tls,crypto', '-format_whitelist', HTTP_CONTAINERS],
    ...['-rw_timeout', String(NETWORK_TIMEOUT_US), ...NO_FRAME_RATE_PROBE],
    // Resumes at the same position after the server closed a connection that was held back for long.
    ...['-reconnect', '1', '-reconnect_delay_max', '5'],
  ];
}

/**
 * The address as Node parses and serialises it, so that ffmpeg cannot see another host in it than the one that was
 * checked. Credentials appear in ffmpeg's arguments, where other users of the machine may see them; ffmpeg offers no
 * other way.
 */
function addressOf(source: UrlSourceDefinition): string {
  const url = new URL(source.url);
  url.hash = '';
  if (source.credentials_env !== undefined) {
    const value = process.env[source.credentials_env] ?? '';
    const colon = value.indexOf(':');
    if (colon < 1) {
      const what = value === '' ? 'is not set' : 'does not hold user:password';
      throw new YocoError('definition_invalid', {
        param: 'source.credentials_env',
        detail: `The environment variable ${source.credentials_env} ${what}.`,
      });
    }
    url.username = encodeURIComponent(value.slice(0, colon));
    url.password = encodeURIComponent(value.slice(colon + 1));
  }
  return url.href;
}
