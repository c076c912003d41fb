/** Lists that are read as text, one item a line: paths on stdin, questions in a file. */
import { YocoError } from '../errors.ts';

/**
 * The lines of UTF-8, without their ends. `name` is what the error calls them. Throws `invalid_request` where there is
 * more than `maxBytes`, before the rest is read.
 */
export async function inputLines(input: AsyncIterable<Uint8Array>, name: string, maxBytes: number): Promise<string[]> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of input) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > maxBytes) {
      throw new YocoError('invalid_request', { detail: `${name}: expected at most ${maxBytes} bytes.` });
    }
  }
  // As editors of Windows write it: with a mark at the beginning, which `TextDecoder` takes away, and CR before LF.
  return new TextDecoder().decode(Buffer.concat(pieces)).split(/\r?\n/);
}
