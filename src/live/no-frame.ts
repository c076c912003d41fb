/** What is told of a stream that holds no frame: none has come yet, or none comes any more. */
import { type ErrorDetails, YocoError } from '../errors.ts';
import type { SourceStatus } from '../ingest/frame.ts';
import type { StreamStatus } from './types.ts';

/** Whether no more frames come from a source. */
export function isOver({ state }: SourceStatus): boolean {
  return state === 'ended' || state === 'failed';
}

/** `stream_empty`, or `stream_ended` where trying again cannot help. */
export function noFrame(
  { frames, lateFrames, lastMs, sourceStatus }: Pick<StreamStatus, 'frames' | 'lateFrames' | 'lastMs' | 'sourceStatus'>,
  details: Pick<ErrorDetails, 'param' | 'detail'> = {},
): YocoError {
  if (lastMs !== null || !isOver(sourceStatus)) return new YocoError('stream_empty', details);
  const had = frames + lateFrames > 0;
  const why = had ? 'What it held was lost when the engine restarted.' : 'Its source gave no frame.';
  return new YocoError('stream_ended', {
    ...details,
    detail: details.detail === undefined ? why : `${details.detail} ${why}`,
  });
}
