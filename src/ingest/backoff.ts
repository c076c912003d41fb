/** Exponential backoff of a live source's reconnections. */

/** The wait doubles with each attempt, from the first to the longest, ms. */
const INITIAL_DELAY_MS = 500;
export const MAX_DELAY_MS = 30_000;
/** A connection that delivered frames for this long, ms, resets the backoff. */
export const STABLE_AFTER_MS = 10_000;

/**
 * The wait before attempt `attempt` (1 is the first retry), ms. It is drawn from the upper half of the doubled time, so
 * that cameras lost together do not all reconnect at once. A problem that only a person can solve (wrong password, no
 * video) gets the longest wait from the start.
 */
export function backoffDelayMs(attempt: number, permanent: boolean, random: () => number = Math.random): number {
  const longest = permanent ? MAX_DELAY_MS : Math.min(MAX_DELAY_MS, INITIAL_DELAY_MS * 2 ** Math.min(attempt - 1, 20));
  return longest * (0.5 + random() / 2);
}
