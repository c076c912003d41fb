/**
 * Recordings that were read before: each has a snapshot in the folder of snapshots, which replaces it as long as the
 * file is unchanged.
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
 * Characters of a recording's own name within the name of its snapshot, which may have 128, and of its stream, which
 * may have 64.
 */
const SNAPSHOT_NAME_CHARS = 100;
const STREAM_NAME_CHARS = 40;

/** Names by which a recording is found again. */
export interface RecordingNames {
  /** Name of its snapshot, derived from its path: each recording has one snapshot, which a newer one replaces. */
  readonly snapshot: string;
  /** Name of its stream, which the snapshot contains: derived from the file's size and time, and how it was read. */
  readonly stream: string;
}

/** The source of `definition` is the file. Throws `source_not_found`. */
export async function recordingNames(file: string, definition: StreamDefinition): Promise<RecordingNames> {
  const { size, mtimeMs } = await stat(file).catch((cause: unknown) => {
    throw new YocoError('source_not_found', { detail: `There is no file at ${file}.`, cause });
  });
  const fingerprint = JSON.stringify([{ ...definition, name: undefined }, size, mtimeMs]);
  return {
    snapshot: `${safeName(file, SNAPSHOT_NAME_CHARS)}-${shortHash(path.resolve(file))}.snap`,
    stream: `${safeName(file, STREAM_NAME_CHARS).toLowerCase()}-${shortHash(fingerprint)}`,
  };
}

/** A file's name, limited to characters that names of snapshots and streams may have. */
function safeName(file: string, chars: number): string {
  const name = path.basename(file).replace(/[^A-Za-z0-9._]+/g, '-');
  return name.replace(/^[.-]+/, '').slice(0, chars) || 'recording';
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

export class KeptRecordings {
  readonly #live: Streams;
  readonly #snapshots: Map<string, SnapshotInfo>;
  readonly #notify: (message: string) => void;

  private constructor(live: Streams, known: readonly SnapshotInfo[], notify: (message: string) => void) {
    this.#live = live;
    this.#snapshots = new Map(known.map((info) => [info.file, info]));
    this.#notify = notify;
  }

  /** The kept recordings in the folder of `live`. `notify` receives messages about each. Throws `snapshots_off`. */
  static async load(live: Streams, notify: (message: string) => void): Promise<KeptRecordings> {
    const known = await live.snapshots().catch((error: unknown) => {
      // An unusable folder is reported when a recording is to be kept in it.
      if (YocoError.from(error).code === 'snapshot_failed') return [];
      throw error;
    });
    return new KeptRecordings(live, known, notify);
  }

  /** Restores the stream of a recording that was read before; null when the recording must be read. */
  async restore({ snapshot, stream }: RecordingNames): Promise<SourceStream | null> {
    const info = this.#snapshots.get(snapshot);
    if (info === undefined) return null;
    if (info.summary !== null && info.summary.stream !== stream) {
      this.#notify(
        `The snapshot ${snapshot} was made from another version of the file or with other options; reading the video again.`,
      );
      return null;
    }
    try {
      const restored = await this.#live.create({ name: stream, restore: snapshot }, 'operator');
      this.#notify(`The snapshot ${snapshot} is used instead of reading the video again.`);
      return restored;
    } catch (error) {
      const { message, code } = YocoError.from(error);
      this.#notify(`warning: The snapshot ${snapshot} cannot be used; reading the video again. ${message} (${code})`);
      return null;
    }
  }

  /**
   * Keeps a stream that has read all of its recording. If the snapshot cannot be written, warns and lets the answers go
   * on.
   */
  async keep({ snapshot, stream }: RecordingNames): Promise<void> {
    try {
      this.#snapshots.set(snapshot, await this.#live.snapshot(stream, snapshot));
    } catch (error) {
      const { message, code } = YocoError.from(error);
      this.#notify(`warning: No snapshot was kept. ${message} (${code})`);
    }
  }
}
