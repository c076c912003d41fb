import type { Command } from 'commander';
import { z } from 'zod';
import { clockText } from '../clock-text.ts';
import { callService, serviceOptions } from './http-client.ts';
import { serverOf } from './service-address.ts';

interface Flags {
  readonly server?: string;
  readonly file?: string;
  readonly delete?: readonly string[];
  readonly json?: true;
}

const snapshot = z.object({
  file: z.string(),
  bytes: z.number(),
  stream: z.string().nullable(),
  frames: z.number().nullable(),
  first: z.number().nullable(),
  last: z.number().nullable(),
  created_at: z.string().nullable(),
  bundle: z.string().nullable(),
  error: z.string().nullable(),
});

export function addSnapshot(program: Command): void {
  const command = program
    .command('snapshot')
    .description('save what a stream of a running service holds to a file in its snapshot folder')
    .argument('<stream>', 'name of the stream')
    .option('--file <name>', 'name of the file; default: the name of the stream and the time');
  serviceOptions(command).action(async (stream: string, { file, json, ...flags }: Flags) => {
    const path = `/v1/streams/${encodeURIComponent(stream)}/snapshot`;
    const made = await callService(serverOf(flags), 'POST', path, file === undefined ? {} : { file });
    process.stdout.write(json === true ? `${JSON.stringify(made)}\n` : `${line(snapshot.parse(made))}\n`);
  });
}

export function addSnapshots(program: Command): void {
  const command = program
    .command('snapshots')
    .description('list the snapshots of a running service, newest first, or delete some of them')
    .option('--delete <file...>', 'delete these instead; stops at the first failure');
  serviceOptions(command).action(async ({ json, delete: files = [], ...flags }: Flags) => {
    for (const file of files) {
      const gone = await callService(serverOf(flags), 'DELETE', `/v1/snapshots/${encodeURIComponent(file)}`);
      // One line each: when one cannot be deleted, others may already be gone.
      process.stdout.write(json === true ? `${JSON.stringify(gone)}\n` : `${file} is deleted\n`);
    }
    if (files.length > 0) return;
    const list = await callService(serverOf(flags), 'GET', '/v1/snapshots');
    if (json === true) {
      process.stdout.write(`${JSON.stringify(list)}\n`);
      return;
    }
    const { data } = z.object({ data: z.array(snapshot) }).parse(list);
    for (const one of data) process.stdout.write(`${line(one)}\n`);
    if (data.length === 0) process.stderr.write('There are no snapshots.\n');
  });
}

function line({ file, bytes, stream, frames, first, last, error }: z.output<typeof snapshot>): string {
  const size = `${(bytes / 2 ** 20).toFixed(1)} MB`;
  if (error !== null) return `${file}  ${size}  ${error}`;
  const span = `${clockText((first ?? 0) * 1000)}-${clockText((last ?? 0) * 1000)}`;
  return `${file}  ${size}  stream ${stream ?? ''}, ${span}, ${frames ?? 0} frames`;
}
