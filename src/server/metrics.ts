/**
 * `GET /metrics` in Prometheus' text format: figures of streams and engine as of the scrape, and counts of responses,
 * askings and webhook events.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineFigures, LiveService, StreamStatus } from '../live/types.ts';
import { VERSION } from '../version.ts';
import type { WebhookOutcome } from './webhook.ts';

/** Seconds: from a lone question on a fast machine to one that waits in a queue. */
const FIRST_TOKEN_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Rounded once, so that each scrape gives the same value: a monitor takes a change for a restart. */
const STARTED_AT_MS = Math.round(performance.timeOrigin);

/** All label values of the counters below. */
const RESPONSE_STATUSES = ['completed', 'incomplete', 'cancelled', 'failed'];
const ASKING_OUTCOMES = ['answered', 'missed'];
const WEBHOOK_OUTCOMES: readonly WebhookOutcome[] = ['delivered', 'failed', 'dropped'];

/** Figures of each stream: gauges of its present state, counters since it was created. */
const STREAM_METRICS: readonly (readonly [
  name: string,
  help: string,
  value: (status: StreamStatus) => number | null,
])[] = [
  ['playing', '1 while frames come from its source.', ({ sourceStatus }) => Number(sourceStatus.state === 'playing')],
  ['frames_total', 'Frames taken in.', ({ frames }) => frames],
  ['dropped_frames_total', 'Frames not taken from the source in time.', ({ sourceStatus }) => sourceStatus.dropped],
  ['late_frames_total', 'Frames not taken by the engine.', ({ lateFrames }) => lateFrames],
  ['reconnects_total', 'Reconnections to the source.', ({ sourceStatus }) => sourceStatus.reconnects],
  [
    'newest_frame_timestamp_seconds',
    'Wall time of the newest frame, since 1970.',
    ({ lastMs, startedAtMs }) => (lastMs === null ? null : (startedAtMs + lastMs) / 1_000),
  ],
  [
    'picture_changed_timestamp_seconds',
    'Wall time of the newest frame whose picture differs from the one before it, since 1970.',
    ({ pictureChangedMs, startedAtMs }) =>
      pictureChangedMs === null ? null : (startedAtMs + pictureChangedMs) / 1_000,
  ],
  ['cache_bytes', 'Size of the cache.', ({ cacheBytes }) => cacheBytes],
  [
    'cache_limit_bytes',
    'Size at which the oldest frames are thinned, then dropped.',
    ({ memoryLimitBytes }) => memoryLimitBytes,
  ],
];

type Labels = Record<string, string>;
type SetValue = (labels: Labels, value: number) => void;

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #responses: Counter<'status'>;
  readonly #firstToken: Histogram;
  readonly #askings: Counter<'outcome'>;
  readonly #webhooks: Counter<'outcome'>;

  constructor(live: LiveService, connections: () => number) {
    const engine = (): EngineFigures => live.engineFigures;
    this.#register('yoco_ready', '1 while the engine is ready.', () => Number(live.ready));
    const { name: bundle } = live.bundle;
    this.#registerLabelled(
      'yoco_info',
      '1, with the version of the service and its bundle.',
      ['version', 'bundle'],
      (setValue) => {
        setValue({ version: VERSION, bundle }, 1);
      },
    );
    this.#register('process_start_time_seconds', 'When the server started, since 1970.', () => STARTED_AT_MS / 1_000);
    this.#register('process_resident_memory_bytes', 'Resident memory of the server.', () => process.memoryUsage.rss());
    this.#register('process_cpu_seconds_total', 'Processor time of the server.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    this.#register('yoco_streams', 'Number of streams.', () => live.list().length);
    this.#register('yoco_connections', 'Number of open WebSockets.', connections);
    this.#register(
      'yoco_engine_losses_total',
      'How often the engine was lost, and all caches with it.',
      () => engine().losses,
    );
    this.#register('yoco_engine_resident_bytes', 'Resident memory of the engine.', () => engine().residentBytes);
    this.#register('yoco_engine_frames_total', 'Frames since the engine started.', () => engine().times.frames);
    this.#register('yoco_engine_answer_tokens_total', 'Answer tokens since the engine started.', () => {
      return engine().times.answerTokens;
    });
    this.#registerLabelled('yoco_engine_run_seconds_total', 'Time in each part of the model.', ['part'], (setValue) => {
      const { vision, selfDecoder, crossDecoder } = engine().times;
      for (const [part, ms] of Object.entries({ vision, selfDecoder, crossDecoder })) setValue({ part }, ms / 1_000);
    });
    for (const [name, help, value] of STREAM_METRICS) {
      this.#registerLabelled(`yoco_stream_${name}`, help, ['stream'], (setValue) => {
        for (const stream of live.list()) {
          const figure = value(stream.status());
          if (figure !== null) setValue({ stream: stream.name }, figure);
        }
      });
    }
    const keepHelp = '1 while the memory of a stream with keep cannot be saved; streams with keep only.';
    this.#registerLabelled('yoco_stream_keep_failing', keepHelp, ['stream'], (setValue) => {
      for (const { name: stream } of live.list()) {
        const fails = live.isKeepFailing(stream);
        if (fails !== null) setValue({ stream }, Number(fails));
      }
    });
    const registers = [this.#registry];
    this.#responses = new Counter({
      name: 'yoco_responses_total',
      help: 'Finished responses, by status.',
      labelNames: ['status'],
      registers,
    });
    this.#askings = new Counter({
      name: 'yoco_standing_askings_total',
      help: 'Askings of standing questions: answered, or missed for a temporary reason.',
      labelNames: ['outcome'],
      registers,
    });
    this.#webhooks = new Counter({
      name: 'yoco_webhook_events_total',
      help: 'Webhook events: delivered, failed (given up after at least one attempt), or dropped while queued.',
      labelNames: ['outcome'],
      registers,
    });
    // Counters start at 0: one that appeared with its first event would show no increase for it.
    for (const status of RESPONSE_STATUSES) this.#responses.inc({ status }, 0);
    for (const outcome of ASKING_OUTCOMES) this.#askings.inc({ outcome }, 0);
    for (const outcome of WEBHOOK_OUTCOMES) this.#webhooks.inc({ outcome }, 0);
    this.#firstToken = new Histogram({
      name: 'yoco_first_token_seconds',
      help: 'Time from a question to the first piece of its answer.',
      buckets: FIRST_TOKEN_BUCKETS,
      registers,
    });
  }

  /** Counts a response that ended; `firstTokenMs` is null if nothing was answered. */
  countResponse(status: string, firstTokenMs: number | null): void {
    this.#responses.inc({ status });
    if (firstTokenMs !== null) this.#firstToken.observe(firstTokenMs / 1_000);
  }

  /** Counts one asking of a standing question. */
  countAsking(outcome: 'answered' | 'missed'): void {
    this.#askings.inc({ outcome });
  }

  /** Counts webhook events by outcome. */
  countWebhookEvents(outcome: WebhookOutcome, events: number): void {
    this.#webhooks.inc({ outcome }, events);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #register(name: string, help: string, value: () => number): void {
    this.#registerLabelled(name, help, [], (setValue) => {
      setValue({}, value());
    });
  }

  /**
   * `collectValues` gives all values at each scrape; labels that it no longer gives, such as those of a deleted stream,
   * disappear.
   */
  #registerLabelled(
    name: string,
    help: string,
    labelNames: readonly string[],
    collectValues: (setValue: SetValue) => void,
  ): void {
    const common = { name, help, labelNames: [...labelNames], registers: [this.#registry] };
    // By Prometheus' naming, a figure that only grows is a counter and ends in `_total`.
    if (!name.endsWith('_total')) {
      const gauge: Gauge = new Gauge({
        ...common,
        collect: () => {
          gauge.reset();
          collectValues((labels, value) => {
            gauge.set(labels, value);
          });
        },
      });
      return;
    }
    const counter: Counter = new Counter({
      ...common,
      collect: () => {
        counter.reset();
        collectValues((labels, value) => {
          counter.inc(labels, value);
        });
      },
    });
  }
}
