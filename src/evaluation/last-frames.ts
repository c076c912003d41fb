/** Controls: the same weights with only the last frames in the cache, like a model that keeps no memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { Thumbnail } from '../live/types.ts';
import { orAborted } from './abort.ts';
import { withWholeStream } from './whole-stream.ts';
import type { EvaluationQuestion } from './questions.ts';

/** Sampled frames in the cache. */
export const LAST_FRAME_COUNT = 4;
const RETRY_DELAY_MS = 20;

/** Where frames are replayed: the name of the stream, and the signal that ends the replay. */
export interface Replay {
  readonly live: Pick<Streams, 'create' | 'delete'>;
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * For each moment at which `questions` are asked, passes `ask` a stream of the last frames, at their own times. The
 * frames are the kept JPEGs of what the model saw, so each loses a little quality. Throws what `withWholeStream`
 * throws.
 */
export async function withLastFrames<T>(
  replay: Replay,
  stream: SourceStream,
  questions: readonly EvaluationQuestion[],
  ask: (short: SourceStream, questions: readonly EvaluationQuestion[]) => Promise<T[]>,
): Promise<T[]> {
  const moments = new Map<number, EvaluationQuestion[]>();
  for (const question of questions) {
    const asOfMs = Math.min(question.asOfMs, stream.status().lastMs ?? 0);
    const { timeMs } = await stream.thumbnail(asOfMs);
    moments.set(timeMs, [...(moments.get(timeMs) ?? []), question]);
  }
  const all: T[] = [];
  for (const [lastMs, asked] of moments) {
    const frames = await framesUpTo(stream, lastMs, { most: LAST_FRAME_COUNT });
    all.push(...(await withReplayedFrames(replay, frames, (short) => ask(short, asked))));
  }
  return all;
}

/** The same with all frames from `fromMs` on, and at least the newest: everything earlier is forgotten. */
export async function withFramesFrom<T>(
  replay: Replay,
  stream: SourceStream,
  fromMs: number,
  ask: (short: SourceStream) => Promise<T>,
): Promise<T> {
  return withReplayedFrames(replay, await framesUpTo(stream, stream.status().lastMs ?? 0, { fromMs }), ask);
}

/** Passes `ask` a stream that shows only these frames. */
function withReplayedFrames<T>(
  { live, name, signal }: Replay,
  frames: readonly Thumbnail[],
  ask: (short: SourceStream) => Promise<T>,
): Promise<T> {
  const [first] = frames;
  const expected = { frames: frames.length, ...(first === undefined ? {} : { firstMs: first.timeMs }) };
  const fill = async (short: SourceStream): Promise<void> => {
    for (const { jpeg, timeMs } of frames) await pushWithRetry(short, jpeg, timeMs, signal);
    await orAborted(allProcessed(short, frames.length), signal);
  };
  return withWholeStream(live, { name, source: { push: true } }, expected, fill, ask);
}

/**
 * Waits and tries again while a picture comes too early for the engine. Throws `internal` if it is refused for good.
 */
async function pushWithRetry(stream: SourceStream, jpeg: Buffer, timeMs: number, signal?: AbortSignal): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const outcome = await stream.push(jpeg, timeMs);
    if (outcome.accepted) return;
    if (outcome.reason !== 'late') {
      const detail = `The frame at ${timeMs} ms was not taken again: ${outcome.reason}.`;
      throw new YocoError('internal', { detail, cause: new Error(detail) });
    }
    await sleep(RETRY_DELAY_MS);
  }
}

/** Frames up to `lastMs`, oldest first: the last `most` from `fromMs` on, and the newest in any case. */
async function framesUpTo(
  stream: SourceStream,
  lastMs: number,
  { fromMs = 0, most = Infinity }: { readonly fromMs?: number; readonly most?: number },
): Promise<Thumbnail[]> {
  let frame = await stream.thumbnail(lastMs);
  const frames = [frame];
  const firstMs = Math.max(fromMs, stream.status().firstMs ?? 0);
  while (frames.length < most && frame.timeMs - 1 >= firstMs) {
    frame = await stream.thumbnail(frame.timeMs - 1);
    if (frame.timeMs < firstMs) break;
    frames.unshift(frame);
  }
  return frames;
}

/** Resolves once every frame has come back from the engine, taken in or lost. */
function allProcessed(stream: SourceStream, frames: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      const { frames: kept, lateFrames } = stream.status();
      if (kept + lateFrames < frames) return;
      forget();
      resolve();
    };
    const forget = stream.onChange(look);
    look();
  });
}
