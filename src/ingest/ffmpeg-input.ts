/** The part of ffmpeg's command that stands before `-i`: how to open a source, and what it may reach. */
import { dirname, resolve, sep } from 'node:path';
import { YocoError } from '../errors.ts';
import type { SourceDefinition, UrlSourceDefinition } from './definition.ts';
import type { FfmpegBinary } from './ffmpeg-binary.ts';
import { secretsOf } from './redact.ts';

export interface FfmpegInput {
  readonly kind: 'rtsp' | 'http' | 'file' | 'device';
  readonly address: string;
  /** Of a file: where it lies. */
  readonly path?: string;
  /** Options of the input, which differ between versions of ffmpeg. */
  readonly optionsFor: (binary: FfmpegBinary) => string[];
  /** What must not be shown of the address. */
  readonly secrets: readonly string[];
}

/** A server that does not answer is given up after this time, microseconds. */
const NETWORK_TIMEOUT_US = 10_000_000;

/** The frame rate is of no use here, and finding it out would delay the first frame. */
const WITHOUT_FRAME_RATE = ['-fpsprobesize', '0'];

/**
 * Containers that are read. Left out on purpose: `concat`, `sdp`, `dash`, `lavfi` and, for files, `hls`, whose text can
 * name other files and addresses, and `image2`, which takes a name for a pattern of names. `jpeg_pipe` reads, as
 * `mjpeg`, what was opened and nothing else: it is what newer versions of ffmpeg take raw MJPEG for.
 */
const CONTAINERS =
  'mov,matroska,avi,gif,apng,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,mxf,nut,dv,m4v,h264,hevc,ivf,av1,obu,mjpeg,jpeg_pipe,' +
  'yuv4mpegpipe,' +
  // Known so that a file with sound alone is told apart from one that is no media at all.
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
      // Where on the machine it lies is nobody's business.
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

/** The same input, whose pictures get the times at which they arrive. */
export function timedByArrival(input: FfmpegInput): FfmpegInput {
  return {
    ...input,
    optionsFor: (binary) => [...input.optionsFor(binary), '-use_wallclock_as_timestamps', '1'],
  };
}

function rtspOptions(transport: string, binary: FfmpegBinary): string[] {
  return [
    ...['-protocol_whitelist', 'rtp,rtsp,rtsps,srtp,udp,tcp,tls,crypto', '-format_whitelist', 'rtsp,asf'],
    ...['-rtsp_transport', transport, '-allowed_media_types', 'video'],
    // Before ffmpeg 5, -timeout made ffmpeg listen for a camera that calls.
    ...[binary.libavformat[0] >= 59 ? '-timeout' : '-stimeout', String(NETWORK_TIMEOUT_US)],
    ...WITHOUT_FRAME_RATE,
  ];
}

function httpOptions(): string[] {
  return [
    // What an HLS playlist names is opened under the same list, so it cannot reach files.
    ...['-protocol_whitelist', 'http,https,httpproxy,tcp,tls,crypto', '-format_whitelist', HTTP_CONTAINERS],
    ...['-rw_timeout', String(NETWORK_TIMEOUT_US), ...WITHOUT_FRAME_RATE],
    // Goes on where it was when the server closed a file that was held back for long.
    ...['-reconnect', '1', '-reconnect_delay_max', '5'],
  ];
}

/**
 * The address as Node reads it, written anew, so that ffmpeg cannot read another host in it than was checked.
 * Credentials stand in ffmpeg's arguments, which other users of the machine may see; ffmpeg offers no other way.
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
