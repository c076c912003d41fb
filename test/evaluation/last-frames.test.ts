import { describe, expect, test } from 'vitest';
import { withLastFrames } from '../../src/evaluation/last-frames.ts';
import type { EvaluationQuestion } from '../../src/evaluation/questions.ts';
import type { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';

/** A stream that was played: two frames a second from 0 on, each frame's JPEG being its time. */
function played(frames: number): SourceStream {
  const at = (timeMs: number) => ({ timeMs: Math.floor(timeMs / 500) * 500, jpeg: Buffer.from(String(timeMs)) });
  return {
    status: () => ({ firstMs: 0, lastMs: (frames - 1) * 500 }),
    thumbnail: (timeMs: number) => Promise.resolve(at(timeMs)),
  } as unknown as SourceStream;
}

/** Takes streams that are pushed to, and keeps the times of their pictures. */
class Pushed {
  readonly times: number[][] = [];
  open = 0;

  create(): Promise<SourceStream> {
    const times: number[] = [];
    this.times.push(times);
    this.open++;
    return Promise.resolve({
      push: (_jpeg: Buffer, timeMs: number) => Promise.resolve(times.push(timeMs)),
      status: () => ({ frames: times.length, lateFrames: 0 }),
      onChange: () => () => undefined,
    } as unknown as SourceStream);
  }

  delete(): Promise<void> {
    this.open--;
    return Promise.resolve();
  }
}

const question = (asOfMs: number) => ({ asOfMs }) as EvaluationQuestion;

async function timesFor(frames: number, questions: readonly EvaluationQuestion[]): Promise<Pushed> {
  const live = new Pushed();
  const asked = await withLastFrames(live as unknown as Streams, played(frames), 'x', questions, (_short, mine) =>
    Promise.resolve([...mine]),
  );
  expect([...asked].sort((a, b) => a.asOfMs - b.asOfMs)).toEqual(questions);
  expect(live.open).toBe(0);
  return live;
}

describe('With only the last frames', () => {
  test('a question sees the four before its moment, at their own times', async () => {
    expect((await timesFor(60, [question(10_400)])).times).toEqual([[8500, 9000, 9500, 10_000]]);
  });

  test('a question early in the video sees as many as there are', async () => {
    expect((await timesFor(60, [question(600)])).times).toEqual([[0, 500]]);
  });

  test('questions of one moment share a stream, also those past the end', async () => {
    const { times } = await timesFor(20, [question(3000), question(9700), question(9800), question(60_000)]);
    expect(times).toEqual([
      [1500, 2000, 2500, 3000],
      [8000, 8500, 9000, 9500],
    ]);
  });
});
