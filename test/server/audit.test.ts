/** What the log says of clients: who changed what and who was refused, but never the credential they sent. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { YocoError } from '../../src/errors.ts';
import { AuditLog, MAX_REFUSAL_KINDS, REFUSAL_SUMMARY_INTERVAL_MS } from '../../src/server/audit.ts';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService } from './fake-live-service.ts';
import { RealtimeClient } from './realtime-client.ts';

const KEYS = ['a-key-for-the-tests-0123', 'another-key-of-tests-45'] as const;
const VIEW_KEYS = ['a-view-key-of-the-tests-6', 'another-view-key-of-tests'] as const;

type Line = readonly [level: string, fields: Record<string, unknown>, message: string];
let lines: Line[];
const log = {
  info: (fields: object, message: string) => lines.push(['info', { ...fields }, message]),
  warn: (fields: object, message: string) => lines.push(['warn', { ...fields }, message]),
  error: (fields: object, message: string) => lines.push(['error', { ...fields }, message]),
};

beforeEach(() => {
  lines = [];
});

describe('The log of a service', () => {
  let live: FakeLiveService;
  let server: RunningServer;

  beforeEach(() => {
    live = new FakeLiveService();
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await server.close();
  });

  async function begin(apiKeys: readonly string[] = KEYS): Promise<void> {
    const viewKeys = apiKeys.length === 0 ? [] : VIEW_KEYS;
    server = await startServer(live, { port: 0, drainMs: 0, apiKeys, viewKeys, log });
  }

  async function send(method: string, path: string, body: unknown, headers: Record<string, string>): Promise<number> {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    return (await fetch(server.address + path, { method, ...init, headers: { ...type, ...headers } })).status;
  }

  const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

  const told = (): unknown => lines.map(([level, { code, by, route }]) => [level, code, by, route]);

  /** Resolves when the service has closed or refused the connection. */
  function upgrade(path: string, protocols: string[], headers: Record<string, string> = {}): Promise<void> {
    return new Promise((resolve) => {
      const socket = new WebSocket(server.address.replace('http', 'ws') + path, protocols, { headers });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        resolve();
      });
    });
  }

  it('names by key number who created, restored or deleted a stream, and who wrote or deleted a snapshot', async () => {
    await begin();
    vi.spyOn(live, 'snapshot').mockResolvedValue({ file: 'yard.snap', bytes: 1, summary: null, error: null });
    const yard = { name: 'yard', source: { url: 'rtsp://admin:hunter2@10.0.0.7/live' } };
    expect(await send('POST', '/v1/streams', yard, bearer(KEYS[0]))).toBe(201);
    expect(await send('POST', '/v1/streams/yard/snapshot', {}, bearer(KEYS[1]))).toBe(201);
    expect(await send('DELETE', '/v1/streams/yard', undefined, bearer(KEYS[1]))).toBe(200);
    expect(await send('POST', '/v1/streams', { ...yard, restore: 'yard.snap' }, bearer(KEYS[0]))).toBe(201);
    expect(await send('DELETE', '/v1/snapshots/yard.snap', undefined, bearer(KEYS[0]))).toBe(200);
    const [source, from] = ['rtsp://***@10.0.0.7/live', '127.0.0.1'];
    expect(lines).toEqual([
      ['info', { stream: 'yard', source, by: 'key 1', from }, 'A client made a stream.'],
      ['info', { stream: 'yard', snapshot: 'yard.snap', by: 'key 2', from }, 'A client wrote a snapshot.'],
      ['info', { stream: 'yard', by: 'key 2', from }, 'A client deleted a stream.'],
      ['info', { stream: 'yard', source, snapshot: 'yard.snap', by: 'key 1', from }, 'A client restored a stream.'],
      ['info', { snapshot: 'yard.snap', by: 'key 1', from }, 'A client deleted a snapshot.'],
    ]);
  });

  it('records a forbidden source, and forbidden streams that a token asks about on an open WebSocket', async () => {
    await begin();
    const yard = { name: 'yard', source: { url: 'rtsp://admin:hunter2@forbidden.example/live' } };
    expect(await send('POST', '/v1/streams', yard, bearer(KEYS[0]))).toBe(403);
    const headers = { ...bearer(KEYS[0]), 'content-type': 'application/json' };
    const body = JSON.stringify({ stream: 'door' });
    const minted = await fetch(`${server.address}/v1/token`, { method: 'POST', headers, body });
    const { token } = (await minted.json()) as { token: string };
    const protocols = ['realtime', `yoco-token.${token}`];
    const client = await RealtimeClient.open(server.address, 'stream=door', protocols, { origin: server.address });
    const others = { streams: ['kitchen'] };
    client.ask('which camera?', { yoco: { streams: 'all' } });
    client.send({ type: 'session.update', session: { yoco: others } });
    client.send({ type: 'yoco.standing_question.create', standing_question: { question: 'now?', ...others } });
    for (let times = 0; times < 3; times++) expect((await client.next('error')).error.code).toBe('forbidden');
    client.send({ type: 'response.cancel' });
    expect((await client.next('error')).error.code).toBe('response_not_found');
    client.close();
    await server.close();
    expect(lines).toEqual([
      [
        'warn',
        { code: 'source_forbidden', by: 'key 1', from: '127.0.0.1', method: 'POST', route: '/v1/streams' },
        'A request was refused: The source is not allowed by the configuration.',
      ],
      [
        'warn',
        {
          ...{ code: 'forbidden', by: 'token of key 1', from: '127.0.0.1', method: 'GET', route: '/v1/realtime' },
          origin: server.address,
        },
        'A request was refused: This request is not allowed here. The token is for the stream "door" only.',
      ],
      [
        'warn',
        { code: 'forbidden', from: '127.0.0.1', requests: 2 },
        'More requests were refused since the last message about this.',
      ],
    ]);
  });

  it('says which view key, or whose token, was refused', async () => {
    await begin();
    expect(await send('DELETE', '/v1/streams/door', undefined, bearer(VIEW_KEYS[1]))).toBe(403);
    expect(told()).toEqual([['warn', 'forbidden', 'view key 2', '/v1/streams/:name']]);
    // A new service, since the next refusal of the same kind has no line of its own.
    await server.close();
    lines = [];

    await begin();
    const minted = await fetch(`${server.address}/v1/token`, { method: 'POST', headers: bearer(VIEW_KEYS[0]) });
    const { token } = (await minted.json()) as { token: string };
    const client = await RealtimeClient.open(server.address, 'stream=door', ['realtime', `yoco-token.${token}`]);
    client.socket.send(Buffer.from([0xff, 0xd8]));
    expect((await client.next('error')).error.code).toBe('forbidden');
    client.close();
    expect(told()).toEqual([['warn', 'forbidden', 'token of view key 1', '/v1/realtime']]);
  });

  it('says whose token was refused for another stream', async () => {
    await begin();
    const headers = { ...bearer(KEYS[1]), 'content-type': 'application/json' };
    const minted = await fetch(`${server.address}/v1/token`, { method: 'POST', headers, body: '{"stream":"door"}' });
    const { token } = (await minted.json()) as { token: string };
    await upgrade('/v1/realtime?stream=kitchen', ['realtime', `yoco-token.${token}`]);
    expect(told()).toEqual([['warn', 'forbidden', 'token of key 2', '/v1/realtime']]);
  });

  it('leaves out the query string of a request that fails', async () => {
    await begin();
    vi.spyOn(live, 'snapshots').mockRejectedValue(new TypeError('broken'));
    expect(await send('GET', `/v1/snapshots?api_key=${KEYS[1]}`, undefined, bearer(KEYS[0]))).toBe(500);
    expect(lines).toMatchObject([['error', { method: 'GET', url: '/v1/snapshots' }, 'A request failed.']]);
    expect(JSON.stringify(lines)).not.toContain(KEYS[1]);
  });

  it('records `none` as the key where none is required, and nothing about changes that failed', async () => {
    await begin([]);
    await send('POST', '/v1/streams', { name: 'kitchen' }, {});
    await send('DELETE', '/v1/streams/attic', undefined, {});
    await send('POST', '/v1/streams/kitchen/snapshot', {}, {});
    expect(lines).toEqual([]);
    await send('DELETE', '/v1/streams/kitchen', undefined, {});
    expect(lines).toMatchObject([['info', { stream: 'kitchen', by: 'none' }, 'A client deleted a stream.']]);
  });

  it('records a refused key, origin and token once each, and never the credential itself', async () => {
    await begin();
    const wrong = 'a-wrong-key-that-is-sent';
    for (let times = 0; times < 3; times++) {
      expect(await send('GET', `/v1/streams/${wrong}?api_key=${wrong}`, undefined, bearer(wrong))).toBe(401);
    }
    await upgrade('/v1/realtime?stream=door', ['realtime', `yoco-token.${wrong}`]);
    const origin = `https://user:${wrong}@evil.example`;
    expect(await send('GET', '/', undefined, { origin })).toBe(403);
    const minted = await fetch(`${server.address}/v1/token`, { method: 'POST', headers: bearer(KEYS[0]) });
    const { token } = (await minted.json()) as { token: string };
    expect(await send('DELETE', '/v1/streams/door', undefined, bearer(token))).toBe(403);
    expect(lines).toEqual([
      [
        'warn',
        { code: 'unauthorized', from: '127.0.0.1', method: 'GET', route: '/v1/streams/:name' },
        'A request was refused: A valid API key is required.',
      ],
      [
        'warn',
        { code: 'origin_forbidden', from: '127.0.0.1', method: 'GET', route: '/', origin: 'https://***@evil.example' },
        'A request was refused: Requests from this web origin are not allowed.',
      ],
      [
        'warn',
        { code: 'forbidden', by: 'token of key 1', from: '127.0.0.1', method: 'DELETE', route: '/v1/streams/:name' },
        'A request was refused: This request is not allowed here. A token may not do this; use an API key.',
      ],
    ]);
    await server.close();
    expect(lines.slice(3)).toEqual([
      [
        'warn',
        { code: 'unauthorized', from: '127.0.0.1', requests: 3 },
        'More requests were refused since the last message about this.',
      ],
    ]);
    expect(JSON.stringify(lines)).not.toContain(wrong);
    expect(JSON.stringify(lines)).not.toContain(token);
  });

  it.each([
    ['a program', {}, 'unauthorized', undefined],
    ['a page', { origin: 'own' }, 'unauthorized', 'own'],
    ['a page of another origin', { origin: 'https://evil.example' }, 'origin_forbidden', 'https://evil.example'],
  ])('records the refused WebSocket of %s once', async (_, headers, code, origin) => {
    await begin();
    const own = (text?: string): string | undefined => (text === 'own' ? server.address : text);
    const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, own(value) ?? '']));
    await upgrade('/v1/realtime?stream=door', ['realtime', 'yoco-token.wrong.token'], named);
    await server.close();
    expect(lines).toEqual([
      [
        'warn',
        {
          ...{ code, from: '127.0.0.1', method: 'GET', route: '/v1/realtime' },
          ...(origin === undefined ? {} : { origin: own(origin) }),
        },
        expect.stringMatching(/^A request was refused: /),
      ],
    ]);
  });
});

describe('Refusals', () => {
  let audit: AuditLog;

  beforeEach(() => {
    vi.useFakeTimers();
    audit = new AuditLog(log);
  });

  afterEach(() => {
    audit.close();
    vi.useRealTimers();
  });

  function refuse(from: string, code: 'unauthorized' | 'forbidden' | 'stream_not_found' = 'unauthorized'): void {
    audit.logRefusal(new YocoError(code), { address: from, method: 'GET', route: '/v1/streams', origin: undefined });
  }

  it('from one address are one log line a minute, however many come, until they stop', () => {
    for (let minute = 0; minute < 3; minute++) {
      for (let i = 0; i < 1_000; i++) refuse('10.0.0.9');
      vi.advanceTimersByTime(REFUSAL_SUMMARY_INTERVAL_MS);
    }
    const more = lines.map(([, { requests }]) => requests);
    expect(more).toEqual([undefined, 999, 1_000, 1_000]);
    vi.advanceTimersByTime(REFUSAL_SUMMARY_INTERVAL_MS);
    expect([lines.length, vi.getTimerCount()]).toEqual([4, 0]);
    refuse('10.0.0.9');
    expect(lines.at(-1)).toMatchObject(['warn', { code: 'unauthorized', from: '10.0.0.9' }, /^A request was refused/]);
  });

  it('of another kind or from another address get their own line; other errors get none', () => {
    refuse('10.0.0.9');
    refuse('10.0.0.9', 'forbidden');
    refuse('10.0.0.8');
    refuse('10.0.0.7', 'stream_not_found');
    expect(lines.map(([, { code, from }]) => [code, from])).toEqual([
      ['unauthorized', '10.0.0.9'],
      ['forbidden', '10.0.0.9'],
      ['unauthorized', '10.0.0.8'],
    ]);
  });

  it('from any number of addresses do not flood the log', () => {
    for (let i = 0; i < 10_000; i++) refuse(`2001:db8::${i.toString(16)}`);
    expect(lines).toHaveLength(MAX_REFUSAL_KINDS + 1);
    vi.advanceTimersByTime(REFUSAL_SUMMARY_INTERVAL_MS);
    expect(lines).toHaveLength(MAX_REFUSAL_KINDS + 2);
    expect(lines.at(-1)?.[1]).toEqual({ requests: 10_000 - MAX_REFUSAL_KINDS - 1 });
  });

  it('of a long origin truncate it in the log', () => {
    const refused = { address: '10.0.0.9', method: 'GET', route: undefined, origin: 'x'.repeat(10_000) };
    audit.logRefusal(new YocoError('origin_forbidden'), refused);
    expect(String(lines[0]?.[1]['origin']).length).toBeLessThan(200);
  });
});
