/** The real service without its HTTP side, on the bundled model and clip. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_BUNDLE, PACKAGE_ROOT } from '../src/config.ts';
import { Streams } from '../src/live/live-service.ts';

export const CLIP = path.join(PACKAGE_ROOT, 'streams', 'clips', 'demo.mp4');

export function startStreams(): Promise<Streams> {
  const warn = (message: string): void => void process.stderr.write(`${message}\n`);
  return Streams.start({ engine: { bundle: DEFAULT_BUNDLE }, onWarning: warn });
}

/** A stream of the bundled clip, 640x360, H.264. */
export function clipStream(name: string, pace: 'realtime' | 'fastest'): object {
  return { name, source: { file: CLIP, pace, loop: pace === 'realtime' }, sampling: { fps: 2 } };
}

/** Heartbeats carry the engine's times: after one has passed they are current. */
export async function engineTimes(live: Streams): Promise<Streams['engine']['times']> {
  await sleep(1_200);
  return live.engine.times;
}
