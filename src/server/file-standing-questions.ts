/**
 * Standing questions of streams' files: they need no client, and last as long as their stream. Each new answer is
 * logged and sent to the webhook that the file names; so is the news that the stream's source is away and no answer can
 * come.
 */
import { isDeepStrictEqual } from 'node:util';
import { YocoError } from '../errors.ts';
import type { StandingDefinition, WebhookDefinition } from '../ingest/definition.ts';
import { hasEnded } from '../live/no-frame.ts';
import { StandingQuestion } from '../live/standing-question.ts';
import type { LiveStream, StreamStatus } from '../live/types.ts';
import { changeJson } from './answer-json.ts';
import { answerPicture, type AnswerPicture } from './answer-picture.ts';
import { wireError } from './errors-http.ts';
import { newId } from './ids.ts';
import type { ServerLimits } from './limits.ts';
import type { ServerMetrics } from './metrics.ts';
import { SourceWatch, type SourceWatchOptions, type ToldState } from './source-watch.ts';
import { StandingRecord } from './standing-record.ts';
import { wallTime } from './times.ts';
import { KEY_BYTES, keyOf, Webhook } from './webhook.ts';
import type { StandingQuestionJson } from './wire-types.ts';

/** A question of a stream's file, the webhook that gets its answers, and the record of those. */
interface FileQuestion {
  readonly id: string;
  readonly definition: StandingDefinition;
  readonly webhook: Webhook | null;
  readonly record: StandingRecord;
  /** Null before it is asked. */
  asking: StandingQuestion | null;
}

/**
 * A stream's questions in the order of its file, including ended ones, and the watch on its source while any is asked.
 */
interface Watched {
  asked: readonly FileQuestion[];
  watch: SourceWatch | null;
}

/** How the log describes a source. */
const SOURCE_IS: Readonly<Record<ToldState, string>> = {
  reconnecting: 'is away',
  playing: 'is back',
  ended: 'has ended',
  failed: 'has failed',
};

export class FileStandingQuestions {
  readonly #limits: Pick<ServerLimits, 'log' | 'maxOutputTokens'>;
  readonly #metrics: Pick<ServerMetrics, 'countAsking' | 'countWebhookEvents'>;
  readonly #watching: SourceWatchOptions;
  /** Questions that have not ended. */
  readonly #open = new Set<FileQuestion>();
  readonly #watches = new Set<SourceWatch>();
  readonly #webhooks = new Set<Webhook>();
  readonly #watched = new WeakMap<LiveStream, Watched>();
  #closed = false;

  constructor(
    limits: Pick<ServerLimits, 'log' | 'maxOutputTokens'>,
    metrics: Pick<ServerMetrics, 'countAsking' | 'countWebhookEvents'>,
    watching: SourceWatchOptions = {},
  ) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#watching = watching;
  }

  /**
   * Applies the questions of the stream's definition: new ones start, removed ones stop, unchanged ones continue.
   * Throws `definition_invalid` if a secret is missing, and `shutting_down`; then nothing has changed.
   */
  sync(stream: LiveStream): void {
    if (this.#closed) throw new YocoError('shutting_down');
    const stood = this.#watched.get(stream) ?? { asked: [], watch: null };
    // While the source is over, an ended question stays ended: asked again, it would only end again. Otherwise it
    // starts anew.
    const over = hasEnded(stream.status().sourceStatus);
    const before = stood.asked.filter((question) => over || this.#open.has(question));
    const asked = stream.standingQuestions.map((definition, i): FileQuestion => {
      const at = before.findIndex((question) => isDeepStrictEqual(question.definition, definition));
      const [same] = at < 0 ? [] : before.splice(at, 1);
      return same ?? this.#newlyAsked(stream.name, definition, i);
    });
    for (const question of before) this.#askNoMore(stream, question);
    stood.asked = asked;
    this.#watched.set(stream, stood);
    const begun = asked.filter(({ asking }) => asking === null);
    for (const question of begun) {
      this.#open.add(question);
      if (question.webhook !== null) this.#webhooks.add(question.webhook);
    }
    this.#unwatch(stood);
    if (this.#isAsked(stood) && (stood.watch === null || (stood.watch.closed && !over))) this.#watch(stream, stood);
    for (const question of begun) this.#ask(stream, question, stood);
  }

  /** The `i`th question of the stream's file. */
  #newlyAsked(stream: string, definition: StandingDefinition, i: number): FileQuestion {
    const id = newId('standing');
    const webhook = this.#webhookOf(stream, definition.webhook, `standing_questions.${i}.webhook`);
    return { id, definition, webhook, record: new StandingRecord(id, definition), asking: null };
  }

  #isAsked({ asked }: Watched): boolean {
    return asked.some((question) => this.#open.has(question));
  }

  #watch(stream: LiveStream, stood: Watched): void {
    if (stood.watch !== null) this.#watches.delete(stood.watch);
    const tell = (state: ToldState, status: StreamStatus): void => {
      const open = stood.asked.filter((question) => this.#open.has(question));
      this.#tellOfSource(state, status, open);
    };
    stood.watch = new SourceWatch(stream, tell, this.#watching);
    this.#watches.add(stood.watch);
  }

  /** Ends the watch once no question is asked any more. */
  #unwatch(stood: Watched): void {
    const { watch } = stood;
    if (watch === null || this.#isAsked(stood)) return;
    watch.close();
    this.#watches.delete(watch);
    stood.watch = null;
  }

  /** Stops a question that its stream's file no longer contains. */
  #askNoMore(stream: LiveStream, question: FileQuestion): void {
    if (!this.#open.has(question)) return;
    question.asking?.close();
    const about = { stream: stream.name, question: question.definition.question };
    this.#limits.log.info?.(about, "A standing question was stopped: its stream's file no longer contains it.");
    this.#tell(stream, question, 'yoco.standing_question.deleted', { error: null });
    this.#ended(question);
  }

  #ended(question: FileQuestion): void {
    this.#open.delete(question);
    const { webhook } = question;
    if (webhook !== null) void webhook.drained().then(() => this.#webhooks.delete(webhook));
  }

  /** The stream's questions, in the order of its file. */
  standing(stream: LiveStream): readonly StandingQuestionJson[] {
    return (this.#watched.get(stream)?.asked ?? []).map(({ record }) => record.json());
  }

  /** Stops asking; events that wait for a webhook have `graceMs` to be sent. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    for (const { asking } of this.#open) asking?.close();
    for (const watch of this.#watches) watch.close();
    await Promise.all([...this.#webhooks].map((webhook) => webhook.close(graceMs)));
  }

  #tell(
    stream: LiveStream,
    asked: FileQuestion,
    type: string,
    what: object,
    picture?: Promise<AnswerPicture | null>,
  ): void {
    const { id, webhook, definition } = asked;
    const about = { standing_question_id: id, stream: stream.name, question: definition.question };
    webhook?.send({ type, created_at: new Date().toISOString(), ...about, ...what }, picture);
  }

  #ask(stream: LiveStream, asked: FileQuestion, stood: Watched): void {
    const { definition, record } = asked;
    const { question, every, holds, min_confidence: minConfidence } = definition;
    const { log, maxOutputTokens: maxTokens } = this.#limits;
    const about = { stream: stream.name, question };
    const pictured = definition.webhook?.picture === true;
    asked.asking = new StandingQuestion(
      {
        question: question.trim(),
        everyMs: every * 1_000,
        holds,
        minConfidence,
        maxTokens,
        // Frames that a restored stream already holds were reported on when they were new.
        onlyNew: stream.status().lastMs !== null && stream.status().sourceStatus.state === 'connecting',
        converse: () => stream.converse(),
      },
      {
        changed: (change) => {
          const told = changeJson(change);
          record.told(told);
          const { answer, previous, yoco } = told;
          const { as_of_time: at, confidence } = yoco;
          log.info?.({ ...about, answer, previous, at, confidence }, 'A standing question has a new answer.');
          const picture = pictured ? answerPicture(change.result, stream) : undefined;
          this.#tell(stream, asked, 'yoco.standing_question.answered', told, picture);
        },
        ended: (error) => {
          record.ended(error);
          const fields = error === null ? about : { ...about, code: error.code, err: error.cause };
          log.warn(fields, `A standing question was stopped: ${error?.message ?? 'the stream has ended.'}`);
          this.#tell(stream, asked, 'yoco.standing_question.deleted', {
            error: error === null ? null : wireError(error),
          });
          this.#ended(asked);
          this.#unwatch(stood);
        },
        asked: (outcome, error) => {
          record.asked(outcome, error);
          this.#metrics.countAsking(outcome);
        },
        // No client is there to ask again, so the question outlasts the error.
        unexpected: (error) => {
          log.error({ ...about, err: error.cause ?? error }, 'A standing question was not answered.');
        },
      },
    );
  }

  /**
   * Tells webhooks that no answer can come, or that answers may come again: once per address, however many questions
   * have it.
   */
  #tellOfSource(state: ToldState, status: StreamStatus, open: Iterable<FileQuestion>): void {
    const { name: stream, lastMs, startedAtMs, sourceStatus } = status;
    // A source that is back still reports why it was away.
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

  /** `where`: its field in the stream's file. */
  #webhookOf(stream: string, definition: WebhookDefinition | undefined, where: string): Webhook | null {
    if (definition === undefined) return null;
    const { url, secret_env: variable } = definition;
    const key = variable === undefined ? undefined : keyOf(process.env[variable] ?? '');
    if (key === null) {
      const expected = `"whsec_" and the base64 of at least ${KEY_BYTES} bytes, or as many of plain text`;
      const detail = `${stream}: ${where}.secret_env: expected ${variable ?? 'it'} to hold ${expected}.`;
      throw new YocoError('definition_invalid', { param: 'standing_questions', detail });
    }
    return new Webhook({
      url,
      ...(key === undefined ? {} : { key }),
      onWarning: (message) => {
        this.#limits.log.warn({ stream }, message);
      },
      onOutcome: (outcome, events) => {
        this.#metrics.countWebhookEvents(outcome, events);
      },
    });
  }
}
