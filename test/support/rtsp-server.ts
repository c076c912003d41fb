/**
 * A small RTSP server for tests: plays an H.264 stream in a loop, in real time, over TCP interleaved with RTSP (RFC
 * 2326 section 10.12, RFC 6184). Basic and digest authentication.
 */
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface RtspServerOptions {
  /** Annex B, one slice a frame, no B-frames. */
  readonly h264: Buffer;
  readonly fps: number;
  readonly port?: number;
  readonly credentials?: { readonly user: string; readonly password: string; readonly scheme: 'basic' | 'digest' };
  /** Offers sound only. */
  readonly withoutVideo?: boolean;
  /** Stops sending after this many frames, but keeps the connection open. */
  readonly silentAfter?: number;
}

const REALM = 'test';
const NONCE = '0123456789abcdef';
const LARGEST_PAYLOAD = 1200;

export class RtspServer {
  readonly port: number;
  /** The `Transport` headers of clients, in the order in which they came. */
  readonly transports: string[] = [];
  /** Connections that reached PLAY. */
  plays = 0;
  readonly #server: Server;
  readonly #options: RtspServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #accessUnits: Buffer[][];

  private constructor(server: Server, options: RtspServerOptions) {
    this.#server = server;
    this.#options = options;
    this.#accessUnits = accessUnits(options.h264);
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.#serve(socket);
    });
  }

  static async start(options: RtspServerOptions): Promise<RtspServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    return new RtspServer(server, options);
  }

  get url(): string {
    return `rtsp://127.0.0.1:${this.port}/live`;
  }

  /** Cuts all connections, like a camera that loses power. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let timer: NodeJS.Timeout | undefined;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      this.#sockets.delete(socket);
    });
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      for (;;) {
        // RTCP of the client, interleaved: '$', channel, length.
        if (received[0] === 0x24) {
          if (received.length < 4 || received.length < 4 + received.readUInt16BE(2)) return;
          received = received.subarray(4 + received.readUInt16BE(2));
          continue;
        }
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        const request = received.toString('latin1', 0, end);
        received = received.subarray(end + 4);
        if (this.#answer(socket, request)) timer = this.#play(socket);
      }
    });
  }

  /** Returns true when playing is to begin. */
  #answer(socket: Socket, request: string): boolean {
    const [first = '', ...headers] = request.split('\r\n');
    const [method = '', uri = ''] = first.split(' ');
    const header = (name: string): string | undefined =>
      headers
        .find((line) => line.toLowerCase().startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim();
    const reply = (status: string, lines: string[] = [], body = ''): void => {
      const all = [`RTSP/1.0 ${status}`, `CSeq: ${header('cseq') ?? '0'}`, ...lines];
      if (body !== '') all.push(`Content-Length: ${Buffer.byteLength(body)}`);
      socket.write(`${all.join('\r\n')}\r\n\r\n${body}`);
    };
    if (method === 'OPTIONS') {
      reply('200 OK', ['Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN']);
    } else if (!this.#isAuthorized(method, uri, header('authorization'))) {
      const challenge = this.#options.credentials?.scheme === 'basic' ? 'Basic' : 'Digest';
      const nonce = challenge === 'Digest' ? `, nonce="${NONCE}"` : '';
      reply('401 Unauthorized', [`WWW-Authenticate: ${challenge} realm="${REALM}"${nonce}`]);
    } else if (method === 'DESCRIBE') {
      reply('200 OK', ['Content-Type: application/sdp', `Content-Base: ${uri}/`], this.#sdp());
    } else if (method === 'SETUP') {
      const transport = header('transport') ?? '';
      this.transports.push(transport);
      if (transport.includes('interleaved')) reply('200 OK', [`Transport: ${transport}`, 'Session: 1;timeout=60']);
      else reply('461 Unsupported Transport');
    } else if (method === 'PLAY') {
      this.plays += 1;
      reply('200 OK', ['Session: 1', 'Range: npt=now-']);
      return true;
    } else {
      reply('200 OK', ['Session: 1']);
    }
    return false;
  }

  #isAuthorized(method: string, uri: string, authorization: string | undefined): boolean {
    const { credentials } = this.#options;
    if (credentials === undefined) return true;
    const { user, password, scheme } = credentials;
    if (scheme === 'basic') {
      return authorization === `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    }
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const expected = md5(`${md5(`${user}:${REALM}:${password}`)}:${NONCE}:${md5(`${method}:${uri}`)}`);
    return authorization?.includes(`response="${expected}"`) ?? false;
  }

  #sdp(): string {
    const media = this.#options.withoutVideo
      ? ['m=audio 0 RTP/AVP 0', 'a=rtpmap:0 PCMU/8000', 'a=control:track1']
      : ['m=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000', `a=fmtp:96 ${this.#parameters()}`, 'a=control:track1'];
    return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=test', 'c=IN IP4 0.0.0.0', 't=0 0', ...media, ''].join('\r\n');
  }

  #parameters(): string {
    const units = this.#accessUnits.flat();
    const sets = [7, 8].map((type) => units.find((unit) => typeOf(unit) === type)?.toString('base64') ?? '');
    return `packetization-mode=1;sprop-parameter-sets=${sets.join(',')}`;
  }

  #play(socket: Socket): NodeJS.Timeout {
    const { fps, silentAfter = Infinity } = this.#options;
    let sent = 0;
    let sequence = 0;
    return setInterval(() => {
      if (sent >= silentAfter) return;
      const units = this.#accessUnits[sent % this.#accessUnits.length] ?? [];
      const time = Math.round((sent * 90_000) / fps);
      const packets = units.flatMap(payloadsOf);
      packets.forEach((payload, index) => {
        const last = index === packets.length - 1;
        socket.write(interleaved(rtpPacket(payload, sequence, time, last)));
        sequence = (sequence + 1) & 0xffff;
      });
      sent += 1;
    }, 1000 / fps);
  }
}

const typeOf = (unit: Buffer): number => (unit[0] ?? 0) & 0x1f;

/** The NAL units of each frame; what comes before a slice belongs to it. */
function accessUnits(h264: Buffer): Buffer[][] {
  const frames: Buffer[][] = [];
  let frame: Buffer[] = [];
  for (const unit of nalUnits(h264)) {
    frame.push(unit);
    if (typeOf(unit) === 1 || typeOf(unit) === 5) {
      frames.push(frame);
      frame = [];
    }
  }
  return frames;
}

function nalUnits(h264: Buffer): Buffer[] {
  const units: Buffer[] = [];
  const startCode = Buffer.from([0, 0, 1]);
  let start = h264.indexOf(startCode);
  while (start >= 0) {
    const next = h264.indexOf(startCode, start + 3);
    let end = next < 0 ? h264.length : next;
    while (h264[end - 1] === 0) end -= 1;
    units.push(h264.subarray(start + 3, end));
    start = next;
  }
  return units;
}

/** The unit as one payload, or cut into FU-A fragments. */
function payloadsOf(unit: Buffer): Buffer[] {
  if (unit.length <= LARGEST_PAYLOAD) return [unit];
  const head = unit[0] ?? 0;
  const body = unit.subarray(1);
  const fragments: Buffer[] = [];
  for (let offset = 0; offset < body.length; offset += LARGEST_PAYLOAD) {
    const isFirst = offset === 0;
    const isLast = offset + LARGEST_PAYLOAD >= body.length;
    const header = Buffer.from([(head & 0xe0) | 28, (isFirst ? 0x80 : 0) | (isLast ? 0x40 : 0) | (head & 0x1f)]);
    fragments.push(Buffer.concat([header, body.subarray(offset, offset + LARGEST_PAYLOAD)]));
  }
  return fragments;
}

function rtpPacket(payload: Buffer, sequence: number, time: number, marker: boolean): Buffer {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = 96 | (marker ? 0x80 : 0);
  header.writeUInt16BE(sequence, 2);
  header.writeUInt32BE(time >>> 0, 4);
  header.writeUInt32BE(0x11223344, 8);
  return Buffer.concat([header, payload]);
}

function interleaved(packet: Buffer): Buffer {
  const header = Buffer.from([0x24, 0, 0, 0]);
  header.writeUInt16BE(packet.length, 2);
  return Buffer.concat([header, packet]);
}
