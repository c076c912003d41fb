/** All streams of one service, over one engine. */
import type { RestoredStream } from '../engine/protocol.ts';
import { Engine, ENGINE_DEFAULTS, type EngineOptions } from '../engine/supervisor.ts';
import { YocoError } from '../errors.ts';
import { parseDefinition, type StreamDefinition } from '../ingest/definition.ts';
import { checkSource, type SourcePolicy } from '../ingest/policy.ts';
import { EXPECTED_TIME_ZONE, isTimeZone } from '../time-zone.ts';
import { chooseStreams, noStreamError } from './choose-streams.ts';
import { StreamConversation } from './conversation.ts';
import { Keeper } from './keeper.ts';
import { cacheLimits, type LiveStreamOptions, SourceStream } from './live-stream.ts';
import { SnapshotFolder } from './snapshot-folder.ts';
import type { Conversation, EngineFigures, LiveService, SnapshotInfo, WantedStreams } from './types.ts';

export interface LiveServiceOptions extends LiveStreamOptions {
  readonly engine: Partial<EngineOptions> & Pick<EngineOptions, 'bundle'>;
  /** Limit of streams at once. */
  readonly maxStreams: number;
  /** Folder of snapshots; default: none are kept. */
  readonly snapshots?: string;
  /** Sources that clients may name; the operator may name any. */
  readonly policy: SourcePolicy;
}

/** Approximate memory of the engine with the bundled model before the first frame: see `npm run bench -- memory`. */
const MODEL_BYTES = 320 * 2 ** 20;

const LIVE_DEFAULTS = {
  maxStreams: 64,
  thumbnailLimitBytes: 64 * 2 ** 20,
  policy: { mediaRoots: [], allowedHosts: [] },
  onWarning: (): void => undefined,
} satisfies Partial<LiveServiceOptions>;

export class Streams implements LiveService {
  readonly #engine: Engine;
  readonly #options: LiveServiceOptions;
  readonly #streams = new Map<string, SourceStream>();
  readonly #snapshots: SnapshotFolder;
  readonly #keeper: Keeper;
  /** Names of streams being restored, which are already taken. */
  readonly #restoring = new Set<string>();
  #closing = false;

  private constructor(engine: Engine, options: LiveServiceOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#snapshots = new SnapshotFolder(options.snapshots);
    this.#keeper = new Keeper({ engine, folder: this.#snapshots, onWarning: options.onWarning });
  }

  /**
   * Starts the engine. Rejects with the bundle's errors (`bundle_not_found`, `bundle_damaged`, ...), and with
   * `config_invalid` for an unknown time zone.
   */
  static async start(
    options: Partial<LiveServiceOptions> & Pick<LiveServiceOptions, 'engine'>,
    onProgress?: (share: number) => void,
  ): Promise<Streams> {
    const all: LiveServiceOptions = { ...LIVE_DEFAULTS, ...options };
    if (all.timeZone !== undefined && !isTimeZone(all.timeZone)) {
      throw new YocoError('config_invalid', { param: 'timeZone', detail: `timeZone: expected ${EXPECTED_TIME_ZONE}.` });
    }
    const onWarning = (message: string): void => {
      all.onWarning(message, {});
    };
    const engine = await Engine.start({ onWarning, ...all.engine }, onProgress);
    return new Streams(engine, all);
  }

  get engine(): Engine {
    return this.#engine;
  }

  get bundle(): LiveService['bundle'] {
    return this.#engine.bundle;
  }

  get engineFigures(): EngineFigures {
    const { losses, rssBytes: residentBytes, times } = this.#engine;
    return { losses, residentBytes, times };
  }

  get ready(): boolean {
    return this.#engine.ready;
  }

  async create(definition: unknown, origin: 'operator' | 'client'): Promise<SourceStream> {
    const completed = await this.#snapshots.complete(definition);
    if (this.#closing) throw new YocoError('shutting_down');
    const { policy, maxStreams } = this.#options;
    const allowed = checkSource(parseDefinition(completed), origin, policy);
    const { name, restore, keep } = allowed;
    this.#checkMemory(allowed);
    if (this.#streams.has(name) || this.#restoring.has(name)) {
      throw new YocoError('stream_exists', { param: 'name', detail: `The name was "${name}".` });
    }
    if (this.#streams.size + this.#restoring.size >= maxStreams) {
      throw new YocoError('stream_limit', { detail: `The limit is ${maxStreams}.` });
    }
    if (restore !== undefined) {
      const path = this.#snapshots.pathOf(restore, 'restore');
      return this.#openRestored(allowed, () => this.#engine.restore(name, path, cacheLimits(allowed)));
    }
    if (keep !== undefined) return this.#openRestored(allowed, () => this.#keeper.restore(name, cacheLimits(allowed)));
    return this.#add(new SourceStream(allowed, this.#engine, this.#options));
  }

  /**
   * Applies another definition to the running stream of its name, which keeps what it has seen; `memory` and `restore`
   * are not applied. For the operator. Throws `stream_not_found`, `definition_invalid`, `source_invalid` for a device
   * where none can be read, `snapshots_off` for `keep` without a folder, `shutting_down`; nothing has changed then.
   */
  change(definition: unknown): SourceStream {
    if (this.#closing) throw new YocoError('shutting_down');
    const allowed = checkSource(parseDefinition(definition), 'operator', this.#options.policy);
    const { name, keep } = allowed;
    const stream = this.get(name);
    if (keep !== undefined) this.#snapshots.keptPath(name);
    stream.change(allowed);
    this.#keeper.change(stream, keep === undefined ? undefined : keep.every * 1_000);
    return stream;
  }

  #add(stream: SourceStream): SourceStream {
    const before = this.#totalLimitBytes;
    this.#streams.set(stream.name, stream);
    this.#warnOfMemory(before);
    return stream;
  }

  /** The size to which all caches may grow together. */
  get #totalLimitBytes(): number {
    return this.list().reduce((sum, stream) => sum + stream.status().memoryLimitBytes, 0);
  }

  get #engineLimitBytes(): number {
    return this.#options.engine.memoryLimitBytes ?? ENGINE_DEFAULTS.memoryLimitBytes;
  }

  /** Caches may take hours to fill, so a total beyond the engine's memory is warned about when a stream is created. */
  #warnOfMemory(before: number): void {
    const room = this.#engineLimitBytes - MODEL_BYTES;
    const promised = this.#totalLimitBytes;
    if (promised <= room || before > room) return;
    const mb = (bytes: number): number => Math.max(0, Math.floor(bytes / 2 ** 20));
    this.#options.onWarning(
      `The streams may keep ${mb(promised)} MB together, and the engine has room for ${mb(room)} beside the model: once it is ` +
        'full it restarts, and every cache is lost. Lower memory.limit_mb, or raise engine_memory_mb.',
      {},
    );
  }

  /** A cache limit beyond the engine's memory would end all other streams, too. Throws `definition_invalid`. */
  #checkMemory({ memory }: StreamDefinition): void {
    const most = Math.floor(this.#engineLimitBytes / 2 ** 20);
    if (memory.limit_mb <= most) return;
    const detail = `memory.limit_mb: expected at most ${most}, the memory of the engine.`;
    throw new YocoError('definition_invalid', { param: 'memory.limit_mb', detail });
  }

  /** Opens a stream that continues from what `read` restores, if anything. If that fails, there is no stream. */
  async #openRestored(
    definition: StreamDefinition,
    read: () => Promise<RestoredStream | undefined>,
  ): Promise<SourceStream> {
    const { name, keep } = definition;
    this.#restoring.add(name);
    try {
      const restored = await read();
      try {
        if (this.#closing) throw new YocoError('shutting_down');
        const stream = this.#add(new SourceStream(definition, this.#engine, this.#options, restored));
        if (keep !== undefined) this.#keeper.keep(stream, keep.every * 1_000, restored);
        return stream;
      } catch (error) {
        this.#engine.closeStream(name);
        throw error;
      }
    } finally {
      this.#restoring.delete(name);
    }
  }

  list(): readonly SourceStream[] {
    return [...this.#streams.values()];
  }

  get(name: string): SourceStream {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw noStreamError(name, 'stream');
    return stream;
  }

  converse(streams: WantedStreams, param = 'streams', asOfWallMs?: number): Conversation {
    const most = this.#engine.bundle.streamTags;
    const chosen = chooseStreams(streams, this.list(), most, param, asOfWallMs);
    return new StreamConversation(this.#engine, chosen, this.#options.timeZone, streams === 'all');
  }

  async delete(name: string): Promise<void> {
    const stream = this.get(name);
    this.#streams.delete(name);
    this.#keeper.forget(name);
    await stream.close();
  }

  async snapshot(name: string, file?: string): Promise<SnapshotInfo> {
    const stream = this.get(name);
    const { file: chosen, path, release } = await this.#snapshots.reserveNew(name, file);
    try {
      const summary = await stream.snapshot(path);
      return { file: chosen, bytes: summary.bytes, summary, error: null };
    } finally {
      release();
    }
  }

  snapshots(): Promise<readonly SnapshotInfo[]> {
    return this.#snapshots.list();
  }

  deleteSnapshot(file: string): Promise<void> {
    return this.#snapshots.delete(file);
  }

  /** Writes a stream with `keep` to its file if it holds more than the file. Failures are logged as warnings. */
  keep(name: string): Promise<void> {
    return this.#keeper.write(name);
  }

  isKeepFailing(name: string): boolean | null {
    return this.#keeper.isFailing(name);
  }

  /** Writes all streams with `keep` first. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#keeper.close();
    await Promise.all(this.list().map((stream) => stream.close()));
    this.#streams.clear();
    await this.#engine.close();
  }
}
