import { expect, test } from 'vitest';
import { Semaphore } from '../../src/ingest/semaphore.ts';

test('Slots limit how many tasks run at a time, and start the others in order, even after one failed', async () => {
  const slots = new Semaphore(2);
  const begun: number[] = [];
  const ends: ((fails: boolean) => void)[] = [];
  const all = [0, 1, 2, 3].map((i) =>
    slots.run(async () => {
      begun.push(i);
      await new Promise<void>((resolve, reject) => {
        ends[i] = (fails) => {
          if (fails) reject(new Error(`${i}`));
          else resolve();
        };
      });
      return i;
    }),
  );
  const settled = Promise.allSettled(all);
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  ends[1]?.(true);
  await expect(all[1]).rejects.toThrow('1');
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.(false);
  await all[0];
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const i of [2, 3]) ends[i]?.(false);
  expect((await settled).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
});
