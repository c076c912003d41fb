import type { Command } from 'commander';
import { z } from 'zod';
import { clockText } from '../clock-text.ts';
import { YocoError } from '../errors.ts';
import { callService, serviceOptions } from './http-client.ts';
import { serverOf } from './service-address.ts';
import { isAddress } from './source-argument.ts';

interface Flags {
  readonly server?: string;
  readonly name?: string;
  readonly source?: string;
  readonly json?: true;
}

const created = z.object({ name: z.string(), frames: z.number(), last: z.number().nullable() });

export function addRestore(program: Command): void {
  const command = program
    .command('restore')
    .description('create a stream in a running service that resumes from a snapshot')
    .argument('<snapshot>', 'name of the file in the snapshot folder of the service')
    .option('--name <stream>', 'name of the stream; default: that of the snapshot')
    .option('--source <file|url>', 'where new frames come from; default: only those that are pushed');
  serviceOptions(command).action(async (restore: string, { name, source, json, ...flags }: Flags) => {
    const stream = await callService(serverOf(flags), 'POST', '/v1/streams', {
      restore,
      ...(name === undefined ? {} : { name }),
      ...(source === undefined ? {} : { source: isAddress(source) ? { url: source } : { file: source } }),
    }).catch((error: unknown) => {
      const isTaken = error instanceof YocoError && error.code === 'stream_exists';
      throw isTaken ? new YocoError(error.code, { detail: `${error.detail} Give another with --name.`.trim() }) : error;
    });
    if (json === true) {
      process.stdout.write(`${JSON.stringify(stream)}\n`);
      return;
    }
    const { name: made, frames, last } = created.parse(stream);
    process.stdout.write(`stream ${made}: ${frames} frames, up to ${clockText((last ?? 0) * 1000)}\n`);
  });
}
