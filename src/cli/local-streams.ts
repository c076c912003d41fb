/** Streams of this process alone, for commands that need no server. */
import { engineConfig, readConfig } from '../config.ts';
import { YocoError } from '../errors.ts';
import { type LiveServiceOptions, Streams } from '../live/live-service.ts';

/**
 * A command that a person waits for must not reconnect for ever: after this many failures in a row the source has
 * failed.
 */
const MAX_ATTEMPTS = 3;

interface LocalOptions extends Partial<Pick<LiveServiceOptions, 'thumbnailLimitBytes' | 'onWarning'>> {
  /** Whether snapshots are kept, in the folder that the settings name. */
  readonly keep?: boolean;
}

/**
 * `bundle`: the flag, if given. `options`: those that not every command shares. Warnings go to stderr by default.
 * Throws what `readConfig` and `Streams.start` throw, and `snapshots_off` when `keep` has no folder.
 */
export async function startLocalStreams(
  bundle: string | undefined,
  { keep = false, ...options }: LocalOptions = {},
): Promise<Streams> {
  const config = await readConfig({ bundle });
  if (keep && config.snapshots === undefined) throw new YocoError('snapshots_off');
  return Streams.start({
    onWarning: (message) => void process.stderr.write(`${message}\n`),
    ...options,
    ...(keep && config.snapshots !== undefined ? { snapshots: config.snapshots } : {}),
    ...(config.time_zone === undefined ? {} : { timeZone: config.time_zone }),
    engine: engineConfig(config),
    maxAttempts: MAX_ATTEMPTS,
  });
}
