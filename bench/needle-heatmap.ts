/** A heat map of needles, depth by length, as SVG: from red (no needle of a cell answered right) to green (all). */
import { isRight, type NeedleResult } from './needle-result.ts';

const DEPTHS = 10;
const CELL = { width: 84, height: 30 };
const MARGIN = { left: 110, top: 74 };
const GAP = 60;

export function heatmap(results: readonly NeedleResult[]): string {
  const lengths = [...new Set(results.map((result) => result.seconds))].sort((a, b) => a - b);
  const width = lengths.length * CELL.width;
  const total = { width: MARGIN.left + 2 * width + GAP + 30, height: MARGIN.top + DEPTHS * CELL.height + 40 };
  const panels = (['indexed', 'everything'] as const).map((kind, i) => {
    const left = MARGIN.left + i * (width + GAP);
    const title = kind === 'indexed' ? 'Through the index' : 'Reading everything';
    return text(left + width / 2, 28, title, 'middle', 16) + cells(results, lengths, kind, left);
  });
  const rows = Array.from({ length: DEPTHS }, (_, row) =>
    text(MARGIN.left - 10, MARGIN.top + (row + 0.65) * CELL.height, `${row * 10} to ${row * 10 + 10} %`, 'end', 12),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total.width} ${total.height}" font-family="sans-serif">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...rows,
    ...panels,
    text(MARGIN.left, total.height - 12, 'Depth of the needle by length of the video; right of asked.', 'start', 12),
    '</svg>\n',
  ].join('\n');
}

function cells(
  results: readonly NeedleResult[],
  lengths: readonly number[],
  kind: 'indexed' | 'everything',
  left: number,
): string {
  return lengths
    .map((seconds, column) => {
      const x = left + column * CELL.width;
      const drawn = Array.from({ length: DEPTHS }, (_, row) => {
        const mine = results.filter(
          ({ seconds: s, depth }) =>
            s === seconds && depth !== null && Math.min(DEPTHS - 1, Math.floor(depth * DEPTHS)) === row,
        );
        const right = mine.filter((result) => isRight(result[kind])).length;
        const share = mine.length === 0 ? null : right / mine.length;
        const y = MARGIN.top + row * CELL.height;
        const fill = share === null ? '#eee' : `hsl(${Math.round(share * 120)} 60% 65%)`;
        const label = share === null ? '' : `${right} of ${mine.length}`;
        return (
          `<rect x="${x + 1}" y="${y + 1}" width="${CELL.width - 2}" height="${CELL.height - 2}" fill="${fill}"/>` +
          text(x + CELL.width / 2, y + CELL.height * 0.65, label, 'middle', 12)
        );
      });
      return text(x + CELL.width / 2, MARGIN.top - 12, lengthName(seconds), 'middle', 13) + drawn.join('');
    })
    .join('\n');
}

function lengthName(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3_600 ? `${seconds / 60} min` : `${seconds / 3_600} h`;
}

function text(x: number, y: number, value: string, anchor: string, size: number): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}">${value}</text>`;
}
