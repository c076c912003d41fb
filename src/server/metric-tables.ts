/**
 * What `GET /metrics` reports: one row for each metric, under its full name, in one table for each subject. A table and
 * its rows are printed in the order in which they stand here.
 */
import type { LiveService, StreamStatus } from '../live/types.ts';
import { VERSION } from '../version.ts';
import type { WebhookOutcome } from './webhook.ts';

/** One value of a metric. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** What the figures of the service are read from at each scrape. */
export interface ServiceSources {
  readonly live: LiveService;
  /** Name of the bundle. */
  readonly bundle: string;
  /** Number of open WebSockets. */
  readonly connections: () => number;
}

/** A figure of the whole service, read at each scrape; one with label names may have several samples. */
type ServiceMetric = readonly [
  name: string,
  help: string,
  value: (sources: ServiceSources) => number | readonly Sample[],
  labelNames?: readonly string[],
];

/** A figure that each stream has, read at each scrape; null: this stream has no such figure. */
type StreamMetric = readonly [
  name: string,
  help: string,
  value: (status: StreamStatus, live: LiveService) => number | null,
];

/** A count of events, told apart by one label. */
export interface EventMetric<L extends string, V extends string> {
  readonly name: string;
  readonly help: string;
  readonly label: L;
  /** All values of the label. */
  readonly values: readonly V[];
}

/** Rounded once, so that each scrape gives the same value: a monitor takes a change for a restart. */
const STARTED_AT_MS = Math.round(performance.timeOrigin);

const READINESS_METRICS: readonly ServiceMetric[] = [
  ['yoco_ready', '1 while the engine is ready.', ({ live }) => Number(live.ready)],
  [
    'yoco_info',
    '1, with the version of the service and its bundle.',
    ({ bundle }) => [[{ version: VERSION, bundle }, 1]],
    ['version', 'bundle'],
  ],
];

const PROCESS_METRICS: readonly ServiceMetric[] = [
  ['process_start_time_seconds', 'When the server started, since 1970.', () => STARTED_AT_MS / 1_000],
  ['process_resident_memory_bytes', 'Resident memory of the server.', () => process.memoryUsage.rss()],
  ['process_cpu_seconds_total', 'Processor time of the server.', processorSeconds],
];

const LOAD_METRICS: readonly ServiceMetric[] = [
  ['yoco_streams', 'Number of streams.', ({ live }) => live.list().length],
  ['yoco_connections', 'Number of open WebSockets.', ({ connections }) => connections()],
];

const ENGINE_METRICS: readonly ServiceMetric[] = [
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

/** The figures of the service as a whole, printed before those of streams. */
export const SERVICE_METRICS: readonly ServiceMetric[] = [
  ...READINESS_METRICS,
  ...PROCESS_METRICS,
  ...LOAD_METRICS,
  ...ENGINE_METRICS,
];

/** The figures of each stream, labelled with its name: gauges of its present state, counters since it was created. */
export const STREAM_METRICS: readonly StreamMetric[] = [
  [
    'yoco_stream_playing',
    '1 while frames come from its source.',
    ({ sourceStatus }) => Number(sourceStatus.state === 'playing'),
  ],
  ['yoco_stream_frames_total', 'Frames taken in.', ({ frames }) => frames],
  [
    'yoco_stream_dropped_frames_total',
    'Frames not taken from the source in time.',
    ({ sourceStatus }) => sourceStatus.dropped,
  ],
  ['yoco_stream_late_frames_total', 'Frames not taken by the engine.', ({ lateFrames }) => lateFrames],
  ['yoco_stream_reconnects_total', 'Reconnections to the source.', ({ sourceStatus }) => sourceStatus.reconnects],
  [
    'yoco_stream_newest_frame_timestamp_seconds',
    'Wall time of the newest frame, since 1970.',
    ({ lastMs, startedAtMs }) => (lastMs === null ? null : (startedAtMs + lastMs) / 1_000),
  ],
  [
    'yoco_stream_picture_changed_timestamp_seconds',
    'Wall time of the newest frame whose picture differs from the one before it, since 1970.',
    ({ pictureChangedMs, startedAtMs }) =>
      pictureChangedMs === null ? null : (startedAtMs + pictureChangedMs) / 1_000,
  ],
  ['yoco_stream_cache_bytes', 'Size of the cache.', ({ cacheBytes }) => cacheBytes],
  [
    'yoco_stream_cache_limit_bytes',
    'Size at which the oldest frames are thinned, then dropped.',
    ({ memoryLimitBytes }) => memoryLimitBytes,
  ],
  [
    'yoco_stream_keep_failing',
    '1 while the memory of a stream with keep cannot be saved; streams with keep only.',
    ({ name }, live) => {
      const fails = live.isKeepFailing(name);
      return fails === null ? null : Number(fails);
    },
  ],
];

/** How a response ended. */
export type ResponseStatus = 'completed' | 'incomplete' | 'cancelled' | 'failed';

/** Responses and chat completions that ended. */
export const RESPONSES: EventMetric<'status', ResponseStatus> = {
  name: 'yoco_responses_total',
  help: 'Finished responses, by status.',
  label: 'status',
  values: ['completed', 'incomplete', 'cancelled', 'failed'],
};

/** Askings of standing questions, of connections and of files. */
export const STANDING_ASKINGS: EventMetric<'outcome', 'answered' | 'missed'> = {
  name: 'yoco_standing_askings_total',
  help: 'Askings of standing questions: answered, or missed for a temporary reason.',
  label: 'outcome',
  values: ['answered', 'missed'],
};

/** What became of the events for webhooks. */
export const WEBHOOK_EVENTS: EventMetric<'outcome', WebhookOutcome> = {
  name: 'yoco_webhook_events_total',
  help: 'Webhook events: delivered, failed (given up after at least one attempt), or dropped while queued.',
  label: 'outcome',
  values: ['delivered', 'failed', 'dropped'],
};

/** How long answers take to begin. */
export const FIRST_TOKEN = {
  name: 'yoco_first_token_seconds',
  help: 'Time from a question to the first piece of its answer.',
  /** Seconds: from a lone question on a fast machine to one that waits in a queue. */
  buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
};

/** What the process has used in user and system mode together. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
