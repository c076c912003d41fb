import dns from 'node:dns';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startServer, type RunningServer, type ServerOptions } from '../../src/server/index.ts';
import { FakeLiveService } from './fake-live-service.ts';
import { RealtimeClient, refusedUpgrade } from './realtime-client.ts';

const KEY = 'a-key-for-the-tests-0123';
const bearer = { headers: { authorization: `Bearer ${KEY}` } };

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
const LOOPBACK = ['localhost', '127.0.0.1', ...(hasIpv6 ? ['::1', '[::1]'] : [])];

const clients: RealtimeClient[] = [];
let live: FakeLiveService;
let server: RunningServer | null = null;

async function start(options: ServerOptions = {}): Promise<RunningServer> {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, drainMs: 200, closeGraceMs: 5_000, ...options });
  return server;
}

async function connect(...args: Parameters<typeof RealtimeClient.open>): Promise<RealtimeClient> {
  const client = await RealtimeClient.open(...args);
  clients.push(client);
  return client;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const client of clients.splice(0)) client.close();
  await server?.close();
  server = null;
});

describe('a connection attempt', () => {
  it('needs a key where keys are configured, else gets 401 before the upgrade', async () => {
    const { address } = await start({ apiKeys: ['another-key-0123456789', KEY] });
    const wrong: Parameters<typeof refusedUpgrade>[2][] = [
      {},
      { headers: { authorization: 'Bearer wrong' } },
      { headers: { authorization: KEY } },
    ];
    for (const options of wrong) {
      const { status, body } = await refusedUpgrade(address, 'stream=kitchen', options);
      expect([status, body.error['code'], body.error['type']]).toEqual([401, 'unauthorized', 'authentication_error']);
    }
    expect((await refusedUpgrade(address, `stream=kitchen&api_key=${KEY}&token=${KEY}`)).status).toBe(401);
    // A client without a key does not learn which streams exist.
    expect((await refusedUpgrade(address, 'stream=attic')).status).toBe(401);
    const client = await connect(address, 'stream=kitchen', [], bearer);
    await client.next('session.created');
  });

  it('with a bound token does not reveal which other streams exist', async () => {
    const { address } = await start({ apiKeys: [KEY] });
    const headers = { ...bearer.headers, 'content-type': 'application/json' };
    const made = await fetch(`${address}/v1/token`, { method: 'POST', headers, body: '{"stream":"door"}' });
    const { token } = (await made.json()) as { token: string };
    const bound = { headers: { authorization: `Bearer ${token}` } };
    for (const query of ['stream=kitchen', 'stream=attic', 'model=tiny@kitchen', 'model=tiny@attic', 'model=door']) {
      const { status, body } = await refusedUpgrade(address, query, bound);
      expect([query, status, body.error['code']]).toEqual([query, 403, 'forbidden']);
    }
    expect((await refusedUpgrade(address, '', bound)).body.error['param']).toBe('stream');
    for (const query of ['stream=door', 'model=tiny@door']) {
      const client = await connect(address, query, [], bound);
      await client.next('session.created');
    }
  });

  it('may carry a token or an OpenAI-style key as a subprotocol, which is not echoed', async () => {
    const { address } = await start({ apiKeys: [KEY], tokenTtlMs: 30_000 });
    const made = await fetch(`${address}/v1/token`, { method: 'POST', ...bearer });
    const { token, expires_at: expires } = (await made.json()) as { token: string; expires_at: string };
    expect(Date.parse(expires) - Date.now()).toBeLessThanOrEqual(30_000);
    const byToken = await connect(address, 'stream=kitchen', ['realtime', `yoco-token.${token}`]);
    expect(byToken.socket.protocol).toBe('realtime');
    const byKey = await connect(address, 'stream=kitchen', ['realtime', `openai-insecure-api-key.${KEY}`]);
    expect(byKey.socket.protocol).toBe('realtime');
    const bad = await refusedUpgrade(address, 'stream=kitchen', {}, ['realtime', 'yoco-token.x.y']);
    expect(bad.body.error).toMatchObject({ code: 'unauthorized', param: 'Sec-WebSocket-Protocol' });
    vi.spyOn(Date, 'now').mockReturnValue(Date.parse(expires));
    const late = await refusedUpgrade(address, 'stream=kitchen', {}, ['realtime', `yoco-token.${token}`]);
    expect(late.status).toBe(401);
  });

  it('of a page is refused by close code (4401, 4403, 4404, 4429), as pages cannot read a refused upgrade', async () => {
    const { address } = await start({ apiKeys: [KEY], maxConnections: 1 });
    const origin = { origin: address };
    const headers = { ...bearer.headers, 'content-type': 'application/json' };
    const made = await fetch(`${address}/v1/token`, { method: 'POST', headers, body: '{"stream":"door"}' });
    const { token } = (await made.json()) as { token: string };
    const codes: number[] = [];
    for (const [query, protocol] of [
      ['stream=kitchen', 'yoco-token.a.b'],
      ['stream=kitchen', `yoco-token.${token}`],
      ['stream=attic', `openai-insecure-api-key.${KEY}`],
    ] as const) {
      const client = await connect(address, query, ['realtime', protocol], origin);
      codes.push((await client.closed).code);
      expect(client.events).toEqual([]);
    }
    await connect(address, 'stream=door', ['realtime', `yoco-token.${token}`], origin);
    const second = await connect(address, 'stream=door', ['realtime', `yoco-token.${token}`], origin);
    const { code, reason } = await second.closed;
    expect([...codes, code]).toEqual([4401, 4403, 4404, 4429]);
    expect(reason).toContain('too_many_connections');
  });

  it('of a page is refused without an upgrade while 64 refused connections are still open', async () => {
    const { address, port } = await start({ apiKeys: [KEY], closeGraceMs: 10_000 });
    const upgrade = [
      'GET /v1/realtime?stream=kitchen HTTP/1.1',
      `Host: ${new URL(address).host}`,
      `Origin: ${address}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
    ];
    // These clients never answer the close.
    const open = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const socket = connectSocket(port, '127.0.0.1');
        socket.write(`${upgrade.join('\r\n')}\r\n\r\n`);
        const [head] = (await once(socket, 'data')) as [Buffer];
        expect(head.toString()).toMatch(/^HTTP\/1\.1 101 /);
        return socket;
      }),
    );
    const origin = { origin: address };
    expect(await refusedUpgrade(address, 'stream=kitchen', origin)).toMatchObject({
      status: 401,
      body: { error: { code: 'unauthorized' } },
    });
    for (const socket of open) socket.destroy();
    const code = async (): Promise<number> =>
      (await (await connect(address, 'stream=kitchen', [], origin)).closed).code;
    await vi.waitFor(async () => {
      expect(await code()).toBe(4401);
    }, 15_000);
  });

  it('from another origin or host name is refused before the upgrade', async () => {
    const { address, port } = await start();
    const evil = await refusedUpgrade(address, 'stream=kitchen', { origin: 'https://evil.example' });
    expect([evil.status, evil.body.error['code']]).toEqual([403, 'origin_forbidden']);
    const rebound = await refusedUpgrade(address, 'stream=kitchen', {
      headers: { host: `evil.example:${port}` },
      origin: `http://evil.example:${port}`,
    });
    expect([rebound.status, rebound.body.error['code']]).toEqual([403, 'forbidden']);
    await connect(address, 'stream=kitchen', [], { origin: address });
  });

  it.each(LOOPBACK)('succeeds on the loopback address %s', async (host) => {
    const { address } = await start({ host });
    const client = await connect(address);
    await client.next('session.created');
  });

  // Needs 127.0.0.2, which other platforms may lack.
  it.skipIf(process.platform !== 'linux')(
    'succeeds on each address of localhost, until the server closes all of them',
    async () => {
      const addresses = [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ];
      vi.spyOn(dns, 'lookup').mockImplementation((name: string, ...more: unknown[]) => {
        const found = more.pop() as (...of: unknown[]) => void;
        const [options] = more as { all?: boolean }[];
        if (options?.all === true) process.nextTick(found, null, addresses);
        else process.nextTick(found, null, name === 'localhost' ? '127.0.0.1' : name, 4);
      });
      const { address, port, close } = await start({ host: 'localhost', closeGraceMs: 200 });
      expect(address).toBe(`http://localhost:${port}`);
      const idle = [];
      for (const { address: host } of addresses) {
        const client = await connect(`http://${host}:${port}`);
        await client.next('session.created');
        expect((await fetch(`http://${host}:${port}/healthz`)).status).toBe(200);
        // Browsers also open connections on which they send no request.
        const socket = connectSocket(port, host);
        await once(socket, 'connect');
        idle.push(once(socket.resume(), 'close'));
      }
      await close();
      await Promise.all(idle);
      for (const { address: host } of addresses)
        await expect(fetch(`http://${host}:${port}/healthz`)).rejects.toThrow();
    },
  );

  it('that never starts TLS is cut when the server closes', async () => {
    const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
    const { port, close } = await start({ tls: { key: made.private, cert: made.cert }, closeGraceMs: 200 });
    const socket = connectSocket(port, '127.0.0.1').resume();
    await once(socket, 'connect');
    await Promise.all([close(), once(socket, 'close')]);
  });

  it('beyond the limit is refused with 429, until another client has left', async () => {
    const { address } = await start({ maxConnections: 1 });
    const first = await connect(address);
    const { status, body } = await refusedUpgrade(address, 'stream=kitchen');
    expect([status, body.error['code'], body.error['retryable']]).toEqual([429, 'too_many_connections', true]);
    first.close();
    await expect
      .poll(() =>
        connect(address).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
  });
});

describe('an open connection', () => {
  it('is closed with 1009 after an oversized message', async () => {
    const { address } = await start({ maxPayloadBytes: 2_048 });
    const client = await connect(address);
    client.ask('x'.repeat(3_000));
    expect((await client.closed).code).toBe(1009);
    const other = await connect(address);
    other.ask('others go on');
    await other.next('response.done');
  });

  it('is closed with 1009 by a message above 1 MiB where its key may not push pictures', async () => {
    const viewKey = 'a-view-key-for-the-tests';
    const { address } = await start({ apiKeys: [KEY], viewKeys: [viewKey] });
    const viewer = await connect(address, 'stream=kitchen', [], { headers: { authorization: `Bearer ${viewKey}` } });
    const pusher = await connect(address, 'stream=kitchen', [], bearer);
    for (const client of [viewer, pusher]) client.ask('x'.repeat(1024 * 1024));
    expect((await viewer.closed).code).toBe(1009);
    expect((await pusher.next('error'))['error']).toMatchObject({ code: 'message_too_large' });
  });

  it('is closed with 1008 after a message of too many fragments, and cut if it sends pings but reads no pongs', async () => {
    const { address } = await start();
    const client = await connect(address);
    for (let i = 0; i <= 16_384; i++) client.socket.send('x', { fin: false });
    expect((await client.closed).code).toBe(1008);
    const deaf = await connect(address);
    deaf.socket.pause();
    const cut = once(deaf.socket, 'error').catch(() => undefined);
    const flood = setInterval(() => {
      for (let i = 0; i < 1_000; i++) deaf.socket.ping('x'.repeat(125), undefined, () => undefined);
    }, 5);
    await Promise.race([cut, deaf.closed]);
    clearInterval(flood);
    deaf.socket.resume();
    expect((await deaf.closed).code).toBe(1006);
  });

  it('is closed with 4408 when it does not answer pings, while others stay open', async () => {
    const { address } = await start({ heartbeatMs: 1_000 });
    const dead = await connect(address, 'stream=kitchen', [], { autoPong: false });
    const alive = await connect(address);
    let pings = 0;
    alive.socket.on('ping', () => (pings += 1));
    expect((await dead.closed).code).toBe(4408);
    await expect.poll(() => pings).toBeGreaterThan(2);
    alive.ask('still here');
    await alive.next('response.done');
  });

  it('stays open while a message is still arriving, although it cannot answer pings meanwhile', async () => {
    const { address } = await start({ heartbeatMs: 300 });
    const slow = await connect(address, 'stream=kitchen', [], { autoPong: false });
    await slow.next('session.created');
    const payload = Buffer.from(JSON.stringify({ type: 'yoco.ping' }).padEnd(2_000));
    // The bytes of one text frame on the wire, with a zero mask.
    const head = Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]);
    const raw = (slow.socket as unknown as { _socket: Socket })._socket;
    raw.write(head);
    for (let at = 0; at < payload.length; at += 100) {
      raw.write(payload.subarray(at, at + 100));
      await sleep(100);
    }
    await slow.next('yoco.pong');
  });

  it('is closed with 1013 and its answer cancelled when it does not read, while others go on', async () => {
    const { address } = await start({ maxBufferedBytes: 65_536 });
    const slow = await connect(address);
    const other = await connect(address);
    slow.socket.pause();
    slow.ask('flood');
    await expect.poll(() => live.stream('kitchen').aborted).toBe(1);
    other.ask('others go on');
    await other.next('response.done');
    slow.socket.resume();
    expect((await slow.closed).code).toBe(1013);
    const deltas = slow.events.filter(({ type }) => type === 'response.output_text.delta');
    // No delta was dropped in between: what arrived is the beginning of the answer.
    expect(deltas.length).toBeGreaterThan(0);
    expect(deltas.every(({ delta }) => delta.length === 65_536)).toBe(true);
  });

  it('that never reads again is cut after the grace period', async () => {
    const { address } = await start({ maxBufferedBytes: 65_536, closeGraceMs: 200 });
    const slow = await connect(address);
    slow.socket.pause();
    slow.ask('flood');
    await expect.poll(() => live.stream('kitchen').aborted).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    slow.socket.resume();
    expect((await slow.closed).code).toBe(1006);
  });
});

describe('shutdown', () => {
  it('sends yoco.go_away, lets answers finish, and closes with 1001', async () => {
    const { address, close } = await start({ drainMs: 25_000 });
    const idle = await connect(address);
    const busy = await connect(address);
    busy.ask('slow');
    await busy.next('response.output_text.delta');
    const closing = close();
    expect((await busy.next('yoco.go_away')).time_left).toBe(25);
    expect((await idle.closed).code).toBe(1001);
    expect(idle.events.at(-1)?.type).toBe('yoco.go_away');
    busy.ask('one more');
    expect((await busy.next('error')).error.code).toBe('shutting_down');
    const refused = await refusedUpgrade(address, 'stream=kitchen');
    expect([refused.status, refused.body.error['code']]).toEqual([503, 'shutting_down']);
    const page = await connect(address, 'stream=kitchen', ['realtime'], { origin: address });
    expect((await page.closed).code).toBe(1013);
    expect((await fetch(`${address}/v1/streams`)).status).toBe(503);
    expect((await fetch(`${address}/readyz`)).status).toBe(503);
    expect((await busy.next('response.done', 25_000)).response.status).toBe('completed');
    expect((await busy.closed).code).toBe(1001);
    await closing;
    await expect(fetch(`${address}/healthz`)).rejects.toThrow();
  });

  it('answers further requests on a busy connection with shutting_down, in the common error format', async () => {
    const { address, port, close } = await start({ drainMs: 25_000 });
    const socket = connectSocket(port, '127.0.0.1').setEncoding('utf8');
    const body = JSON.stringify({ model: 'tiny@kitchen', messages: [{ role: 'user', content: 'hello' }] });
    const post = ['POST /v1/chat/completions HTTP/1.1', 'Host: localhost', 'Content-Type: application/json'];
    socket.write(`${post.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n`);
    await expect.poll(() => fetch(`${address}/healthz`).then(({ status }) => status)).toBe(200);
    const closing = close();
    const isRefused = (): Promise<boolean> =>
      fetch(`${address}/healthz`).then(
        () => false,
        () => true,
      );
    await expect.poll(isRefused).toBe(true);
    socket.write(`${body}GET /v1/streams HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const [, first = '', second = ''] = (await socket.toArray()).join('').split(/HTTP\/1\.1 (?=\d{3} )/);
    expect(first).toMatch(/^200 /);
    expect(second).toMatch(/^503 [^]*^connection: close$/im);
    expect(JSON.parse(second.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'shutting_down' } });
    await closing;
  });

  it('lets answers over HTTP finish, too', async () => {
    const { address, close } = await start({ drainMs: 25_000, closeGraceMs: 200 });
    const asked = fetch(`${address}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny@kitchen', messages: [{ role: 'user', content: 'slow' }], stream: true }),
    });
    await expect.poll(() => live.stream('kitchen').asked.length).toBe(1);
    const began = Date.now();
    await close();
    // Longer than closeGraceMs: the server waited for the answer.
    expect(Date.now() - began).toBeGreaterThan(1_000);
    expect(await (await asked).text()).toMatch(/data: \[DONE\]\n\n$/);
  });

  it('cuts answers that take longer than drainMs, and clients that do not close', async () => {
    const { address, close } = await start({ drainMs: 100, closeGraceMs: 200 });
    const client = await connect(address);
    client.ask('endless');
    await client.next('response.output_text.delta');
    client.socket.pause();
    const began = Date.now();
    await close();
    // Uncut, the answer would take a minute.
    expect(Date.now() - began).toBeLessThan(20_000);
    expect(live.stream('kitchen').aborted).toBe(1);
  });
});
