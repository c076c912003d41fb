import { describe, expect, test } from 'vitest';
import { nextTurn } from '../../src/engine/next-turn.ts';
import { Outbox } from '../../src/engine/outbox.ts';

describe('Messages to another process', () => {
  test('of one turn of the event loop are sent as one batch, in order', async () => {
    const delivered: string[][] = [];
    const outbox = new Outbox<string>((messages) => delivered.push(messages));
    outbox.add('a');
    await Promise.resolve();
    outbox.add('b');
    expect(delivered).toEqual([]);
    await nextTurn();
    expect(delivered).toEqual([['a', 'b']]);
    outbox.add('c');
    await nextTurn();
    expect(delivered).toEqual([['a', 'b'], ['c']]);
  });

  test('are sent before the next model run blocks the event loop', async () => {
    const order: string[] = [];
    const outbox = new Outbox<string>((messages) => order.push(...messages));
    outbox.add('sent');
    setImmediate(() => order.push('run')); // ONNX Runtime starts a run the same way
    await nextTurn();
    expect(order).toEqual(['sent', 'run']);
  });
});
