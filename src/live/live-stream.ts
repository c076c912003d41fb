/** One live stream: takes the frames of its source into the engine, keeps their pictures, and opens conversations. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Engine } from '../engine/supervisor.ts';
import type { StreamSizes, CacheLimits, RestoredStream, SnapshotSummary } from '../engine/protocol.ts';
import { YocoError } from '../errors.ts';
import { describeSource, type StandingQuestionDefinition, type StreamDefinition } from '../ingest/definition.ts';
import type { Frame, FrameSource, SourceState, SourceStatus } from '../ingest/frame.ts';
import { createSource } from '../ingest/sources/create-source.ts';
import { PushSource } from '../ingest/sources/push-source.ts';
import type { ClockStart } from '../ingest/source-clock.ts';
import { StreamConversation } from './conversation.ts';
import { hasEnded, noFrameError } from './no-frame.ts';
import { PictureChange } from './picture-change.ts';
import { Thumbnails } from './thumbnails.ts';
import type { Conversation, LiveStream, PushOutcome, StreamStatus, Thumbnail, WarningFields } from './types.ts';
import { WallClock } from './wall-clock.ts';

export interface LiveStreamOptions {
  /** Limit of JPEG bytes of seen pictures, per stream. */
  readonly thumbnailLimitBytes: number;
  /** After this many failed connections in a row a live source fails for good; default: never. */
  readonly maxAttempts?: number;
  /** Time zone of times of day in questions, such as `Europe/Berlin`; default: the process's. */
  readonly timeZone?: string;
  readonly onWarning: (message: string, fields: WarningFields) => void;
}

/** Frames in flight to the engine: one is being processed while the next is queued. */
const FRAMES_IN_FLIGHT = 2;
const ENGINE_POLL_MS = 50;
export const cacheLimits = ({ memory }: StreamDefinition): CacheLimits => ({
  limitBytes: memory.limit_mb * 2 ** 20,
  mergeBelow: memory.merge_below,
});

export class SourceStream implements LiveStream {
  readonly name: string;
  readonly #options: LiveStreamOptions;
  readonly #engine: Engine;
  #definition: StreamDefinition;
  #source: FrameSource;
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
  /** Belongs to the current source, which may itself say when time 0 was. */
  #wallClock: WallClock;
  readonly #timeZone: string | undefined;
  #stopping = false;
  #pumping: Promise<void> = Promise.resolve();
  /** Whether the source is over and all its frames have been taken in. */
  #isDrained = false;
  /** Last state of the source before it was over. */
  #stateBeforeEnd: SourceState = 'connecting';
  #failure: YocoError | undefined;
  /** Code of the error last logged for a source that is away; undefined once it is back. */
  #outageCode: string | undefined;

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
    this.#timeZone = options.timeZone;
    this.#wallClock = new WallClock(definition.source, restored?.snapshot);
    this.#source = this.#newSource(definition, restored === undefined ? undefined : clockOf(restored));
    if (restored === undefined) engine.open(this.name, cacheLimits(definition));
    else {
      this.#sizes = restored.sizes;
      this.#frames = restored.sizes.frames;
      this.#newestMs = restored.sizes.lastMs;
    }
    engine.on('lost', this.#lostListener);
    engine.on('resumed', this.#resumedListener);
    this.#pumping = this.#pump(this.#source);
  }

  #newThumbnails(): Thumbnails {
    return new Thumbnails({ size: this.#engine.bundle.imageSize, limitBytes: this.#options.thumbnailLimitBytes });
  }

  #newSource(definition: StreamDefinition, resumeFrom: ClockStart | undefined): FrameSource {
    const { maxAttempts } = this.#options;
    const source = createSource(definition, {
      imageSize: this.#engine.bundle.imageSize,
      onWarning: this.#warn,
      onChange: () => {
        if (source !== this.#source) return;
        const { status } = source;
        if (!hasEnded(status)) this.#stateBeforeEnd = status.state;
        this.#warnOfSource();
        this.#notifyListeners();
      },
      startedAtMs: () => this.#wallClock.startedAtMs,
      ...(maxAttempts === undefined ? {} : { maxAttempts }),
      ...(resumeFrom === undefined ? {} : { resumeFrom }),
    });
    return source;
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
    return this.#newestMs === undefined || this.#source.startedAtMs === undefined;
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
    const old = this.#source;
    this.#source = this.#newSource(definition, resumeFrom);
    this.#wallClock = new WallClock(definition.source, resumeFrom && { startedAtMs, wallTimes });
    this.#isDrained = false;
    this.#stateBeforeEnd = 'connecting';
    this.#failure = undefined;
    this.#outageCode = undefined;
    this.#pumping = this.#pump(this.#source, Promise.all([old.stop(), this.#pumping]));
  }

  /** Resolves when the source has ended and every frame of it is in the cache; rejects when the source failed. */
  async ended(): Promise<void> {
    let pumping: Promise<void> | undefined;
    while (pumping !== this.#pumping) await (pumping = this.#pumping);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** `before` settles when the previous source is gone: a camera may allow only one viewer. */
  async #pump(source: FrameSource, before?: Promise<unknown>): Promise<void> {
    if (before !== undefined) await before;
    const inFlight = new Set<Promise<void>>();
    let failure: YocoError | undefined;
    try {
      for await (const frame of source.frames()) {
        if (!this.#isCurrent(source)) break;
        this.#updateWallClock(frame);
        this.#pictureChange.observe(frame);
        if (inFlight.size >= FRAMES_IN_FLIGHT) await Promise.race(inFlight);
        await this.#waitForEngine(source);
        if (!this.#isCurrent(source)) break;
        const flight = this.#append(frame).finally(() => inFlight.delete(flight));
        inFlight.add(flight);
      }
    } catch (error) {
      failure = YocoError.from(error);
    }
    await Promise.all(inFlight);
    if (source !== this.#source) return;
    this.#failure = failure;
    this.#isDrained = true;
    // Logged only now, so that whoever sees the warning finds the state it describes.
    if (failure !== undefined) this.#warn(failure.message, failure.code);
    this.#notifyListeners();
  }

  /** Whether frames of this source are still wanted. */
  #isCurrent(source: FrameSource): boolean {
    return source === this.#source && !this.#stopping;
  }

  /**
   * The source's status, except that it counts as over only once its last frames are in the cache: until then they may
   * change an answer.
   */
  get #sourceStatus(): SourceStatus {
    const { status } = this.#source;
    if (this.#stopping) return { ...status, state: 'stopped' };
    return hasEnded(status) && !this.#isDrained ? { ...status, state: this.#stateBeforeEnd } : status;
  }

  /**
   * Resolves when the engine can take a frame, or when frames of this source are no longer wanted. An engine restart
   * takes seconds; a live source drops frames from its own queue meanwhile. Only one frame waits here at a time: of
   * several, any could be the first to see the engine back.
   */
  async #waitForEngine(source: FrameSource): Promise<void> {
    while (!this.#engine.accepts(this.name) && this.#isCurrent(source)) await sleep(ENGINE_POLL_MS);
  }

  #updateWallClock(frame: Frame): void {
    // Not if the source itself says when time 0 was: pictures pushed with their times, or a dated recording.
    if (this.#source.startedAtMs !== undefined) return;
    const changeMs = this.#wallClock.observe(frame);
    if (changeMs === 0) return;
    const change = `${(Math.abs(changeMs) / 1_000).toFixed(1)} s ${changeMs < 0 ? 'back' : 'forward'}`;
    this.#warn(`the wall clock jumped ${change}; the wall times of all its frames moved with it.`);
  }

  async #append(frame: Frame): Promise<void> {
    this.#newestMs = frame.timeMs;
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

  /** Logs once why a source is away, again if the reason changes, and once when it is back. */
  #warnOfSource(): void {
    const { state, error } = this.#source.status;
    if (state === 'reconnecting' && error !== null && error.code !== this.#outageCode) {
      this.#outageCode = error.code;
      this.#warn(`${error.message} Retrying. (${error.code})`, error.code);
    } else if (state === 'playing' && this.#outageCode !== undefined) {
      this.#outageCode = undefined;
      this.#warn(`its source is back.`);
    }
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
      startedAtMs: this.#source.startedAtMs ?? this.#wallClock.startedAtMs ?? this.#startedAtMs,
      // It is unknown when a recording at an address was made.
      wallTimes: 'url' in source && this.#source.isRecording ? 'unknown' : this.#wallClock.wallTimes,
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

  converse(): Conversation {
    return new StreamConversation(this.#engine, [this], this.#timeZone);
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
    const source = this.#source;
    if (!(source instanceof PushSource)) throw new YocoError('stream_not_pushable');
    try {
      return await source.push(image, time, waitedMs);
    } catch (error) {
      // The source was replaced meanwhile; the stream still exists.
      if (source !== this.#source && YocoError.from(error).code === 'stream_deleted')
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
    await this.#source.stop();
    await this.#pumping;
    this.#listeners.clear();
    // Connections may outlive the stream, but no longer need its pictures.
    this.#thumbnails.clear();
  }
}

const sourcePart = ({ source, sampling }: StreamDefinition) => ({ source, sampling });
const watchedPart = ({ sampling: { crop, masks } }: StreamDefinition) => ({ crop, masks });

const clockOf = ({ sizes, snapshot }: RestoredStream) => ({
  lastMs: sizes.lastMs,
  startedAtMs: snapshot.startedAtMs,
});
