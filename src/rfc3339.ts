/** Wall times on the wire and in definitions: RFC 3339, always with a zone. */

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** ms since 1970; null for another format, and for a day that does not exist. */
export function parseWallTime(text: string): number | null {
  const [whole = '', day = ''] = RFC3339.exec(text) ?? [];
  const ms = Date.parse(whole.replace(' ', 'T'));
  // `Date.parse` takes the 30th of February for the 2nd of March.
  return Number.isNaN(ms) || !new Date(day).toISOString().startsWith(day) ? null : ms;
}
