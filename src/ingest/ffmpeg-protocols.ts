/** Detects paths that ffmpeg, or a reader, could mistake for an address. */

/** Every protocol name that any version of ffmpeg knows. */
const PROTOCOLS =
  'amqp|async|bluray|cache|concat|concatf|content|crypto|data|dtls|fd|ffrtmpcrypt|ffrtmphttp|file|ftp|gopher|gophers|hls|http|' +
  'httpproxy|https|icecast|ipfs|ipns|md5|mmsh|mmst|pipe|prompeg|rist|rtmp|rtmpe|rtmps|rtmpt|rtmpte|rtmpts|rtp|rtsp|rtsps|sap|' +
  'sctp|sdp|sftp|smb|srt|srtp|subfile|tcp|tee|tls|udp|udplite|unix|zmq';

/**
 * `crypto+file:` nests one protocol in another, `subfile,,start,0:` has options; a single letter is a Windows drive.
 */
const ADDRESS = new RegExp(`^(?:[a-z][a-z0-9+.-]+://|(?:${PROTOCOLS})(?:\\+[^/]*)?:|subfile,)`, 'i');

/**
 * Whether a path begins like an address. The check only gives whoever wrote the path a clear error: ffmpeg gets files
 * as `file:` with the absolute path (see `ffmpegInput`), and takes no other part of that for a protocol.
 */
export function looksLikeAddress(path: string): boolean {
  return ADDRESS.test(path);
}
