/**
 * An answer that has said what it has to say and says it again: a small model sometimes misses its end, and would
 * repeat a name until its tokens are used up. Numbers and times may repeat ("11", "1:11"); words may not.
 */

/**
 * How many tokens at the end of `ids` say its beginning again, so far: all that stands before them, or the start of it.
 */
export function repeatedTail(ids: readonly number[]): number {
  for (let tail = Math.floor(ids.length / 2); tail > 0; tail--) {
    const before = ids.length - tail;
    if (ids.slice(before).every((id, i) => id === ids[i])) return tail;
  }
  return 0;
}

/** Whether `ids`, whose text is `text()`, are the same words twice and nothing else. */
export function saysItTwice(ids: readonly number[], text: () => string): boolean {
  return ids.length > 1 && repeatedTail(ids) * 2 === ids.length && !/\d/.test(text());
}
