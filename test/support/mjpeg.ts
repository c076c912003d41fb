/** A camera that sends pictures over HTTP. */
import type { ServerResponse } from 'node:http';
import sharp from 'sharp';

export const redJpeg = (): Promise<Buffer> =>
  sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
    .jpeg()
    .toBuffer();

/** Sends a picture every `everyMs` until the client disconnects, as a camera does. */
export function sendPictures(response: ServerResponse, jpeg: Buffer, everyMs: number): void {
  response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=picture' });
  const timer = setInterval(() => {
    response.write(`--picture\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
    response.write(jpeg);
    response.write('\r\n');
  }, everyMs);
  response.on('close', () => {
    clearInterval(timer);
  });
}
