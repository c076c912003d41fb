/**
 * Snapshots of the streams of one scheduler. Files are written and read one after the other, beside everything else.
 */
import { YocoError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { cacheBytes, describeContent, readContent, sectionsOf } from '../model/snapshot.ts';
import { checkModel, damaged, type SnapshotHeader } from '../model/snapshot-format.ts';
import type { CacheLimits, Restored, SnapshotFacts, SnapshotSummary } from './protocol.ts';
import type { Scheduler } from './scheduler.ts';
import { givenUp, readSnapshot, type SnapshotReader, summaryOf, writeSnapshot } from './snapshot-file.ts';

export class Snapshots {
  readonly #model: Model;
  readonly #scheduler: Scheduler;
  readonly #stopped = new AbortController();
  /** One for each stream that is being restored: raised where it is closed before it is open. */
  readonly #closed = new Map<string, AbortController>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(model: Model, scheduler: Scheduler) {
    this.#model = model;
    this.#scheduler = scheduler;
  }

  /**
   * Writes what a stream holds when the file's turn comes; the stream goes on meanwhile. While it is written, what the
   * stream lets go of is kept: pages that it thins or drops, and the frames in full precision that it seals.
   * Rejects with `stream_not_found`, `stream_deleted`, `stream_empty`, `snapshot_failed`, `invalid_request`.
   */
  write(stream: string, file: string, facts: SnapshotFacts): Promise<SnapshotSummary> {
    const { captured, take } = this.#scheduler.capture(stream);
    const written = this.#next(givenUp, async () => {
      take();
      const { content, limits } = await captured;
      const { kvHeads: heads, headDim, tokensPerFrame } = this.#model.config;
      const all = { name: stream, ...facts, ...limits };
      const shape = { heads, headDim, tokensPerFrame };
      const header = describeContent(this.#model.config, shape, all, content, Date.now());
      return summaryOf(header, await writeSnapshot(file, header, sectionsOf(content), this.#stopped.signal));
    });
    // Who waits for others to be written or read hears at once that there is nothing left to write.
    return Promise.race([written, captured.then(() => written)]);
  }

  /**
   * Opens a stream from a file; until its checksum is seen to be right there is no stream.
   * Rejects with `snapshot_not_found`, `snapshot_damaged`, `snapshot_unsupported`, `stream_exists`, `stream_deleted`,
   * `shutting_down`, and with `definition_invalid` where the limit is less than what the snapshot holds.
   */
  async restore(stream: string, file: string, limits: CacheLimits): Promise<Restored> {
    const closed = new AbortController();
    this.#closed.set(stream, closed);
    const read = (): Promise<Restored> => {
      const ended = AbortSignal.any([this.#stopped.signal, closed.signal]);
      return readSnapshot(file, (reader) => this.#restored(stream, reader, limits, closed.signal), ended);
    };
    try {
      return await this.#next(() => new YocoError('shutting_down'), read);
    } catch (error) {
      if (closed.signal.aborted) throw new YocoError('stream_deleted');
      throw error;
    } finally {
      if (this.#closed.get(stream) === closed) this.#closed.delete(stream);
    }
  }

  /** Gives up a stream that is closed: if it is being restored, or waits to be, it is no longer opened. */
  giveUp(stream: string): void {
    this.#closed.get(stream)?.abort();
  }

  async #restored(stream: string, reader: SnapshotReader, limits: CacheLimits, closed: AbortSignal): Promise<Restored> {
    checkModel(reader.header, this.#model.config);
    checkRoom(reader.header, limits);
    const content = await readContent(reader.header, (target) => reader.fill(target));
    await reader.verify();
    if (closed.aborted) throw new YocoError('stream_deleted');
    try {
      return { snapshot: reader.summary, appended: this.#scheduler.restore(stream, content, limits) };
    } catch (error) {
      throw error instanceof YocoError ? error : damaged('Its parts do not fit together.', error);
    }
  }

  /** Gives up what is being written or read, or waits to be; resolves when nothing of it is left on the disk. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#last;
  }

  /** `stopped`: what it rejects with where the engine is ended before its turn. */
  #next<T>(stopped: () => YocoError, run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(() => {
      if (this.#stopped.signal.aborted) throw stopped();
      return run();
    });
    this.#last = next.catch(() => undefined);
    return next;
  }
}

/**
 * Before more than the header is read: what does not fit the limit may be more than the whole engine has room for.
 * Throws `definition_invalid`.
 */
function checkRoom(header: SnapshotHeader, { limitBytes }: CacheLimits): void {
  const bytes = cacheBytes(header);
  // Frames in full precision alone are few; the next ones make room.
  if (bytes <= limitBytes || header.pages === 0) return;
  // Making room for all of it at once would stop every stream for seconds.
  const detail = `memory.limit_mb: the snapshot needs at least ${Math.ceil(bytes / 2 ** 20)}.`;
  throw new YocoError('definition_invalid', { param: 'memory.limit_mb', detail });
}
