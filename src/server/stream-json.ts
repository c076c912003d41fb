/** A stream's status as clients read it. */
import type { StreamStatus } from '../live/types.ts';
import { seconds, wallTime } from './times.ts';
import type { StreamJson } from './wire-types.ts';

/** Times in seconds since the stream began, wall times in RFC 3339, sizes in bytes. */
export function streamJson(status: StreamStatus): StreamJson {
  const { firstMs, lastMs, pictureChangedMs, startedAtMs, wallTimes, sourceStatus } = status;
  return {
    object: 'yoco.stream',
    name: status.name,
    description: status.description,
    source: status.source,
    state: sourceStatus.state,
    error: sourceStatus.error,
    fps: status.fps,
    frames: status.frames,
    dropped_frames: sourceStatus.dropped,
    late_frames: status.lateFrames,
    reconnects: sourceStatus.reconnects,
    first: firstMs === null ? null : seconds(firstMs),
    last: lastMs === null ? null : seconds(lastMs),
    first_time: firstMs === null ? null : wallTime(firstMs, startedAtMs),
    last_time: lastMs === null ? null : wallTime(lastMs, startedAtMs),
    last_change: pictureChangedMs === null ? null : seconds(pictureChangedMs),
    last_change_time: pictureChangedMs === null ? null : wallTime(pictureChangedMs, startedAtMs),
    started_at: wallTime(0, startedAtMs),
    recorded_at: wallTimes === 'recorded' ? wallTime(0, startedAtMs) : null,
    cache: {
      tokens: status.cacheTokens,
      bytes: status.cacheBytes,
      limit_bytes: status.memoryLimitBytes,
      int8_frames: status.int8Frames,
      merged_frames: status.mergedFrames,
      thinned_frames: status.thinnedFrames,
      dropped_frames: status.droppedFrames,
    },
  };
}
