/** The real service without HTTP, on the bundled model and clip. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_BUNDLE, PACKAGE_ROOT } from '../src/config.ts';
import { parseDefinition } from '../src/ingest/definition.ts';
import { createSource } from '../src/ingest/sources/create-source.ts';
import { Streams } from '../src/live/live-service.ts';
import type { SourceStream } from '../src/live/live-stream.ts';

export const CLIP = path.join(PACKAGE_ROOT, 'streams', 'clips', 'demo.mp4');
/** Length of the clip, ms. */
export const CLIP_MS = 70_000;
export const FPS = 2;

const warn = (message: string): void => void process.stderr.write(`${message}\n`);

export function startStreams(): Promise<Streams> {
  return Streams.start({ engine: { bundle: DEFAULT_BUNDLE }, onWarning: warn });
}

/** A stream of the bundled clip, 640x360, H.264. */
export function clipStream(name: string, pace: 'realtime' | 'fastest'): object {
  return { name, source: { file: CLIP, pace, loop: pace === 'realtime' }, sampling: { fps: FPS } };
}

/** Starts live streams at staggered times: as with cameras, their frames do not all come at the same moment. */
export async function startLiveStreams(live: Streams, count: number, prefix: string): Promise<SourceStream[]> {
  const streams: SourceStream[] = [];
  for (let i = 0; i < count; i++) {
    streams.push(await live.create(clipStream(`${prefix}-${i}`, 'realtime'), 'operator'));
    await sleep(137);
  }
  return streams;
}

/** At most `limit` frames of the bundled clip, as the model sees them (RGB). */
export async function clipPictures(imageSize: number, limit: number): Promise<Uint8Array[]> {
  const source = createSource(parseDefinition(clipStream('pictures', 'fastest')), { imageSize, onWarning: warn });
  const pictures: Uint8Array[] = [];
  for await (const { rgb } of source.frames()) {
    pictures.push(rgb.slice());
    if (pictures.length >= limit) break;
  }
  await source.stop();
  return pictures;
}

/** The engine's times. Heartbeats carry them, so this waits until one has passed. */
export async function engineTimes(live: Streams): Promise<Streams['engine']['times']> {
  await sleep(1_200);
  return live.engine.times;
}

/** CPU seconds that each kind of process has used so far; Linux only, 0 elsewhere. */
export interface CpuSeconds {
  readonly server: number;
  readonly engine: number;
  readonly ffmpeg: number;
}

const TICKS_PER_SECOND = 100;

export async function cpuSeconds(enginePid: number | undefined): Promise<CpuSeconds> {
  const seconds = { server: 0, engine: 0, ffmpeg: 0 };
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // The name may hold spaces. Fields after it: state, parent, ...; the CPU times are fields 14 to 17 of proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
    const own = (user + system) / TICKS_PER_SECOND;
    if (Number(pid) === process.pid) {
      seconds.server += own;
      // CPU time of children that have exited: ffmpeg is restarted at the end of a clip.
      seconds.ffmpeg += (childUser + childSystem) / TICKS_PER_SECOND;
    } else if (Number(pid) === enginePid) seconds.engine += own;
    else if (Number(fields[1]) === process.pid) seconds.ffmpeg += own;
  }
  return seconds;
}
