/** All streams of one service, over one engine. */
import { Engine, type EngineOptions } from '../engine/supervisor.ts';
import { YocoError } from '../errors.ts';
import { parseDefinition } from '../ingest/definition.ts';
import { checkSource, type SourcePolicy } from '../ingest/policy.ts';
import { chooseStreams } from './choose-streams.ts';
import { StreamConversation } from './conversation.ts';
import { SourceStream } from './live-stream.ts';
import type { Conversation, LiveService, WantedStreams } from './types.ts';

export interface LiveServiceOptions {
  readonly engine: Partial<EngineOptions> & Pick<EngineOptions, 'bundle'>;
  /** Streams at once. */
  readonly maxStreams: number;
  /** JPEG bytes of seen pictures that each stream keeps. */
  readonly thumbnailLimitBytes: number;
  /** What clients may name as a source; the operator may name anything. */
  readonly policy: SourcePolicy;
  /** After this many failed connections in a row a live source fails for good; default: never. */
  readonly maxAttempts?: number;
  readonly onWarning: (message: string) => void;
}

export const LIVE_DEFAULTS = {
  maxStreams: 64,
  thumbnailLimitBytes: 64 * 2 ** 20,
  policy: { mediaRoots: [], allowedHosts: [] },
  onWarning: (): void => undefined,
} satisfies Partial<LiveServiceOptions>;

export class Streams implements LiveService {
  readonly #engine: Engine;
  readonly #options: LiveServiceOptions;
  readonly #streams = new Map<string, SourceStream>();
  #closing = false;

  private constructor(engine: Engine, options: LiveServiceOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** Starts the engine; rejects with the bundle's errors (`bundle_not_found`, `bundle_damaged`, ...). */
  static async start(
    options: Partial<LiveServiceOptions> & Pick<LiveServiceOptions, 'engine'>,
    onProgress?: (share: number) => void,
  ): Promise<Streams> {
    const all: LiveServiceOptions = { ...LIVE_DEFAULTS, ...options };
    const engine = await Engine.start({ onWarning: all.onWarning, ...all.engine }, onProgress);
    return new Streams(engine, all);
  }

  get engine(): Engine {
    return this.#engine;
  }

  get bundle(): LiveService['bundle'] {
    return this.#engine.bundle;
  }

  get ready(): boolean {
    return this.#engine.ready;
  }

  create(definition: unknown, origin: 'operator' | 'client'): Promise<SourceStream> {
    return Promise.resolve().then(() => {
      if (this.#closing) throw new YocoError('shutting_down');
      const { policy, maxStreams } = this.#options;
      const allowed = checkSource(parseDefinition(definition), origin, policy);
      if (this.#streams.has(allowed.name)) throw new YocoError('stream_exists', { param: 'name' });
      if (this.#streams.size >= maxStreams) {
        throw new YocoError('stream_limit', { detail: `The limit is ${maxStreams}.` });
      }
      const stream = new SourceStream(allowed, this.#engine, this.#options);
      this.#streams.set(allowed.name, stream);
      return stream;
    });
  }

  list(): readonly SourceStream[] {
    return [...this.#streams.values()];
  }

  get(name: string): SourceStream {
    const stream = this.#streams.get(name);
    if (stream === undefined) {
      throw new YocoError('stream_not_found', { param: 'stream', detail: `It is "${name.slice(0, 64)}".` });
    }
    return stream;
  }

  converse(streams: WantedStreams, param = 'streams'): Conversation {
    return new StreamConversation(
      this.#engine,
      chooseStreams(streams, this.list(), this.#engine.bundle.streamTags, param),
    );
  }

  async delete(name: string): Promise<void> {
    const stream = this.get(name);
    this.#streams.delete(name);
    await stream.close();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.list().map((stream) => stream.close()));
    this.#streams.clear();
    await this.#engine.close();
  }
}
