import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Model } from '../../src/model/model.ts';
import { loadTiny, picture } from '../support/tiny.ts';

let model: Model;
beforeAll(async () => {
  model = await loadTiny();
});
afterAll(() => model.release());

test('A frame that its cache rejects does not affect those of other streams', async () => {
  const { intake, vision } = model;
  const tokens = await vision.encode(picture(1));
  const [first, second, third] = [1, 2, 3].map(() => intake.open(model.newCache(2 ** 24)));
  if (first === undefined || second === undefined || third === undefined) throw new Error('no streams');
  expect(await intake.append([{ stream: second, tokens, timeMs: 1_000 }])).toEqual([null]);
  const timeMs = 500;
  const taken = await intake.append([first, second, third].map((stream) => ({ stream, tokens, timeMs })));
  expect(taken).toEqual([null, { cause: expect.any(RangeError) as RangeError }, null]);
  expect([first, second, third].map(({ cache }) => cache.times.slice())).toEqual([[500], [1_000], [500]]);
});
