/** Intervals of shares whose questions are correlated within groups, as those of one stream are. */
import { type Interval, round, type Tally } from './score.ts';
import { pick, randomOfStream } from './random.ts';

const RESAMPLES = 2_000;
/** Share of the draws outside a 95% interval, on each side. */
const TAIL = 0.025;

/**
 * 95% interval of the overall share by cluster bootstrap: percentiles over draws of as many groups, with replacement.
 * The same for the same groups. Null for fewer than two groups; of zero width when all answers are right, or none.
 */
export function groupedInterval(groups: readonly Tally[]): Interval | null {
  const asked = groups.filter(({ total }) => total > 0);
  if (asked.length < 2) return null;
  const random = randomOfStream(1, 0);
  const shares = Float64Array.from({ length: RESAMPLES }, () => {
    let [correct, total] = [0, 0];
    for (let i = 0; i < asked.length; i++) {
      const group = pick(asked, random);
      correct += group.correct;
      total += group.total;
    }
    return correct / total;
  }).sort();
  const percentile = (share: number): number => round(shares[Math.round(share * (RESAMPLES - 1))] ?? 0);
  return [percentile(TAIL), percentile(1 - TAIL)];
}
