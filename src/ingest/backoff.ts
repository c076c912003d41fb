/** How long a live source waits before it connects again. */

/** The wait doubles from the first to the longest, ms. */
const FIRST_WAIT_MS = 500;
export const LONGEST_WAIT_MS = 30_000;
/** A connection that gave frames for this long, ms, starts the waits from the beginning. */
export const STABLE_AFTER_MS = 10_000;

/**
 * The wait before attempt `attempt` (1 is the first retry), ms, between half and all of the doubled time, so that many
 * cameras that were lost together do not all come back in the same instant. A problem that only a person can solve
 * (wrong password, no video) waits as long as possible from the start.
 */
export function waitBefore(attempt: number, permanent: boolean, random: () => number = Math.random): number {
  const longest = permanent
    ? LONGEST_WAIT_MS
    : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 20));
  return longest * (0.5 + random() / 2);
}
