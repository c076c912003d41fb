/** Controls: the same weights with only the last frames in the cache, as of a model that keeps no memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { Thumbnail } from '../live/types.ts';
import type { EvaluationQuestion } from './questions.ts';

/** Sampled frames that the cache holds. */
export const FRAMES_KEPT = 4;
const WAIT_MS = 20;

/**
 * Hands `ask` a stream of the last frames, at their own times, for each moment at which `questions` are asked. The frames are
 * the kept JPEGs of what the model saw, so a little is lost of each.
 */
export async function withLastFrames<T>(
  live: Streams,
  stream: SourceStream,
  name: string,
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
    const frames = await framesUpTo(stream, lastMs, { most: FRAMES_KEPT });
    all.push(...(await replayed(live, name, frames, (short) => ask(short, asked))));
  }
  return all;
}

/** The same, of all frames from `fromMs` on: what came before is forgotten. */
export async function withFramesFrom<T>(
  live: Streams,
  stream: SourceStream,
  name: string,
  fromMs: number,
  ask: (short: SourceStream) => Promise<T>,
): Promise<T> {
  return replayed(live, name, await framesUpTo(stream, stream.status().lastMs ?? 0, { fromMs }), ask);
}

/** Hands `ask` a stream that shows these frames alone. */
async function replayed<T>(
  live: Streams,
  name: string,
  frames: readonly Thumbnail[],
  ask: (short: SourceStream) => Promise<T>,
): Promise<T> {
  const short = await live.create({ name, source: { push: true } }, 'operator');
  try {
    for (const { jpeg, timeMs } of frames) await pushed(short, jpeg, timeMs);
    await taken(short, frames.length);
    return await ask(short);
  } finally {
    await live.delete(name);
  }
}

/** A picture that comes too early for the engine waits. */
async function pushed(stream: SourceStream, jpeg: Buffer, timeMs: number): Promise<void> {
  for (;;) {
    const outcome = await stream.push(jpeg, timeMs);
    if (outcome.accepted || outcome.reason !== 'late') return;
    await sleep(WAIT_MS);
  }
}

/** Oldest first: from `fromMs` on, and the last `most` of them. */
async function framesUpTo(
  stream: SourceStream,
  lastMs: number,
  { fromMs = 0, most = Infinity }: { readonly fromMs?: number; readonly most?: number },
): Promise<Thumbnail[]> {
  const frames: Thumbnail[] = [];
  const firstMs = Math.max(fromMs, stream.status().firstMs ?? 0);
  for (let timeMs = lastMs; frames.length < most && timeMs >= firstMs;) {
    const frame = await stream.thumbnail(timeMs);
    if (frame.timeMs < firstMs) break;
    frames.unshift(frame);
    timeMs = frame.timeMs - 1;
  }
  return frames;
}

/** Resolves when every frame has come back from the engine. */
function taken(stream: SourceStream, frames: number): Promise<void> {
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
