/** Wall times as the wire and definitions have them: RFC 3339, always with a zone. */

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** ms since 1970, or null for another form, and for a day that does not exist. */
export function parseWallTime(text: string): number | null {
  const [whole = '', day = ''] = RFC3339.exec(text) ?? [];
  const ms = Date.parse(whole.replace(' ', 'T'));
  // The 30th of February is parsed as the 2nd of March.
  return Number.isNaN(ms) || !new Date(day).toISOString().startsWith(day) ? null : ms;
}
