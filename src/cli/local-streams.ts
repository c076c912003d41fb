/** Streams of this process alone, for commands that need no server. */
import { engineConfig, readConfig } from '../config.ts';
import { type LiveServiceOptions, Streams } from '../live/live-service.ts';

/** A command that a person waits for must not connect for ever: a source that refuses this often in a row has failed. */
const MAX_ATTEMPTS = 3;

/**
 * `bundle`: the flag, if it was given; `options`: other than those of any command. Warnings go to stderr by default. Throws what
 * `readConfig` and `Streams.start` throw.
 */
export async function startLocalStreams(
  bundle: string | undefined,
  options: Partial<Pick<LiveServiceOptions, 'thumbnailLimitBytes' | 'onWarning'>> = {},
): Promise<Streams> {
  const config = await readConfig({ bundle });
  return Streams.start({
    onWarning: (message) => void process.stderr.write(`${message}\n`),
    ...options,
    engine: engineConfig(config),
    maxAttempts: MAX_ATTEMPTS,
  });
}
