/**
 * Whether `If-None-Match` contains `tag`. The comparison is weak (RFC 9110, 13.1.2), since a proxy may have weakened
 * the tag.
 */
export function matchesTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const strong = (one: string): string => one.trim().replace(/^W\//, '');
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((one) => strong(one) === tag);
}
