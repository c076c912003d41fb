/** Whether a needle in a haystack was found. */

/** The result for one needle, or with `depth: null` for one absent thing. */
export interface NeedleResult {
  readonly seconds: number;
  readonly class: string;
  /** Position of the needle: 0 at the beginning, 1 at the end. */
  readonly depth: number | null;
  readonly indexed: NeedleReading;
  readonly everything: NeedleReading;
}

export interface NeedleReading {
  readonly yes: boolean;
  /** The strongest span of evidence peaks inside the needle. */
  readonly found: boolean;
}

/** The answer is yes, and its strongest evidence lies in the needle. */
export function isRight({ yes, found }: NeedleReading): boolean {
  return yes && found;
}
