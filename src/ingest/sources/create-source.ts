/** Creates the source that a definition describes. */
import { YocoError } from '../../errors.ts';
import { parseWallTime } from '../../rfc3339.ts';
import type { StreamDefinition } from '../definition.ts';
import { ffmpegInput } from '../ffmpeg-input.ts';
import type { FrameSource } from '../frame.ts';
import { FfmpegSource, type SourceOptions } from './ffmpeg-source.ts';
import { PushSource } from './push-source.ts';

/**
 * The source starts when its frames are read. Whether it may be opened is not checked here: see `checkSource`. Throws
 * `definition_invalid` when credentials are missing, `source_invalid` for a device on a system without Video4Linux.
 */
export function createSource(definition: StreamDefinition, options: SourceOptions): FrameSource {
  const { source, sampling } = definition;
  if ('push' in source) return new PushSource(options, sampling);
  if ('device' in source && process.platform !== 'linux') {
    throw new YocoError('source_invalid', { detail: 'Devices can be read on Linux only.' });
  }
  const input = ffmpegInput(source);
  const recordedAtMs = 'file' in source ? parseWallTime(source.recorded_at ?? '') : null;
  return new FfmpegSource(
    {
      input,
      fps: sampling.fps,
      regions: sampling,
      live: input.kind === 'http' ? 'unknown' : input.kind !== 'file',
      declaredLive: 'url' in source && source.live === true,
      presumedHls: input.kind === 'http' && /\.m3u8$/i.test(new URL(input.address).pathname),
      loop: 'file' in source && source.loop,
      paced: 'file' in source && source.pace === 'realtime',
      ...(recordedAtMs === null ? {} : { recordedAtMs }),
    },
    options,
  );
}
