import { describe, expect, test } from 'vitest';
import { withFramesFrom, withLastFrames } from '../../src/evaluation/last-frames.ts';
import type { EvaluationQuestion } from '../../src/evaluation/questions.ts';
import type { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';
import type { PushOutcome } from '../../src/live/types.ts';

/** A played stream: two frames a second from 0 on. The JPEG of a frame is its time as text. */
function played(frames: number): SourceStream {
  const at = (timeMs: number) => ({ timeMs: Math.floor(timeMs / 500) * 500, jpeg: Buffer.from(String(timeMs)) });
  return {
    status: () => ({ firstMs: 0, lastMs: (frames - 1) * 500 }),
    thumbnail: (timeMs: number) => Promise.resolve(at(timeMs)),
  } as unknown as SourceStream;
}

/** What becomes of a pushed picture. `lost`: it is accepted, but never enters the cache. */
type Fate = 'taken' | 'lost' | 'late' | 'out_of_order';

/** A service for push streams that records the times of the pictures each one took. */
class Pushed {
  readonly times: number[][] = [];
  open = 0;
  readonly #fateOf: (push: number) => Fate;
  #pushes = 0;

  constructor(fateOf: (push: number) => Fate = () => 'taken') {
    this.#fateOf = fateOf;
  }

  get live(): Pick<Streams, 'create' | 'delete'> {
    return this;
  }

  create(): Promise<SourceStream> {
    const times: number[] = [];
    let lateFrames = 0;
    this.times.push(times);
    this.open++;
    const push = (_jpeg: Buffer, timeMs: number): Promise<PushOutcome> => {
      const fate = this.#fateOf(this.#pushes++);
      if (fate === 'late' || fate === 'out_of_order') return Promise.resolve({ accepted: false, reason: fate });
      if (fate === 'lost') lateFrames++;
      else times.push(timeMs);
      return Promise.resolve({ accepted: true, timeMs });
    };
    return Promise.resolve({
      push,
      status: () => ({ frames: times.length, lateFrames, droppedFrames: 0, firstMs: times[0] ?? null }),
      onChange: () => () => undefined,
    } as unknown as SourceStream);
  }

  delete(): Promise<void> {
    this.open--;
    return Promise.resolve();
  }
}

const question = (asOfMs: number) => ({ asOfMs }) as EvaluationQuestion;

async function timesFor(frames: number, questions: readonly EvaluationQuestion[], pushed = new Pushed()) {
  const { live } = pushed;
  const asked = await withLastFrames({ live, name: 'x' }, played(frames), questions, (_short, mine) =>
    Promise.resolve([...mine]),
  );
  expect([...asked].sort((a, b) => a.asOfMs - b.asOfMs)).toEqual(questions);
  expect(pushed.open).toBe(0);
  return pushed.times;
}

describe('With only the last frames in the cache', () => {
  test('a question sees the four frames before its moment, at their own times', async () => {
    expect(await timesFor(60, [question(10_400)])).toEqual([[8500, 9000, 9500, 10_000]]);
  });

  test('an early question sees the frames there are', async () => {
    expect(await timesFor(60, [question(600)])).toEqual([[0, 500]]);
  });

  test('questions at the same frame share a stream, including those past the end', async () => {
    const times = await timesFor(20, [question(3000), question(9700), question(9800), question(60_000)]);
    expect(times).toEqual([
      [1500, 2000, 2500, 3000],
      [8000, 8500, 9000, 9500],
    ]);
  });

  test('a frame rejected as late is pushed again', async () => {
    const late = new Pushed((push) => (push === 1 || push === 2 ? 'late' : 'taken'));
    expect(await timesFor(60, [question(10_400)], late)).toEqual([[8500, 9000, 9500, 10_000]]);
  });

  test('a frame that the engine lost causes the whole stream to be pushed again', async () => {
    const lost = new Pushed((push) => (push === 2 ? 'lost' : 'taken'));
    expect(await timesFor(60, [question(10_400)], lost)).toEqual([
      [8500, 9000, 10_000],
      [8500, 9000, 9500, 10_000],
    ]);
  });

  test('nothing is asked when frames are lost on every attempt', async () => {
    const lost = new Pushed(() => 'lost');
    await expect(timesFor(60, [question(10_400)], lost)).rejects.toMatchObject({
      code: 'internal',
      detail: 'The stream x did not come whole in 3 attempts: 0 frames were taken in and 4 lost, of 4.',
    });
    expect([lost.times.length, lost.open]).toEqual([3, 0]);
  });

  test('a frame rejected for good fails the control, and leaves no stream', async () => {
    const refused = new Pushed((push) => (push === 1 ? 'out_of_order' : 'taken'));
    await expect(timesFor(60, [question(10_400)], refused)).rejects.toMatchObject({
      code: 'internal',
      detail: 'The frame at 9000 ms was not taken again: out_of_order.',
    });
    expect(refused.open).toBe(0);
  });

  test('an abort does not wait for an engine that takes no frame', async () => {
    const never = new Pushed(() => 'late');
    const signal = AbortSignal.timeout(50);
    const replay = { live: never.live, name: 'x', signal };
    const asked = withLastFrames(replay, played(60), [question(10_400)], () => Promise.resolve([]));
    await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(never.open).toBe(0);
  });
});

describe('With the cache emptied up to a moment', () => {
  const emptied = async (fromMs: number): Promise<number[][]> => {
    const pushed = new Pushed();
    const asked = await withFramesFrom({ live: pushed.live, name: 'x' }, played(10), fromMs, (short) =>
      Promise.resolve(short.status().frames),
    );
    expect(asked).toBe(pushed.times[0]?.length);
    expect(pushed.open).toBe(0);
    return pushed.times;
  };

  test('it holds exactly the frames from that moment on, at their own times', async () => {
    expect(await emptied(3_000)).toEqual([[3000, 3500, 4000, 4500]]);
    expect(await emptied(3_100)).toEqual([[3500, 4000, 4500]]);
  });

  test('a moment before the first frame empties nothing', async () => {
    expect((await emptied(0))[0]).toHaveLength(10);
  });
});

test('A cache emptied up to a moment after the newest frame still holds that frame', async () => {
  const pushed = new Pushed();
  const replay = { live: pushed.live, name: 'x' };
  for (const fromMs of [2_000, 2_400, 60_000]) await withFramesFrom(replay, played(5), fromMs, () => Promise.resolve());
  expect(pushed.times).toEqual([[2_000], [2_000], [2_000]]);
});
