import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { RealtimeClient } from '../../src/cli/realtime-client.ts';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService } from '../server/fake-live-service.ts';

const SILENCE_MS = 1_000;

let live: FakeLiveService;
let server: RunningServer;

beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, drainMs: 0 });
});

afterEach(async () => {
  await server.close();
});

/** A proxy to the service. Once cut, it forwards nothing and closes nothing, like a network that is gone. */
async function wire(): Promise<{ address: string; cut(): void; close(): void }> {
  const sockets: Socket[] = [];
  const proxy = createServer((near) => {
    const far = connect(server.port, '127.0.0.1');
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.pipe(far);
    far.pipe(near);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    address: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    cut() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}

describe('the client of the command line', () => {
  it.each([
    ['asks each question by itself', false, ['turn 1', 'turn 1']],
    ['asks one question after another where it is told to', true, ['turn 1', 'turn 2']],
  ])('%s', async (_, followUp, turns) => {
    const client = await RealtimeClient.connect({ server: `http://127.0.0.1:${server.port}`, stream: 'kitchen' });
    const answers: string[] = [];
    for (const question of ['what is shown now?', 'what was shown first?']) {
      let answer = '';
      await client.ask(question, (piece) => (answer += piece), { followUp });
      answers.push(answer);
    }
    client.close();
    expect(answers).toEqual(turns.map((turn) => expect.stringContaining(turn) as string));
  });

  it.each([
    ['is no JSON', 'hello'],
    ['is no event', '[]'],
    ['has another form than the service’s', '{"type": "response.done", "response": null}'],
  ])('rejects with service_unreachable when what the peer sends %s', async (_, text) => {
    const peer = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(peer, 'listening');
    peer.on('connection', (socket) => {
      socket.send(text);
    });
    const { port } = peer.address() as AddressInfo;
    const client = await RealtimeClient.connect({ server: `http://127.0.0.1:${port}`, stream: 'kitchen' });
    const error = { code: 'service_unreachable', detail: 'The server there does not speak its protocol.' };
    await expect(client.ask('what is shown now?', () => undefined)).rejects.toMatchObject(error);
    client.close();
    peer.close();
  });

  it('gives up a connection that is silent and answers no ping, and keeps one that answers', async () => {
    const network = await wire();
    const client = await RealtimeClient.connect({ server: network.address, stream: 'kitchen', silenceMs: SILENCE_MS });
    const answers = client.askStanding('who is there?');
    expect((await answers.next()).value).toMatchObject({ previous: null, status: 'completed' });
    const next = answers.next().catch((error: unknown) => error);
    const early = await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 4 * SILENCE_MS, 'alive'))]);
    expect(early).toBe('alive');
    network.cut();
    expect(await next).toMatchObject({ code: 'connection_closed' });
    network.close();
  });

  it('rejects a standing question with unauthorized when its key is removed', async () => {
    const peer = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(peer, 'listening');
    peer.on('connection', (socket) => {
      socket.close(4401, 'unauthorized: A valid API key is required.');
    });
    const { port } = peer.address() as AddressInfo;
    const client = await RealtimeClient.connect({ server: `http://127.0.0.1:${port}`, stream: 'kitchen' });
    vi.stubEnv('YOCO_API_KEY', 'the-key-until-now-0123');
    await expect(client.askStanding('who is there?').next()).rejects.toMatchObject({
      code: 'unauthorized',
      detail: 'The key in YOCO_API_KEY is not accepted.',
    });
    vi.unstubAllEnvs();
    peer.close();
  });

  it('does not wait long for a service that is gone to close the connection', async () => {
    const network = await wire();
    const client = await RealtimeClient.connect({ server: network.address, stream: 'kitchen' });
    const answers = client.askStanding('who is there?');
    await answers.next();
    const next = answers.next().catch((error: unknown) => error);
    network.cut();
    const begin = performance.now();
    client.close();
    expect(await next).toMatchObject({ code: 'connection_closed' });
    // Without being terminated, the WebSocket would wait for half a minute.
    expect(performance.now() - begin).toBeLessThan(15_000);
    network.close();
  });
});
