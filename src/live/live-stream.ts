/** One live stream: takes the frames of its source into the engine, keeps their pictures, and opens conversations. */
import { isDeepStrictEqual } from 'node:util';
import type { Engine } from '../engine/supervisor.ts';
import type { StreamSizes, CacheLimits, RestoredStream, SnapshotSummary } from '../engine/protocol.ts';
import { YocoError } from '../errors.ts';
import { describeSource, type StandingQuestionDefinition, type StreamDefinition } from '../ingest/definition.ts';
import type { Frame, SourceStatus } from '../ingest/frame.ts';
import { PushSource } from '../ingest/sources/push-source.ts';
import { StreamConversation } from './conversation.ts';
import { noFrameError } from './no-frame.ts';
import { PictureChange } from './picture-change.ts';
import { SourceRun, type SourceRunOptions } from './source-run.ts';
import { Thumbnails } from './thumbnails.ts';
import type { Conversation, LiveStream, PushOutcome, StreamStatus, Thumbnail, WarningFields } from './types.ts';

export interface LiveStreamOptions {
  /** Limit of JPEG bytes of seen pictures, per stream. */
  readonly thumbnailLimitBytes: number;
  /** After this many failed connections in a row a live source fails for good; default: never. */
  readonly maxAttempts?: number;
  /** Time zone of times of day in questions, such as `Europe/Berlin`; default: the process's. */
  readonly timeZone?: string;
  readonly onWarning: (message: string, fields: WarningFields) => void;
}

export const cacheLimits = ({ memory }: StreamDefinition): CacheLimits => ({
  limitBytes: memory.limit_mb * 2 ** 20,
  mergeBelow: memory.merge_below,
});

export class SourceStream implements LiveStream {
  readonly name: string;
  readonly #options: LiveStreamOptions;
  readonly #engine: Engine;
  #definition: StreamDefinition;
  #run: SourceRun;
  #thumbnails: Thumbnails;
  readonly #listeners = new Set<() => void>();
  /** Logs a warning about this stream; `code` is that of the error it reports. */
  readonly #warn: (message: string, code?: string) => void;
  readonly #startedAtMs = Date.now();
  readonly #lostListener = (): void => {
    this.#losses++;
    this.#hasLostMemory ||= this.#sizes !== undefined;
    this.#sizes = undefined;
    this.#notifyListeners();
  };
  readonly #resumedListener = (name: string, { sizes }: RestoredStream): void => {
    if (name !== this.name) return;
    this.#hasLostMemory = false;
    this.#sizes = sizes;
    this.#notifyListeners();
  };
  /** Number of engine losses; each one discards the stream's cache. */
  #losses = 0;
  /** Whether an engine loss discarded the stream's memory, and no file restored it. */
  #hasLostMemory = false;
  #sizes: StreamSizes | undefined;
  #frames = 0;
  #late = 0;
  /** Newest frame time handed to the engine, ms; a later source continues from there. */
  #newestMs: number | undefined;
  readonly #pictureChange = new PictureChange();
  #stopping = false;

  /** Whether the stream was deleted; another may have its name by now. */
  get deleted(): boolean {
    return this.#stopping;
  }

  /** Starts the source, and opens the stream in the engine unless it was restored from a snapshot. */
  constructor(definition: StreamDefinition, engine: Engine, options: LiveStreamOptions, restored?: RestoredStream) {
    this.name = definition.name;
    this.#definition = definition;
    this.#engine = engine;
    this.#options = options;
    this.#warn = (message, code) => {
      const fields = { stream: this.name, ...(code === undefined ? {} : { code }) };
      options.onWarning(`Stream ${this.name}: ${message}`, fields);
    };
    this.#thumbnails = this.#newThumbnails();
    this.#run = this.#newRun(definition, {
      resumeFrom: restored && { lastMs: restored.sizes.lastMs, startedAtMs: restored.snapshot.startedAtMs },
      previousClock: restored?.snapshot,
    });
    if (restored === undefined) engine.open(this.name, cacheLimits(definition));
    else {
      this.#sizes = restored.sizes;
      this.#frames = restored.sizes.frames;
      this.#newestMs = restored.sizes.lastMs;
    }
    engine.on('lost', this.#lostListener);
    engine.on('resumed', this.#resumedListener);
    this.#run.start();
  }

  #newThumbnails(): Thumbnails {
    return new Thumbnails({ size: this.#engine.bundle.imageSize, limitBytes: this.#options.thumbnailLimitBytes });
  }

  #newRun(definition: StreamDefinition, continued: Pick<SourceRunOptions, 'resumeFrom' | 'previousClock'>): SourceRun {
    const { maxAttempts } = this.#options;
    const options = { imageSize: this.#engine.bundle.imageSize, maxAttempts, ...continued };
    return new SourceRun(definition, options, {
      canAppend: () => this.#engine.accepts(this.name),
      append: (frame) => this.#append(frame),
      onWarning: this.#warn,
      onChange: () => {
        this.#notifyListeners();
      },
    });
  }

  /**
   * Applies another definition of the same name to the running stream, which keeps what it has seen. A new source is
   * started if source or sampling differ or if `canRestartSource`; it continues from the newest moment, as after
   * a restore. If the crop or the masks differ, the kept pictures are discarded, since they may show what is masked
   * now. `memory` and `restore` are not applied. Throws `stream_deleted`, the errors of `createSource`, and
   * `definition_invalid` for a `recorded_at` if the stream already has a time 0; nothing has changed then.
   */
  change(definition: StreamDefinition): void {
    if (this.#stopping) throw new YocoError('stream_deleted');
    const before = this.#definition;
    const isAnother = !isDeepStrictEqual(sourcePart(definition), sourcePart(before));
    if (isAnother || this.canRestartSource) this.#replaceSource(definition);
    this.#definition = { ...definition, memory: before.memory };
    if (!isDeepStrictEqual(watchedPart(definition), watchedPart(before))) this.#thumbnails = this.#newThumbnails();
    this.#notifyListeners();
  }

  /**
   * Whether the source has failed for good and may be started anew. A dated recording that has delivered frames may
   * not: its `recorded_at` is the time of its first frame.
   */
  get canRestartSource(): boolean {
    if (this.#sourceStatus.state !== 'failed') return false;
    return this.#newestMs === undefined || this.#run.source.startedAtMs === undefined;
  }

  /** Whether an engine loss discarded the stream's memory, and no file restored it. */
  get hasLostMemory(): boolean {
    return this.#hasLostMemory;
  }

  /**
   * Whether the source is a recording that was read to its end, and reading it again would restore what an engine loss
   * discarded.
   */
  get recordingNeedsReread(): boolean {
    const { source } = this.#definition;
    return 'file' in source && !source.loop && this.#hasLostMemory && this.#sourceStatus.state === 'ended';
  }

  #replaceSource(definition: StreamDefinition): void {
    const lastMs = this.#newestMs;
    const { startedAtMs, wallTimes } = this.status();
    const resumeFrom = lastMs === undefined ? undefined : { lastMs, startedAtMs };
    if (resumeFrom !== undefined && 'file' in definition.source && definition.source.recorded_at !== undefined) {
      const detail = 'source.recorded_at: cannot be set for a stream that goes on: its clock already runs.';
      throw new YocoError('definition_invalid', { param: 'source.recorded_at', detail });
    }
    const old = this.#run;
    this.#run = this.#newRun(definition, { resumeFrom, previousClock: resumeFrom && { startedAtMs, wallTimes } });
    this.#run.start(old.stop());
  }

  /** Resolves when the source has ended and every frame of it is in the cache; rejects when the source failed. */
  async ended(): Promise<void> {
    let run: SourceRun | undefined;
    while (run !== this.#run) await (run = this.#run).ended();
  }

  get #sourceStatus(): SourceStatus {
    const { status } = this.#run;
    return this.#stopping ? { ...status, state: 'stopped' } : status;
  }

  async #append(frame: Frame): Promise<void> {
    this.#newestMs = frame.timeMs;
    this.#pictureChange.observe(frame);
    try {
      const losses = this.#losses;
      const [sizes] = await Promise.all([
        this.#engine.append(this.name, frame.timeMs, frame.rgb),
        this.#thumbnails.add(frame),
      ]);
      // Thumbnails finish out of order: neither what a later frame has reported nor an engine loss may be overwritten.
      const newest = sizes.lastMs >= (this.#sizes?.lastMs ?? -Infinity);
      if (newest && losses === this.#losses) this.#sizes = sizes;
      this.#frames++;
    } catch (error) {
      if (!this.#stopping) this.#late++;
      const known = YocoError.from(error);
      if (known.code === 'internal') this.#warn(`a frame was lost: ${String(known.cause)}`, known.code);
    }
    this.#notifyListeners();
  }

  #notifyListeners(): void {
    for (const listener of this.#listeners) listener();
  }

  status(): StreamStatus {
    const { sampling, memory, source } = this.#definition;
    return {
      name: this.name,
      description: this.#definition.description ?? null,
      source: describeSource(source),
      sourceStatus: this.#sourceStatus,
      fps: sampling.fps,
      firstMs: this.#sizes?.firstMs ?? null,
      lastMs: this.#sizes?.lastMs ?? null,
      pictureChangedMs: this.#pictureChange.changedMs,
      startedAtMs: this.#run.startedAtMs ?? this.#startedAtMs,
      wallTimes: this.#run.wallTimes,
      frames: this.#frames,
      lateFrames: this.#late,
      cacheTokens: this.#sizes?.cacheTokens ?? 0,
      cacheBytes: this.#sizes?.cacheBytes ?? 0,
      memoryLimitBytes: memory.limit_mb * 2 ** 20,
      int8Frames: this.#sizes?.sealedFrames ?? 0,
      mergedFrames: this.#sizes?.mergedFrames ?? 0,
      thinnedFrames: this.#sizes?.thinnedFrames ?? 0,
      droppedFrames: this.#sizes?.droppedFrames ?? 0,
    };
  }

  get standingQuestions(): readonly StandingQuestionDefinition[] {
    return this.#definition.standing_questions ?? [];
  }

  get frozenAfterMs(): number | null {
    const { frozen_after: seconds } = this.#definition;
    return seconds === undefined ? null : seconds * 1_000;
  }

  converse(): Conversation {
    return new StreamConversation(this.#engine, [this], this.#options.timeZone);
  }

  pictures(): { readonly firstMs: number; readonly lastMs: number } | null {
    return this.#thumbnails.range;
  }

  thumbnail(timeMs?: number): Promise<Thumbnail> {
    return Promise.resolve().then(() => {
      if (this.#thumbnails.range === null) {
        if (this.#sizes === undefined) throw noFrameError(this.status());
        const why =
          'it goes on from a snapshot, or other parts of the picture are watched, and no frame has come since';
        const detail = `No picture of the stream is kept: ${why}.`;
        throw new YocoError('time_out_of_range', { param: 't', detail });
      }
      return this.#thumbnails.at(timeMs);
    });
  }

  async push(image: Uint8Array, time?: number | Date, waitedMs?: number): Promise<PushOutcome> {
    const source = this.#run.source;
    if (!(source instanceof PushSource)) throw new YocoError('stream_not_pushable');
    try {
      return await source.push(image, time, waitedMs);
    } catch (error) {
      // The source was replaced meanwhile; the stream still exists.
      if (source !== this.#run.source && YocoError.from(error).code === 'stream_deleted')
        return this.push(image, time, waitedMs);
      throw error;
    }
  }

  /** Writes a snapshot of the stream to the path `file`; see `Engine.snapshot`. */
  snapshot(file: string): Promise<SnapshotSummary> {
    if (this.#stopping) return Promise.reject(new YocoError('stream_deleted'));
    const { fps, startedAtMs, wallTimes } = this.status();
    return this.#engine.snapshot(this.name, file, { fps, startedAtMs, wallTimes }).catch((error: unknown) => {
      const known = YocoError.from(error);
      throw known.code === 'stream_empty' ? noFrameError(this.status(), { param: 'stream' }) : known;
    });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the source and frees the cache. */
  async close(): Promise<void> {
    this.#stopping = true;
    this.#engine.off('lost', this.#lostListener);
    this.#engine.off('resumed', this.#resumedListener);
    // Done first, so that a stream of the same name can be opened while this one's source ends.
    this.#engine.closeStream(this.name);
    // Listeners learn that the stream is gone, even if its source had already ended.
    this.#notifyListeners();
    await this.#run.stop();
    this.#listeners.clear();
    // Connections may outlive the stream, but no longer need its pictures.
    this.#thumbnails.clear();
  }
}

const sourcePart = ({ source, sampling }: StreamDefinition) => ({ source, sampling });
const watchedPart = ({ sampling: { crop, masks } }: StreamDefinition) => ({ crop, masks });
