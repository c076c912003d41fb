/**
 * One source of a stream, from its start until its last frame is in the cache. A stream whose definition gets another
 * source gets another run, so what is known of a source ends with it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { YocoError } from '../errors.ts';
import type { StreamDefinition } from '../ingest/definition.ts';
import type { Frame, FrameSource, SourceState, SourceStatus } from '../ingest/frame.ts';
import type { ClockStart } from '../ingest/source-clock.ts';
import { createSource } from '../ingest/sources/create-source.ts';
import type { WallTimes } from '../model/snapshot-format.ts';
import { hasEnded } from './no-frame.ts';
import { type PreviousClock, WallClock } from './wall-clock.ts';

/** Frames in flight to the engine: one is being processed while the next is queued. */
const FRAMES_IN_FLIGHT = 2;
const ENGINE_POLL_MS = 50;

export interface SourceRunOptions {
  /** Side of the pictures, pixels. */
  readonly imageSize: number;
  /** After this many failed connections in a row a live source fails for good; default: never. */
  readonly maxAttempts?: number | undefined;
  /** Where the stream's times continue; default: a stream without frames. */
  readonly resumeFrom?: ClockStart | undefined;
  /** The wall times that the stream had before; default: none. */
  readonly previousClock?: PreviousClock | undefined;
}

/** What a run needs of its stream. */
export interface SourceRunHost {
  /** Whether the engine takes frames of the stream now. */
  readonly canAppend: () => boolean;
  /** Takes a frame in; settles when it is in the cache or lost, and never rejects. */
  readonly append: (frame: Frame) => Promise<void>;
  readonly onWarning: (message: string, code?: string) => void;
  /** The status of the source has changed. */
  readonly onChange: () => void;
}

export class SourceRun {
  readonly source: FrameSource;
  readonly #isAddress: boolean;
  readonly #wallClock: WallClock;
  readonly #host: SourceRunHost;
  #isStopped = false;
  #pumping: Promise<void> = Promise.resolve();
  /** Whether the source is over and all its frames have been taken in. */
  #isDrained = false;
  /** Last state of the source before it was over. */
  #stateBeforeEnd: SourceState = 'connecting';
  #failure: YocoError | undefined;
  /** Code of the error last logged for a source that is away; undefined once it is back. */
  #outageCode: string | undefined;

  /** Creates the source of a definition; `start` reads it. Throws what `createSource` throws. */
  constructor(definition: StreamDefinition, options: SourceRunOptions, host: SourceRunHost) {
    const { imageSize, maxAttempts, resumeFrom, previousClock } = options;
    this.#host = host;
    this.#isAddress = 'url' in definition.source;
    this.#wallClock = new WallClock(definition.source, previousClock);
    this.source = createSource(definition, {
      imageSize,
      onWarning: host.onWarning,
      onChange: () => {
        this.#onSourceChange();
      },
      startedAtMs: () => this.#wallClock.startedAtMs,
      ...(maxAttempts === undefined ? {} : { maxAttempts }),
      ...(resumeFrom === undefined ? {} : { resumeFrom }),
    });
  }

  /** Reads the source. `before` settles when the previous one is gone: a camera may allow only one viewer. */
  start(before?: Promise<unknown>): void {
    this.#pumping = this.#pump(before);
  }

  /** Takes no more frames and ends the source; resolves when it is gone and no frame of it is in flight. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.source.stop(), this.#pumping]);
  }

  /** Resolves when the source has ended and every frame of it is in the cache; rejects when the source failed. */
  async ended(): Promise<void> {
    await this.#pumping;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * The source's status, except that it counts as over only once its last frames are in the cache: until then they may
   * change an answer.
   */
  get status(): SourceStatus {
    const { status } = this.source;
    return hasEnded(status) && !this.#isDrained ? { ...status, state: this.#stateBeforeEnd } : status;
  }

  /** Wall time of time 0, ms since 1970, once it is known. */
  get startedAtMs(): number | undefined {
    return this.source.startedAtMs ?? this.#wallClock.startedAtMs;
  }

  get wallTimes(): WallTimes {
    // It is unknown when a recording at an address was made.
    return this.#isAddress && this.source.isRecording ? 'unknown' : this.#wallClock.wallTimes;
  }

  #wantsFrames(): boolean {
    return !this.#isStopped;
  }

  async #pump(before?: Promise<unknown>): Promise<void> {
    if (before !== undefined) await before;
    const inFlight = new Set<Promise<void>>();
    let failure: YocoError | undefined;
    try {
      for await (const frame of this.source.frames()) {
        if (!this.#wantsFrames()) break;
        this.#updateWallClock(frame);
        if (inFlight.size >= FRAMES_IN_FLIGHT) await Promise.race(inFlight);
        await this.#waitForEngine();
        if (!this.#wantsFrames()) break;
        const flight = this.#host.append(frame).finally(() => inFlight.delete(flight));
        inFlight.add(flight);
      }
    } catch (error) {
      failure = YocoError.from(error);
    }
    await Promise.all(inFlight);
    if (!this.#wantsFrames()) return;
    this.#failure = failure;
    this.#isDrained = true;
    // Logged only now, so that whoever sees the warning finds the state it describes.
    if (failure !== undefined) this.#host.onWarning(failure.message, failure.code);
    this.#host.onChange();
  }

  /**
   * Resolves when the engine can take a frame, or when the run is stopped. An engine restart takes seconds; a live
   * source drops frames from its own queue meanwhile. Only one frame waits here at a time: of several, any could be the
   * first to see the engine back.
   */
  async #waitForEngine(): Promise<void> {
    while (!this.#host.canAppend() && this.#wantsFrames()) await sleep(ENGINE_POLL_MS);
  }

  #updateWallClock(frame: Frame): void {
    // Not if the source itself says when time 0 was: pictures pushed with their times, or a dated recording.
    if (this.source.startedAtMs !== undefined) return;
    const changeMs = this.#wallClock.observe(frame);
    if (changeMs === 0) return;
    const change = `${(Math.abs(changeMs) / 1_000).toFixed(1)} s ${changeMs < 0 ? 'back' : 'forward'}`;
    this.#host.onWarning(`the wall clock jumped ${change}; the wall times of all its frames moved with it.`);
  }

  #onSourceChange(): void {
    if (!this.#wantsFrames()) return;
    const { status } = this.source;
    if (!hasEnded(status)) this.#stateBeforeEnd = status.state;
    this.#warnOfOutage(status);
    this.#host.onChange();
  }

  /** Logs once why the source is away, again if the reason changes, and once when it is back. */
  #warnOfOutage({ state, error }: SourceStatus): void {
    if (state === 'reconnecting' && error !== null && error.code !== this.#outageCode) {
      this.#outageCode = error.code;
      this.#host.onWarning(`${error.message} Retrying. (${error.code})`, error.code);
    } else if (state === 'playing' && this.#outageCode !== undefined) {
      this.#outageCode = undefined;
      this.#host.onWarning('its source is back.');
    }
  }
}
