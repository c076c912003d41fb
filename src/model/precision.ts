/** How precisely the K and V behind an answer were kept. */

/** Precision of the K and V that a reading covers, worst first: some frames thinned out, some rounded, or neither. */
export type Precision = 'thinned' | 'int8' | 'full';

const PRECISIONS: readonly Precision[] = ['thinned', 'int8', 'full'];

/** The worst of them; `full` if there are none. */
export function worstPrecision(precisions: readonly Precision[]): Precision {
  return PRECISIONS.find((precision) => precisions.includes(precision)) ?? 'full';
}
