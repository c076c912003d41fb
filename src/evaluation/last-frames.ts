/** A control: the same weights with only the last few frames before the question, as of a model that keeps no memory. */
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { Thumbnail } from '../live/types.ts';
import type { EvaluationQuestion } from './questions.ts';

/** Sampled frames that the cache holds. */
export const FRAMES_KEPT = 4;

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
    const frames = await framesUpTo(stream, lastMs);
    const short = await live.create({ name, source: { push: true } }, 'operator');
    try {
      for (const { jpeg, timeMs } of frames) await short.push(jpeg, timeMs);
      await taken(short, frames.length);
      all.push(...(await ask(short, asked)));
    } finally {
      await live.delete(name);
    }
  }
  return all;
}

/** Oldest first. */
async function framesUpTo(stream: SourceStream, lastMs: number): Promise<Thumbnail[]> {
  const frames: Thumbnail[] = [];
  const firstMs = stream.status().firstMs ?? 0;
  for (let timeMs = lastMs; frames.length < FRAMES_KEPT && timeMs >= firstMs;) {
    const frame = await stream.thumbnail(timeMs);
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
