/** A LiveService without a model, for server tests. The first word of a question selects how it is answered. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { YocoError, type ErrorCode } from '../../src/errors.ts';
import type { StandingQuestionDefinition } from '../../src/ingest/definition.ts';
import type { SourceState, SourceStatus } from '../../src/ingest/frame.ts';
import { chooseStreams } from '../../src/live/choose-streams.ts';
import { momentsAt } from '../../src/live/moments.ts';
import type {
  Answer,
  AnswerResult,
  AskOptions,
  Conversation,
  LiveService,
  LiveStream,
  SnapshotInfo,
  PushOutcome,
  StreamStatus,
  Thumbnail,
  WantedStreams,
} from '../../src/live/types.ts';

/**
 * First words that make a question special:
 * `fail CODE` fails after its first piece; `throw CODE` throws at once; `crash` throws an error that is no YocoError;
 * `slow` writes 200 pieces, one every 20 ms; `endless` does so for a minute; `silent` writes nothing until cancelled;
 * `flood` writes 400 pieces of 64 KiB; `long` stops at the token limit. Any other question is echoed as
 * `You asked: ...` with the number of its turn.
 */
export class FakeStream implements LiveStream {
  readonly name: string;
  readonly pushable: boolean;
  description: string | null = null;
  startedAtMs = Date.parse('2030-01-01T00:00:00Z');
  wallTimes: StreamStatus['wallTimes'] = 'live';
  firstMs: number | null = 0;
  lastMs: number | null = 60_000;
  /** For how long the picture has not changed, ms. */
  unchangedMs = 500;
  state: SourceState = 'playing';
  error: SourceStatus['error'] = null;
  fps = 2;
  pushDelayMs = 0;
  /** How long each pushed picture had waited since it arrived, ms. */
  readonly waitedMs: number[] = [];
  deleted = false;
  readonly asked: { question: string; options: AskOptions }[] = [];
  aborted = 0;
  /** The answer that replaces the echo of the question. */
  says: string | null = null;
  /** The confidence of every answer. */
  confidence = 0.75;
  /** The moment that questions are about, as if their text named it. */
  asksToMs: number | null = null;
  /** The error that the next question throws. */
  failNext: Error | null = null;
  /** How a question without a special first word ends. */
  finish: AnswerResult['finish'] = 'stop';
  standingQuestions: readonly StandingQuestionDefinition[] = [];
  frozenAfterMs: number | null = null;
  readonly #listeners = new Set<() => void>();
  #frames = 121;
  #colour = { r: 30, g: 120, b: 180 };

  constructor(name: string, pushable = false) {
    this.name = name;
    this.pushable = pushable;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  status(): StreamStatus {
    return {
      name: this.name,
      source: this.pushable ? 'push' : 'rtsp://***@10.0.0.7/live',
      description: this.description,
      sourceStatus: { state: this.state, frames: this.#frames, dropped: 0, reconnects: 0, error: this.error },
      fps: this.fps,
      firstMs: this.firstMs,
      lastMs: this.lastMs,
      pictureChangedMs: this.lastMs === null ? null : this.lastMs - this.unchangedMs,
      startedAtMs: this.startedAtMs,
      wallTimes: this.wallTimes,
      frames: this.#frames,
      lateFrames: 0,
      cacheTokens: this.#frames * 10,
      cacheBytes: this.#frames * 10_240,
      memoryLimitBytes: 512_000_000,
      int8Frames: 16,
      mergedFrames: 3,
      thinnedFrames: 2,
      droppedFrames: 1,
    };
  }

  /** A new frame, as a playing source would bring it. */
  tick(timeMs: number, colour = this.#colour): void {
    this.lastMs = timeMs;
    this.firstMs ??= timeMs;
    this.#frames += 1;
    this.#colour = colour;
    this.changed();
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  converse(): Conversation {
    return this.converseWith([this]);
  }

  /** This stream answers for all of `streams`; each of them gets evidence. */
  converseWith(streams: readonly FakeStream[]): Conversation {
    let turns = 0;
    return { streams, ask: (question, options = {}) => this.#ask(question, options, ++turns, streams) };
  }

  /** Time of the oldest picture, where pictures reach further back than the cache. */
  picturesFromMs: number | null = null;

  pictures(): { firstMs: number; lastMs: number } | null {
    const { firstMs, lastMs, picturesFromMs } = this;
    if (picturesFromMs !== null) return { firstMs: picturesFromMs, lastMs: lastMs ?? picturesFromMs };
    return firstMs === null || lastMs === null ? null : { firstMs, lastMs };
  }

  async thumbnail(timeMs?: number): Promise<Thumbnail> {
    const range = this.pictures();
    if (range === null) throw new YocoError('stream_empty');
    const at = Math.floor((timeMs ?? range.lastMs) / 500) * 500;
    const shift = Math.round(at / 250) % 200;
    const dot = `<svg width="224" height="224"><circle cx="${20 + (shift % 180)}" cy="112" r="36" fill="#ffd166"/></svg>`;
    const jpeg = await sharp({ create: { width: 224, height: 224, channels: 3, background: this.#colour } })
      .composite([{ input: Buffer.from(dot) }])
      .jpeg()
      .toBuffer();
    return { timeMs: at, jpeg };
  }

  async push(image: Uint8Array, time?: number | Date, waitedMs = 0): Promise<PushOutcome> {
    this.waitedMs.push(waitedMs);
    if (!this.pushable) throw new YocoError('stream_not_pushable');
    if (this.deleted) throw new YocoError('stream_deleted');
    await sleep(this.pushDelayMs);
    const isPicture = (image[0] === 0xff && image[1] === 0xd8) || (image[0] === 0x89 && image[1] === 0x50);
    if (!isPicture) throw new YocoError('image_undecodable');
    if (time instanceof Date && this.lastMs === null) this.startedAtMs = time.getTime();
    const given = time instanceof Date ? time.getTime() - this.startedAtMs : time;
    const at = given ?? (this.lastMs ?? -500) + 500;
    if (this.lastMs !== null && at <= this.lastMs) return { accepted: false, reason: 'out_of_order' };
    this.tick(at);
    return { accepted: true, timeMs: at };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #ask(question: string, options: AskOptions, turn: number, streams: readonly FakeStream[]): Answer {
    this.asked.push({ question, options });
    const [word = '', code = 'internal'] = question.split(' ');
    const failure = this.failNext;
    this.failNext = null;
    if (failure !== null) throw failure;
    if (word === 'throw') throw new YocoError(code as ErrorCode);
    if (this.lastMs === null) {
      return failed(new YocoError('stream_empty', { param: streams.length > 1 ? 'streams' : 'stream' }));
    }
    if (this.deleted) throw new YocoError('stream_deleted');
    if (word === 'crash') throw new TypeError('secret detail');
    const moments =
      options.asOfWallMs === undefined
        ? streams.map((stream) => options.asOfMs ?? stream.asksToMs ?? stream.lastMs ?? 0)
        : momentsAt(
            options.asOfWallMs,
            streams.map((stream) => stream.status()),
            'as_of',
          );
    const begins = streams.map(({ startedAtMs }) =>
      options.sinceWallMs === undefined ? options.sinceMs : options.sinceWallMs - startedAtMs,
    );
    const asOfMs = Math.max(...moments);
    let resolve!: (result: AnswerResult) => void;
    let reject!: (error: unknown) => void;
    const result = new Promise<AnswerResult>((yes, no) => {
      [resolve, reject] = [yes, no];
    });
    const finish = (text: string, tokens: number, kind: AnswerResult['finish']): void => {
      resolve({
        text,
        finish: kind,
        asOfMs,
        streams: streams.map(({ name }, i) => ({ name, asOfMs: moments[i] ?? 0, sinceMs: begins[i] ?? null })),
        precision: streams.length > 1 ? 'int8' : 'full',
        evidence: streams.flatMap(({ name }, i) => {
          const at = moments[i] ?? 0;
          return [span(name, at - 10_000, at - 8_000, 0.61234), span(name, at - 1_000, at, 0.2)];
        }),
        inputTokens: 7,
        confidence: this.confidence,
        outputTokens: tokens,
        firstTokenMs: 12.4,
        totalMs: 34.6,
      });
    };
    // As with the real service, the result resolves even if nobody reads the pieces.
    if (!SPECIAL.has(word)) {
      const written = [...this.#words(question, word, turn)];
      finish(written.join(''), written.length, this.finish);
    }
    const pieces = this.#pieces(question, word, code, turn, options, finish, reject);
    return { [Symbol.asyncIterator]: () => pieces, result };
  }

  #words(question: string, word: string, turn: number): Iterable<string> {
    return this.says === null ? piecesOf(question, word, turn) : [this.says];
  }

  async *#pieces(
    question: string,
    word: string,
    code: string,
    turn: number,
    options: AskOptions,
    finish: (text: string, tokens: number, kind: AnswerResult['finish']) => void,
    reject: (error: unknown) => void,
  ): AsyncGenerator<string, void> {
    let text = '';
    let tokens = 0;
    if (word === 'silent' && options.signal !== undefined) await once(options.signal, 'abort');
    for (const piece of this.#words(question, word, turn)) {
      await sleep(word === 'slow' || word === 'endless' ? 20 : 1);
      if (options.signal?.aborted) {
        this.aborted += 1;
        finish(text, tokens, 'cancelled');
        return;
      }
      tokens += 1;
      text += piece;
      yield piece;
      if (word === 'fail') {
        const error = new YocoError(code as ErrorCode);
        reject(error);
        throw error;
      }
      if (options.maxTokens !== undefined && tokens >= options.maxTokens && word === 'long') {
        finish(text, tokens, 'length');
        return;
      }
    }
    finish(text, tokens, 'stop');
  }
}

/** An error of the engine: the answer rejects, while `ask` itself does not throw. */
function failed(error: YocoError): Answer {
  const result = Promise.reject<AnswerResult>(error);
  result.catch(() => undefined);
  return {
    async *[Symbol.asyncIterator]() {
      yield await Promise.reject<string>(error);
    },
    result,
  };
}

/** The first words that make a question special; see `FakeStream`. */
const SPECIAL = new Set(['fail', 'throw', 'crash', 'slow', 'endless', 'silent', 'flood', 'long']);

/** Evidence from `startMs` to `endMs`, with its peak in the middle. */
function span(stream: string, startMs: number, endMs: number, weight: number): AnswerResult['evidence'][number] {
  const [from, to] = [Math.max(0, startMs), Math.max(0, endMs)];
  return { stream, startMs: from, endMs: to, peakMs: (from + to) / 2, weight };
}

function* piecesOf(question: string, word: string, turn: number): Generator<string> {
  if (word === 'flood') {
    for (let i = 0; i < 400; i++) yield 'x'.repeat(65_536);
  } else if (word === 'slow' || word === 'long' || word === 'endless') {
    for (let i = 0; i < (word === 'endless' ? 3_000 : 200); i++) yield `word${i} `;
  } else {
    yield 'You asked: ';
    yield question;
    yield ` (turn ${turn})`;
  }
}

export class FakeLiveService implements LiveService {
  readonly bundle = { name: 'tiny', parameters: 1_000, licence: 'Apache-2.0', streamTags: 3 };
  ready = true;
  readonly engineFigures = {
    losses: 2,
    residentBytes: 3e8,
    times: { vision: 1_500, selfDecoder: 250, crossDecoder: 4_000, frames: 120, answerTokens: 30 },
  };
  readonly streams = new Map<string, FakeStream>();

  constructor() {
    for (const stream of [new FakeStream('kitchen'), new FakeStream('door', true)])
      this.streams.set(stream.name, stream);
  }

  stream(name: string): FakeStream {
    return this.get(name);
  }

  async create(definition: unknown): Promise<FakeStream> {
    await Promise.resolve();
    const { name, source } = (definition ?? {}) as { name?: unknown; source?: { url?: string; push?: boolean } };
    if (typeof name !== 'string')
      throw new YocoError('definition_invalid', { param: 'name', detail: 'name: missing.' });
    if (this.streams.has(name)) throw new YocoError('stream_exists', { param: 'name' });
    if (source?.url?.includes('forbidden')) throw new YocoError('source_forbidden', { param: 'source.url' });
    if (this.streams.size >= 5) throw new YocoError('stream_limit');
    const stream = new FakeStream(name, source?.push === true);
    if (stream.pushable) {
      stream.firstMs = null;
      stream.lastMs = null;
    }
    this.streams.set(name, stream);
    return stream;
  }

  list(): readonly FakeStream[] {
    return [...this.streams.values()];
  }

  /** `door` is a kept stream whose disk is full. */
  isKeepFailing(name: string): boolean | null {
    return name === 'door' ? true : null;
  }

  get(name: string): FakeStream {
    const stream = this.streams.get(name);
    if (!stream) throw new YocoError('stream_not_found', { detail: `"${name.slice(0, 64)}" is not among them.` });
    return stream;
  }

  converse(streams: WantedStreams, param = 'streams', asOfWallMs?: number): Conversation {
    const chosen = chooseStreams(streams, this.list(), this.bundle.streamTags, param, asOfWallMs);
    const [first] = chosen;
    if (first === undefined) throw new Error('no stream was chosen');
    return first.converseWith(chosen);
  }

  async delete(name: string): Promise<void> {
    const stream = this.get(name);
    this.streams.delete(name);
    stream.deleted = true;
    stream.state = 'stopped';
    stream.changed();
    await Promise.resolve();
  }

  snapshot(name: string): Promise<SnapshotInfo> {
    return Promise.resolve().then(() => {
      this.get(name);
      throw new YocoError('snapshots_off');
    });
  }

  snapshots(): Promise<readonly SnapshotInfo[]> {
    return Promise.resolve([]);
  }

  deleteSnapshot(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}
