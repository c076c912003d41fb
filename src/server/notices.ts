/**
 * Standing questions that streams' files ask: they need no client, and last as long as their stream. Each new answer stands in the log, and
 * goes to the webhook that the file names.
 */
import { YocoError } from '../errors.ts';
import type { StandingDefinition, WebhookDefinition } from '../ingest/definition.ts';
import { StandingQuestion } from '../live/standing-question.ts';
import type { LiveStream } from '../live/types.ts';
import { changeJson } from './answer-json.ts';
import { wireError } from './errors-http.ts';
import { newId } from './ids.ts';
import type { ServerLimits } from './limits.ts';
import type { ServerMetrics } from './metrics.ts';
import { KEY_BYTES, keyOf, Webhook } from './webhook.ts';

export class Notices {
  readonly #limits: Pick<ServerLimits, 'log' | 'maxOutputTokens'>;
  readonly #metrics: Pick<ServerMetrics, 'stood'>;
  readonly #questions = new Set<StandingQuestion>();
  readonly #webhooks = new Set<Webhook>();
  #closed = false;

  constructor(limits: Pick<ServerLimits, 'log' | 'maxOutputTokens'>, metrics: Pick<ServerMetrics, 'stood'>) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** Begins to ask what the stream's definition says. Throws `definition_invalid` where a secret is missing, and `shutting_down`. */
  stand(stream: LiveStream): void {
    if (this.#closed) throw new YocoError('shutting_down');
    const asked = stream.standingQuestions.map((definition, i) => {
      return {
        definition,
        webhook: this.#webhookOf(definition.webhook, `${stream.name}: standing_questions.${i}.webhook`),
      };
    });
    for (const { definition, webhook } of asked) {
      if (webhook !== null) this.#webhooks.add(webhook);
      this.#ask(stream, definition, webhook);
    }
  }

  /** Asks no more; what waits for a webhook has `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    for (const question of this.#questions) question.close();
    await Promise.all([...this.#webhooks].map((webhook) => webhook.close(graceMs)));
  }

  #ask(stream: LiveStream, { question, every, holds }: StandingDefinition, webhook: Webhook | null): void {
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
