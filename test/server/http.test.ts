import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startServer, type RunningServer, type ServerOptions } from '../../src/server/index.ts';
import { FakeLiveService } from './fake-live-service.ts';

const KEY = 'a-key-for-the-tests-0123';
const bearer = { authorization: `Bearer ${KEY}` };
const pictureHead = new Uint8Array([0xff, 0xd8, 0xff, 0xe0]);

let live: FakeLiveService;
let open: RunningServer;
let locked: RunningServer;

beforeAll(async () => {
  live = new FakeLiveService();
  open = await startServer(live, { port: 0, maxPayloadBytes: 4_096 });
  locked = await startServer(live, { port: 0, apiKeys: [KEY], allowedOrigins: ['https://friend.example'] });
});

afterAll(async () => {
  await Promise.all([open.close(), locked.close()]);
});

/** The fields that the tests read, typed as if every body had them. */
interface Body {
  error: { code: string };
  data: { name: string }[];
  token: string;
  expires_at: string;
}

async function call(server: RunningServer, path: string, init: RequestInit = {}) {
  const response = await fetch(server.address + path, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as Body };
}

/** The status of a request with these headers. Unlike fetch it lets a caller set `Host`. */
function statusWith(server: RunningServer, path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest(server.address + path, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

/** The status of a request whose target is sent verbatim; fetch would normalise it. */
function statusOfTarget(server: RunningServer, method: string, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.address);
    const socket = connect(Number(port), hostname, () => {
      socket.write(`${method} ${target} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`);
    });
    let text = '';
    socket.setEncoding('utf8').on('error', reject);
    socket.on('data', (part: string) => (text += part));
    socket.on('end', () => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0));
    });
  });
}

describe('health checks', () => {
  it('report that the process is alive, and whether the engine is ready', async () => {
    expect((await call(open, '/healthz')).status).toBe(200);
    expect((await call(open, '/readyz')).body).toEqual({ status: 'ready' });
    live.ready = false;
    expect(await call(open, '/readyz')).toMatchObject({ status: 503, body: { status: 'loading' } });
    live.ready = true;
    expect((await call(locked, '/readyz')).status).toBe(200);
  });
});

describe('streams', () => {
  it('are listed, created, read and deleted', async () => {
    const list = await call(open, '/v1/streams');
    expect(list.body).toMatchObject({ object: 'list', bundle: { name: 'tiny' } });
    expect(list.body.data.map(({ name }) => name)).toEqual(['kitchen', 'door']);
    const created = await postJson('/v1/streams', { name: 'yard', source: { url: 'rtsp://10.0.0.8/live' } });
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe('/v1/streams/yard');
    expect((await call(open, '/v1/streams/yard')).body).toMatchObject({
      object: 'yoco.stream',
      name: 'yard',
      source: 'rtsp://***@10.0.0.7/live',
      state: 'playing',
      last: 60,
      last_time: '2030-01-01T00:01:00.000Z',
      cache: {
        tokens: 1210,
        bytes: 1_239_040,
        limit_bytes: 512_000_000,
        int8_frames: 16,
        merged_frames: 3,
        thinned_frames: 2,
        dropped_frames: 1,
      },
    });
    expect((await postJson('/v1/streams', { name: 'yard', source: {} })).body.error).toMatchObject({
      code: 'stream_exists',
      param: 'name',
      retryable: false,
    });
    expect((await call(open, '/v1/streams/yard', { method: 'DELETE' })).body).toEqual({
      object: 'yoco.stream.deleted',
      name: 'yard',
      deleted: true,
    });
    expect((await call(open, '/v1/streams/yard')).body.error.code).toBe('stream_not_found');
    expect((await call(open, '/v1/streams/yard', { method: 'DELETE' })).status).toBe(404);
  });

  it('reject invalid definitions', async () => {
    expect((await postJson('/v1/streams', {})).body.error).toMatchObject({ code: 'definition_invalid', param: 'name' });
    const forbidden = { name: 'x', source: { url: 'http://forbidden.example/' } };
    expect(await postJson('/v1/streams', forbidden)).toMatchObject({
      status: 403,
      body: { error: { code: 'source_forbidden', param: 'source.url', type: 'permission_error' } },
    });
    const json = { 'content-type': 'application/json' };
    const broken = await call(open, '/v1/streams', { method: 'POST', body: '{"name":', headers: json });
    expect(broken).toMatchObject({ status: 400, body: { error: { code: 'invalid_json' } } });
    const empty = await call(open, '/v1/streams', { method: 'POST', body: '', headers: json });
    expect(empty.body.error.code).toBe('definition_invalid');
    // Without a type, fetch sends a string as text/plain, as browsers do.
    const text = await call(open, '/v1/streams', { method: 'POST', body: '{"name":"x","source":{"push":true}}' });
    expect(text).toMatchObject({ status: 415, body: { error: { code: 'media_type_unsupported' } } });
    const typed = await call(open, '/v1/streams', {
      method: 'POST',
      body: 'name: x',
      headers: { 'content-type': 'text/yaml' },
    });
    expect(typed).toMatchObject({ status: 415, body: { error: { code: 'media_type_unsupported' } } });
    const large = await postJson('/v1/streams', { name: 'x'.repeat(70_000) });
    expect(large).toMatchObject({ status: 413, body: { error: { code: 'message_too_large' } } });
  });

  async function postJson(path: string, body: unknown) {
    const headers = { 'content-type': 'application/json' };
    return call(open, path, { method: 'POST', headers, body: JSON.stringify(body) });
  }
});

describe('a request that needs no body', () => {
  it.each([
    ['DELETE', '/v1/streams/bare', 200],
    ['POST', '/v1/token', 200],
    // 403 is `snapshots_off`: the service has no snapshot folder.
    ['POST', '/v1/streams/kitchen/snapshot', 403],
  ])('may have the content type JSON and no body (%s %s)', async (method, path, status) => {
    const headers = { 'content-type': 'application/json' };
    if (method === 'DELETE') {
      const body = JSON.stringify({ name: 'bare', source: { push: true } });
      await fetch(`${open.address}/v1/streams`, { method: 'POST', headers, body });
    }
    expect((await fetch(`${open.address}${path}`, { method, headers })).status).toBe(status);
  });
});

describe('a picture sent where JSON is expected', () => {
  it.each(['/v1/streams', '/v1/streams/kitchen/snapshot', '/v1/token'])('is refused by %s', async (path) => {
    const init = { method: 'POST', body: pictureHead, headers: { 'content-type': 'image/jpeg' } };
    const refused = await call(open, path, init);
    expect(refused).toMatchObject({ status: 415, body: { error: { code: 'media_type_unsupported' } } });
    const large = await call(open, path, { ...init, body: new Uint8Array(70_000) });
    expect(large).toMatchObject({ status: 413, body: { error: { code: 'message_too_large' } } });
  });
});

describe('a method that a route does not support', () => {
  it('is refused before the body is read, whatever its Content-Length', async () => {
    const socket = connect(open.port, '127.0.0.1');
    const lines = ['POST / HTTP/1.1', 'Host: localhost', 'Content-Type: image/jpeg', 'Content-Length: 8000000'];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const [answer] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1.1 405 /);
    expect(answer).toContain('allow: GET, HEAD');
  });
});

describe('frames', () => {
  it('are served with their times and an ETag for conditional requests', async () => {
    const newest = await fetch(`${open.address}/v1/streams/kitchen/frames`);
    expect(newest.headers.get('content-type')).toBe('image/jpeg');
    expect(newest.headers.get('x-yoco-time')).toBe('60');
    const bytes = new Uint8Array(await newest.arrayBuffer());
    expect([...bytes.slice(0, 2)]).toEqual([0xff, 0xd8]);
    const past = await fetch(`${open.address}/v1/streams/kitchen/frames?t=-30s`);
    expect(past.headers.get('x-yoco-time')).toBe('30');
    expect(past.headers.get('x-yoco-wall-time')).toBe('2030-01-01T00:00:30.000Z');
    const tag = past.headers.get('etag') ?? '';
    const again = await call(open, '/v1/streams/kitchen/frames?t=30', { headers: { 'if-none-match': tag } });
    expect(again.status).toBe(304);
    for (const [held, status] of [
      [`W/${tag}`, 304],
      [`"another", ${tag}`, 304],
      ['*', 304],
      ['"another"', 200],
    ] as const) {
      const headers = { 'if-none-match': held };
      expect((await fetch(`${open.address}/v1/streams/kitchen/frames?t=30`, { headers })).status, held).toBe(status);
    }
  });

  it('accept a literal + in the time zone of ?t=', async () => {
    const plus = await fetch(`${open.address}/v1/streams/kitchen/frames?t=2030-01-01T01:00:30+01:00`);
    expect([plus.status, plus.headers.get('x-yoco-time')]).toEqual([200, '30']);
  });

  it.each(['GET', 'POST'])(
    'reject an unknown query parameter (%s), whose time would be silently ignored',
    async (method) => {
      const init = method === 'POST' ? { method, body: pictureHead, headers: { 'content-type': 'image/jpeg' } } : {};
      const result = await call(open, '/v1/streams/kitchen/frames?time=5', init);
      expect(result).toMatchObject({ status: 400, body: { error: { code: 'invalid_request', param: 'time' } } });
    },
  );

  it.each([
    ['?t=never', 400, 'invalid_request'],
    ['?t=99999', 400, 'time_out_of_range'],
    ['?t=1&t=2', 400, 'invalid_request'],
  ])('reject the query %s', async (query, status, code) => {
    const result = await call(open, `/v1/streams/kitchen/frames${query}`);
    expect(result).toMatchObject({ status, body: { error: { code, param: 't' } } });
  });

  it('are still served for times that the cache lost in an engine restart', async () => {
    const door = live.stream('door');
    const { firstMs, lastMs } = door;
    Object.assign(door, { firstMs: null, lastMs: null, picturesFromMs: 10_000 });
    const kept = await fetch(`${open.address}/v1/streams/door/frames?t=10`);
    expect([kept.status, kept.headers.get('x-yoco-time')]).toEqual([200, '10']);
    const { body } = await call(open, '/v1/streams/door/frames?t=5');
    expect(body.error).toMatchObject({
      message: expect.stringContaining('5 s is before the first picture; the stream keeps pictures of 10 s') as string,
    });
    Object.assign(door, { firstMs, lastMs, picturesFromMs: null });
  });

  it('are pushed, or rejected with the matching error', async () => {
    expect((await push('door', pictureHead, '?t=61')).body).toEqual({
      accepted: true,
      t: 61,
      time: '2030-01-01T00:01:01.000Z',
    });
    expect((await push('door', pictureHead, '?t=2')).body).toEqual({ accepted: false, reason: 'out_of_order' });
    for (const t of [
      '-3s',
      'abc',
      '2026-02-30T12:00:00Z',
      '2030-01-31T12:00:00',
      '2030-01-31T12:00+01:00 x',
      '1e99',
      '',
    ]) {
      expect((await push('door', pictureHead, `?t=${t}`)).body.error).toMatchObject({
        code: 'invalid_request',
        param: 't',
        message: expect.stringMatching(/t must be seconds since the stream began \(12\.5\), or a wall time/) as string,
      });
    }
    expect((await push('door', new Uint8Array(9))).body.error.code).toBe('image_undecodable');
    expect((await push('door', new Uint8Array(0))).body.error.code).toBe('image_undecodable');
    expect((await push('kitchen', pictureHead)).body.error.code).toBe('stream_not_pushable');
    expect((await push('attic', pictureHead)).body.error.code).toBe('stream_not_found');
    expect((await push('door', new Uint8Array(5_000))).body.error).toMatchObject({
      code: 'message_too_large',
      message: expect.stringContaining('The limit of this address is 4096 bytes.') as string,
    });
    live.stream('door').startedAtMs = Date.parse('2020-01-01T00:00:00Z');
    for (const [seconds, plus] of [
      [62, '%2B'],
      [63, '+'],
    ] as const) {
      expect((await push('door', pictureHead, `?t=2020-01-01T01:01:0${seconds - 60}${plus}01:00`)).body).toEqual({
        accepted: true,
        t: seconds,
        time: `2020-01-01T00:01:0${seconds - 60}.000Z`,
      });
    }
    for (const t of ['1969-12-31T23:59:59Z', '9999-01-01T00:00:00Z']) {
      expect((await push('door', pictureHead, `?t=${t}`)).body.error).toMatchObject({
        code: 'invalid_request',
        param: 't',
        message: expect.stringMatching(/after 1970, and at most 10 minutes ahead/) as string,
      });
    }
    const json = await call(open, '/v1/streams/door/frames', {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(json.body.error).toMatchObject({ code: 'media_type_unsupported', param: 'Content-Type' });
  });

  it.each(['image/webp', 'application/json', 'image/jpegs', ''])(
    'of content type %j are rejected, naming the accepted types',
    async (type) => {
      const headers = type === '' ? {} : { 'content-type': type };
      const refused = await call(open, '/v1/streams/door/frames', { method: 'POST', headers, body: pictureHead });
      expect(refused).toMatchObject({
        status: 415,
        body: {
          error: {
            code: 'media_type_unsupported',
            param: 'Content-Type',
            message: expect.stringContaining('image/jpeg, image/png or application/octet-stream') as string,
          },
        },
      });
    },
  );

  it.each(['image/jpeg', 'IMAGE/PNG; q=1', 'application/octet-stream'])(
    'of content type %s are accepted',
    async (type) => {
      const init = { method: 'POST', headers: { 'content-type': type } };
      const pushed = await call(open, '/v1/streams/door/frames', { ...init, body: pictureHead });
      expect(pushed.body).toMatchObject({ accepted: expect.any(Boolean) as boolean });
      expect((await call(open, '/v1/streams/door/frames', init)).body.error.code).toBe('image_undecodable');
    },
  );

  it('are buffered in few pieces while they arrive, even if sent byte by byte', async () => {
    const { hostname, port } = new URL(open.address);
    const concat = vi.spyOn(Buffer, 'concat');
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /v1/streams/door/frames HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: image/jpeg\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(4_000)}0\r\n\r\n`,
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    const pieces = concat.mock.calls.map(([list]) => list.length);
    concat.mockRestore();
    expect(answer.toString()).toContain('"image_undecodable"');
    expect(Math.max(0, ...pieces)).toBeLessThan(10);
  });

  async function push(name: string, body: Uint8Array<ArrayBuffer>, query = '') {
    const headers = { 'content-type': 'image/jpeg' };
    return call(open, `/v1/streams/${name}/frames${query}`, { method: 'POST', headers, body });
  }
});

describe('routes', () => {
  it('answer 404, 405 and a WebSocket request without an upgrade in the common error format', async () => {
    expect(await call(open, '/v1/nothing')).toMatchObject({
      status: 404,
      body: { error: { type: 'invalid_request_error', code: 'not_found', param: null, retryable: false } },
    });
    const put = await call(open, '/v1/streams', { method: 'PUT' });
    expect(put).toMatchObject({ status: 405, body: { error: { code: 'method_not_allowed' } } });
    expect(put.headers.get('allow')).toBe('GET, HEAD, POST');
    expect((await call(open, '/v1/realtime')).body.error).toMatchObject({ code: 'invalid_request', param: 'Upgrade' });
    expect((await call(open, '/%E0%A4%A')).body.error.code).toBe('not_found');
    expect((await call(open, `/v1/streams/${'x'.repeat(300)}`)).status).toBe(404);
    expect((await call(open, '/../package.json')).status).toBe(404);
  });

  it('serve the page with a strict content security policy', async () => {
    const page = await call(open, '/');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    expect(page.body).toContain('<title>');
    expect((await call(open, '/page.js')).headers.get('content-type')).toContain('text/javascript');
    expect((await call(locked, '/')).status).toBe(200);
  });
});

describe('pages of other origins', () => {
  it.each(['/v1/streams/kitchen/frames', '/v1/streams/attic/frames', '/v1/streams', '/'])(
    'cannot embed %s',
    async (path) => {
      // An image request carries no Origin by which it could be refused.
      expect((await call(open, path)).headers.get('cross-origin-resource-policy')).toBe('same-origin');
    },
  );
});

describe('malformed HTTP', () => {
  it.each([
    ['a head of 40 KB', `GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(40_000)}\r\n\r\n`, 413],
    ['no request at all', 'hello there\r\n\r\n', 400],
  ])('%s gets an error in the common format', async (_what, sent, status) => {
    const socket = connect(open.port, '127.0.0.1');
    socket.write(sent);
    const answer = (await socket.setEncoding('utf8').toArray()).join('');
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { retryable: false } });
  });

  it('cuts off an answer in progress rather than writing an error into it', async () => {
    const socket = connect(open.port, '127.0.0.1').setEncoding('utf8');
    const body = JSON.stringify({
      model: 'tiny@kitchen',
      messages: [{ role: 'user', content: 'endless' }],
      stream: true,
    });
    const head = ['POST /v1/chat/completions HTTP/1.1', 'Host: localhost', 'Content-Type: application/json'];
    socket.write(`${head.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    let answer = '';
    socket.on('data', (part: string) => {
      if (answer === '') socket.write('hello there\r\n\r\n');
      answer += part;
    });
    socket.on('error', () => undefined);
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
  });
});

describe('an invalid WebSocket handshake', () => {
  const right = { 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
  it.each([
    ['GET', { ...right, 'Sec-WebSocket-Version': '12' }, 400, 'invalid_request', 'Sec-WebSocket-Version'],
    ['GET', { ...right, 'Sec-WebSocket-Key': 'aaaa' }, 400, 'invalid_request', 'Sec-WebSocket-Key'],
    ['POST', right, 405, 'method_not_allowed', null],
  ])('is refused in the common error format: %s %j', async (method, handshake, status, code, param) => {
    const headers = { host: `127.0.0.1:${open.port}`, connection: 'Upgrade', upgrade: 'websocket', ...handshake };
    const request = httpRequest(`${open.address}/v1/realtime?stream=kitchen`, { method, headers }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const body = JSON.parse((await response.setEncoding('utf8').toArray()).join('')) as Body;
    expect(response.statusCode).toBe(status);
    expect(body.error).toMatchObject({ code, param });
    const { allow, 'sec-websocket-version': versions } = response.headers;
    expect([allow, versions]).toEqual(method === 'POST' ? ['GET', undefined] : [undefined, '13, 8']);
  });
});

describe('keys and tokens', () => {
  it('are required under /v1', async () => {
    const refused = await call(locked, '/v1/streams');
    expect(refused).toMatchObject({
      status: 401,
      body: { error: { code: 'unauthorized', type: 'authentication_error' } },
    });
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    for (const authorization of ['Bearer wrong', `Basic ${KEY}`, 'Bearer ', KEY, `Bearer ${KEY}x`]) {
      expect((await call(locked, '/v1/streams', { headers: { authorization } })).status).toBe(401);
    }
    expect((await call(locked, `/v1/streams?api_key=${KEY}`)).status).toBe(401);
    expect((await call(locked, '/v1/streams', { headers: bearer })).status).toBe(200);
  });

  it.each([
    ['GET', '/%761/streams'],
    ['GET', '/v%31/streams/kitchen/frames'],
    ['DELETE', '/%76%31/streams/kitchen'],
    ['POST', '/%761/token'],
    ['GET', 'http://anything.example/v1/streams'],
    ['POST', 'http://anything.example/v1/token'],
  ])('are required however the target is written: %s %s', async (method, target) => {
    expect(await statusOfTarget(locked, method, target)).toBe(401);
  });

  it('let a token read and push, but neither delete streams nor fetch tokens', async () => {
    const { body } = await call(locked, '/v1/token', { method: 'POST', headers: bearer });
    expect(Date.parse(body.expires_at) - Date.now()).toBeLessThanOrEqual(60_000);
    const headers = { authorization: `Bearer ${body.token}` };
    expect((await call(locked, '/v1/streams', { headers })).status).toBe(200);
    expect((await call(locked, '/v1/token', { method: 'POST', headers })).body.error.code).toBe('forbidden');
    expect((await call(locked, '/v1/streams/kitchen', { method: 'DELETE', headers })).status).toBe(403);
    const pushed = await call(locked, '/v1/streams/door/frames', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'image/jpeg' },
      body: pictureHead,
    });
    expect(pushed.status).toBe(200);
    const forged = { authorization: `Bearer ${body.token.slice(0, -3)}abc` };
    expect((await call(locked, '/v1/streams', { headers: forged })).status).toBe(401);
  });

  it('include tokens that are bound to one stream', async () => {
    const headers = { ...bearer, 'content-type': 'application/json' };
    const made = await call(locked, '/v1/token', { method: 'POST', headers, body: '{"stream":"door"}' });
    const own = { authorization: `Bearer ${made.body.token}` };
    expect((await call(locked, '/v1/streams/door', { headers: own })).status).toBe(200);
    expect((await call(locked, '/v1/streams/kitchen', { headers: own })).status).toBe(403);
    expect((await call(locked, '/v1/streams', { headers: own })).status).toBe(403);
    const bad = await call(locked, '/v1/token', { method: 'POST', headers, body: '{"strem":"door"}' });
    expect(bad.body.error).toMatchObject({ code: 'invalid_request', param: 'strem' });
    const unknown = await call(locked, '/v1/token', { method: 'POST', headers, body: '{"stream":"attic"}' });
    expect(unknown.body.error.code).toBe('stream_not_found');
  });
});

describe('web origins and host names', () => {
  it('only loopback host names reach a service without keys (DNS rebinding)', async () => {
    expect(await statusWith(open, '/v1/streams', { host: `localhost:${open.port}` })).toBe(200);
    expect(await statusWith(open, '/v1/streams', { host: `[::1]:${open.port}` })).toBe(200);
    for (const host of ['evil.example', `127.0.0.1.evil.example:${open.port}`, 'localhost.evil.example', 'a b']) {
      expect(await statusWith(open, '/v1/streams', { host })).toBe(403);
      expect(await statusWith(open, '/', { host })).toBe(403);
    }
    expect(await statusWith(open, '/healthz', { host: 'probe' })).toBe(200);
    expect(await statusWith(locked, '/v1/streams', { host: 'cameras.example', ...bearer })).toBe(200);
  });

  it('a listed host name reaches a service without keys', async () => {
    const named = await startServer(live, { port: 0, allowedHosts: ['cameras.example'] });
    expect(await statusWith(named, '/v1/streams', { host: 'cameras.example' })).toBe(200);
    expect(await statusWith(named, '/v1/streams', { host: 'other.example' })).toBe(403);
    await named.close();
  });

  it('only the page’s own origin and listed origins may call', async () => {
    const own = await call(open, '/v1/streams', { headers: { origin: open.address } });
    expect(own.status).toBe(200);
    // Behind a proxy that terminates TLS the origin is https; it is accepted only where keys protect the service.
    const secure = (server: RunningServer): string => server.address.replace('http', 'https');
    expect((await call(locked, '/v1/streams', { headers: { origin: secure(locked), ...bearer } })).status).toBe(200);
    for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${open.port + 1}`, secure(open)]) {
      const { status, body } = await call(open, '/v1/streams', { headers: { origin } });
      expect([status, body.error.code]).toEqual([403, 'origin_forbidden']);
    }
    const friend = await call(locked, '/v1/streams', { headers: { origin: 'https://friend.example', ...bearer } });
    expect(friend.status).toBe(200);
    expect(friend.headers.get('access-control-allow-origin')).toBe('https://friend.example');
    const preflight = await call(locked, '/v1/streams', {
      method: 'OPTIONS',
      headers: { origin: 'https://friend.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
  });

  it('the official client may call from a listed origin: the preflight allows its headers', async () => {
    const seen: string[] = [];
    const client = new OpenAI({
      apiKey: KEY,
      baseURL: `${locked.address}/v1`,
      fetch: (url, init) => {
        seen.push(...new Headers(init?.headers).keys());
        return fetch(url, init);
      },
    });
    await client.models.list();
    const asked = seen.join(', ');
    expect(asked).toContain('x-stainless-lang');
    const headers = { origin: 'https://friend.example', 'access-control-request-headers': asked };
    const preflight = await call(locked, '/v1/models', { method: 'OPTIONS', headers });
    expect(preflight.headers.get('access-control-allow-headers')).toBe(asked);
    const wrong = { ...headers, 'access-control-request-headers': 'x'.repeat(70) };
    const refused = await call(locked, '/v1/models', { method: 'OPTIONS', headers: wrong });
    expect(refused.headers.get('access-control-allow-headers')).toBe('authorization, content-type');
  });

  it('an h2c upgrade offer is not mistaken for a WebSocket', async () => {
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' };
    const status = await statusWith(open, '/v1/streams', headers);
    // From version 24.9 on Node lets a server ignore the offer; on older versions the answer names the header.
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    expect(status).toBe(major > 24 || (major === 24 && minor >= 9) ? 200 : 400);
  });
});

describe('options', () => {
  it.each<[ServerOptions, string]>([
    [{ host: '0.0.0.0' }, 'host'],
    [{ host: '192.168.1.4' }, 'host'],
    [{ port: 70_000 }, 'port'],
    [{ port: 1.5 }, 'port'],
    [{ maxPayloadBytes: 5 }, 'maxPayloadBytes'],
    [{ heartbeatMs: Number.NaN }, 'heartbeatMs'],
    [{ apiKeys: ['short'] }, 'apiKeys'],
    [{ apiKeys: ['has a space in the middle'] }, 'apiKeys'],
    [{ allowedOrigins: ['https://friend.example/'] }, 'allowedOrigins'],
    [{ tls: { key: 'no key', cert: 'no certificate' } }, 'tls'],
  ])('%j is rejected, naming the option', async (options, param) => {
    await expect(startServer(live, { port: 0, ...options })).rejects.toMatchObject({ code: 'config_invalid', param });
  });

  it('a port in use is rejected, naming the option', async () => {
    await expect(startServer(live, { port: open.port })).rejects.toMatchObject({
      code: 'config_invalid',
      param: 'port',
    });
  });
});
