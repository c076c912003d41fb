import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RealtimeClient } from '../../src/cli/realtime-client.ts';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService } from '../server/fake-live-service.ts';

const SILENCE_MS = 200;

let live: FakeLiveService;
let server: RunningServer;

beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, drainMs: 0 });
});

afterEach(async () => {
  await server.close();
});

/** Between a client and the service; once it is cut it hands nothing on and says nothing, as a network that is gone. */
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

  it('gives up a connection that is silent and answers no ping, and keeps one that answers', async () => {
    const network = await wire();
    const client = await RealtimeClient.connect({ server: network.address, stream: 'kitchen', silenceMs: SILENCE_MS });
    const answers = client.stand('who is there?');
    expect((await answers.next()).value).toMatchObject({ previous: null, status: 'completed' });
    const next = answers.next().catch((error: unknown) => error);
    const early = await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 6 * SILENCE_MS, 'alive'))]);
    expect(early).toBe('alive');
    network.cut();
    expect(await next).toMatchObject({ code: 'connection_closed' });
    network.close();
  });

  it('does not wait long for the goodbye of a service that is gone', async () => {
    const network = await wire();
    const client = await RealtimeClient.connect({ server: network.address, stream: 'kitchen' });
    const answers = client.stand('who is there?');
    await answers.next();
    const next = answers.next().catch((error: unknown) => error);
    network.cut();
    const begin = performance.now();
    client.close();
    expect(await next).toMatchObject({ code: 'connection_closed' });
    expect(performance.now() - begin).toBeLessThan(5_000);
    network.close();
  });
});
