/**
 * Parses a number of a command line: digits with an optional decimal point. NaN for anything else that JavaScript takes
 * for a number, including empty text: on a command line that is a slip.
 */
export function parseNumber(text: string): number {
  return /^(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
}
