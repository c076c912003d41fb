import { describe, expect, test } from 'vitest';
import { nextTurn } from '../../src/engine/next-turn.ts';
import { Outbox } from '../../src/engine/outbox.ts';

describe('Messages to another process', () => {
  test('go as one where they are sent in one turn of the event loop, and in their order', async () => {
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

  test('go before the next run of a model, which holds up the event loop', async () => {
    const order: string[] = [];
    const outbox = new Outbox<string>((messages) => order.push(...messages));
    outbox.add('sent');
    setImmediate(() => order.push('run')); // as ONNX Runtime begins one
    await nextTurn();
    expect(order).toEqual(['sent', 'run']);
  });
});
