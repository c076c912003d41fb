/**
 * What the bundle `yoco-small-1` must reach on photographs that it never saw: a few answers less than it does reach, so
 * that a regression shows. Constant answers stay far below. Camera streams sample slightly different frames than files;
 * the thresholds follow the worse of the two.
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

/** Share of "have you seen" questions, for those that expect yes and for those that expect no. */
export const EITHER_WAY_SHARE = 0.85;

/** Share of the questions common to a video and its counter-video that must be answered differently. */
export const DIFFERENT_SHARE = 0.9;

/** Share of the right answers with a known moment whose strongest evidence must peak inside it. */
export const EVIDENCE_SHARE = 0.95;
