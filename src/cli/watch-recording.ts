/** The part of `watch` that runs for each source: reads it or restores its snapshot, asks, and deletes the stream. */
import { clockText } from '../clock-text.ts';
import { YocoError } from '../errors.ts';
import { describeSource, type StreamDefinition } from '../ingest/definition.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import { noFrameError } from '../live/no-frame.ts';
import { type KeptRecordings, recordingNames } from './kept-recordings.ts';
import { missingFileMessage } from './missing-file.ts';
import { isCausedByStop, ProgressLine } from './terminal.ts';
import type { WatchReport } from './watch-report.ts';

export interface WatchContext {
  readonly live: Streams;
  readonly questions: readonly string[];
  /** How much of a source is watched, ms. */
  readonly limitMs: number;
  readonly report: WatchReport;
  /** Null: every recording is read and none is kept. */
  readonly kept: KeptRecordings | null;
  /** Prints a message about the current source on stderr. */
  readonly notify: (message: string) => void;
  readonly stop: AbortSignal;
}

/** One source. */
export interface WatchTarget {
  readonly definition: StreamDefinition;
  /** Name under which a source of a list is reported; null for a single source. */
  readonly listedAs: string | null;
  /** Label of the progress line on stderr. */
  readonly label: string;
}

/**
 * Returns whether every question has an answer; one that has none is reported and does not affect the others. Throws
 * `source_not_found`, and the source's failure before its first frame. Reports nothing more once it is stopped.
 */
export async function watchRecording(
  context: WatchContext,
  { definition, listedAs, label }: WatchTarget,
): Promise<boolean> {
  const { live, questions, limitMs, report, kept, stop } = context;
  const missing = missingFileMessage(definition);
  if (missing !== null) throw new YocoError('source_not_found', { detail: missing });
  const { source } = definition;
  const names = kept !== null && 'file' in source ? await recordingNames(source.file, definition) : null;
  const restored = names === null ? null : ((await kept?.restore(names)) ?? null);
  const stream = restored ?? (await live.create({ ...definition, name: names?.stream ?? definition.name }, 'operator'));
  try {
    if (restored === null) {
      const { losses } = live.engineFigures;
      const isWhole = await readSource(stream, { limitMs, label, notify: context.notify, stop });
      if (stop.aborted) return false;
      // Frames lost with an engine would be missing from every later answer.
      const isComplete = isWhole && live.engineFigures.losses === losses && stream.status().lateFrames === 0;
      if (names !== null && isComplete) await kept?.keep(names);
      else if (names !== null) context.notify('warning: No snapshot was kept: not all of the video was read.');
    }
    const status = stream.status();
    if (status.lastMs === null) throw noFrameError(status, { param: 'stream' });
    report.begin(listedAs ?? describeSource(source));
    // A source that has not ended continues meanwhile: all questions are about the moment up to which it was watched.
    const moment = { asOfMs: status.lastMs };
    let answered = true;
    for (const question of questions) {
      try {
        await report.answer(question, () => stream.converse().ask(question, moment));
      } catch (error) {
        if (await isCausedByStop(stop)) throw error;
        report.questionFailed(question, YocoError.from(error));
        answered = false;
      }
    }
    report.end(status.frames, status.lastMs);
    return answered;
  } finally {
    // After a stop the caller closes all streams.
    if (!stop.aborted) await live.delete(stream.name);
  }
}

/**
 * Resolves when the source has ended or was watched for long enough, with whether it was read to its end. Throws its
 * failure before the first frame.
 */
async function readSource(
  stream: SourceStream,
  { limitMs, label, notify, stop }: Pick<WatchContext, 'limitMs' | 'notify' | 'stop'> & Pick<WatchTarget, 'label'>,
): Promise<boolean> {
  const progress = new ProgressLine(label);
  const enough = new Promise<'enough'>((resolve) => {
    stream.onChange(() => {
      const { frames, lastMs } = stream.status();
      progress.show(
        Number.isFinite(limitMs) ? Math.min(1, (lastMs ?? 0) / limitMs) : null,
        `${clockText(lastMs ?? 0)}, ${frames} frames`,
      );
      if ((lastMs ?? 0) >= limitMs) resolve('enough');
    });
  });
  const ended = stream.ended().then(
    () => 'ended' as const,
    (error: unknown) => YocoError.from(error),
  );
  const outcome = await Promise.race([ended, enough]);
  progress.end();
  if (!(outcome instanceof YocoError)) return outcome === 'ended';
  // On Windows Ctrl-C ends ffmpeg too, and that may be noticed first.
  if (stop.aborted || (await isCausedByStop(stop))) return false;
  const { frames, lastMs } = stream.status();
  // A camera that went away was watched up to then.
  if (lastMs === null) throw outcome;
  const seen = `The answers are about the ${frames} frames up to ${clockText(lastMs)} that came before.`;
  notify(`warning: ${outcome.message} ${seen} (${outcome.code})`);
  return false;
}
