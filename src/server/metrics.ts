/**
 * `GET /metrics` in Prometheus' text format: figures of streams and engine as of the scrape, and counts of responses,
 * askings and webhook events. Which these are, `metric-tables.ts` says.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LiveService } from '../live/types.ts';
import {
  FIRST_TOKEN,
  RESPONSES,
  SERVICE_METRICS,
  STANDING_ASKINGS,
  STREAM_METRICS,
  WEBHOOK_EVENTS,
  type EventMetric,
  type ResponseStatus,
  type Sample,
  type ServiceSources,
} from './metric-tables.ts';
import type { WebhookOutcome } from './webhook.ts';

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #responses: Counter<'status'>;
  readonly #askings: Counter<'outcome'>;
  readonly #webhooks: Counter<'outcome'>;
  readonly #firstToken: Histogram;

  /** `connections` gives the number of open WebSockets. What is registered first is printed first. */
  constructor(live: LiveService, connections: () => number) {
    this.#registerService({ live, bundle: live.bundle.name, connections });
    this.#registerStreams(live);
    this.#responses = this.#eventCounter(RESPONSES);
    this.#askings = this.#eventCounter(STANDING_ASKINGS);
    this.#webhooks = this.#eventCounter(WEBHOOK_EVENTS);
    this.#firstToken = new Histogram({ ...FIRST_TOKEN, registers: [this.#registry] });
  }

  /** Counts a response that ended; `firstTokenMs` is null if nothing was answered. */
  countResponse(status: ResponseStatus, firstTokenMs: number | null): void {
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

  #registerService(sources: ServiceSources): void {
    for (const [name, help, value, labelNames = []] of SERVICE_METRICS) {
      this.#register(name, help, labelNames, () => {
        const figure = value(sources);
        return typeof figure === 'number' ? [[{}, figure]] : figure;
      });
    }
  }

  #registerStreams(live: LiveService): void {
    for (const [name, help, value] of STREAM_METRICS) {
      this.#register(name, help, ['stream'], () =>
        live.list().flatMap((stream): Sample[] => {
          const figure = value(stream.status(), live);
          return figure === null ? [] : [[{ stream: stream.name }, figure]];
        }),
      );
    }
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

  /** Each value of the label starts at 0: one that appeared with its first event would show no increase for it. */
  #eventCounter<L extends string>({ name, help, label, values }: EventMetric<L, string>): Counter<L> {
    const counter = new Counter({ name, help, labelNames: [label], registers: [this.#registry] });
    for (const value of values) counter.labels(value).inc(0);
    return counter;
  }
}
