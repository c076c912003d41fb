/**
 * Standing questions that streams' files ask: they need no client, and last as long as their stream. Each new answer stands in the log, and
 * goes to the webhook that the file names; so does that no answer can come, since the stream's source is away.
 */
import { YocoError } from '../errors.ts';
import type { StandingDefinition, WebhookDefinition } from '../ingest/definition.ts';
import { StandingQuestion } from '../live/standing-question.ts';
import type { LiveStream, StreamStatus } from '../live/types.ts';
import { changeJson } from './answer-json.ts';
import { wireError } from './errors-http.ts';
import { newId } from './ids.ts';
import type { ServerLimits } from './limits.ts';
import type { ServerMetrics } from './metrics.ts';
import { SourceWatch, type SourceWatchOptions, type ToldState } from './source-watch.ts';
import { wallTime } from './times.ts';
import { KEY_BYTES, keyOf, Webhook } from './webhook.ts';

/** A question of a stream's file, and who is told of its answers. */
interface Asked {
  readonly definition: StandingDefinition;
  readonly webhook: Webhook | null;
}

/** What the log says of a source. */
const SOURCE_IS: Readonly<Record<ToldState, string>> = {
  reconnecting: 'is away',
  playing: 'is back',
  ended: 'has ended',
  failed: 'has failed',
};

export class Notices {
  readonly #limits: Pick<ServerLimits, 'log' | 'maxOutputTokens'>;
  readonly #metrics: Pick<ServerMetrics, 'stood'>;
  readonly #watching: SourceWatchOptions;
  readonly #questions = new Set<StandingQuestion>();
  readonly #watches = new Set<SourceWatch>();
  readonly #webhooks = new Set<Webhook>();
  #closed = false;

  constructor(
    limits: Pick<ServerLimits, 'log' | 'maxOutputTokens'>,
    metrics: Pick<ServerMetrics, 'stood'>,
    watching: SourceWatchOptions = {},
  ) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#watching = watching;
  }

  /** Begins to ask what the stream's definition says. Throws `definition_invalid` where a secret is missing, and `shutting_down`. */
  stand(stream: LiveStream): void {
    if (this.#closed) throw new YocoError('shutting_down');
    const asked = stream.standingQuestions.map((definition, i): Asked => {
      return {
        definition,
        webhook: this.#webhookOf(definition.webhook, `${stream.name}: standing_questions.${i}.webhook`),
      };
    });
    if (asked.length === 0) return;
    /** Those that have not ended. */
    const open = new Set(asked);
    const watch = new SourceWatch(
      stream,
      (state, status) => {
        this.#tellOfSource(state, status, open);
      },
      this.#watching,
    );
    this.#watches.add(watch);
    for (const question of asked) {
      if (question.webhook !== null) this.#webhooks.add(question.webhook);
      this.#ask(stream, question, () => {
        open.delete(question);
        if (open.size > 0) return;
        watch.close();
        this.#watches.delete(watch);
      });
    }
  }

  /** Asks no more; what waits for a webhook has `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    for (const question of this.#questions) question.close();
    for (const watch of this.#watches) watch.close();
    await Promise.all([...this.#webhooks].map((webhook) => webhook.close(graceMs)));
  }

  #ask(stream: LiveStream, { definition, webhook }: Asked, ended: () => void): void {
    const { question, every, holds } = definition;
    const { log, maxOutputTokens: maxTokens } = this.#limits;
    const about = { stream: stream.name, question };
    const tell = (type: string, what: object): void =>
      webhook?.send({ type, created_at: new Date().toISOString(), standing_question_id: id, ...about, ...what });
    const id = newId('standing');
    const standing = new StandingQuestion(
      { question: question.trim(), everyMs: every * 1_000, holds, maxTokens, converse: () => stream.converse() },
      {
        changed: (change) => {
          const told = changeJson(change);
          const { answer, previous, yoco } = told;
          log.info?.({ ...about, answer, previous, at: yoco.as_of_time }, 'A standing question has a new answer.');
          tell('yoco.standing_question.answered', told);
        },
        ended: (error) => {
          const fields = error === null ? about : { ...about, code: error.code, err: error.cause };
          log.warn(fields, `A standing question is asked no more: ${error?.message ?? 'the stream has ended.'}`);
          tell('yoco.standing_question.deleted', { error: error === null ? null : wireError(error) });
          this.#questions.delete(standing);
          ended();
          if (webhook !== null) void webhook.drained().then(() => this.#webhooks.delete(webhook));
        },
        asked: (outcome) => {
          this.#metrics.stood(outcome);
        },
        // Nobody is there who could ask again.
        unexpected: (error) => {
          log.error({ ...about, err: error.cause ?? error }, 'A standing question was not answered.');
        },
      },
    );
    this.#questions.add(standing);
  }

  /** Whoever waits for an answer hears that none can come, and that they may come again: at each address once, whatever is asked there. */
  #tellOfSource(state: ToldState, status: StreamStatus, open: Iterable<Asked>): void {
    const { name: stream, lastMs, startedAtMs, sourceStatus } = status;
    // A source that is back still tells why it was away.
    const error = state === 'playing' ? null : sourceStatus.error;
    const { log } = this.#limits;
    const message = `The source of a stream with standing questions ${SOURCE_IS[state]}${error === null ? '.' : `: ${error.message}`}`;
    if (state === 'playing') log.info?.({ stream, state }, message);
    else log.warn({ stream, state, code: error?.code ?? null }, message);
    const told = {
      type: 'yoco.stream.status',
      created_at: new Date().toISOString(),
      stream,
      state,
      error,
      last_time: lastMs === null ? null : wallTime(lastMs, startedAtMs),
    };
    const reached = new Set<string>();
    for (const { webhook } of open) {
      if (webhook === null || reached.has(webhook.url)) continue;
      reached.add(webhook.url);
      webhook.send(told);
    }
  }

  #webhookOf(definition: WebhookDefinition | undefined, where: string): Webhook | null {
    if (definition === undefined) return null;
    const { url, secret_env: variable } = definition;
    const key = variable === undefined ? undefined : keyOf(process.env[variable] ?? '');
    if (key === null) {
      const expected = `"whsec_" and the base64 of at least ${KEY_BYTES} bytes, or as many of plain text`;
      const detail = `${where}.secret_env: expected ${variable ?? 'it'} to hold ${expected}.`;
      throw new YocoError('definition_invalid', { param: 'standing_questions', detail });
    }
    return new Webhook({
      url,
      ...(key === undefined ? {} : { key }),
      onWarning: (message) => {
        this.#limits.log.warn({}, message);
      },
    });
  }
}
