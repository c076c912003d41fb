import type { Command } from 'commander';
import { z } from 'zod';
import { clockText } from '../clock-text.ts';
import { getWithTime, serviceOptions } from './http-client.ts';
import { ageOf } from './newest-frame.ts';
import { errorFromResponse } from './service-error.ts';
import { serverOf } from './service-address.ts';
import { ageText, wallText } from './wall-text.ts';

/** A picture that has not changed at all for so long is mentioned, ms: the camera may have frozen. */
const UNCHANGED_MS = 60_000;

interface Flags {
  readonly server?: string;
  readonly json?: true;
}

const stream = z.object({
  name: z.string(),
  description: z.string().nullish(),
  state: z.string(),
  error: z.object({ code: z.string() }).nullable(),
  frames: z.number(),
  first: z.number().nullable(),
  last: z.number().nullable(),
  last_change: z.number().nullish(),
  last_time: z.string().nullable(),
  recorded_at: z.string().nullish(),
  cache: z.object({ bytes: z.number(), limit_bytes: z.number() }),
});
type Stream = z.output<typeof stream>;

export function addList(program: Command): void {
  const command = program
    .command('list')
    .description(
      'list the streams of a running service: state, frames, how old the newest is, what is kept, memory, description',
    );
  serviceOptions(command).action(async ({ json, ...flags }: Flags) => {
    const { answer, atMs } = await getWithTime(serverOf(flags), '/v1/streams');
    const list = z.object({ data: z.array(stream) }).safeParse(answer);
    if (!list.success) throw errorFromResponse(JSON.stringify(answer), 200);
    if (json === true) {
      process.stdout.write(`${JSON.stringify(answer)}\n`);
      return;
    }
    const streams = list.data.data.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const line of alignColumns(streams.map((one) => columns(one, atMs)))) process.stdout.write(`${line}\n`);
    if (streams.length === 0) process.stderr.write('The service has no streams.\n');
  });
}

function columns(stream: Stream, atMs: number): string[] {
  const { name, state, error, frames, first, last, cache } = stream;
  // Once a source plays again, its error is outdated.
  const why = error === null || state === 'playing' ? '' : ` (${error.code})`;
  const still = unchangedMs(stream);
  const frozen = still < UNCHANGED_MS ? '' : `, picture unchanged for ${ageText(still)}`;
  const kept = first === null || last === null ? '' : `${clockText(first * 1000)}-${clockText(last * 1000)}`;
  return [
    name,
    `${state}${why}${frozen}`,
    `${frames} ${frames === 1 ? 'frame' : 'frames'}`,
    newestText(stream, atMs),
    kept,
    `${(cache.bytes / 2 ** 20).toFixed(1)} of ${Math.round(cache.limit_bytes / 2 ** 20)} MB`,
    // One line without control characters for the terminal, since clients may write descriptions.
    (stream.description ?? '').replace(/[\s\p{Cc}]+/gu, ' '),
  ];
}

/** For how long the picture of a source that plays has not changed at all. */
function unchangedMs({ state, last, last_change: changed, recorded_at: recordedAt = null }: Stream): number {
  if (state !== 'playing' || recordedAt !== null || last === null) return 0;
  return (last - (changed ?? last)) * 1000;
}

/** For a recording, the wall time of its newest frame, since the frame's age says nothing about the source. */
function newestText({ last_time: time, recorded_at: recordedAt = null }: Stream, atMs: number): string {
  const ageMs = ageOf(time, atMs);
  if (time === null || ageMs === null) return 'nothing kept';
  return recordedAt === null ? `newest ${ageText(ageMs)} old` : `newest of ${wallText(time)}`;
}

/** One line a row, with at least two blanks between columns. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((most, row) => row.map((text, i) => Math.max(most[i] ?? 0, text.length)), []);
  return rows.map((row) =>
    row
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
