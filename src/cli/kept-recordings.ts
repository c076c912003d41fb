/**
 * Recordings that were read once: a snapshot of each lies in the folder of snapshots, and stands for it while it is the
 * same.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { YocoError } from '../errors.ts';
import type { StreamDefinition } from '../ingest/definition.ts';
import type { Streams } from '../live/live-service.ts';
import type { SourceStream } from '../live/live-stream.ts';
import type { SnapshotInfo } from '../live/types.ts';

/**
 * Characters of a recording's own name in that of its snapshot, which has 128 at most, and of its stream, which has 64.
 */
const SNAPSHOT_NAME_CHARS = 100;
const STREAM_NAME_CHARS = 40;

/** By what a recording is found again. */
export interface RecordingNames {
  /** Name of its snapshot: by its path, so that there is one of each recording, which a newer one replaces. */
  readonly snapshot: string;
  /** Name of its stream, which the snapshot holds: by what the file was, and how it was read. */
  readonly stream: string;
}

/** `definition` is of a file. Throws `source_not_found`. */
export async function recordingNames(file: string, definition: StreamDefinition): Promise<RecordingNames> {
  const { size, mtimeMs } = await stat(file).catch((cause: unknown) => {
    throw new YocoError('source_not_found', { detail: `There is no file at ${file}.`, cause });
  });
  const read = JSON.stringify([{ ...definition, name: undefined }, size, mtimeMs]);
  return {
    snapshot: `${plain(file, SNAPSHOT_NAME_CHARS)}-${shortHash(path.resolve(file))}.snap`,
    stream: `${plain(file, STREAM_NAME_CHARS).toLowerCase()}-${shortHash(read)}`,
  };
}

/** The name of a file in letters that names of snapshots and streams may have. */
function plain(file: string, chars: number): string {
  const name = path.basename(file).replace(/[^A-Za-z0-9._]+/g, '-');
  return name.replace(/^[.-]+/, '').slice(0, chars) || 'recording';
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

export class KeptRecordings {
  readonly #live: Streams;
  readonly #known: Map<string, SnapshotInfo>;
  readonly #tell: (message: string) => void;

  private constructor(live: Streams, known: readonly SnapshotInfo[], tell: (message: string) => void) {
    this.#live = live;
    this.#known = new Map(known.map((info) => [info.file, info]));
    this.#tell = tell;
  }

  /** Those in the folder of `live`. `tell` hears what becomes of each. Throws `snapshots_off`. */
  static async in(live: Streams, tell: (message: string) => void): Promise<KeptRecordings> {
    const known = await live.snapshots().catch((error: unknown) => {
      // That a folder cannot be used is told when a recording is to be kept in it.
      if (YocoError.from(error).code === 'snapshot_failed') return [];
      throw error;
    });
    return new KeptRecordings(live, known, tell);
  }

  /** The stream of a recording as it was read before; null where it has to be read. */
  async restore({ snapshot, stream }: RecordingNames): Promise<SourceStream | null> {
    const info = this.#known.get(snapshot);
    if (info === undefined) return null;
    if (info.summary !== null && info.summary.stream !== stream) {
      this.#tell(
        `The snapshot ${snapshot} was made from another version of the file or with other options; reading the video again.`,
      );
      return null;
    }
    try {
      const restored = await this.#live.create({ name: stream, restore: snapshot }, 'operator');
      this.#tell(`The snapshot ${snapshot} is used instead of reading the video again.`);
      return restored;
    } catch (error) {
      const { message, code } = YocoError.from(error);
      this.#tell(`warning: The snapshot ${snapshot} cannot be used; reading the video again. ${message} (${code})`);
      return null;
    }
  }

  /**
   * Keeps a stream that has read all of its recording. Where it cannot be written the answers go on: it is told, and no
   * more.
   */
  async keep({ snapshot, stream }: RecordingNames): Promise<void> {
    try {
      this.#known.set(snapshot, await this.#live.snapshot(stream, snapshot));
    } catch (error) {
      const { message, code } = YocoError.from(error);
      this.#tell(`warning: No snapshot was kept. ${message} (${code})`);
    }
  }
}
