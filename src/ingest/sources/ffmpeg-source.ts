/** A source that ffmpeg reads: plays it, reconnects, and keeps its time. */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { YocoError } from '../../errors.ts';
import { STABLE_AFTER_MS, backoffDelayMs } from '../backoff.ts';
import { findFfmpeg, type FfmpegBinary } from '../ffmpeg-binary.ts';
import { FfmpegRun, type FfmpegResult, type InputInfo } from '../ffmpeg.ts';
import { type FfmpegInput, withArrivalTimestamps } from '../ffmpeg-input.ts';
import { FfmpegConnection } from './ffmpeg-connection.ts';
import { FrameQueue } from '../frame-queue.ts';
import type { Frame, FrameSource, SourceState, SourceStatus } from '../frame.ts';
import { watchForHang } from '../hang-watch.ts';
import { redact } from '../redact.ts';
import type { Regions } from '../regions.ts';
import { type ClockStart, firstTimeMs, SourceClock } from '../source-clock.ts';

export interface SourceOptions {
  /** Width and height of the frames, pixels. */
  readonly imageSize: number;
  /** Receives warnings for the operator, without credentials; `code`: of the error that a warning reports. */
  readonly onWarning?: (message: string, code?: string) => void;
  /** Called when `status` changes in more than the number of frames. */
  readonly onChange?: () => void;
  /** A monotonic clock, ms; default: that of the process. */
  readonly clock?: () => number;
  /**
   * A live source without a frame for this long is reconnected, ms; default 10 000, and three times as long for HLS and
   * for the first frame of a connection.
   */
  readonly silentAfterMs?: number;
  /** A file whose ffmpeg does nothing for this long is given up, ms; default 180 000. */
  readonly hungAfterMs?: number;
  /** After this many failed connections in a row a live source fails for good; default: never. */
  readonly maxAttempts?: number;
  /** Where the stream resumes; default: a new stream. */
  readonly resumeFrom?: ClockStart;
  /** Wall time of the stream's time 0, ms since 1970, once known. The wall times of pushed pictures count from it. */
  readonly startedAtMs?: () => number | undefined;
}

const SILENT_AFTER_MS = 10_000;
/** A file may lie on a disk or network that takes long to respond. */
const HUNG_AFTER_MS = 180_000;
/** How long the file system may take to say what kind of file it is, ms. */
const STAT_TIMEOUT_MS = 2_000;
/**
 * A lost source is back with a frame that comes this long after the connection's first, ms: some deliver one frame per
 * attempt and then hang.
 */
const RECONNECTED_AFTER_MS = 1_000;

export interface SourcePlan {
  readonly input: FfmpegInput;
  readonly fps: number;
  readonly regions: Regions;
  /** `unknown`: an HTTP address, which ffmpeg has to inspect first. */
  readonly live: boolean | 'unknown';
  /** Whether the definition declares it live, whatever ffmpeg finds: then no failure and no end is final. */
  readonly declaredLive: boolean;
  /**
   * Whether its name suggests HLS, while that is unknown. It then fails like a live source, and may be silent for
   * longer.
   */
  readonly presumedHls: boolean;
  readonly loop: boolean;
  /** Whether a file is played in real time. */
  readonly paced: boolean;
  /** When a recording was made, ms since 1970, if stated. */
  readonly recordedAtMs?: number;
}

/** Over HTTP, these are live when they have no duration. A WebM without a duration is just a recording. */
const LIVE_FORMATS = ['hls', 'mpjpeg', 'mjpeg', 'mpegts', 'flv', 'live_flv'];
/** Sequences of pictures without timestamps: ffmpeg gives each 1/25 s, whenever it arrives. */
const UNTIMED_FORMATS = ['mpjpeg', 'mjpeg'];
const PERMANENT_ERRORS = ['source_unauthorized', 'source_no_video', 'source_invalid'];

export class FfmpegSource implements FrameSource {
  readonly #plan: SourcePlan;
  readonly #options: SourceOptions;
  readonly #now: () => number;
  readonly #queue: FrameQueue;
  readonly #clock = new SourceClock();
  readonly #stop = new AbortController();
  #firstMs: number | undefined;
  #live: boolean | null;
  #state: SourceState = 'connecting';
  #error: YocoError | null = null;
  #reconnects = 0;
  #connection = new FfmpegConnection();
  #playing: Promise<void> | null = null;
  #durationMs: number | null = null;
  /** Frames of new connections that repeat what was already shown. */
  #replayed = 0;
  #hls: boolean;
  /** Whether the address of a live stream that has ended now serves its recording. */
  #liveEnded = false;
  #warnedOfTruncation = false;
  #warnedOfOldFfmpeg = false;
  /** Whether frames are timestamped on arrival. */
  #usesArrivalTimes = false;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(plan: SourcePlan, options: SourceOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#now = options.clock ?? (() => performance.now());
    this.#hls = plan.presumedHls;
    this.#live = plan.live === 'unknown' ? plan.declaredLive || null : plan.live;
    this.#queue = new FrameQueue(this.#live === true ? 'drop' : 'hold');
  }

  get status(): SourceStatus {
    const error = this.#error === null ? null : { code: this.#error.code, message: this.#error.message };
    const { delivered: frames } = this.#queue;
    const dropped = this.#queue.dropped + this.#replayed;
    return { state: this.#state, frames, dropped, reconnects: this.#reconnects, error };
  }

  get startedAtMs(): number | undefined {
    return this.#plan.recordedAtMs;
  }

  get isRecording(): boolean {
    return this.#live === false;
  }

  async *frames(): AsyncGenerator<Frame, void> {
    if (this.#playing !== null) throw new Error('The frames of a source can be read once.');
    this.#playing = this.#play();
    try {
      for (let frame = await this.#queue.next(); frame !== null; frame = await this.#queue.next()) yield frame;
    } finally {
      await this.stop();
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#queue.cancel();
    await this.#connection.run?.stop();
    await this.#playing;
    if (this.#state !== 'ended' && this.#state !== 'failed') this.#state = 'stopped';
  }

  #setState(state: SourceState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onChange?.();
  }

  /** Never rejects: errors are thrown to the reader of the frames. */
  async #play(): Promise<void> {
    try {
      let failures = 0;
      while (!this.#isStopped()) {
        const result = await this.#connect();
        if (this.#isStopped()) return;
        if (this.#connection.endReason === 'untimed') continue;
        const problem = this.#problemOf(result);
        if (problem === null) {
          this.#reportTruncation(result.truncationError);
          if (!this.#plan.loop) {
            this.#finish('ended', null);
            return;
          }
          failures = 0;
          await this.#nextRound(result.truncationError === null ? this.#durationMs : null);
          continue;
        }
        this.#error = problem;
        failures = this.#connection.playedForMs > STABLE_AFTER_MS ? 1 : failures + 1;
        if (!this.#mayRetry(problem) || failures >= (this.#options.maxAttempts ?? Infinity)) throw problem;
        await this.#waitToReconnect(failures, problem);
      }
    } catch (error) {
      this.#finish('failed', YocoError.from(error));
    }
  }

  /** A method, since the compiler does not see that the signal changes during an `await`. */
  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  #finish(state: 'ended' | 'failed', error: YocoError | null): void {
    if (this.#isStopped()) return;
    this.#error = error ?? this.#error;
    this.#setState(state);
    this.#queue.end(error);
  }

  async #connect(): Promise<FfmpegResult> {
    const connection = new FfmpegConnection();
    this.#connection = connection;
    const { input, fps, regions, loop, paced } = this.#plan;
    let binary: FfmpegBinary;
    try {
      // Every time, since ffmpeg may be missing only for a moment: it is being replaced, or no process can be started.
      binary = await findFfmpeg();
    } catch (error) {
      return { frames: 0, error: YocoError.from(error), truncationError: null };
    }
    if (this.#isStopped()) return { frames: 0, error: null, truncationError: null };
    this.#warnOfOldFfmpeg(binary);
    const run = new FfmpegRun({
      binary,
      input: this.#usesArrivalTimes ? withArrivalTimestamps(input) : input,
      fps,
      regions,
      imageSize: this.#options.imageSize,
      onInput: (info) => {
        this.#onInputInfo(info, connection);
      },
      onFrame: (rgb, ptsMs) => {
        const arrivedMs = this.#now();
        connection.frameArrived(arrivedMs);
        this.#restartWatchdog(connection);
        const live = this.#live === true;
        this.#firstMs ??= firstTimeMs(this.#options.resumeFrom, live || (loop && paced), 1000 / fps);
        const timeMs = this.#clock.timeOf(ptsMs, arrivedMs, live);
        if (timeMs === null) {
          this.#replayed += 1;
          return Promise.resolve();
        }
        if (this.#hasRecovered(connection)) this.#setState('playing');
        connection.isHeld = true;
        return this.#queue.push({ timeMs: this.#firstMs + timeMs, rgb }).finally(() => {
          connection.isHeld = false;
        });
      },
    });
    connection.begin(run);
    this.#restartWatchdog(connection);
    const endWatch = this.#watchFile(connection);
    try {
      return await run.done;
    } finally {
      endWatch();
      clearTimeout(this.#watchdog);
      connection.finish();
    }
  }

  /** Whether frames keep coming, now that one has arrived. A recording needs no such proof. */
  #hasRecovered({ playedForMs }: FfmpegConnection): boolean {
    return this.#state !== 'reconnecting' || this.#live === false || playedForMs >= RECONNECTED_AFTER_MS;
  }

  #onInputInfo({ format, durationMs }: InputInfo, connection: FfmpegConnection): void {
    this.#durationMs = durationMs;
    connection.isOpen = true;
    if (this.#plan.live !== 'unknown') return;
    const names = format.split(',');
    if (!this.#usesArrivalTimes && durationMs === null && names.some((name) => UNTIMED_FORMATS.includes(name))) {
      this.#usesArrivalTimes = true;
      // It is known to be live by now, so the reconnection is retried: a camera that accepts one viewer may refuse the
      // next connection until it has released this one.
      this.#live = true;
      this.#queue.policy = 'drop';
      connection.end('untimed');
      return;
    }
    this.#hls = names.includes('hls');
    const { declaredLive } = this.#plan;
    const live = durationMs === null && (declaredLive || names.some((name) => LIVE_FORMATS.includes(name)));
    if (declaredLive && !live) {
      // Read at full speed, again and again, its pictures would get times in the future.
      connection.end('recording');
      return;
    }
    if (this.#live === true && !live) {
      // The live stream has ended, and its address now serves the recording.
      this.#liveEnded = true;
      connection.end('recording');
      return;
    }
    this.#live = live;
    this.#queue.policy = live ? 'drop' : 'hold';
    this.#restartWatchdog(connection);
  }

  /**
   * Restarts the wait for the next frame. Recordings are exempt, since they may be held back (`#watchFile`). A
   * connection may take longer to begin: if it fails, ffmpeg should report why before it is ended, and its own timeout
   * is as long as this one.
   */
  #restartWatchdog(connection: FfmpegConnection): void {
    clearTimeout(this.#watchdog);
    if (this.#live === false) return;
    const timeoutMs = (this.#options.silentAfterMs ?? SILENT_AFTER_MS) * (this.#hls || !connection.hasFrames ? 3 : 1);
    const threeFramesMs = 3000 / this.#plan.fps;
    this.#watchdog = setTimeout(
      () => {
        connection.end('silent');
      },
      Math.max(timeoutMs, threeFramesMs),
    );
  }

  /**
   * Ends the ffmpeg of a file that hangs; a pipe is exempt, since its reader waits for its writer. Returns a function
   * that ends the watch.
   */
  #watchFile(connection: FfmpegConnection): () => void {
    const { input, paced } = this.#plan;
    const { path } = input;
    if (path === undefined) return () => undefined;
    return watchForHang({
      pid: () => connection.run?.pid,
      progress: () => (connection.isHeld ? null : (connection.newestArrivedMs ?? 0)),
      afterMs: this.#options.hungAfterMs ?? HUNG_AFTER_MS,
      // In real time the next picture may be due only at the end of the file.
      extraMs: () => (paced && connection.isOpen ? (this.#durationMs ?? Infinity) : 0),
      onHang: () => {
        void this.#stopHungRun(connection, path);
      },
    });
  }

  async #stopHungRun(connection: FfmpegConnection, path: string): Promise<void> {
    if ((await isRegularFile(path)) && this.#connection === connection) connection.end('silent');
  }

  /** Why the connection ended; null when the source came to its end. */
  #problemOf(result: FfmpegResult): YocoError | null {
    if (this.#liveEnded) return null;
    const { endReason } = this.#connection;
    if (endReason === 'recording') {
      return new YocoError('source_invalid', { detail: 'It is a recording, but the definition says live.' });
    }
    if (endReason === 'silent') return new YocoError('source_silent');
    if (result.error !== null) return result.error;
    if (this.#live === true) return new YocoError('source_unreachable', { detail: 'The connection ended.' });
    if (result.frames === 0) return new YocoError('source_invalid', { detail: 'No picture could be decoded.' });
    return null;
  }

  #mayRetry(problem: YocoError): boolean {
    // Also after a failure of ffmpeg itself: it may be back later, or start once there are processes and files for it.
    if (this.#live !== null) return this.#live || this.#isLooping();
    return this.#plan.presumedHls || problem.retryable || problem.code === 'ffmpeg_missing';
  }

  /** A looped file that has delivered frames plays for ever, like a live source. */
  #isLooping(): boolean {
    return this.#plan.loop && this.#clock.lastMs !== null;
  }

  /** In real time, waits until the next round is due: a round of a single picture is over at once. */
  async #nextRound(durationMs: number | null): Promise<void> {
    const { fps, paced } = this.#plan;
    this.#clock.loop(durationMs, 1000 / fps, paced);
    if (paced) await this.#sleep(this.#clock.aheadMs(this.#now()));
  }

  async #waitToReconnect(failures: number, problem: YocoError): Promise<void> {
    this.#reconnects += 1;
    this.#state = 'reconnecting';
    this.#options.onChange?.();
    const waitMs = backoffDelayMs(failures, PERMANENT_ERRORS.includes(problem.code));
    await this.#sleep(waitMs);
    if (this.#isLooping()) await this.#nextRound(null);
    // A camera shows the present; a new connection over HTTP may begin earlier.
    else this.#clock.reconnect(this.#plan.input.kind === 'http');
  }

  async #sleep(ms: number): Promise<void> {
    // `stop` aborts the wait.
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  /** Reports a recording that was cut short; it is played as far as it goes. */
  #reportTruncation(truncationError: YocoError | null): void {
    if (truncationError === null) return;
    this.#error = truncationError;
    if (!this.#warnedOfTruncation) this.#options.onWarning?.(truncationError.message, truncationError.code);
    this.#warnedOfTruncation = true;
  }

  #warnOfOldFfmpeg(binary: FfmpegBinary): void {
    const { kind } = this.#plan.input;
    if (this.#warnedOfOldFfmpeg) return;
    this.#warnedOfOldFfmpeg = true;
    if (binary.libavformat[0] >= 59 || (kind !== 'rtsp' && kind !== 'http')) return;
    this.#options.onWarning?.(
      redact(
        `ffmpeg ${binary.version} (${binary.origin}) is older than version 5 and reads a network source; ` +
          'install a newer one, since its network code no longer gets fixes.',
      ),
    );
  }
}

/** Whether a file is not a pipe; assumed when the file system does not answer. */
function isRegularFile(path: string): Promise<boolean> {
  const answered = stat(path).then(
    (stats) => stats.isFile(),
    () => true,
  );
  return Promise.race([answered, sleep(STAT_TIMEOUT_MS, true, { ref: false })]);
}
