import { describe, expect, test } from 'vitest';
import { type ExpectedFrames, describeMissing, withWholeStream } from '../../src/evaluation/whole-stream.ts';
import type { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';
import type { StreamStatus } from '../../src/live/types.ts';

const status = (more: object = {}): StreamStatus =>
  ({
    ...{ frames: 60, lateFrames: 0, droppedFrames: 0, firstMs: 0, sourceStatus: { frames: 60 } },
    ...more,
  }) as unknown as StreamStatus;
const EXPECTED: ExpectedFrames = { frames: 60, firstMs: 0 };

describe('A played stream', () => {
  test('is complete when every frame from the first on arrived', () => {
    expect(describeMissing(status(), EXPECTED)).toBeNull();
    expect(describeMissing(status({ firstMs: 120 }), {})).toBeNull();
  });

  test.each<[string, object, ExpectedFrames]>([
    ['a frame that was lost', { frames: 59, lateFrames: 1 }, EXPECTED],
    ['a frame that never came', { frames: 59 }, EXPECTED],
    ['a frame too many', { frames: 61 }, EXPECTED],
    ['frames that memory had no room for', { droppedFrames: 4 }, EXPECTED],
    ['what an engine held that was started again', { firstMs: 12_000 }, EXPECTED],
    ['a frame that its source handed on', { frames: 59 }, {}],
  ])('is incomplete because of %s', (_, changed, expected) => {
    expect(describeMissing(status(changed), expected)).toEqual(expect.any(String));
  });
});

describe('An incomplete stream', () => {
  /** A service whose successive streams take in these numbers of frames. */
  function playing(...frames: number[]) {
    const log: string[] = [];
    const live = {
      create: () => {
        const taken = frames.shift();
        log.push(`create ${taken ?? 'none'}`);
        return Promise.resolve({ status: () => status({ frames: taken }) } as unknown as SourceStream);
      },
      delete: (name: string) => Promise.resolve(void log.push(`delete ${name}`)),
    } as unknown as Pick<Streams, 'create' | 'delete'>;
    const play = (then: () => Promise<unknown> = () => Promise.resolve()) =>
      withWholeStream(live, { name: 'x', source: {} }, EXPECTED, () => Promise.resolve(), then);
    return { log, play };
  }

  test('is played again, and asked only once it is complete', async () => {
    const { log, play } = playing(58, 60);
    await play(() => Promise.resolve(log.push('ask')));
    expect(log).toEqual(['create 58', 'delete x', 'create 60', 'ask', 'delete x']);
  });

  test('ends the evaluation with what is missing after three attempts', async () => {
    const { log, play } = playing(58, 57, 59);
    await expect(play()).rejects.toMatchObject({
      code: 'internal',
      detail: expect.stringContaining('59 frames were taken in and 0 lost, of 60') as string,
    });
    expect(log).toHaveLength(6);
  });

  test('is not played again when asking fails', async () => {
    const { log, play } = playing(60, 60);
    await expect(play(() => Promise.reject(new Error('no answer')))).rejects.toThrow('no answer');
    expect(log).toEqual(['create 60', 'delete x']);
  });
});
