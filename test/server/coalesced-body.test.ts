import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { CoalescedBody, PIECE_BYTES } from '../../src/server/coalesced-body.ts';

async function piecesOf(body: Iterable<Buffer>): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const piece of new CoalescedBody(Readable.from(body, { objectMode: false }))) pieces.push(piece as Buffer);
  return pieces;
}

describe('A body', () => {
  it('that arrives byte by byte is kept in few pieces', async () => {
    const bytes = Buffer.from(Array.from({ length: 2 * PIECE_BYTES + 7 }, (_, i) => i % 251));
    const pieces = await piecesOf(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)));
    expect(pieces.length).toBeLessThanOrEqual(3);
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  });

  it.each([0, 1, PIECE_BYTES, 3 * PIECE_BYTES])('of %i bytes is passed on complete', async (length) => {
    const bytes = Buffer.alloc(length, 5);
    expect(Buffer.concat(await piecesOf(length === 0 ? [] : [bytes])).equals(bytes)).toBe(true);
  });

  it('is not consumed before it is read, and fails when its source breaks off', async () => {
    const body = new Readable({ read: () => undefined });
    const coalesced = new CoalescedBody(body);
    expect(body.readableFlowing).toBeNull();
    const read = coalesced.toArray();
    body.destroy(new Error('aborted'));
    await expect(read).rejects.toThrow('aborted');
  });
});
