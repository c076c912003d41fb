/** Worker processes of the benches. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { WorkerTask } from '../../bench/transformer-worker.ts';
import { forkLean } from '../../src/engine/child.ts';

test('A worker whose parent is gone exits, however much it still has to measure', async () => {
  const file = fileURLToPath(new URL('../../bench/transformer-worker.ts', import.meta.url));
  const worker = forkLean(file, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const ended = once(worker, 'exit');
  const lengths = Array.from({ length: 5_000 }, (_, i) => 10 * (i + 1));
  worker.send({ model: 'yoco', lengths, seconds: 0.1 } satisfies WorkerTask);
  // It has begun to measure.
  await once(worker.stderr ?? worker, 'data');
  worker.disconnect();
  const [status] = (await ended) as [number | null];
  expect(status).toBe(1);
}, 120_000);
