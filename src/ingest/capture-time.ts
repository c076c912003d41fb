/** Validates the wall time at which a pushed picture was taken. */
import { YocoError } from '../errors.ts';

/** A camera's clock may be ahead of this machine's by this much, ms; more means another time zone or an unset clock. */
const MAX_CLOCK_SKEW_MS = 600_000;

/**
 * Throws `invalid_request`, naming `param`, for a wall time that is invalid, before 1970, or far ahead of `nowMs`. A
 * number, which is ms since the stream began, is not checked.
 */
export function checkCaptureTime(time: number | Date | undefined, param: string, nowMs = Date.now()): void {
  if (!(time instanceof Date)) return;
  const wallMs = time.getTime();
  if (wallMs >= 0 && wallMs <= nowMs + MAX_CLOCK_SKEW_MS) return;
  const detail =
    `${param}: a picture's wall time must be after 1970, and at most ${MAX_CLOCK_SKEW_MS / 60_000} minutes ahead of the service's clock, ` +
    `which says ${new Date(nowMs).toISOString()}.`;
  throw new YocoError('invalid_request', { param, detail });
}
