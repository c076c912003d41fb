/** Where the commands look for a service, and what they say when it is missing or goes away. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { endpoint, serverOf } from '../../src/cli/service-address.ts';
import { streamNames } from '../../src/cli/http-client.ts';
import { RealtimeClient } from '../../src/cli/realtime-client.ts';
import { run } from '../support/cli.ts';

const SLOW = 120_000;

const servers: Server[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Serves `bodies` by path and 404 elsewhere, and accepts WebSockets on any path. */
async function serve(bodies: Record<string, string>, onSocket?: (socket: WebSocket, path: string) => void) {
  const server = createServer((request, response) => {
    const body = bodies[request.url ?? ''];
    response.writeHead(body === undefined ? 404 : 200).end(body ?? '<h1>Not found</h1>');
  });
  if (onSocket !== undefined) {
    new WebSocketServer({ server }).on('connection', (socket, request) => {
      onSocket(socket, request.url ?? '');
    });
  }
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('The address of the service', () => {
  test('is the flag, else YOCO_SERVER, else this machine; empty values do not count', () => {
    const here = 'http://127.0.0.1:8080';
    expect(serverOf({ server: 'http://a' }, { YOCO_SERVER: 'http://b' })).toBe('http://a');
    expect(serverOf({}, { YOCO_SERVER: 'http://b' })).toBe('http://b');
    expect(serverOf({ server: '' }, { YOCO_SERVER: 'http://b' })).toBe('http://b');
    expect(serverOf({}, { YOCO_SERVER: ' ' })).toBe(here);
    expect(serverOf({}, {})).toBe(here);
  });

  test('keeps the path prefix of a proxy', () => {
    expect(endpoint('https://h/cameras/', '/v1/streams').href).toBe('https://h/cameras/v1/streams');
    expect(endpoint('http://h:81', '/v1/streams').href).toBe('http://h:81/v1/streams');
  });

  test.each([
    'localhost:8080',
    '127.0.0.1:8080',
    'h',
    'ws://h',
    'ftp://h',
    'http://',
    'http://u:hunter2@h',
    'http://h/?x=hunter2',
  ])('is refused when it is invalid, without repeating secrets: %j', (address) => {
    const attempt = () => endpoint(address, '/v1/streams');
    expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'server' }));
    expect(attempt).not.toThrow('hunter2');
  });

  test(
    'is checked by every command that needs a service, which says what it expects',
    async () => {
      const outcomes = await Promise.all([
        run(['ask', '--server', 'localhost:8080', 'door', 'What?']),
        run(['ask', '--all', 'What?'], { YOCO_SERVER: '127.0.0.1:8080' }),
        run(['list', '--server', 'localhost']),
        run(['snapshots', '--server', '127.0.0.1:8080']),
      ]);
      for (const { status, stdout, stderr } of outcomes) {
        expect([status, stdout]).toEqual([1, '']);
        expect(stderr).toMatch(/^error: .*--server or YOCO_SERVER: expected .*http.* \(invalid_request\)\n$/);
      }
    },
    SLOW,
  );
});

describe('The key', () => {
  /** What the clients send as `Authorization`: over HTTP, then with the WebSocket. */
  async function sent(key: string): Promise<(string | undefined)[]> {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{"data":[]}');
    });
    new WebSocketServer({ server }).on('connection', (socket, request) => {
      seen.push(request.headers.authorization);
      socket.close();
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    vi.stubEnv('YOCO_API_KEY', key);
    await streamNames(address);
    await RealtimeClient.connect({ server: address, stream: 'door', key });
    return seen;
  }

  test('may end with a line break, as in a file, and may be empty', async () => {
    expect(await sent('a-key-0123456789\r')).toEqual(['Bearer a-key-0123456789', 'Bearer a-key-0123456789']);
    expect(await sent(' ')).toEqual([undefined, undefined]);
  });

  test.each(['hunter2\rhunter2', 'hunter2 hunter2', 'hünter2'])('%j is refused and not repeated', async (key) => {
    vi.stubEnv('YOCO_API_KEY', key);
    const server = 'http://127.0.0.1:9';
    const asked = [() => streamNames(server), () => RealtimeClient.connect({ server, stream: 'door', key })];
    for (const ask of asked) {
      const error: unknown = await ask().catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'invalid_request',
        detail: 'YOCO_API_KEY: expected printable ASCII without spaces.',
      });
      expect(inspect(error, { depth: Infinity })).not.toMatch(/h.nter2/);
    }
  });
});

test('An untrusted certificate is reported as such, with the variable that makes it trusted', async () => {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
  const server = createTlsServer({ key: made.private, cert: made.cert });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const ask of [() => streamNames(address), () => RealtimeClient.connect({ server: address, stream: 'door' })]) {
    await expect(ask()).rejects.toMatchObject({
      code: 'service_unreachable',
      detail: `The certificate at ${address} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT). If it is your own, set NODE_EXTRA_CA_CERTS=cert.pem.`,
    });
  }
});

test('Asking an http service over https, or the reverse, is reported as such', async () => {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
  const server = createTlsServer({ key: made.private, cert: made.cert });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const [tls, plain] = [(server.address() as AddressInfo).port, new URL(await serve({})).port];
  for (const [address, how] of [
    [`https://127.0.0.1:${plain}`, /^The server at https:\S+ does not speak TLS \(E\w+\): try http\.$/],
    [`http://127.0.0.1:${tls}`, /^The server at http:\S+ closes the connection \(\w+\): try https\.$/],
  ] as const) {
    for (const ask of [() => streamNames(address), () => RealtimeClient.connect({ server: address, stream: 'door' })]) {
      const detail = expect.stringMatching(how) as string;
      await expect(ask()).rejects.toMatchObject({ code: 'service_unreachable', detail });
    }
  }
});

describe('A service behind a proxy path', () => {
  test(
    'is reached under that path, over HTTP and over WebSocket',
    async () => {
      const paths: string[] = [];
      const list = { '/cameras/v1/snapshots': '{"object":"list","data":[]}' };
      const address = await serve(list, (socket, path) => {
        paths.push(path);
        socket.close(1013, 'busy');
      });
      const snapshots = await run(['snapshots', '--server', `${address}/cameras/`, '--json']);
      expect(snapshots).toMatchObject({ status: 0, stdout: '{"object":"list","data":[]}\n', stderr: '' });
      const asked = await run(['ask', 'door', 'What?'], { YOCO_SERVER: `${address}/cameras` });
      expect(paths).toEqual(['/cameras/v1/realtime?stream=door']);
      expect(asked.stderr).toContain('(connection_closed)');
    },
    SLOW,
  );
});

describe('A service that is missing or goes away', () => {
  test.each([
    ['of a proxy', 'shutting down', 'Close code 1001: shutting down.'],
    [
      'of the service, which is told by its sentence alone',
      'shutting_down: The service is shutting down.',
      'Close code 1001: The service is shutting down.',
    ],
    ['that is none', '', 'Close code 1001.'],
  ])(
    'is reported as connection_closed when it closes mid-answer, with the reason %s',
    async (_name, reason, detail) => {
      const address = await serve({}, (socket) => {
        socket.on('message', () => {
          socket.send(JSON.stringify({ type: 'response.output_text.delta', delta: 'a ki' }));
          socket.close(1001, reason);
        });
      });
      const client = await RealtimeClient.connect({ server: address, stream: 'door' });
      let text = '';
      const answer = client.ask('What?', (piece) => (text += piece));
      await expect(answer).rejects.toMatchObject({ code: 'connection_closed', detail });
      expect(text).toContain('a ki');
    },
  );

  test.each([
    ['another program', {}, 'HTTP status 404'],
    ['a page', { '/v1/snapshots': '<h1>Welcome</h1>' }, 'HTTP status 200'],
  ])(
    'is reported as service_unreachable when %s answers in its place',
    async (_name, bodies, how) => {
      const address = await serve(bodies);
      const { status, stdout, stderr } = await run(['snapshots', '--server', address]);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toContain(how);
      expect(stderr).toMatch(/\(service_unreachable\)\n$/);
    },
    SLOW,
  );
});

test('A truncated HTTP response is reported as connection_closed', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"data": [');
    setTimeout(() => response.destroy(), 20);
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(streamNames(address)).rejects.toMatchObject({ code: 'connection_closed' });
});

test(
  'An unknown YOCO_ variable is refused even by commands without settings',
  async () => {
    const { status, stderr } = await run(['ask', 'door', 'What?'], { YOCO_SEVER: 'http://127.0.0.1:9' });
    expect(status).toBe(1);
    expect(stderr).toContain('YOCO_SEVER');
    expect(stderr).toContain('(config_invalid)');
  },
  SLOW,
);
