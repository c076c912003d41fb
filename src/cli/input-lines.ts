/** Lists given as text, one item a line: paths on stdin, questions in a file. */
import { YocoError } from '../errors.ts';

/**
 * Decodes UTF-8 into lines, without line ends. `name` identifies the input in the error. Throws `invalid_request` for
 * more than `maxBytes`, without reading the rest.
 */
export async function readLines(input: AsyncIterable<Uint8Array>, name: string, maxBytes: number): Promise<string[]> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of input) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > maxBytes) {
      throw new YocoError('invalid_request', { detail: `${name}: expected at most ${maxBytes} bytes.` });
    }
  }
  // Windows editors write a byte order mark, which `TextDecoder` removes, and CR before LF.
  return new TextDecoder().decode(Buffer.concat(pieces)).split(/\r?\n/);
}
