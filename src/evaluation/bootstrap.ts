/** Intervals of shares whose questions hang together in groups, as those of one stream do. */
import { type Interval, round, type Tally } from './score.ts';
import { pick, randomOfStream } from './random.ts';

const DRAWS = 2_000;
/** Share of the draws outside a 95% interval, on either side. */
const TAIL = 0.025;

/**
 * 95% interval of the share of all groups together: the percentiles of what as many groups give that are drawn from
 * them, each time anew and with replacement. The same for the same groups. Null of fewer than two; of no width where
 * all are right, or none.
 */
export function groupedInterval(groups: readonly Tally[]): Interval | null {
  const asked = groups.filter(({ total }) => total > 0);
  if (asked.length < 2) return null;
  const random = randomOfStream(1, 0);
  const shares = Float64Array.from({ length: DRAWS }, () => {
    let [correct, total] = [0, 0];
    for (let i = 0; i < asked.length; i++) {
      const group = pick(asked, random);
      correct += group.correct;
      total += group.total;
    }
    return correct / total;
  }).sort();
  const at = (share: number): number => round(shares[Math.round(share * (DRAWS - 1))] ?? 0);
  return [at(TAIL), at(1 - TAIL)];
}
