import path from 'node:path';
import type { Command } from 'commander';
import { YocoError } from '../errors.ts';
import type { Streams } from '../live/live-service.ts';
import { startLocalStreams } from './local-streams.ts';
import { clock, ProgressLine, spans } from './terminal.ts';

interface WatchFlags {
  readonly bundle?: string;
  readonly fps: string;
  readonly seconds?: string;
  readonly json?: true;
}

export function addWatch(program: Command): void {
  program
    .command('watch')
    .description('read a video and answer questions about it; no server is needed')
    .argument('<file|url>', 'a video file, or an rtsp or http address')
    .argument('<question...>', 'one or more questions, each in quotation marks')
    .option('--bundle <dir>', 'model bundle')
    .option('--fps <number>', 'frames a second that the model sees', '2')
    .option('--seconds <number>', 'stop watching after this long (a live source has no end of its own)')
    .option('--json', 'print one JSON object')
    .action(async (source: string, questions: string[], flags: WatchFlags) => {
      const live = await startLocalStreams(flags.bundle);
      try {
        await watch(live, source, questions, flags);
      } finally {
        await live.close();
      }
    });
}

async function watch(live: Streams, source: string, questions: readonly string[], flags: WatchFlags): Promise<void> {
  const isUrl = /^[a-z][a-z0-9+.-]+:\/\//i.test(source);
  const definition = {
    name: 'watch',
    source: isUrl ? { url: source } : { file: path.resolve(source), pace: 'fastest' },
    sampling: { fps: Number(flags.fps) },
  };
  const limitMs = flags.seconds === undefined ? Infinity : Number(flags.seconds) * 1000;
  if (Number.isNaN(limitMs))
    throw new YocoError('invalid_request', { param: 'seconds', detail: 'It must be a number.' });
  const stream = await live.create(definition, 'operator');
  const progress = new ProgressLine('Watching');
  const enough = new Promise<void>((resolve) => {
    stream.onChange(() => {
      const { frames, lastMs } = stream.status();
      progress.show(
        Number.isFinite(limitMs) ? Math.min(1, (lastMs ?? 0) / limitMs) : null,
        `${clock(lastMs ?? 0)}, ${frames} frames`,
      );
      if ((lastMs ?? 0) >= limitMs) resolve();
    });
  });
  await Promise.race([stream.ended(), enough]);
  const status = stream.status();
  progress.end();
  const answers = [];
  // A source that is not at its end goes on meanwhile: all questions are about the moment up to which it was watched.
  const moment = status.lastMs === null ? {} : { asOfMs: status.lastMs };
  for (const question of questions) {
    const answer = stream.converse().ask(question, moment);
    if (flags.json !== true) {
      process.stdout.write(questions.length > 1 ? `${question}\n  ` : '');
      for await (const piece of answer) process.stdout.write(piece);
    }
    const result = await answer.result;
    const evidence = result.evidence.map(({ startMs, endMs, peakMs, weight }) => ({
      start: startMs / 1000,
      end: endMs / 1000,
      peak: peakMs / 1000,
      weight: Math.round(weight * 1000) / 1000,
    }));
    answers.push({ question, answer: result.text, as_of: result.asOfMs / 1000, evidence });
    if (flags.json !== true) {
      process.stdout.write('\n');
      if (evidence.length > 0) process.stderr.write(`  evidence ${spans(evidence)}\n`);
    }
  }
  if (flags.json === true) {
    const { frames, lastMs } = status;
    process.stdout.write(
      `${JSON.stringify({ source: status.source, frames, seconds: (lastMs ?? 0) / 1000, answers })}\n`,
    );
  }
}
