/**
 * A number as it is given on a command line: digits, and a point before, among or after them. NaN for what else
 * JavaScript takes for a number, nothing at all among it: there it is a slip.
 */
export function numberOf(text: string): number {
  return /^(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
}
