/**
 * Detects a process that hangs while it reads a file: it outputs nothing, reads nothing and hardly computes, though
 * nothing holds it back. Relies on Linux's /proc; elsewhere no hang is detected.
 */
import { readFile } from 'node:fs/promises';

/** Number of checks within `afterMs`. A pause of the whole machine counts as only one check. */
const CHECKS = 18;
/** Ticks per second of the CPU times in /proc. */
const TICKS_PER_SECOND = 100;
/** CPU share below which the process counts as idle: a waiting ffmpeg still polls now and then. */
const MIN_CPU_SHARE = 0.01;

export interface HangWatchOptions {
  readonly pid: () => number | undefined;
  /** A number that changes with each output; null while the process is held back. */
  readonly progress: () => number | null;
  /**
   * The process hangs once it has been idle for `afterMs` plus `extraMs()`, ms: the extra wait allowed at the moment.
   */
  readonly afterMs: number;
  readonly extraMs: () => number;
  readonly onHang: () => void;
}

/** Returns a function that ends the watch. A detected hang ends it, too. */
export function watchForHang({ pid, progress, afterMs, extraMs, onHang }: HangWatchOptions): () => void {
  const everyMs = afterMs / CHECKS;
  const minTicks = (MIN_CPU_SHARE * TICKS_PER_SECOND * everyMs) / 1000;
  let before: ProcessCounters | null = null;
  let idleMs = 0;
  let over = false;
  const check = async (): Promise<void> => {
    const [id, newest] = [pid(), progress()];
    const now = id === undefined || newest === null ? null : await readCounters(id, newest);
    if (over) return;
    const isIdle =
      before !== null &&
      now?.progress === before.progress &&
      now.readBytes === before.readBytes &&
      now.ticks - before.ticks < minTicks;
    before = now;
    idleMs = isIdle ? idleMs + everyMs : 0;
    if (idleMs < afterMs + extraMs()) return;
    end();
    onHang();
  };
  const timer = setInterval(() => void check(), everyMs).unref();
  const end = (): void => {
    over = true;
    clearInterval(timer);
  };
  return end;
}

/** What a process has done since it started. */
interface ProcessCounters {
  readonly progress: number;
  readonly readBytes: number;
  readonly ticks: number;
}

/** Null when unavailable. */
async function readCounters(pid: number, progress: number): Promise<ProcessCounters | null> {
  try {
    const [io, stat] = await Promise.all(['io', 'stat'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')));
    const readBytes = Number(/^rchar: (\d+)$/m.exec(io ?? '')?.[1]);
    // The process name, in brackets, may contain anything. User and system time are fields 14 and 15 of the line.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
    const ticks = Number(fields[11]) + Number(fields[12]);
    return Number.isFinite(readBytes + ticks) ? { progress, readBytes, ticks } : null;
  } catch {
    return null;
  }
}
