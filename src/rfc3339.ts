/** Wall times as the wire and definitions have them: RFC 3339, always with a zone. */

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** ms since 1970, or null for another form. */
export function parseWallTime(text: string): number | null {
  const ms = RFC3339.test(text) ? Date.parse(text.replace(' ', 'T')) : NaN;
  return Number.isNaN(ms) ? null : ms;
}
