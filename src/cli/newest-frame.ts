/**
 * How old the newest frame of a stream is: no answer about "now" is younger, and a camera that is away says nothing of
 * it.
 */
import { z } from 'zod';
import { lookAt } from './http-client.ts';

/** From this age on it is told, ms. */
const OLD_MS = 10_000;
/** The answer is there already: no more than this, ms, is waited for the service to say how old it is. */
const WAIT_MS = 2_000;

export interface OldFrame {
  readonly stream: string;
  readonly ageMs: number;
}

const newest = z
  .object({ fps: z.number(), last_time: z.string().nullable(), recorded_at: z.string().nullish() })
  .loose();

/**
 * By the clock that said `atMs`; null without a frame. What was read faster than it plays is of the future, and of age
 * 0.
 */
export function ageOf(lastTime: string | null, atMs: number): number | null {
  return lastTime === null ? null : Math.max(0, atMs - Date.parse(lastTime));
}

/**
 * Those of the streams whose newest frame is old, where that is no recording's; of a stream that is seldom looked at
 * only where two frames have not come.
 */
export async function oldFrames(server: string, streams: readonly string[]): Promise<OldFrame[]> {
  const ages = await Promise.all(streams.map((stream) => oldFrame(server, stream).catch(() => null)));
  return ages.filter((age) => age !== null);
}

async function oldFrame(server: string, stream: string): Promise<OldFrame | null> {
  const path = `/v1/streams/${encodeURIComponent(stream)}`;
  const { answer, atMs } = await lookAt(server, path, AbortSignal.timeout(WAIT_MS));
  const { fps, last_time: lastTime, recorded_at: recordedAt = null } = newest.parse(answer);
  const ageMs = recordedAt === null ? ageOf(lastTime, atMs) : null;
  return ageMs !== null && ageMs > Math.max(OLD_MS, 2_000 / fps) ? { stream, ageMs } : null;
}
