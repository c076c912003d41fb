/**
 * Detects an answer that repeats itself. A small model sometimes misses its end and would repeat a name until it runs
 * out of tokens. Numbers and times may repeat ("11", "1:11"); words may not.
 */

/** Length of the longest tail of `ids`, at most half of them, that equals their beginning: a repetition under way. */
export function repeatedTailLength(ids: readonly number[]): number {
  for (let tail = Math.floor(ids.length / 2); tail > 0; tail--) {
    const before = ids.length - tail;
    if (ids.slice(before).every((id, i) => id === ids[i])) return tail;
  }
  return 0;
}

/** Whether `ids`, whose text is `text()`, consist of the same words twice and nothing else. */
export function isExactRepeat(ids: readonly number[], text: () => string): boolean {
  return ids.length > 1 && repeatedTailLength(ids) * 2 === ids.length && !/\d/.test(text());
}
