/**
 * View keys and their tokens may only look and ask. Checked against every HTTP operation and every WebSocket event of
 * the service.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { CLIENT_EVENT_TYPES } from '../../src/server/realtime-events.ts';
import { FakeLiveService } from './fake-live-service.ts';
import { RealtimeClient, userMessage } from './realtime-client.ts';
import { routes } from './routes.ts';

const KEY = 'a-key-for-the-tests-0123';
const VIEW_KEY = 'a-view-key-of-the-tests-45';
const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xd9]);

/** Holders of a credential that is no API key; the bound token is for the stream `door`. */
const HOLDERS = ['view key', 'token of a view key', 'token of an API key', 'bound token of a view key'] as const;
type Holder = (typeof HOLDERS)[number];

interface Operation {
  /** Who may do it, besides an API key, which may do everything. */
  readonly may: readonly Holder[];
  readonly body?: object;
}

/** Every operation that is not a read. A new operation fails a test until it is added here. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  'POST /v1/chat/completions': {
    may: HOLDERS,
    body: { model: 'tiny@door', messages: [{ role: 'user', content: 'What is shown?' }] },
  },
  'POST /v1/streams': { may: [], body: { name: 'yard', source: { push: true } } },
  'POST /v1/streams/:name/frames': { may: ['token of an API key'], body: JPEG },
  'POST /v1/streams/:name/snapshot': { may: [] },
  'POST /v1/token': { may: ['view key'] },
  'DELETE /v1/streams/:name': { may: [] },
  'DELETE /v1/snapshots/:file': { may: [] },
};

/** Every client event: whether a view key may send it, and its fields. */
const EVENTS: Readonly<Record<string, { readonly may: boolean; readonly fields?: object }>> = {
  'session.update': { may: true, fields: { session: { yoco: { status: true } } } },
  'conversation.item.create': { may: true, fields: { item: { id: 'q', ...userMessage('What is shown?') } } },
  'conversation.item.retrieve': { may: true, fields: { item_id: 'q' } },
  'conversation.item.delete': { may: true, fields: { item_id: 'q' } },
  'response.create': { may: true },
  'response.cancel': { may: true },
  'yoco.conversation.reset': { may: true },
  'yoco.frame.append': { may: false, fields: { image: JPEG.toString('base64') } },
  'yoco.standing_question.create': { may: true, fields: { standing_question: { id: 's', question: 'Who is there?' } } },
  'yoco.standing_question.delete': { may: true, fields: { standing_question_id: 's' } },
  'yoco.ping': { may: true },
};

let live: FakeLiveService;
let server: RunningServer;
let credentials: Readonly<Record<Holder, string>>;

beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, drainMs: 0, apiKeys: [KEY], viewKeys: [VIEW_KEY] });
  credentials = {
    'view key': VIEW_KEY,
    'token of a view key': await tokenOf(VIEW_KEY),
    'token of an API key': await tokenOf(KEY),
    'bound token of a view key': await tokenOf(VIEW_KEY, { stream: 'door' }),
  };
});

afterEach(async () => {
  await server.close();
});

interface Answer {
  readonly status: number;
  readonly error: { readonly code: string; readonly message: string } | null;
}

async function send(credential: string, operation: string, body?: object): Promise<Answer> {
  const [method = '', route = ''] = operation.split(' ');
  const sent = body instanceof Buffer ? new Uint8Array(body) : JSON.stringify(body);
  const type = body instanceof Buffer ? 'image/jpeg' : 'application/json';
  const response = await fetch(server.address + addressOf(route), {
    method,
    headers: { authorization: `Bearer ${credential}`, ...(body === undefined ? {} : { 'content-type': type }) },
    ...(body === undefined ? {} : { body: sent }),
  });
  const text = await response.text();
  const error = response.ok ? null : (JSON.parse(text) as Answer).error;
  return { status: response.status, error };
}

const addressOf = (route: string): string =>
  route.replace(':name', 'door').replace(':model', 'tiny@door').replace(/:\w+/g, 'some.snap');

async function tokenOf(key: string, body: object = {}): Promise<string> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  return ((await (await fetch(`${server.address}/v1/token`, init)).json()) as { token: string }).token;
}

function open(credential: string): Promise<RealtimeClient> {
  return RealtimeClient.open(server.address, 'stream=door', [], {
    headers: { authorization: `Bearer ${credential}` },
  });
}

const held = (): unknown => live.list().map((stream) => [stream.name, stream.status().frames]);

describe('over HTTP', () => {
  it('every operation that is not a read has an entry in OPERATIONS', async () => {
    const found: string[] = [];
    for (const route of routes(live)) {
      const { headers } = await fetch(server.address + addressOf(route), { method: 'OPTIONS' });
      const methods = headers.get('access-control-allow-methods');
      expect([route, methods]).toEqual([route, expect.any(String)]);
      const changing = methods?.split(', ').filter((method) => method !== 'GET' && method !== 'HEAD') ?? [];
      found.push(...changing.map((method) => `${method} ${route}`));
    }
    expect(found.sort()).toEqual(Object.keys(OPERATIONS).sort());
  });

  it.each(Object.entries(OPERATIONS))(
    '%s is allowed to the listed holders, and to nobody else',
    async (operation, { may, body }) => {
      for (const holder of HOLDERS) {
        const before = held();
        const { status, error } = await send(credentials[holder], operation, body);
        if (may.includes(holder)) {
          expect([holder, status, error]).toEqual([holder, 200, null]);
          continue;
        }
        expect([holder, status, error?.code]).toEqual([holder, 403, 'forbidden']);
        expect(error?.message).toContain('use an API key');
        expect(held()).toEqual(before);
      }
      expect(['forbidden', 'unauthorized']).not.toContain((await send(KEY, operation, body)).error?.code);
    },
  );

  it.each(Object.entries(OPERATIONS))('the API document says who may do %s', async (operation, { may }) => {
    const [method = '', route = ''] = operation.split(' ');
    const { paths } = (await (await fetch(`${server.address}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { description?: string }>>;
    };
    const told = paths[route.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]?.description ?? 'Forbidden to .';
    const names = {
      'view key': 'view keys',
      'token of a view key': 'tokens of view keys',
      'token of an API key': 'tokens of API keys',
    };
    const refused = Object.entries(names).flatMap(([holder, name]) => (may.includes(holder as Holder) ? [] : [name]));
    expect(told).toBe(`Forbidden to ${refused.join(', ')}.`);
  });

  it('a view key and its token may read every route', async () => {
    for (const route of routes(live)) {
      for (const holder of ['view key', 'token of a view key'] as const) {
        const { status } = await fetch(server.address + addressOf(route), {
          headers: { authorization: `Bearer ${credentials[holder]}` },
        });
        expect([route, holder, status === 401 || status === 403]).toEqual([route, holder, false]);
      }
    }
  });

  it('a bound token reads its stream only', async () => {
    const bound = credentials['bound token of a view key'];
    expect((await send(bound, 'GET /v1/streams/door')).status).toBe(200);
    for (const path of ['/v1/streams/kitchen', '/v1/streams', '/v1/snapshots', '/metrics']) {
      expect((await send(bound, `GET ${path}`)).error?.code).toBe('forbidden');
    }
  });

  it('may_change says whether the caller may create and delete streams', async () => {
    const mayChange = async (address: string, credential: string): Promise<unknown> => {
      const response = await fetch(`${address}/v1/streams`, { headers: { authorization: `Bearer ${credential}` } });
      return ((await response.json()) as { may_change: unknown }).may_change;
    };
    expect(await mayChange(server.address, KEY)).toBe(true);
    for (const holder of ['view key', 'token of a view key', 'token of an API key'] as const) {
      expect([holder, await mayChange(server.address, credentials[holder])]).toEqual([holder, false]);
    }
    const unlocked = await startServer(live, { port: 0, drainMs: 0 });
    expect(await mayChange(unlocked.address, 'none')).toBe(true);
    await unlocked.close();
  });

  it('a token forged to allow more than its key is refused', async () => {
    const [, signature = ''] = credentials['token of a view key'].split('.');
    const [wider = ''] = credentials['token of an API key'].split('.');
    const forged = `${wider}.${signature}`;
    expect((await send(forged, 'POST /v1/streams/:name/frames', JPEG)).status).toBe(401);
  });
});

describe('over the WebSocket', () => {
  it('every client event has an entry in EVENTS', () => {
    expect(Object.keys(EVENTS)).toEqual(CLIENT_EVENT_TYPES);
  });

  it.each(['view key', 'token of a view key', 'bound token of a view key'] as const)(
    'a %s may ask, but not push',
    async (holder) => {
      const client = await open(credentials[holder]);
      const before = held();
      for (const [type, { fields }] of Object.entries(EVENTS)) {
        client.send({ ...fields, type, event_id: type });
        client.send({ type: 'yoco.ping', event_id: `after ${type}` });
        await client.next((event) => event.type === 'yoco.pong' && event.ping_event_id === `after ${type}`);
      }
      const errors = client.events.flatMap(({ type, error }) => (type === 'error' ? [error] : []));
      const refused = errors.filter(({ code }) => code === 'forbidden');
      const forbidden = Object.keys(EVENTS).filter((type) => EVENTS[type]?.may === false);
      expect(refused.map((error) => error.event_id)).toEqual(forbidden);
      expect(refused[0]?.message).toContain('use an API key');

      client.socket.send(JPEG);
      const binary = await client.next('error');
      expect(binary).toMatchObject({ error: { code: 'forbidden', event_id: null }, yoco: { frame: 2 } });
      expect(held()).toEqual(before);

      client.ask('What is shown?');
      expect((await client.next('response.done')).response.status).toBe('completed');
      client.send({ type: 'yoco.standing_question.create', standing_question: { question: 'And now?' } });
      await client.next(
        ({ type, answer }) => type === 'yoco.standing_question.answered' && answer.includes('And now?'),
      );
      client.close();
    },
  );

  it('a token of a view key may ask all streams at once', async () => {
    const client = await open(credentials['token of a view key']);
    client.ask('Which one?', { yoco: { streams: 'all' } });
    const { response } = await client.next('response.done');
    expect(response.yoco.streams.map(({ name }) => name)).toEqual(['door', 'kitchen']);
    client.close();
  });

  it('a token of an API key may push', async () => {
    const client = await open(credentials['token of an API key']);
    client.socket.send(JPEG);
    expect((await client.next('yoco.frame.accepted')).number).toBe(1);
    client.close();
  });
});
