import path from 'node:path';
import type { Command } from 'commander';
import { clockText } from '../clock-text.ts';
import { YocoError } from '../errors.ts';
import { FPS, parseDefinition, type StreamDefinition } from '../ingest/definition.ts';
import type { Streams } from '../live/live-service.ts';
import { startLocalStreams } from './local-streams.ts';
import { missingFile } from './missing-file.ts';
import { isAddress } from './source-argument.ts';
import { aborted, comesOfStop, ProgressLine, spans, stopSignal, stopStatus } from './terminal.ts';

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
      const wanted = checkFlags(source, flags);
      const stop = stopSignal();
      const status = stopStatus();
      let live: Streams | undefined;
      try {
        live = await startLocalStreams(flags.bundle, {
          onWarning: (message) => {
            if (!tellsOfTheEnd(message, live)) process.stderr.write(`${message}\n`);
          },
        });
        if (!stop.aborted) await Promise.race([watch(live, wanted, questions, flags, stop), aborted(stop)]);
      } catch (error) {
        // What comes of the stop on the way is no error of its own.
        if (!(await comesOfStop(stop))) throw error;
      } finally {
        await live?.close();
      }
      if (stop.aborted) process.exitCode = status();
    });
}

interface Wanted {
  readonly definition: StreamDefinition;
  /** How much of the video is watched, ms. */
  readonly limitMs: number;
}

const NUMBER = /^(?:\d+\.?\d*|\.\d+)$/;

/** Throws `invalid_request` or `definition_invalid` that names the flag, or the field of the source, and what is expected. */
function checkFlags(source: string, { fps, seconds }: WatchFlags): Wanted {
  if (!NUMBER.test(fps) || Number(fps) < FPS.least || Number(fps) > FPS.most) {
    const detail = `--fps: expected a number from ${FPS.least} to ${FPS.most}.`;
    throw new YocoError('definition_invalid', { param: 'fps', detail });
  }
  if (seconds !== undefined && !(NUMBER.test(seconds) && Number(seconds) > 0)) {
    throw new YocoError('invalid_request', { param: 'seconds', detail: '--seconds: expected a number above 0.' });
  }
  const definition = parseDefinition({
    name: 'watch',
    source: isAddress(source) ? { url: source } : { file: path.resolve(source), pace: 'fastest' },
    sampling: { fps: Number(fps) },
  });
  return { definition, limitMs: seconds === undefined ? Infinity : Number(seconds) * 1000 };
}

/** Whether a warning says why the source has failed for good, which this command says itself, with what comes of it. */
function tellsOfTheEnd(message: string, live: Streams | undefined): boolean {
  const statuses = live?.list().map((stream) => stream.status().sourceStatus) ?? [];
  return statuses.some(({ state, error }) => state === 'failed' && error !== null && message.endsWith(error.message));
}

async function watch(
  live: Streams,
  { definition, limitMs }: Wanted,
  questions: readonly string[],
  flags: WatchFlags,
  stop: AbortSignal,
): Promise<void> {
  const missing = missingFile(definition);
  if (missing !== null) throw new YocoError('source_not_found', { detail: missing });
  const stream = await live.create(definition, 'operator');
  const progress = new ProgressLine('Watching');
  const enough = new Promise<void>((resolve) => {
    stream.onChange(() => {
      const { frames, lastMs } = stream.status();
      progress.show(
        Number.isFinite(limitMs) ? Math.min(1, (lastMs ?? 0) / limitMs) : null,
        `${clockText(lastMs ?? 0)}, ${frames} frames`,
      );
      if ((lastMs ?? 0) >= limitMs) resolve();
    });
  });
  const ended = stream.ended().catch((error: unknown) => YocoError.from(error));
  const failure = await Promise.race([ended, enough]);
  progress.end();
  // On Windows a Ctrl-C ends ffmpeg too, and its end may be heard of first.
  if (stop.aborted || (failure !== undefined && (await comesOfStop(stop)))) return;
  const status = stream.status();
  if (failure !== undefined) {
    // A camera that went away was watched until then.
    if (status.lastMs === null) throw failure;
    const seen = `The answers are about the ${status.frames} frames up to ${clockText(status.lastMs)} that came before.`;
    process.stderr.write(`warning: ${failure.message} ${seen} (${failure.code})\n`);
  }
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
    const sinceMs = result.streams[0]?.sinceMs ?? null;
    const since = sinceMs === null ? null : sinceMs / 1000;
    answers.push({ question, answer: result.text, as_of: result.asOfMs / 1000, since, evidence });
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
