import path from 'node:path';
import type { Command } from 'commander';
import { YocoError } from '../errors.ts';
import { FPS, parseDefinition, type StreamDefinition } from '../ingest/definition.ts';
import type { Streams } from '../live/live-service.ts';
import { parseNumber } from '../parse-number.ts';
import { parseWallTime } from '../rfc3339.ts';
import { KeptRecordings } from './kept-recordings.ts';
import { startLocalStreams } from './local-streams.ts';
import { readQuestions } from './question-list.ts';
import { findSources, shownSource, type Sources } from './recordings.ts';
import { isAddress } from './source-argument.ts';
import { aborted, isCausedByStop, stopSignal, stopExitStatus } from './terminal.ts';
import { type WatchContext, watchRecording } from './watch-recording.ts';
import { JsonReport, TextReport } from './watch-report.ts';

interface WatchFlags {
  readonly questions?: string;
  readonly recursive?: true;
  readonly keep?: true;
  readonly bundle?: string;
  readonly fps: string;
  readonly seconds?: string;
  readonly recordedAt?: string;
  readonly json?: true;
}

export function addWatch(program: Command): void {
  program
    .command('watch')
    .description('read a video, or all of a folder, and answer questions about each; no server is needed')
    .argument(
      '<source>',
      'a video file, an rtsp or http address, a folder of videos, or - for paths on stdin, one a line',
    )
    .argument('[question...]', 'questions, each in quotation marks')
    .option('--questions <file>', 'a file of further questions, one a line; lines that begin with # are left out')
    .option('--recursive', 'search subfolders, too')
    .option('--keep', 'save a snapshot of each file, and use it instead of reading the video the next time')
    .option('--bundle <dir>', 'model bundle')
    .option('--fps <number>', 'frames a second that the model sees', '2')
    .option('--seconds <number>', 'stop watching after this long (a live source has no end of its own)')
    .option('--recorded-at <time>', 'when a file was recorded (RFC 3339), for questions that name times of day')
    .option('--json', 'print one JSON object for each source')
    .action(async (source: string, given: string[], flags: WatchFlags) => {
      const limitMs = checkFlags(flags);
      const questions = await readQuestions(given, flags.questions);
      const sources = await findSources(source, { recursive: flags.recursive === true, warn: toStderr });
      if (flags.recordedAt !== undefined && !sources.isSingle) throw recordedAtError();
      // Errors of a list's sources are reported when their turn comes.
      if (sources.isSingle) definitionOf(source, flags);
      const stop = stopSignal();
      const status = stopExitStatus();
      let live: Streams | undefined;
      let currentSource: string | null = null;
      const notify = (message: string): void => {
        if (!stop.aborted) toStderr(currentSource === null ? message : prefixWithSource(currentSource, message));
      };
      try {
        live = await startLocalStreams(flags.bundle, {
          keep: flags.keep === true,
          onWarning: (message) => {
            if (!isSourceFailure(message, live)) notify(message);
          },
        });
        const isSingleQuestion = questions.length === 1;
        const context: WatchContext = {
          live,
          questions,
          limitMs,
          report:
            flags.json === true ? new JsonReport() : new TextReport({ isSingle: sources.isSingle, isSingleQuestion }),
          kept: flags.keep === true ? await KeptRecordings.load(live, notify) : null,
          notify,
          stop,
        };
        const setCurrent = (listed: string): void => void (currentSource = listed);
        if (!stop.aborted) await Promise.race([watchAll(context, sources, flags, setCurrent), aborted(stop)]);
      } catch (error) {
        // An error that results from the stop is not reported.
        if (!(await isCausedByStop(stop))) throw error;
      } finally {
        await live?.close();
      }
      if (stop.aborted) process.exitCode = status();
    });
}

const toStderr = (message: string): void => void process.stderr.write(`${message}\n`);

/** Prefixes a message with its source instead of the stream's name, which says nothing in a list. */
function prefixWithSource(source: string, message: string): string {
  const [about = '', severity = ''] = /^(warning: )?(?:Stream [^:]+: )?/.exec(message) ?? [];
  return `${severity}${source}: ${message.slice(about.length)}`;
}

/**
 * Returns how much of a source is watched, ms. Throws `invalid_request` or `definition_invalid`, naming the flag and
 * what is expected.
 */
function checkFlags({ fps, seconds, keep, recordedAt }: WatchFlags): number {
  if (!(parseNumber(fps) >= FPS.min && parseNumber(fps) <= FPS.max)) {
    const detail = `--fps: expected a number from ${FPS.min} to ${FPS.max}.`;
    throw new YocoError('definition_invalid', { param: 'fps', detail });
  }
  if (seconds !== undefined && !(parseNumber(seconds) > 0)) {
    throw new YocoError('invalid_request', { param: 'seconds', detail: '--seconds: expected a number above 0.' });
  }
  if (seconds !== undefined && keep === true) {
    const detail = '--keep: cannot be used with --seconds, since only a video that was read to its end is kept.';
    throw new YocoError('invalid_request', { param: 'keep', detail });
  }
  if (recordedAt !== undefined && parseWallTime(recordedAt) === null) {
    const detail = '--recorded-at: expected a wall time with its zone, such as 2030-01-31T12:00:00+01:00.';
    throw new YocoError('invalid_request', { param: 'recorded_at', detail });
  }
  return seconds === undefined ? Infinity : parseNumber(seconds) * 1000;
}

/** Each recording of a list is from another time, and an address is a camera's, or not known to be a recording's. */
function recordedAtError(): YocoError {
  return new YocoError('invalid_request', {
    param: 'recorded_at',
    detail: '--recorded-at: expected one file to watch.',
  });
}

/**
 * Throws `definition_invalid`, naming the source's field and what is expected, and `invalid_request` for an address
 * with a flag that is only for files.
 */
function definitionOf(source: string, { fps, keep, recordedAt }: WatchFlags): StreamDefinition {
  if (recordedAt !== undefined && isAddress(source)) throw recordedAtError();
  if (keep === true && isAddress(source)) {
    const detail = '--keep: expected a file, since the video at an address may change unnoticed.';
    throw new YocoError('invalid_request', { param: 'keep', detail });
  }
  return parseDefinition({
    name: 'watch',
    source: isAddress(source)
      ? { url: source }
      : { file: path.resolve(source), pace: 'fastest', recorded_at: recordedAt },
    sampling: { fps: parseNumber(fps) },
  });
}

/**
 * Whether a warning says why the source has failed for good: this command reports that itself, with the consequences.
 */
function isSourceFailure(message: string, live: Streams | undefined): boolean {
  const statuses = live?.list().map((stream) => stream.status().sourceStatus) ?? [];
  return statuses.some(({ state, error }) => state === 'failed' && error !== null && message.endsWith(error.message));
}

/**
 * Watches one source after the other; `onSource` receives the current one of a list. A source of a list that fails, or
 * a question without an answer, is reported, and the exit status becomes 1.
 */
async function watchAll(
  context: WatchContext,
  { all, isSingle }: Sources,
  flags: WatchFlags,
  onSource: (listed: string) => void,
): Promise<void> {
  const { report, stop } = context;
  for (const [i, source] of all.entries()) {
    if (stop.aborted) return;
    if (isSingle) {
      const definition = definitionOf(source, flags);
      const answered = await watchRecording(context, { definition, listedAs: null, label: 'Watching' });
      if (!answered) process.exitCode ??= 1;
      return;
    }
    const listedAs = shownSource(source);
    onSource(listedAs);
    try {
      const definition = definitionOf(source, flags);
      const label = `Watching ${i + 1} of ${all.length}, ${listedAs}:`;
      const answered = await watchRecording(context, { definition, listedAs, label });
      // After a stop, the signal's status replaces this one.
      if (!answered) process.exitCode ??= 1;
    } catch (error) {
      if (await isCausedByStop(stop)) return;
      report.sourceFailed(listedAs, YocoError.from(error));
      process.exitCode = 1;
    }
  }
}
