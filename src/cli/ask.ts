import type { Command } from 'commander';
import { RealtimeClient } from './realtime-client.ts';
import { spans } from './terminal.ts';

interface AskFlags {
  readonly server: string;
  readonly asOf?: string;
  readonly json?: true;
}

export function addAsk(program: Command): void {
  program
    .command('ask')
    .description('ask a running service about a stream; the key, if one is needed, is read from YOCO_API_KEY')
    .argument('<stream>', 'name of the stream')
    .argument('<question...>', 'one or more questions, each in quotation marks')
    .option('--server <url>', 'address of the service', process.env['YOCO_SERVER'] ?? 'http://127.0.0.1:8080')
    .option('--as-of <time>', 'seconds since the stream began, -30s before now, or a wall time (RFC 3339)')
    .option('--json', 'print one JSON object for each answer')
    .action(async (stream: string, questions: string[], flags: AskFlags) => {
      const key = process.env['YOCO_API_KEY'];
      const client = await RealtimeClient.connect({ server: flags.server, stream, ...(key ? { key } : {}) });
      try {
        for (const question of questions) await askOne(client, question, flags);
      } finally {
        client.close();
      }
    });
}

async function askOne(client: RealtimeClient, question: string, flags: AskFlags): Promise<void> {
  let text = '';
  const outcome = await client.ask(
    question,
    (piece) => {
      text += piece;
      if (flags.json !== true) process.stdout.write(piece);
    },
    wireTime(flags.asOf),
  );
  const extra = outcome.yoco;
  if (flags.json === true) {
    const answer = { question, answer: text, status: outcome.status, as_of: extra?.as_of, evidence: extra?.evidence };
    process.stdout.write(`${JSON.stringify({ ...answer, latency_ms: extra?.latency_ms })}\n`);
    return;
  }
  process.stdout.write('\n');
  if (extra == null) return;
  const evidence = spans(extra.evidence);
  const latency = `first word after ${Math.round(extra.latency_ms.first_token)} ms`;
  process.stderr.write(`  ${evidence === '' ? '' : `evidence ${evidence}; `}${latency}\n`);
}

function wireTime(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
