/** What a small model must reach on photographs that it never saw. An answer that is always the same stays far below. */
import type { Task } from './photo-videos.ts';

/** Object shown at a moment: photographs are clear, and the encoder knows each class. */
const NOW = 0.8;
/** Half of the right answers are "yes". */
const SEEN = 0.75;
/** What came first, before, after, or at a time: needs the right moment and the right name. */
const RECALL = 0.6;
/** Within one second; six moments are possible. */
const WHEN = 0.6;

export const PASS_SHARE: Record<Task, number> = {
  now: NOW,
  seen: SEEN,
  first: RECALL,
  before: RECALL,
  after: RECALL,
  at: RECALL,
  when: WHEN,
};

/** What the bundle `yoco-small-1` holds on photographs of ImageNet's classes: all but `after`. */
export const HELD: readonly Task[] = ['now', 'seen', 'first', 'before', 'at', 'when'];

/** Of the right answers that rest on a moment: the peak of the strongest evidence lies inside it. */
export const EVIDENCE_SHARE = 0.6;
