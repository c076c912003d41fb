/**
 * `GET /metrics` in Prometheus' text format: figures of streams and engine as of the scrape, and counts of responses,
 * askings and webhook events.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LiveService, StreamStatus } from '../live/types.ts';
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

type Labels = Readonly<Record<string, string>>;
/** One value of a figure. */
type Sample = readonly [labels: Labels, value: number];

/** What the figures of the service are read from at each scrape. */
interface Service {
  readonly live: LiveService;
  /** Name of the bundle. */
  readonly bundle: string;
  /** Number of open WebSockets. */
  readonly connections: () => number;
}

/** Figures of the service as a whole; those with label names may have several samples. */
const SERVICE_METRICS: readonly (readonly [
  name: string,
  help: string,
  value: (service: Service) => number | readonly Sample[],
  labelNames?: readonly string[],
])[] = [
  ['yoco_ready', '1 while the engine is ready.', ({ live }) => Number(live.ready)],
  [
    'yoco_info',
    '1, with the version of the service and its bundle.',
    ({ bundle }) => [[{ version: VERSION, bundle }, 1]],
    ['version', 'bundle'],
  ],
  ['process_start_time_seconds', 'When the server started, since 1970.', () => STARTED_AT_MS / 1_000],
  ['process_resident_memory_bytes', 'Resident memory of the server.', () => process.memoryUsage.rss()],
  ['process_cpu_seconds_total', 'Processor time of the server.', processorSeconds],
  ['yoco_streams', 'Number of streams.', ({ live }) => live.list().length],
  ['yoco_connections', 'Number of open WebSockets.', ({ connections }) => connections()],
  [
    'yoco_engine_losses_total',
    'How often the engine was lost, and all caches with it.',
    ({ live }) => live.engineFigures.losses,
  ],
  ['yoco_engine_resident_bytes', 'Resident memory of the engine.', ({ live }) => live.engineFigures.residentBytes],
  ['yoco_engine_frames_total', 'Frames since the engine started.', ({ live }) => live.engineFigures.times.frames],
  [
    'yoco_engine_answer_tokens_total',
    'Answer tokens since the engine started.',
    ({ live }) => live.engineFigures.times.answerTokens,
  ],
  [
    'yoco_engine_run_seconds_total',
    'Time in each part of the model.',
    ({ live }) => {
      const { vision, selfDecoder, crossDecoder } = live.engineFigures.times;
      return Object.entries({ vision, selfDecoder, crossDecoder }).map(([part, ms]) => [{ part }, ms / 1_000]);
    },
    ['part'],
  ],
];

/** Figures of each stream: gauges of its present state, counters since it was created; null: it has no such figure. */
const STREAM_METRICS: readonly (readonly [
  name: string,
  help: string,
  value: (status: StreamStatus, live: LiveService) => number | null,
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
  [
    'keep_failing',
    '1 while the memory of a stream with keep cannot be saved; streams with keep only.',
    ({ name }, live) => {
      const fails = live.isKeepFailing(name);
      return fails === null ? null : Number(fails);
    },
  ],
];

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #responses: Counter<'status'>;
  readonly #askings: Counter<'outcome'>;
  readonly #webhooks: Counter<'outcome'>;
  readonly #firstToken: Histogram;

  /** `connections` gives the number of open WebSockets. What is registered first is printed first. */
  constructor(live: LiveService, connections: () => number) {
    const service: Service = { live, bundle: live.bundle.name, connections };
    for (const [name, help, value, labelNames = []] of SERVICE_METRICS) {
      this.#register(name, help, labelNames, () => {
        const figure = value(service);
        return typeof figure === 'number' ? [[{}, figure]] : figure;
      });
    }
    for (const [name, help, value] of STREAM_METRICS) {
      this.#register(`yoco_stream_${name}`, help, ['stream'], () =>
        live.list().flatMap((stream): Sample[] => {
          const figure = value(stream.status(), live);
          return figure === null ? [] : [[{ stream: stream.name }, figure]];
        }),
      );
    }
    this.#responses = this.#eventCounter(
      'yoco_responses_total',
      'Finished responses, by status.',
      'status',
      RESPONSE_STATUSES,
    );
    this.#askings = this.#eventCounter(
      'yoco_standing_askings_total',
      'Askings of standing questions: answered, or missed for a temporary reason.',
      'outcome',
      ASKING_OUTCOMES,
    );
    this.#webhooks = this.#eventCounter(
      'yoco_webhook_events_total',
      'Webhook events: delivered, failed (given up after at least one attempt), or dropped while queued.',
      'outcome',
      WEBHOOK_OUTCOMES,
    );
    this.#firstToken = new Histogram({
      name: 'yoco_first_token_seconds',
      help: 'Time from a question to the first piece of its answer.',
      buckets: FIRST_TOKEN_BUCKETS,
      registers: [this.#registry],
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

  /**
   * `samples` gives all values at each scrape; labels that it no longer gives, such as those of a deleted stream,
   * disappear.
   */
  #register(name: string, help: string, labelNames: readonly string[], samples: () => readonly Sample[]): void {
    const common = { name, help, labelNames: [...labelNames], registers: [this.#registry] };
    // By Prometheus' naming, a figure that only grows is a counter and ends in `_total`.
    if (!name.endsWith('_total')) {
      const gauge: Gauge = new Gauge({
        ...common,
        collect: () => {
          gauge.reset();
          for (const [labels, value] of samples()) gauge.set(labels, value);
        },
      });
      return;
    }
    const counter: Counter = new Counter({
      ...common,
      collect: () => {
        counter.reset();
        for (const [labels, value] of samples()) counter.inc(labels, value);
      },
    });
  }

  /**
   * Counts events by `label`, one of `values`. Each starts at 0: one that appeared with its first event would show no
   * increase for it.
   */
  #eventCounter<L extends string>(name: string, help: string, label: L, values: readonly string[]): Counter<L> {
    const counter = new Counter({ name, help, labelNames: [label], registers: [this.#registry] });
    for (const value of values) counter.labels(value).inc(0);
    return counter;
  }
}

/** What the process has used in user and system mode together. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
