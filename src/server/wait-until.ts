import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 10;

/** Resolves when `condition` holds, or after `limitMs`. */
export async function waitUntil(condition: () => boolean, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition() && performance.now() < end) await sleep(POLL_MS);
}
