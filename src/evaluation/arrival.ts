/** Whether a stream holds all that was played into it: an answer about less says nothing of the model. */
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { StreamStatus } from '../live/types.ts';

/** How often a stream is played until it is given up. */
const ATTEMPTS = 3;

export interface Expected {
  /** How many frames; default: those that its source handed on. */
  readonly frames?: number;
  /** When the first one is, ms; default: it may be at any time. */
  readonly firstMs?: number;
}

/**
 * Opens a stream of `definition`, lets `fill` play it to its end, and hands it to `then`; it is deleted afterwards.
 * What has not come whole (frames lost, or all of them with an engine that was started again) is played anew. Throws
 * `internal`, which says what is missing, where it does not come whole in several attempts.
 */
export async function withWholeStream<T>(
  live: Pick<Streams, 'create' | 'delete'>,
  definition: { readonly name: string; readonly source: object; readonly sampling?: object },
  expected: Expected,
  fill: (stream: SourceStream) => Promise<void>,
  then: (stream: SourceStream) => Promise<T>,
): Promise<T> {
  let missing: string | null = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stream = await live.create(definition, 'operator');
    try {
      await fill(stream);
      missing = whatIsMissing(stream.status(), expected);
      if (missing === null) return await then(stream);
    } finally {
      await live.delete(definition.name);
    }
  }
  const detail = `The stream ${definition.name} did not come whole in ${ATTEMPTS} attempts: ${missing ?? ''}.`;
  throw new YocoError('internal', { detail, cause: new Error(detail) });
}

/** In words; null where all is there. */
export function whatIsMissing(status: StreamStatus, expected: Expected): string | null {
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
