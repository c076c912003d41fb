/** What a person sees while waiting, and how a command ends. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { clockText } from '../clock-text.ts';

/** A line on stderr that overwrites itself; silent when stderr is not a terminal. */
export class ProgressLine {
  readonly #label: string;
  #last = '';
  #shown = false;

  constructor(label: string) {
    this.#label = label;
  }

  /** `share` is 0..1, or null when the end is unknown. */
  show(share: number | null, note = ''): void {
    const width = 24;
    const bar =
      share === null
        ? ''
        : `[${'#'.repeat(Math.round(share * width)).padEnd(width)}] ${String(Math.round(share * 100)).padStart(3)}% `;
    const line = `${this.#label} ${bar}${note}`;
    if (!process.stderr.isTTY || line === this.#last) return;
    process.stderr.write(`\r\u001b[2K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
    this.#last = line;
    this.#shown = true;
  }

  /** Ends the line; `text` replaces it, even when stderr is not a terminal. */
  end(text?: string): void {
    if (this.#shown) process.stderr.write('\r\u001b[2K');
    if (text !== undefined) process.stderr.write(`${text}\n`);
    this.#shown = false;
  }
}

/**
 * One Ctrl-C may arrive twice: the terminal signals the whole process group, and npm, a member of it, forwards the
 * signal, late on a busy machine.
 */
const DUPLICATE_CTRL_C_MS = 1_000;

/**
 * Aborted by the first Ctrl-C or SIGTERM. A Ctrl-C more than a second after the first ends the process at once, with
 * status 130.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let firstAt: number | undefined;
  process.on('SIGINT', () => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > DUPLICATE_CTRL_C_MS) process.exit(130);
    stop.abort();
  });
  process.on('SIGTERM', () => {
    stop.abort();
  });
  return stop.signal;
}

/**
 * The exit status, as shells report it, of a command that is stopped before it is done: 143 after a SIGTERM, else 130.
 */
export function stopExitStatus(): () => number {
  let status = 130;
  process.once('SIGTERM', () => (status = 143));
  return () => status;
}

/** Resolves once the signal is aborted; at once if it already was. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** How long this process's own signal may lag behind that of another process in the group. */
const MAX_SIGNAL_LAG_MS = 100;

/**
 * Whether an error results from a stop. Ctrl-C signals the whole process group, including the engine, whose end may be
 * noticed before the signal itself.
 */
export async function isCausedByStop(stop: AbortSignal): Promise<boolean> {
  await Promise.race([aborted(stop), sleep(MAX_SIGNAL_LAG_MS)]);
  return stop.aborted;
}

/** Evidence (seconds) for a person: `0:07-0:13, 0:42`. */
export function spansText(evidence: readonly { readonly start: number; readonly end: number }[]): string {
  return evidence
    .map(({ start, end }) => [clockText(start * 1000), clockText(end * 1000)])
    .map(([from, to]) => (from === to ? from : `${from ?? ''}-${to ?? ''}`))
    .join(', ');
}
