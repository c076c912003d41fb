/** What an answer says of how exactly that was kept which it rests on. */

/** What became of the K and V that a reading holds, worst first: some frames were left out, rounded, or neither. */
export type Precision = 'thinned' | 'int8' | 'full';

const PRECISIONS: readonly Precision[] = ['thinned', 'int8', 'full'];

/** Of nothing: full. */
export function worstOf(precisions: readonly Precision[]): Precision {
  return PRECISIONS.find((precision) => precisions.includes(precision)) ?? 'full';
}
