/** Which paths could be taken for an address by ffmpeg, or by who reads them. */

/** All protocols that any version of ffmpeg knows by these names. */
const PROTOCOLS =
  'amqp|async|bluray|cache|concat|concatf|content|crypto|data|dtls|fd|ffrtmpcrypt|ffrtmphttp|file|ftp|gopher|gophers|hls|http|' +
  'httpproxy|https|icecast|ipfs|ipns|md5|mmsh|mmst|pipe|prompeg|rist|rtmp|rtmpe|rtmps|rtmpt|rtmpte|rtmpts|rtp|rtsp|rtsps|sap|' +
  'sctp|sdp|sftp|smb|srt|srtp|subfile|tcp|tee|tls|udp|udplite|unix|zmq';

/** `crypto+file:` is one protocol within another, `subfile,,start,0:` has options; one letter is a drive of Windows. */
const ADDRESS = new RegExp(`^(?:[a-z][a-z0-9+.-]+://|(?:${PROTOCOLS})(?:\\+[^/]*)?:|subfile,)`, 'i');

/**
 * Whether a path begins as an address does. It is no more than a clear answer to who wrote one: files are given to
 * ffmpeg as `file:` with the whole path (see `ffmpegInput`), of which it takes no other part for a protocol.
 */
export function looksLikeAddress(path: string): boolean {
  return ADDRESS.test(path);
}
