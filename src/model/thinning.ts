/** Which frames of an old page stay when a cache reaches its limit: of frames that are alike, some are dropped. */
import { emptyRows, type KvPage } from './kv-page.ts';

/** Which `count` frames of a page to keep: time and again drops the frame most like the kept one before it. */
export function mostDistinct(page: KvPage, count: number): boolean[] {
  const size = page.shape.tokensPerFrame * page.shape.headDim;
  const rows = emptyRows(page.shape, page.tokens);
  page.read(0, page.frames, rows, 0);
  const keep = new Array<boolean>(page.frames).fill(true);
  const distance = (a: number, b: number): number => {
    let sum = 0;
    for (const keys of rows.keys) {
      for (let i = 0; i < size; i++) sum += ((keys[a * size + i] ?? 0) - (keys[b * size + i] ?? 0)) ** 2;
    }
    return sum;
  };
  for (let left = page.frames; left > count; left--) {
    let nearest = -1;
    let least = Infinity;
    let before = 0; // the first frame always stays
    for (let frame = 1; frame < page.frames; frame++) {
      if (keep[frame] !== true) continue;
      const d = distance(before, frame);
      if (d < least) [least, nearest] = [d, frame];
      before = frame;
    }
    if (nearest < 0) break;
    keep[nearest] = false;
  }
  return keep;
}
