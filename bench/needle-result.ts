/** What became of a needle in a haystack. */

/** One needle, or with `depth: null` one thing that was never shown. */
export interface NeedleResult {
  readonly seconds: number;
  readonly class: string;
  /** Where the needle lies: 0 at the beginning, 1 at the end. */
  readonly depth: number | null;
  readonly indexed: NeedleReading;
  readonly everything: NeedleReading;
}

export interface NeedleReading {
  readonly yes: boolean;
  /** Of the strongest span of evidence, what was looked at most lies in the needle. */
  readonly found: boolean;
}

/** Seen, and by its own frames. */
export function isRight({ yes, found }: NeedleReading): boolean {
  return yes && found;
}
