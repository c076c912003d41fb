import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { clockText } from '../clock-text.ts';
import { type Config, PACKAGE_ROOT, readConfig } from '../config.ts';
import { readDefinition } from '../ingest/definition.ts';
import type { SourceStream } from '../live/live-stream.ts';
import { RealtimeClient } from './realtime-client.ts';
import { startService } from './serve.ts';
import { aborted, spansText, stopSignal } from './terminal.ts';

const STREAM = 'demo';
/** The questions, and when each is asked on the clip's clock. */
const QUESTIONS: readonly { readonly atMs: number; readonly question: string }[] = [
  { atMs: 4_000, question: 'What is shown now?' },
  { atMs: 11_000, question: 'What was shown first?' },
  { atMs: 18_500, question: 'When did the dog appear?' },
];
const POLL_MS = 50;

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('start the service, play the bundled clip as a live stream, and ask it three questions')
    .option('--once', 'end after the questions')
    .option('--port <number>', 'port to listen on; 0 takes a free one')
    .action(async (flags: { once?: true; port?: string }) => {
      const stop = stopSignal();
      const defaults = flags.once === true ? { port: 0 } : {};
      const config = await readConfig({ port: flags.port, log_level: 'warn' }, undefined, undefined, defaults);
      const warn = (_fields: object, message: string): void => void process.stderr.write(`${message}\n`);
      const clip = await readDefinition(path.join(PACKAGE_ROOT, 'streams', `${STREAM}.yaml`));
      const service = await startService(demoConfig(config), [clip], { warn, error: warn }, stop);
      if (service === null) return;
      const stopped = aborted(stop);
      try {
        const { address } = service.server;
        const server = address === 'http://127.0.0.1:8080' ? '' : ` --server ${address}`;
        process.stdout.write(`The page:  ${address}/\n`);
        const program = import.meta.url.endsWith('.ts') ? 'npx tsx src/main.ts' : 'yoco-live';
        process.stdout.write(`Ask too:   ${program} ask${server} ${STREAM} "What is shown now?"\n\n`);
        const asked = askAll(service.live.get(STREAM), address, stop);
        await Promise.race([asked, stopped]);
        if (flags.once !== true && !stop.aborted) {
          process.stdout.write('\nThe clip plays on; Ctrl-C ends the service.\n');
          await stopped;
        }
      } finally {
        await service.close();
      }
    });
}

/** Restricts the service to this machine and the clip, without keys or TLS, whatever its configuration. */
function demoConfig(config: Config): Config {
  const keys = { api_keys: [], view_keys: [] };
  const nothing = { ...keys, allowed_origins: [], allowed_hosts: [], media_roots: [], source_hosts: [] };
  return { ...config, ...nothing, host: '127.0.0.1', tls: undefined, snapshots: undefined };
}

/** Ends early if `stop` is aborted during the wait for a question's turn. */
async function askAll(stream: SourceStream, server: string, stop: AbortSignal): Promise<void> {
  const client = await RealtimeClient.connect({ server, stream: STREAM });
  try {
    for (const { atMs, question } of QUESTIONS) {
      while ((stream.status().lastMs ?? -1) < atMs) {
        if (stop.aborted) return;
        if (stream.status().sourceStatus.state === 'failed') await stream.ended();
        await sleep(POLL_MS);
      }
      process.stdout.write(`[${clockText(stream.status().lastMs ?? 0)}] ${question}\n       `);
      const outcome = await client.ask(question, (piece) => void process.stdout.write(piece));
      const evidence = spansText(outcome.yoco?.evidence ?? []);
      const first = Math.round(outcome.yoco?.latency_ms.first_token ?? 0);
      process.stdout.write(`   (evidence ${evidence === '' ? 'none' : evidence}; first word after ${first} ms)\n`);
    }
  } finally {
    client.close();
  }
}
