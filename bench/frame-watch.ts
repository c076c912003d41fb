/** Counts the frames of a live stream that are lost or reach the cache too late. */
import { CLIP_MS } from './service.ts';
import type { LiveStream } from '../src/live/types.ts';

export interface Arrival {
  /** When the frame reached the cache, ms on any clock. */
  readonly atMs: number;
  /** The frame's own time in ms. */
  readonly timeMs: number;
}

/** Longest time to reopen a clip, ms: any further delay counts as lateness of the service. */
const MAX_REOPEN_MS = 300;

/**
 * Number of arrivals, from index `from` on, that came more than `allowedMs` after their moment. `arrivals` are in the
 * order of their frame times. The offset between the stream's clock and ours is the smallest delay of any arrival; for
 * a looped clip it is found for each round of `roundMs`. As the clip is reopened for each round, the offset may grow by
 * MAX_REOPEN_MS a round and no more, even if all frames of a round are late.
 */
export function lateArrivals(arrivals: readonly Arrival[], allowedMs: number, from = 0, roundMs = Infinity): number {
  const delay = ({ atMs, timeMs }: Arrival): number => atMs - timeMs;
  const round = ({ timeMs }: Arrival): number => Math.floor(timeMs / roundMs);
  const soonest = new Map<number, number>();
  for (const arrival of arrivals) {
    soonest.set(round(arrival), Math.min(soonest.get(round(arrival)) ?? Infinity, delay(arrival)));
  }
  const clocks = new Map<number, number>();
  let before: { readonly round: number; readonly clock: number } | undefined;
  for (const [number, ms] of soonest) {
    const most = before === undefined ? Infinity : before.clock + MAX_REOPEN_MS * (number - before.round);
    before = { round: number, clock: Math.min(ms, most) };
    clocks.set(number, before.clock);
  }
  return arrivals.slice(from).filter((one) => delay(one) - (clocks.get(round(one)) ?? 0) > allowedMs).length;
}

export interface FrameCounts {
  readonly frames: number;
  readonly lost: number;
  readonly late: number;
}

export class FrameWatch {
  readonly #stream: LiveStream;
  readonly #stop: () => void;
  readonly #arrivals: Arrival[] = [];
  #frames: number;
  #lostBefore = 0;
  #from = 0;

  constructor(stream: LiveStream) {
    this.#stream = stream;
    this.#frames = stream.status().frames;
    this.#stop = stream.onChange(() => {
      const { frames, lastMs } = stream.status();
      if (frames === this.#frames || lastMs === null) return;
      this.#frames = frames;
      this.#arrivals.push({ atMs: performance.now(), timeMs: lastMs });
    });
  }

  #lost(): number {
    const { lateFrames, sourceStatus } = this.#stream.status();
    return lateFrames + sourceStatus.dropped;
  }

  /** Counts frames from now on; earlier ones only determine the clock offset. */
  begin(): void {
    this.#from = this.#arrivals.length;
    this.#lostBefore = this.#lost();
  }

  /** A frame is late if it arrives more than one frame interval after its moment. */
  counts(): FrameCounts {
    const allowedMs = 1000 / this.#stream.status().fps;
    return {
      frames: this.#arrivals.length - this.#from,
      lost: this.#lost() - this.#lostBefore,
      late: lateArrivals(this.#arrivals, allowedMs, this.#from, CLIP_MS),
    };
  }

  close(): void {
    this.#stop();
  }
}

/** Sums over all watches, with the share of frames that were lost or late. */
export function totals(watches: readonly FrameWatch[]): FrameCounts & { readonly lostOrLateShare: number } {
  const sum = { frames: 0, lost: 0, late: 0 };
  for (const watch of watches) {
    const counts = watch.counts();
    sum.frames += counts.frames;
    sum.lost += counts.lost;
    sum.late += counts.late;
  }
  const share = (sum.lost + sum.late) / Math.max(1, sum.frames + sum.lost);
  return { ...sum, lostOrLateShare: Math.round(share * 10_000) / 10_000 };
}
