/** Coalesces a request body into few large pieces, however it was sent. */
import { pipeline, type Readable, Transform, type TransformCallback } from 'node:stream';

/** Bytes of one piece; only the last may have fewer. */
export const PIECE_BYTES = 64 * 1024;

/**
 * A body's pieces are buffered until its end, and each costs some hundred bytes beyond its content: a picture sent byte
 * by byte would take gigabytes. A body that nobody reads is not consumed.
 */
export class CoalescedBody extends Transform {
  readonly #body: Readable;
  #hasStarted = false;
  #piece: Buffer | null = null;
  #filled = 0;

  constructor(body: Readable) {
    super();
    this.#body = body;
  }

  override _read(bytes: number): void {
    // If the request breaks off, the reader gets an error from this stream.
    if (!this.#hasStarted) pipeline(this.#body, this, () => undefined);
    this.#hasStarted = true;
    super._read(bytes);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (let at = 0; at < chunk.length;) {
      this.#piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES);
      const copied = chunk.copy(this.#piece, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled === PIECE_BYTES) this.#pushPiece(this.#piece);
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#piece !== null) this.#pushPiece(this.#piece.subarray(0, this.#filled));
    done();
  }

  #pushPiece(piece: Buffer): void {
    this.push(piece);
    this.#piece = null;
    this.#filled = 0;
  }
}
