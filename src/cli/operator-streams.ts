/**
 * The streams that the operator's files define, and how they follow changes to these files. Clients' streams are not
 * among them.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Config, wrongSetting } from '../config.ts';
import { YocoError } from '../errors.ts';
import type { StreamDefinition } from '../ingest/definition.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import { SnapshotFolder } from '../live/snapshot-folder.ts';
import type { RunningServer, ServerLog } from '../server/index.ts';
import { systemReason } from '../system-code.ts';
import { errorFields } from './error-text.ts';
import { missingFile } from './missing-file.ts';

/** What became of the streams, by name. `failed`: those that could not follow their files. */
export interface Followed {
  readonly created: string[];
  readonly changed: string[];
  readonly removed: string[];
  readonly failed: string[];
  /** Number of streams that stayed as they were. */
  left: number;
}

interface Made {
  readonly stream: SourceStream;
  /** Its file's definition when the stream was last made or changed. */
  readonly definition: StreamDefinition;
}

export class OperatorStreams {
  readonly #live: Streams;
  readonly #log: ServerLog;
  readonly #made = new Map<string, Made>();

  constructor(live: Streams, log: ServerLog) {
    this.#live = live;
    this.#log = log;
  }

  /** Throws the stream's error, with the names of the stream and its snapshot. */
  async create(definition: StreamDefinition): Promise<SourceStream> {
    this.#tellOfMissing(definition);
    const { name, restore } = definition;
    try {
      const stream = await this.#live.create(definition, 'operator');
      this.#made.set(name, { stream, definition });
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
  async follow(
    definitions: readonly StreamDefinition[],
    server: Pick<RunningServer, 'syncStandingQuestions'>,
    stop: AbortSignal,
  ): Promise<Followed> {
    const followed: Followed = { created: [], changed: [], removed: [], failed: [], left: 0 };
    const attempt = async (name: string, done: string[], act: () => Promise<void>): Promise<void> => {
      if (stop.aborted) return;
      try {
        await act();
        done.push(name);
      } catch (error) {
        followed.failed.push(name);
        this.#tellOfFailure(name, YocoError.from(error));
      }
    };
    const wanted = new Set(definitions.map(({ name }) => name));
    // Removals first, so that there is room for new streams.
    for (const [name, made] of this.#made) {
      if (made.stream.deleted) this.#made.delete(name);
      else if (!wanted.has(name)) await attempt(name, followed.removed, () => this.#remove(made));
    }
    for (const definition of definitions) {
      const { name } = definition;
      const made = this.#made.get(name);
      if (made === undefined) await attempt(name, followed.created, () => this.#createLater(definition, server));
      else if (made.stream.recordingNeedsReread)
        await attempt(name, followed.changed, () => this.#again(made, definition, server));
      else if (isDeepStrictEqual(definition, made.definition) && !made.stream.canRestartSource) followed.left += 1;
      else await attempt(name, followed.changed, () => this.#change(made, definition, server));
    }
    return followed;
  }

  /** A stream with `keep` is written to its file before it is deleted. */
  async #remove({ stream }: Made): Promise<void> {
    const { name } = stream;
    await this.#live.keep(name);
    // Meanwhile a client may have deleted it and made another one with its name.
    if (!stream.deleted) await this.#live.delete(name);
    this.#made.delete(name);
  }

  async #again(
    made: Made,
    definition: StreamDefinition,
    server: Pick<RunningServer, 'syncStandingQuestions'>,
  ): Promise<void> {
    await this.#remove(made);
    await this.#createLater(definition, server);
  }

  async #createLater(
    definition: StreamDefinition,
    server: Pick<RunningServer, 'syncStandingQuestions'>,
  ): Promise<void> {
    const stream = await this.create(definition);
    try {
      server.syncStandingQuestions(stream);
    } catch (error) {
      this.#made.delete(stream.name);
      await this.#live.delete(stream.name);
      throw error;
    }
  }

  async #change(
    made: Made,
    definition: StreamDefinition,
    server: Pick<RunningServer, 'syncStandingQuestions'>,
  ): Promise<void> {
    const { name, source, sampling } = definition;
    const before = made.definition;
    const isAnother = !isDeepStrictEqual([source, sampling], [before.source, before.sampling]);
    if (isAnother && 'file' in source && source.recorded_at !== undefined) {
      this.#log.warn(
        { stream: name },
        'The stream starts over and forgets what it had seen: recorded_at of its file sets a new clock.',
      );
      await this.#again(made, definition, server);
      return;
    }
    if (isAnother || made.stream.canRestartSource) this.#tellOfMissing(definition);
    const stream = this.#live.change(definition);
    server.syncStandingQuestions(stream);
    this.#made.set(name, { stream, definition });
    if (isDeepStrictEqual([definition.memory, definition.restore], [before.memory, before.restore])) return;
    this.#log.warn({ stream: name }, 'Changed settings (memory, restore) take effect after a restart.');
  }

  #tellOfMissing(definition: StreamDefinition): void {
    const missing = missingFile(definition);
    if (missing !== null) this.#log.warn({ stream: definition.name }, missing);
  }

  #tellOfFailure(stream: string, error: YocoError): void {
    this.#log.error(
      { stream, ...errorFields(error) },
      `The stream could not be changed to match its file: ${error.message}`,
    );
  }
}

/** Throws `config_invalid` if a stream has `keep` and there is no folder to keep it in. */
export function checkKept(definitions: readonly StreamDefinition[], { snapshots, variables }: Config): void {
  const kept = definitions.find(({ keep }) => keep !== undefined);
  if (kept === undefined || snapshots !== undefined) return;
  throw wrongSetting('snapshots', `must name a folder, since stream ${kept.name} has keep`, variables);
}

/**
 * Makes the folder, and warns if nothing can be written in it while streams of these definitions are to be kept.
 * Otherwise that would show only when the first of them is written, by default a quarter of an hour later.
 */
export async function checkFolder(
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
