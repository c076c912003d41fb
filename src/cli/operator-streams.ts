/**
 * The streams that the operator's files define, and how they follow changes to these files. Clients' streams are not
 * among them.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Config, settingError } from '../config.ts';
import { YocoError } from '../errors.ts';
import type { StreamDefinition } from '../ingest/definition.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import { SnapshotFolder } from '../live/snapshot-folder.ts';
import type { RunningServer, ServerLog } from '../server/index.ts';
import { systemReason } from '../system-code.ts';
import { errorFields } from './error-text.ts';
import { missingFileMessage } from './missing-file.ts';

/** What became of the streams, by name. `failed`: those that could not follow their files. */
export interface SyncResult {
  readonly created: string[];
  readonly changed: string[];
  readonly removed: string[];
  readonly failed: string[];
  /** Number of streams that stayed as they were. */
  left: number;
}

/** Where the standing questions of files are asked. */
type StandingQuestionsOf = Pick<RunningServer, 'checkStandingQuestions' | 'syncStandingQuestions'>;

interface OperatorStream {
  readonly stream: SourceStream;
  /** Its file's definition when the stream was last made or changed. */
  readonly definition: StreamDefinition;
}

export class OperatorStreams {
  readonly #live: Streams;
  readonly #log: ServerLog;
  readonly #streams = new Map<string, OperatorStream>();

  constructor(live: Streams, log: ServerLog) {
    this.#live = live;
    this.#log = log;
  }

  /** Throws the stream's error, with the names of the stream and its snapshot. */
  async create(definition: StreamDefinition): Promise<SourceStream> {
    this.#warnOfMissingFile(definition);
    const { name, restore } = definition;
    try {
      const stream = await this.#live.create(definition, 'operator');
      this.#streams.set(name, { stream, definition });
      return stream;
    } catch (error) {
      const { code, param, detail, cause = error } = YocoError.from(error);
      const which = `Stream ${name}${restore === undefined ? '' : `, snapshot ${restore}`}`;
      const details = { detail: detail === '' ? `${which}.` : `${which}: ${detail}`, cause };
      throw new YocoError(code, param === null ? details : { ...details, param });
    }
  }

  /**
   * Deletes streams whose files are gone. Changes those whose files differ, whose sources have failed for good, or
   * whose recording was lost with the engine. Makes those that are new or that a client has deleted. A failure is
   * logged and does not affect the other streams. Starts on no further stream once `stop` is aborted.
   */
  async sync(
    definitions: readonly StreamDefinition[],
    server: StandingQuestionsOf,
    stop: AbortSignal,
  ): Promise<SyncResult> {
    const result: SyncResult = { created: [], changed: [], removed: [], failed: [], left: 0 };
    const attempt = async (name: string, done: string[], act: () => Promise<void>): Promise<void> => {
      if (stop.aborted) return;
      try {
        await act();
        done.push(name);
      } catch (error) {
        result.failed.push(name);
        this.#logFailure(name, YocoError.from(error));
      }
    };
    const wanted = new Set(definitions.map(({ name }) => name));
    // Removals first, so that there is room for new streams.
    for (const [name, existing] of this.#streams) {
      if (existing.stream.deleted) this.#streams.delete(name);
      else if (!wanted.has(name)) await attempt(name, result.removed, () => this.#remove(existing));
    }
    for (const definition of definitions) {
      const { name } = definition;
      const existing = this.#streams.get(name);
      const follow = (done: string[], act: () => Promise<void>): Promise<void> =>
        attempt(name, done, () => {
          // Before anything is changed.
          server.checkStandingQuestions(name, definition.standing_questions ?? []);
          return act();
        });
      if (existing === undefined) await follow(result.created, () => this.#createAndSync(definition, server));
      else if (existing.stream.recordingNeedsReread)
        await follow(result.changed, () => this.#recreate(existing, definition, server));
      else if (isDeepStrictEqual(definition, existing.definition) && !existing.stream.canRestartSource)
        result.left += 1;
      else await follow(result.changed, () => this.#change(existing, definition, server));
    }
    return result;
  }

  /** A stream with `keep` is written to its file before it is deleted. */
  async #remove({ stream }: OperatorStream): Promise<void> {
    const { name } = stream;
    await this.#live.keep(name);
    // Meanwhile a client may have deleted it and made another one with its name.
    if (!stream.deleted) await this.#live.delete(name);
    this.#streams.delete(name);
  }

  async #recreate(existing: OperatorStream, definition: StreamDefinition, server: StandingQuestionsOf): Promise<void> {
    await this.#remove(existing);
    await this.#createAndSync(definition, server);
  }

  async #createAndSync(definition: StreamDefinition, server: StandingQuestionsOf): Promise<void> {
    const stream = await this.create(definition);
    try {
      server.syncStandingQuestions(stream);
    } catch (error) {
      this.#streams.delete(stream.name);
      await this.#live.delete(stream.name);
      throw error;
    }
  }

  async #change(existing: OperatorStream, definition: StreamDefinition, server: StandingQuestionsOf): Promise<void> {
    const { name, source, sampling } = definition;
    const before = existing.definition;
    const hasNewSource = !isDeepStrictEqual([source, sampling], [before.source, before.sampling]);
    if (hasNewSource && 'file' in source && source.recorded_at !== undefined) {
      this.#log.warn(
        { stream: name },
        'The stream starts over and forgets what it had seen: recorded_at of its file sets a new clock.',
      );
      await this.#recreate(existing, definition, server);
      return;
    }
    if (hasNewSource || existing.stream.canRestartSource) this.#warnOfMissingFile(definition);
    const stream = this.#live.change(definition);
    server.syncStandingQuestions(stream);
    this.#streams.set(name, { stream, definition });
    if (isDeepStrictEqual([definition.memory, definition.restore], [before.memory, before.restore])) return;
    this.#log.warn({ stream: name }, 'Changed settings (memory, restore) take effect after a restart.');
  }

  #warnOfMissingFile(definition: StreamDefinition): void {
    const missing = missingFileMessage(definition);
    if (missing !== null) this.#log.warn({ stream: definition.name }, missing);
  }

  #logFailure(stream: string, error: YocoError): void {
    this.#log.error(
      { stream, ...errorFields(error) },
      `The stream could not be changed to match its file: ${error.message}`,
    );
  }
}

/** Throws `config_invalid` if a stream has `keep` and there is no folder to keep it in. */
export function requireSnapshotFolder(
  definitions: readonly StreamDefinition[],
  { snapshots, variables }: Config,
): void {
  const kept = definitions.find(({ keep }) => keep !== undefined);
  if (kept === undefined || snapshots !== undefined) return;
  throw settingError('snapshots', `must name a folder, since stream ${kept.name} has keep`, variables);
}

/**
 * Makes the folder, and warns if nothing can be written in it while streams of these definitions are to be kept.
 * Otherwise that would show only when the first of them is written, by default a quarter of an hour later.
 */
export async function warnOfUnwritableFolder(
  definitions: readonly StreamDefinition[],
  { snapshots }: Pick<Config, 'snapshots'>,
  log: Pick<ServerLog, 'warn'>,
): Promise<void> {
  if (snapshots === undefined || !definitions.some(({ keep }) => keep !== undefined)) return;
  try {
    await new SnapshotFolder(snapshots).checkWritable();
  } catch (error) {
    const { cause } = YocoError.from(error);
    log.warn({ reason: systemReason(cause) }, 'The snapshot folder is not writable: no stream is kept.');
  }
}
