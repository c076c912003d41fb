/**
 * Notices a process that hangs while it reads a file: it gives nothing, reads nothing and hardly computes, though
 * nothing holds it back. By Linux' /proc; elsewhere nothing is noticed.
 */
import { readFile } from 'node:fs/promises';

/** How often it is looked at, in the time after which it hangs: where all stood still together that is one look. */
const LOOKS = 18;
/** Ticks of the processor's time in /proc, each second. */
const TICKS = 100;
/** Share of a processor below which nothing is computed: ffmpeg looks now and then for what it waits for. */
const LEAST_SHARE = 0.01;

export interface HangWatchOptions {
  readonly pid: () => number | undefined;
  /** Another number after each thing that it gives; null while it is held back. */
  readonly given: () => number | null;
  /** After so long without doing anything, ms, it hangs; `longerMs`: by how much longer it may wait at the moment. */
  readonly afterMs: number;
  readonly longerMs: () => number;
  readonly onHang: () => void;
}

/** Returns what ends the watch, as a hang does. */
export function watchForHang({ pid, given, afterMs, longerMs, onHang }: HangWatchOptions): () => void {
  const everyMs = afterMs / LOOKS;
  const leastTicks = (LEAST_SHARE * TICKS * everyMs) / 1000;
  let before: Done | null = null;
  let idleMs = 0;
  let over = false;
  const look = async (): Promise<void> => {
    const [id, newest] = [pid(), given()];
    const now = id === undefined || newest === null ? null : await doneBy(id, newest);
    if (over) return;
    const isIdle =
      before !== null &&
      now?.given === before.given &&
      now.readBytes === before.readBytes &&
      now.ticks - before.ticks < leastTicks;
    before = now;
    idleMs = isIdle ? idleMs + everyMs : 0;
    if (idleMs < afterMs + longerMs()) return;
    end();
    onHang();
  };
  const timer = setInterval(() => void look(), everyMs).unref();
  const end = (): void => {
    over = true;
    clearInterval(timer);
  };
  return end;
}

/** What a process has done since it began. */
interface Done {
  readonly given: number;
  readonly readBytes: number;
  readonly ticks: number;
}

/** Null where that cannot be known. */
async function doneBy(pid: number, given: number): Promise<Done | null> {
  try {
    const [io, stat] = await Promise.all(['io', 'stat'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')));
    const readBytes = Number(/^rchar: (\d+)$/m.exec(io ?? '')?.[1]);
    // Its name, in brackets, may hold anything. User time and system time are the 14th and the 15th of all.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
    const ticks = Number(fields[11]) + Number(fields[12]);
    return Number.isFinite(readBytes + ticks) ? { given, readBytes, ticks } : null;
  } catch {
    return null;
  }
}
