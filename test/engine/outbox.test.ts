import { describe, expect, test } from 'vitest';
import { yieldToEventLoop } from '../../src/engine/yield-to-event-loop.ts';
import { Outbox } from '../../src/engine/outbox.ts';

describe('Messages to another process', () => {
  test('of one turn of the event loop are sent as one batch, in order', async () => {
    const delivered: string[][] = [];
    const outbox = new Outbox<string>((messages) => delivered.push(messages));
    outbox.add('a');
    await Promise.resolve();
    outbox.add('b');
    expect(delivered).toEqual([]);
    await yieldToEventLoop();
    expect(delivered).toEqual([['a', 'b']]);
    outbox.add('c');
    await yieldToEventLoop();
    expect(delivered).toEqual([['a', 'b'], ['c']]);
  });

  test('are sent before the next model run blocks the event loop', async () => {
    const order: string[] = [];
    const outbox = new Outbox<string>((messages) => order.push(...messages));
    outbox.add('sent');
    setImmediate(() => order.push('run')); // ONNX Runtime starts a run the same way
    await yieldToEventLoop();
    expect(order).toEqual(['sent', 'run']);
  });
});
