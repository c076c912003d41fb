/** Errors for a stream without frames: none has come yet, or none will come any more. */
import { type ErrorDetails, YocoError } from '../errors.ts';
import type { SourceStatus } from '../ingest/frame.ts';
import type { StreamStatus } from './types.ts';

/** Whether a source will deliver no more frames. */
export function hasEnded({ state }: SourceStatus): boolean {
  return state === 'ended' || state === 'failed';
}

/** `stream_empty`, or `stream_ended` if retrying cannot help. Both say what is wrong with the source. */
export function noFrameError(
  { frames, lateFrames, lastMs, sourceStatus }: Pick<StreamStatus, 'frames' | 'lateFrames' | 'lastMs' | 'sourceStatus'>,
  { param, detail }: Pick<ErrorDetails, 'param' | 'detail'> = {},
): YocoError {
  const said = detail === undefined ? [] : [detail];
  const over = lastMs === null && hasEnded(sourceStatus);
  if (over) {
    const had = frames + lateFrames > 0;
    said.push(had ? 'What it held was lost when the engine restarted.' : 'Its source gave no frame.');
  }
  const { state, error } = sourceStatus;
  // A source that is playing again still holds the error of its last absence.
  if (lastMs === null && state !== 'playing' && error !== null) said.push(error.message);
  return new YocoError(over ? 'stream_ended' : 'stream_empty', {
    ...(param === undefined ? {} : { param }),
    ...(said.length === 0 ? {} : { detail: said.join(' ') }),
  });
}
