/** Keys that are replaced while the server runs. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService } from './fake-live-service.ts';
import { RealtimeClient } from './realtime-client.ts';

const [OLD, NEW, VIEW] = ['the-key-until-now-0123', 'the-key-from-now-on-45', 'a-view-key-of-the-tests-67'];

let server: RunningServer;
beforeEach(async () => {
  server = await startServer(new FakeLiveService(), { port: 0, drainMs: 0, apiKeys: [OLD], viewKeys: [VIEW] });
});
afterEach(async () => {
  await server.close();
});

const bearer = (credential?: string): Record<string, string> =>
  credential === undefined ? {} : { authorization: `Bearer ${credential}` };

async function statusFor(credential?: string): Promise<number> {
  return (await fetch(`${server.address}/v1/streams`, { headers: bearer(credential) })).status;
}

async function tokenOf(key: string): Promise<string> {
  const response = await fetch(`${server.address}/v1/token`, { method: 'POST', headers: bearer(key) });
  return ((await response.json()) as { token: string }).token;
}

const open = (credential?: string): Promise<RealtimeClient> =>
  RealtimeClient.open(server.address, 'stream=door', [], { headers: bearer(credential) });

it('A replaced key is refused, with its tokens and open WebSockets; those of other keys go on', async () => {
  const [ofOld, ofView] = [await tokenOf(OLD), await tokenOf(VIEW)];
  const [byOld, byToken, byView] = [await open(OLD), await open(ofOld), await open(VIEW)];
  expect(server.rekey({ apiKeys: [NEW], viewKeys: [VIEW] })).toEqual({ added: 1, removed: 1, closed: 2 });

  for (const { closed } of [byOld, byToken]) {
    expect(await closed).toEqual({ code: 4401, reason: expect.stringMatching(/^unauthorized: /) as string });
  }
  expect(await Promise.all([statusFor(OLD), statusFor(ofOld), statusFor(NEW)])).toEqual([401, 401, 200]);
  expect(await Promise.all([statusFor(VIEW), statusFor(ofView)])).toEqual([200, 200]);
  byView.send({ type: 'yoco.ping' });
  await byView.next('yoco.pong');
  byView.socket.close();
});

it('A key keeps its tokens and WebSockets when it moves within its list, not when it becomes a view key', async () => {
  const token = await tokenOf(OLD);
  const [byOld, byView] = [await open(OLD), await open(VIEW)];
  expect(server.rekey({ apiKeys: [NEW, OLD], viewKeys: [] })).toEqual({ added: 1, removed: 1, closed: 1 });
  expect((await byView.closed).code).toBe(4401);
  expect(await statusFor(token)).toBe(200);

  expect(server.rekey({ apiKeys: [NEW], viewKeys: [OLD] })).toEqual({ added: 1, removed: 1, closed: 1 });
  expect((await byOld.closed).code).toBe(4401);
  expect(await Promise.all([statusFor(OLD), statusFor(token)])).toEqual([200, 401]);
});

it('The first keys of a service close the connections that were opened without one', async () => {
  const free = await startServer(new FakeLiveService(), { port: 0, drainMs: 0 });
  const byNobody = await RealtimeClient.open(free.address);
  expect(free.rekey({ apiKeys: [NEW], viewKeys: [] })).toEqual({ added: 1, removed: 0, closed: 1 });
  expect((await byNobody.closed).code).toBe(4401);
  expect((await fetch(`${free.address}/v1/streams`)).status).toBe(401);
  await free.close();
});

it('A request whose key is removed before its body has arrived is refused', async () => {
  const body = JSON.stringify({ name: 'late', source: { push: true } });
  const headers = { ...bearer(OLD), 'content-type': 'application/json', 'content-length': String(body.length) };
  const late = request(`${server.address}/v1/streams`, { method: 'POST', headers });
  late.write(body.slice(0, 10));
  await expect.poll(() => statusFor(OLD)).toBe(200); // by now the head of the request has been read
  server.rekey({ apiKeys: [NEW], viewKeys: [] });
  late.end(body.slice(10));
  const [answer] = (await once(late, 'response')) as [IncomingMessage];
  answer.resume();
  expect(answer.statusCode).toBe(401);
});

it('Invalid keys are rejected and change nothing', async () => {
  const wrong: [object, string][] = [
    [{ apiKeys: ['short'], viewKeys: [] }, 'apiKeys'],
    [{ apiKeys: [], viewKeys: [] }, 'apiKeys'],
    [{ apiKeys: [], viewKeys: [VIEW] }, 'apiKeys'],
    [{ apiKeys: [NEW], viewKeys: [NEW] }, 'viewKeys'],
  ];
  for (const [keys, param] of wrong) {
    expect(() => server.rekey(keys as Parameters<RunningServer['rekey']>[0])).toThrow(
      expect.objectContaining({ code: 'config_invalid', param }) as Error,
    );
  }
  expect(await Promise.all([statusFor(OLD), statusFor(VIEW), statusFor(NEW)])).toEqual([200, 200, 401]);
});
