/** Snapshots of one scheduler's streams. Files are written and read one at a time, alongside all other work. */
import { YocoError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { cacheBytes, buildHeader, readContent, sectionsOf } from '../model/snapshot.ts';
import { checkModel, damagedError, type SnapshotHeader } from '../model/snapshot-format.ts';
import type { CacheLimits, RestoredStream, SnapshotFacts, SnapshotSummary } from './protocol.ts';
import type { Scheduler } from './scheduler.ts';
import { engineStoppingError, readSnapshot, type SnapshotReader, summaryOf, writeSnapshot } from './snapshot-file.ts';

export class Snapshots {
  readonly #model: Model;
  readonly #scheduler: Scheduler;
  readonly #stopAbort = new AbortController();
  /** One per stream being restored; aborted if the stream is closed before it is open. */
  readonly #restoreAborts = new Map<string, AbortController>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(model: Model, scheduler: Scheduler) {
    this.#model = model;
    this.#scheduler = scheduler;
  }

  /**
   * Writes the stream's content as of when the file's turn comes; the stream continues meanwhile. Until the file is
   * written, memory that the stream releases stays allocated: pages it thins or drops, and full-precision frames it
   * seals. Rejects with `stream_not_found`, `stream_deleted`, `stream_empty`, `snapshot_failed` or `invalid_request`.
   */
  write(stream: string, file: string, facts: SnapshotFacts): Promise<SnapshotSummary> {
    const { captured, take } = this.#scheduler.capture(stream);
    const written = this.#enqueue(engineStoppingError, async () => {
      take();
      const { content, limits } = await captured;
      const { kvHeads: heads, headDim, tokensPerFrame } = this.#model.config;
      const all = { name: stream, ...facts, ...limits };
      const shape = { heads, headDim, tokensPerFrame };
      const header = buildHeader(this.#model.config, shape, all, content, Date.now());
      return summaryOf(header, await writeSnapshot(file, header, sectionsOf(content), this.#stopAbort.signal));
    });
    // Rejects without waiting for its turn once there is nothing left to write.
    return Promise.race([written, captured.then(() => written)]);
  }

  /**
   * Restores a stream from a file; the stream is not opened before the checksum is verified. Rejects with
   * `snapshot_not_found`, `snapshot_damaged`, `snapshot_unsupported`, `stream_exists`, `stream_deleted`,
   * `shutting_down`, and with `definition_invalid` if the snapshot exceeds the limit.
   */
  async restore(stream: string, file: string, limits: CacheLimits): Promise<RestoredStream> {
    const abort = new AbortController();
    this.#restoreAborts.set(stream, abort);
    const read = (): Promise<RestoredStream> => {
      const ended = AbortSignal.any([this.#stopAbort.signal, abort.signal]);
      return readSnapshot(file, (reader) => this.#restoreFrom(stream, reader, limits, abort.signal), ended);
    };
    try {
      return await this.#enqueue(() => new YocoError('shutting_down'), read);
    } catch (error) {
      if (abort.signal.aborted) throw new YocoError('stream_deleted');
      throw error;
    } finally {
      if (this.#restoreAborts.get(stream) === abort) this.#restoreAborts.delete(stream);
    }
  }

  /** Aborts the restore, running or queued, of a stream that is being closed. */
  abortRestore(stream: string): void {
    this.#restoreAborts.get(stream)?.abort();
  }

  async #restoreFrom(
    stream: string,
    reader: SnapshotReader,
    limits: CacheLimits,
    closed: AbortSignal,
  ): Promise<RestoredStream> {
    checkModel(reader.header, this.#model.config);
    checkRoom(reader.header, limits);
    const content = await readContent(reader.header, (target) => reader.fill(target));
    await reader.verify();
    if (closed.aborted) throw new YocoError('stream_deleted');
    try {
      return { snapshot: reader.summary, sizes: this.#scheduler.restore(stream, content, limits) };
    } catch (error) {
      throw error instanceof YocoError ? error : damagedError('Its parts do not fit together.', error);
    }
  }

  /** Aborts all writes and reads, running or queued; resolves when no partial file is left on disk. */
  async stop(): Promise<void> {
    this.#stopAbort.abort();
    await this.#tail;
  }

  /** `stopped` makes the error with which a queued run rejects when the engine is stopped. */
  #enqueue<T>(stopped: () => YocoError, run: () => Promise<T>): Promise<T> {
    const next = this.#tail.then(() => {
      if (this.#stopAbort.signal.aborted) throw stopped();
      return run();
    });
    this.#tail = next.catch(() => undefined);
    return next;
  }
}

/**
 * Checks the header before the rest is read: content over the limit may exceed the memory of the whole engine. Throws
 * `definition_invalid`.
 */
function checkRoom(header: SnapshotHeader, { limitBytes }: CacheLimits): void {
  const bytes = cacheBytes(header);
  // Without pages there are only a few frames, all in full precision; the next frames make room.
  if (bytes <= limitBytes || header.pages === 0) return;
  // Evicting the excess at once would stall every stream for seconds.
  const detail = `memory.limit_mb: the snapshot needs at least ${Math.ceil(bytes / 2 ** 20)}.`;
  throw new YocoError('definition_invalid', { param: 'memory.limit_mb', detail });
}
