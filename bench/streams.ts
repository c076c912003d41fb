/**
 * How many live streams at two frames a second this machine sustains: plays more and more clips in real time, until
 * frames are lost or late, or fewer arrive than are played. Reports where the time goes at each stage. Baselines: what
 * the vision graph alone and ffmpeg alone could sustain on the whole machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameWatch, totals } from './frame-watch.ts';
import { ffmpegAlone, visionAlone } from './intake.ts';
import { round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { cpuSeconds, engineTimes, FPS, startLiveStreams, startStreams } from './service.ts';

const MIN_STREAMS = 4;
const MAX_STREAMS = 64;
const MAX_LOST_OR_LATE_SHARE = 0.01;
/** The ffmpeg baseline decodes eight clips of 70 seconds at once. */
const BASELINE_FRAMES = 8 * 140;

interface Stage {
  readonly streams: number;
  readonly framesASecond: number;
  readonly lost: number;
  readonly late: number;
  readonly lostOrLateShare: number;
  /** As many frames arrived as were played. A queued frame is not lost, and counts as late only once it arrives. */
  readonly keptUp: boolean;
  readonly visionMs: number;
  readonly selfDecoderMs: number;
  readonly engineBusyShare: number;
  /** Cores that each kind of process kept busy. */
  readonly cores: { readonly engine: number; readonly ffmpeg: number; readonly server: number };
}

export async function streams(options: BenchOptions): Promise<Record<string, unknown>> {
  const step = options.quick ? 6 : 2;
  const settleMs = options.quick ? 3_000 : 6_000;
  const measureMs = options.quick ? 5_000 : 20_000;
  const live = await startStreams();
  const stages: Stage[] = [];
  try {
    const watches: FrameWatch[] = [];
    for (let count = MIN_STREAMS; count <= MAX_STREAMS; count += step) {
      for (const stream of await startLiveStreams(live, count - watches.length, `streams-${count}`)) {
        watches.push(new FrameWatch(stream));
      }
      await sleep(settleMs);
      const timesBefore = await engineTimes(live);
      const cpuBefore = await cpuSeconds(live.engine.pid);
      watches.forEach((watch) => {
        watch.begin();
      });
      const begin = performance.now();
      await sleep(measureMs);
      const seconds = (performance.now() - begin) / 1000;
      const sum = totals(watches);
      const cpu = await cpuSeconds(live.engine.pid);
      const times = await engineTimes(live);
      const frames = times.frames - timesBefore.frames;
      const vision = times.vision - timesBefore.vision;
      const selfDecoder = times.selfDecoder - timesBefore.selfDecoder;
      const stage = {
        streams: count,
        framesASecond: round(sum.frames / seconds),
        lost: sum.lost,
        late: sum.late,
        lostOrLateShare: sum.lostOrLateShare,
        keptUp: keptUp(sum.frames, count, seconds),
        visionMs: round(vision / frames, 2),
        selfDecoderMs: round(selfDecoder / frames, 2),
        // The engine's times run from heartbeat to heartbeat, a little longer than the stage: so they count per frame.
        engineBusyShare: round(((vision + selfDecoder) / frames / 1000) * (sum.frames / seconds), 2),
        cores: {
          engine: round((cpu.engine - cpuBefore.engine) / seconds, 2),
          ffmpeg: round((cpu.ffmpeg - cpuBefore.ffmpeg) / seconds, 2),
          server: round((cpu.server - cpuBefore.server) / seconds, 2),
        },
      };
      stages.push(stage);
      process.stderr.write(`  ${count} streams: ${(stage.lostOrLateShare * 100).toFixed(1)}% lost or late, `);
      process.stderr.write(`${stage.framesASecond} frames a second\n`);
      if (!isGood(stage)) break;
    }
    watches.forEach((watch) => {
      watch.close();
    });
  } finally {
    await live.close();
  }
  const good = stages.filter(isGood).at(-1);
  const vision = await visionAlone();
  const ffmpeg = await ffmpegAlone(BASELINE_FRAMES);
  const reached = good?.streams ?? 0;
  return {
    fps: FPS,
    streams: reached,
    framesASecond: good?.framesASecond ?? 0,
    limitFound: stages.at(-1) !== good,
    stages: Object.fromEntries(stages.map((stage) => [String(stage.streams), stage])),
    baselines: {
      visionAlone: { ...vision, streams: round(vision.framesASecond / FPS), share: share(reached, vision) },
      ffmpegAlone: { ...ffmpeg, streams: round(ffmpeg.framesASecond / FPS), share: share(reached, ffmpeg) },
    },
  };
}

function isGood({ lostOrLateShare, keptUp: kept }: Stage): boolean {
  return kept && lostOrLateShare <= MAX_LOST_OR_LATE_SHARE;
}

/** Whether nearly all frames played in this time arrived. Each stream may miss one, at the restart of its clip. */
export function keptUp(frames: number, streams: number, seconds: number): boolean {
  return frames >= (1 - MAX_LOST_OR_LATE_SHARE) * streams * (FPS * seconds - 1);
}

/** The streams reached, as a share of what the baseline alone could sustain. */
function share(reached: number, baseline: { readonly framesASecond: number }): number {
  return round((reached * FPS) / baseline.framesASecond, 2);
}
