/** Whether a stream holds everything that was played into it: an answer about less says nothing about the model. */
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { StreamStatus } from '../live/types.ts';

/** How often a stream is played before it is given up. */
const MAX_ATTEMPTS = 3;

export interface ExpectedFrames {
  /** Number of frames; default: as many as the source delivered. */
  readonly frames?: number;
  /** Time of the first frame, ms; default: any. */
  readonly firstMs?: number;
}

/**
 * Creates a stream of `definition`, lets `fill` play it to its end, passes it to `use`, and deletes it. An incomplete
 * stream (frames lost, or all of them when the engine restarted) is played again. Throws `internal`, naming what is
 * missing, if it is incomplete in every attempt.
 */
export async function withWholeStream<T>(
  live: Pick<Streams, 'create' | 'delete'>,
  definition: { readonly name: string; readonly source: object; readonly sampling?: object },
  expected: ExpectedFrames,
  fill: (stream: SourceStream) => Promise<void>,
  use: (stream: SourceStream) => Promise<T>,
): Promise<T> {
  let missing: string | null = null;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const stream = await live.create(definition, 'operator');
    try {
      await fill(stream);
      missing = describeMissing(stream.status(), expected);
      if (missing === null) return await use(stream);
    } finally {
      await live.delete(definition.name);
    }
  }
  const detail = `The stream ${definition.name} did not come whole in ${MAX_ATTEMPTS} attempts: ${missing ?? ''}.`;
  throw new YocoError('internal', { detail, cause: new Error(detail) });
}

/** A description; null when nothing is missing. */
export function describeMissing(status: StreamStatus, expected: ExpectedFrames): string | null {
  const { frames, lateFrames, droppedFrames, firstMs, sourceStatus } = status;
  const wanted = expected.frames ?? sourceStatus.frames;
  if (frames !== wanted || lateFrames > 0) {
    return `${frames} frames were taken in and ${lateFrames} lost, of ${wanted}`;
  }
  if (frames > 0 && firstMs === null) return 'all frames were lost with the engine';
  if (droppedFrames > 0) return `${droppedFrames} frames were dropped for want of memory`;
  if (expected.firstMs !== undefined && frames > 0 && firstMs !== expected.firstMs) {
    return `it begins at ${firstMs ?? 'no'} ms instead of ${expected.firstMs}: the engine was started again`;
  }
  return null;
}
