/** Snapshots of the streams of one scheduler. Files are written and read one after the other, beside everything else. */
import { YocoError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { describeContent, readContent, sectionsOf } from '../model/snapshot.ts';
import { checkModel, damaged } from '../model/snapshot-format.ts';
import type { CacheLimits, Restored, SnapshotFacts, SnapshotSummary } from './protocol.ts';
import type { Scheduler } from './scheduler.ts';
import { readSnapshot, summaryOf, writeSnapshot } from './snapshot-file.ts';

export class Snapshots {
  readonly #model: Model;
  readonly #scheduler: Scheduler;
  readonly #stopped = new AbortController();
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
    const capture = this.#scheduler.capture(stream);
    return this.#next(async () => {
      const { content, limits } = await capture();
      const { kvHeads: heads, headDim, tokensPerFrame } = this.#model.config;
      const all = { name: stream, ...facts, ...limits };
      const shape = { heads, headDim, tokensPerFrame };
      const header = describeContent(this.#model.config, shape, all, content, Date.now());
      return summaryOf(header, await writeSnapshot(file, header, sectionsOf(content), this.#stopped.signal));
    });
  }

  /**
   * Opens a stream from a file; until its checksum is seen to be right there is no stream.
   * Rejects with `snapshot_not_found`, `snapshot_damaged`, `snapshot_unsupported`, `stream_exists`, `definition_invalid`.
   */
  restore(stream: string, file: string, limits: CacheLimits): Promise<Restored> {
    return this.#next(() =>
      readSnapshot(file, async (reader) => {
        checkModel(reader.header, this.#model.config);
        const content = await readContent(reader.header, (target) => reader.fill(target));
        await reader.verify();
        try {
          return { snapshot: reader.summary, appended: this.#scheduler.restore(stream, content, limits) };
        } catch (error) {
          throw error instanceof YocoError ? error : damaged('Its parts do not fit together.', error);
        }
      }),
    );
  }

  /** Gives up what is being written or waits to be; resolves when nothing of it is left on the disk. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#last;
  }

  #next<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(run);
    this.#last = next.catch(() => undefined);
    return next;
  }
}
