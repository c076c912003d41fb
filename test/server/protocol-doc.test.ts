/** docs/protocol.md against the code: the error catalogue, the limits, the event types and the close codes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors.ts';
import { SERVER_BOUNDS, SERVER_DEFAULTS } from '../../src/server/index.ts';
import { CLIENT_EVENT_TYPES } from '../../src/server/realtime-events.ts';
import { CLOSE_CODES } from '../../src/server/realtime-connection.ts';

const text = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

/** The rows of the first table under a heading, without its head, as trimmed cells. */
function table(heading: string): string[][] {
  const section = text.split(/^#{2,3} /m).find((part) => part.startsWith(heading));
  const block = (section ?? '').split('\n\n').find((part) => part.startsWith('|')) ?? '';
  const rows = block.trim().split('\n');
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('docs/protocol.md', () => {
  it('lists every error with its status and whether it is retryable, and no other', () => {
    const documented = table('Errors').map(([code, status, retryable, message]) => [code, status, retryable, message]);
    const catalogue = Object.entries(ERRORS).map(([code, { status, retryable, message }]) => [
      `\`${code}\``,
      String(status),
      retryable ? 'yes' : 'no',
      message,
    ]);
    expect(documented).toEqual(catalogue);
  });

  it('lists every limit with its default and bounds', () => {
    const documented = new Map(table('Limits').map(([option, value, bounds]) => [option, [value, bounds]]));
    for (const [name, [least, most]] of Object.entries(SERVER_BOUNDS)) {
      const value = SERVER_DEFAULTS[name as keyof typeof SERVER_BOUNDS];
      expect(documented.get(`\`${name}\``), name).toEqual([String(value), `${least} to ${most}`]);
    }
  });

  it('lists every client event, and no other', () => {
    const documented = table('From the client').map(([type]) => type);
    expect(documented).toEqual(CLIENT_EVENT_TYPES.map((type) => `\`${type}\``));
  });

  it('lists every close code that is sent', () => {
    const documented = table('Close codes').map(([code]) => Number(code));
    expect(documented).toEqual(expect.arrayContaining(Object.values(CLOSE_CODES)));
  });
});
