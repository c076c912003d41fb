/**
 * Whether a client holds already what has this entity tag: `If-None-Match` compares weakly (RFC 9110, 13.1.2), since
 * what lies between may have made a tag weak.
 */
export function holdsTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const strong = (one: string): string => one.trim().replace(/^W\//, '');
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((one) => strong(one) === tag);
}
