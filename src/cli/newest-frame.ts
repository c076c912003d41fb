/**
 * The age of a stream's newest frame: no answer about "now" is younger, and when a camera is away the answer does not
 * say so.
 */
import { z } from 'zod';
import { getWithTime } from './http-client.ts';

/** From this age on it is reported, ms. */
const OLD_MS = 10_000;
/** The answer is already printed, so the service may take no longer than this to state the age, ms. */
const TIMEOUT_MS = 2_000;

export interface OldFrame {
  readonly stream: string;
  readonly ageMs: number;
}

const newest = z
  .object({ fps: z.number(), last_time: z.string().nullable(), recorded_at: z.string().nullish() })
  .loose();

/**
 * Age at `atMs`, by the same clock; null without a frame. A frame that was read faster than it plays lies in the future
 * and has age 0.
 */
export function ageOf(lastTime: string | null, atMs: number): number | null {
  return lastTime === null ? null : Math.max(0, atMs - Date.parse(lastTime));
}

/**
 * The streams whose newest frame is old, except recordings. A stream with a low frame rate counts only once two frames
 * are overdue.
 */
export async function oldFrames(server: string, streams: readonly string[]): Promise<OldFrame[]> {
  const ages = await Promise.all(streams.map((stream) => oldFrame(server, stream).catch(() => null)));
  return ages.filter((age) => age !== null);
}

async function oldFrame(server: string, stream: string): Promise<OldFrame | null> {
  const path = `/v1/streams/${encodeURIComponent(stream)}`;
  const { answer, atMs } = await getWithTime(server, path, AbortSignal.timeout(TIMEOUT_MS));
  const { fps, last_time: lastTime, recorded_at: recordedAt = null } = newest.parse(answer);
  const ageMs = recordedAt === null ? ageOf(lastTime, atMs) : null;
  return ageMs !== null && ageMs > Math.max(OLD_MS, 2_000 / fps) ? { stream, ageMs } : null;
}
