/**
 * What the bundle `yoco-small-1` must reach on photographs that it never saw: a few answers less than it does, so that
 * a loss is seen. An answer that is always the same stays far below. Played by a camera some frames fall elsewhere: of
 * both ways the worse one counts.
 */
import type { Task } from './photo-videos.ts';

export const PASS_SHARE: Record<Task, number> = {
  now: 0.8,
  seen: 0.9,
  first: 0.8,
  before: 0.78,
  after: 0.6,
  at: 0.8,
  // Within one second; six moments are possible.
  when: 0.9,
};

/** Of "have you seen", either answer alone. */
export const EITHER_WAY_SHARE = 0.85;

/** Of the questions that a video and its counter-video share: how many must be answered differently. */
export const DIFFERENT_SHARE = 0.9;

/** Of the right answers that rest on a moment: the peak of the strongest evidence lies inside it. */
export const EVIDENCE_SHARE = 0.95;
