/** The API documents checked against the service: its routes, its responses, and every event that it sends. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { CLIENT_EVENT_TYPES } from '../../src/server/realtime-events.ts';
import * as wire from '../../src/server/wire-schemas.ts';
import { VERSION } from '../../src/version.ts';
import { FakeLiveService } from './fake-live-service.ts';
import { RealtimeClient, userMessage } from './realtime-client.ts';
import { routes } from './routes.ts';

const KEY = 'a-key-for-the-tests-0123';
const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xd9]);

let live: FakeLiveService;
let server: RunningServer;

beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, drainMs: 300, maxPendingFrames: 1 });
});

afterEach(async () => {
  await server.close();
});

interface Document {
  info: { version: string };
  paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  operations: Record<string, { messages: { $ref: string }[] }>;
}

interface Described {
  webhooks: unknown;
  components: { schemas: Record<string, { properties: { type: { const: string } } }> };
}

async function document(path: string): Promise<Document> {
  const response = await fetch(`${server.address}${path}`);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  return (await response.json()) as Document;
}

/** How a value violates a schema, or null. Unlike zod's own check, it reports fields that the schema does not name. */
function problems(of: z.ZodType, value: unknown): unknown {
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
  const valid = ajv.compile(z.toJSONSchema(of, { io: 'output' }));
  return valid(value) ? null : { value, errors: valid.errors };
}

function refsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(refsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : refsOf(inner)));
}

function resolves(whole: unknown, ref: string): boolean {
  let at: unknown = whole;
  for (const key of ref.replace('#/', '').split('/')) at = (at as Record<string, unknown> | undefined)?.[key];
  return at !== undefined;
}

describe('the API documents', () => {
  it('have no dangling references, carry the package version, and need no key', async () => {
    const locked = await startServer(live, { port: 0, apiKeys: [KEY] });
    for (const path of ['/openapi.json', '/asyncapi.json']) {
      const told = await document(path);
      const refs = refsOf(told);
      expect(refs.length).toBeGreaterThan(10);
      expect(refs.filter((ref) => !resolves(told, ref))).toEqual([]);
      expect(told.info.version).toBe(VERSION);
      expect((await fetch(`${locked.address}${path}`)).status).toBe(200);
    }
    await locked.close();
  });

  it('list every route and method that the service accepts, and no other', async () => {
    const { paths } = await document('/openapi.json');
    for (const [path, methods] of Object.entries(paths)) {
      const address = `${server.address}${path.replace('{name}', 'kitchen').replace('{model}', 'tiny@kitchen')}`;
      const { headers } = await fetch(address, { method: 'OPTIONS' });
      const taken = (headers.get('access-control-allow-methods') ?? '').split(', ').filter((name) => name !== 'HEAD');
      expect([path, taken.map((name) => name.toLowerCase())]).toEqual([path, Object.keys(methods).sort()]);
    }
    const named = new Set(Object.keys(paths).map((path) => path.replace(/\{(\w+)\}/g, ':$1')));
    const ofPage = /^\/(?:[\w-]+\.(?:html|css|js|svg|png))?$/;
    const unnamed = routes(live).filter((route) => !named.has(route) && !ofPage.test(route));
    expect(routes(live)).toContain('/v1/streams/:name/frames');
    expect(unnamed).toEqual([]);
  });

  it('describe the response of each route', async () => {
    const get = async (path: string, init: RequestInit = {}): Promise<unknown> =>
      (await fetch(`${server.address}${path}`, init)).json();
    const post = (path: string, body: unknown): Promise<unknown> =>
      get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const pushed = { method: 'POST', headers: { 'content-type': 'image/jpeg' }, body: JPEG };
    const chat = { model: 'tiny@kitchen', messages: [{ role: 'user', content: 'What is shown?' }] };
    const answers: [z.ZodType, Promise<unknown>][] = [
      [wire.healthSchema, get('/healthz')],
      [wire.readinessSchema, get('/readyz')],
      [wire.streamList, get('/v1/streams')],
      [wire.streamSchema, get('/v1/streams/kitchen')],
      [wire.streamSchema, post('/v1/streams', { name: 'new', source: { push: true } })],
      [wire.standingList, get('/v1/streams/kitchen/standing_questions')],
      [wire.frameTaken, get('/v1/streams/door/frames?t=70', pushed)],
      [wire.frameTaken, get('/v1/streams/door/frames?t=1', pushed)],
      [wire.snapshotList, get('/v1/snapshots')],
      [wire.snapshotDeleted, get('/v1/snapshots/door.snap', { method: 'DELETE' })],
      [wire.tokenSchema, post('/v1/token', { stream: 'door' })],
      [wire.modelList, get('/v1/models')],
      [wire.modelSchema, get('/v1/models/tiny@door')],
      [wire.chatCompletion, post('/v1/chat/completions', chat)],
      [wire.errorBody, get('/v1/streams/attic')],
      [wire.errorBody, post('/v1/chat/completions', {})],
    ];
    for (const [of, answer] of answers) expect(problems(of, await answer)).toBeNull();
    const text = await (
      await fetch(`${server.address}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...chat, stream: true, stream_options: { include_usage: true } }),
      })
    ).text();
    const chunks = text.split('\n\n').filter((part) => part.startsWith('data: {'));
    expect(chunks).toHaveLength(6);
    for (const chunk of chunks) expect(problems(wire.chatChunk, JSON.parse(chunk.slice(6)))).toBeNull();
    expect(problems(wire.streamDeleted, await get('/v1/streams/new', { method: 'DELETE' }))).toBeNull();
  });

  it('describe the 503 of a service that is not ready, and the 304 of an unchanged picture', async () => {
    const { paths } = await document('/openapi.json');
    const statusesOf = (path: string): string[] => Object.keys(paths[path]?.['get']?.responses ?? {});
    live.ready = false;
    const loading = await fetch(`${server.address}/readyz`);
    expect(problems(wire.readinessSchema, await loading.json())).toBeNull();
    expect([loading.status, statusesOf('/readyz')]).toEqual([503, ['200', '503', 'default']]);
    const frames = `${server.address}/v1/streams/kitchen/frames`;
    const etag = (await fetch(frames)).headers.get('etag') ?? '';
    const known = await fetch(frames, { headers: { 'if-none-match': etag } });
    expect([known.status, statusesOf('/v1/streams/{name}/frames')]).toEqual([304, ['200', '304', 'default']]);
  });

  it('describe stream definitions as clients may send them', async () => {
    const { components } = (await document('/openapi.json')) as unknown as { components: { schemas: object } };
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema({ $id: 'api', components }, 'api');
    const valid = ajv.compile({ $ref: 'api#/components/schemas/StreamDefinition' });
    const push = { push: true };
    for (const definition of [
      { name: 'a', source: push },
      { restore: 'monday.snap' },
      { restore: 'a.snap', source: push },
    ])
      expect([definition, valid(definition)]).toEqual([definition, true]);
    const url = { url: 'rtsp://10.0.0.7/live', credentials_env: 'CAMERA' };
    const operators = [
      { keep: {} },
      { frozen_after: 300 },
      { standing_questions: [] },
      { source: url },
      { source: { device: '/dev/video0' } },
    ];
    for (const more of [...operators, { source: undefined }]) {
      const definition = JSON.parse(JSON.stringify({ name: 'a', source: push, ...more })) as unknown;
      expect([definition, valid(definition)]).toEqual([definition, false]);
    }
  });

  it('list every event that webhooks get', async () => {
    const { webhooks, components } = (await document('/openapi.json')) as Document & Described;
    const told = refsOf(webhooks).map((ref) => components.schemas[ref.replace(/.*\//, '')]?.properties.type.const);
    expect(told).toEqual(['yoco.standing_question.answered', 'yoco.standing_question.deleted', 'yoco.stream.status']);
  });

  it('list every event of clients and of the service, and describe what the service sends', async () => {
    const { operations } = await document('/asyncapi.json');
    const named = (operation: string, side: string): string[] =>
      (operations[operation]?.messages ?? []).map(({ $ref }) => $ref.replace(/.*\//, '').replace(`${side}.`, ''));
    expect(named('receive', 'client')).toEqual(CLIENT_EVENT_TYPES);
    expect(named('send', 'server')).toEqual(Object.keys(wire.SERVER_EVENTS));

    const client = await RealtimeClient.open(server.address, 'stream=door');
    client.send({ type: 'session.update', session: { yoco: { status: true } } });
    client.send({ type: 'yoco.ping' });
    client.send({ type: 'conversation.item.create', item: { id: 'q1', ...userMessage('What is shown?') } });
    client.send({ type: 'conversation.item.retrieve', item_id: 'q1' });
    client.send({ type: 'response.create' });
    await client.next('response.done');
    client.send({ type: 'conversation.item.create', item: { id: 'q2', ...userMessage('And now?') } });
    client.send({ type: 'conversation.item.delete', item_id: 'q2' });
    client.send({ type: 'yoco.conversation.reset' });
    client.ask('fail engine_restarted', { metadata: { my: 'own' } });
    await client.next('response.done');
    client.ask('Which?', { yoco: { streams: 'all' } });
    await client.next('response.done');
    // So that the second frame arrives while the first is pending.
    live.stream('door').pushDelayMs = 300;
    for (const t of [70, 71]) client.send({ type: 'yoco.frame.append', image: JPEG.toString('base64'), t });
    await client.next('yoco.frame.accepted');
    client.send({ type: 'yoco.frame.append', image: 'AAAA' });
    await client.next((event) => event.type === 'error');
    client.send({ type: 'yoco.standing_question.create', standing_question: { id: 's', question: 'Who?' } });
    await client.next('yoco.standing_question.answered');
    await client.next('yoco.stream.status', 2_000).catch(() => undefined);
    client.send({ type: 'yoco.standing_question.delete', standing_question_id: 's' });
    await client.next('yoco.standing_question.deleted');
    client.ask('slow');
    await client.next('response.output_text.delta');
    const closing = server.close();
    await client.next('yoco.go_away');
    client.close();
    await closing;

    for (const event of client.events) {
      expect(Object.keys(wire.SERVER_EVENTS)).toContain(event.type);
      expect(problems(wire.serverEvent(event.type as keyof typeof wire.SERVER_EVENTS), event)).toBeNull();
    }
    expect(new Set(client.events.map(({ type }) => type))).toEqual(new Set(Object.keys(wire.SERVER_EVENTS)));
  });
});
