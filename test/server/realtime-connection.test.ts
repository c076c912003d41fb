import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { resolveOptions } from '../../src/server/server-options.ts';
import { RealtimeConnection } from '../../src/server/realtime-connection.ts';
import { FakeLiveService } from './fake-live-service.ts';
import { type Event, userMessage } from './realtime-client.ts';

/** A socket whose send queue is as full as the test says. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readonly readyState = 1;
  readonly sent: Event[] = [];
  bufferedAmount = 0;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Event);
  }

  says(event: object): void {
    this.emit('message', Buffer.from(JSON.stringify(event)), false);
  }

  ofType(type: string): Event[] {
    return this.sent.filter((event) => event.type === type);
  }

  close(): void {
    this.emit('close');
  }

  terminate(): void {
    this.close();
  }
}

const socket = new FakeSocket();
afterEach(() => {
  socket.close();
});

it('holds back status events, but not answers, while more than a quarter of the send queue is full', async () => {
  const live = new FakeLiveService();
  const kitchen = live.stream('kitchen');
  const limits = resolveOptions({ maxBufferedBytes: 100_000, statusIntervalMs: 20 });
  const metrics = { countResponse: () => undefined, countAsking: () => undefined };
  const host = { bytesRead: () => 1, onError: () => undefined, onClose: () => undefined };
  const scope = { live, stream: kitchen, isTokenBound: false, mayPush: false, metrics };
  new RealtimeConnection(socket as unknown as WebSocket, scope, limits, host);
  socket.says({ type: 'session.update', session: { yoco: { status: true } } });
  expect(socket.ofType('yoco.stream.status')).toHaveLength(1);

  socket.bufferedAmount = 25_001;
  kitchen.tick(60_500);
  socket.says({ type: 'response.create', response: { conversation: 'none', input: [userMessage('hello')] } });
  await expect.poll(() => socket.ofType('response.done').length).toBe(1);
  await sleep(100);
  expect(socket.ofType('yoco.stream.status')).toHaveLength(1);

  kitchen.tick(61_000);
  socket.bufferedAmount = 25_000;
  await expect.poll(() => socket.ofType('yoco.stream.status').length).toBe(2);
  // Only the newest status is sent.
  expect(socket.ofType('yoco.stream.status').at(-1)?.stream.last).toBe(61);
});
