/**
 * Standing questions of streams' files: they need no client, and last as long as their stream. Each new answer is
 * logged and sent to the webhook that the file names; so is the news that the stream's source is away or frozen, and no
 * answer that can be relied on comes.
 */
import { isDeepStrictEqual } from 'node:util';
import { YocoError } from '../errors.ts';
import type { StandingQuestionDefinition, WebhookDefinition } from '../ingest/definition.ts';
import { hasEnded } from '../live/no-frame.ts';
import { StandingQuestion } from '../live/standing-question.ts';
import type { LiveStream, StreamStatus } from '../live/types.ts';
import { changeJson } from './answer-json.ts';
import { answerPicture, type AnswerPicture } from './answer-picture.ts';
import { errorJson } from './errors-http.ts';
import { newId } from './ids.ts';
import type { ResolvedOptions } from './server-options.ts';
import type { ServerMetrics } from './metrics.ts';
import { SourceWatch, type SourceWatchOptions, type ReportedState } from './source-watch.ts';
import { StandingRecord } from './standing-record.ts';
import { wallTime } from './times.ts';
import { MIN_KEY_BYTES, signingKeyOf, Webhook } from './webhook.ts';
import type { StandingQuestionJson } from './wire-types.ts';

/** A question of a stream's file, the webhook that gets its answers, and the record of those. */
interface FileQuestion {
  readonly id: string;
  readonly definition: StandingQuestionDefinition;
  readonly webhook: Webhook | null;
  readonly record: StandingRecord;
  /** Null before it is asked. */
  standingQuestion: StandingQuestion | null;
}

/**
 * A stream's questions in the order of its file, including ended ones, and the watch on its source while any is asked.
 */
interface WatchedStream {
  questions: readonly FileQuestion[];
  watch: SourceWatch | null;
}

/** How the log describes a source. */
const SOURCE_STATE_TEXT: Readonly<Record<ReportedState, string>> = {
  reconnecting: 'is away',
  playing: 'is back',
  frozen: 'has frozen: its picture no longer changes',
  ended: 'has ended',
  failed: 'has failed',
};

export class FileStandingQuestions {
  readonly #options: Pick<ResolvedOptions, 'log' | 'maxOutputTokens'>;
  readonly #metrics: Pick<ServerMetrics, 'countAsking' | 'countWebhookEvents'>;
  readonly #watchOptions: SourceWatchOptions;
  /** Questions that have not ended. */
  readonly #open = new Set<FileQuestion>();
  readonly #watches = new Set<SourceWatch>();
  readonly #webhooks = new Set<Webhook>();
  readonly #watched = new WeakMap<LiveStream, WatchedStream>();
  #closed = false;

  constructor(
    options: Pick<ResolvedOptions, 'log' | 'maxOutputTokens'>,
    metrics: Pick<ServerMetrics, 'countAsking' | 'countWebhookEvents'>,
    watchOptions: SourceWatchOptions = {},
  ) {
    this.#options = options;
    this.#metrics = metrics;
    this.#watchOptions = watchOptions;
  }

  /**
   * Applies the questions of the stream's definition: new ones start, removed ones stop, unchanged ones continue.
   * Throws `definition_invalid` if a secret is missing, and `shutting_down`; then nothing has changed.
   */
  sync(stream: LiveStream): void {
    if (this.#closed) throw new YocoError('shutting_down');
    const watched = this.#watched.get(stream) ?? { questions: [], watch: null };
    // While the source is over, an ended question stays ended: asked again, it would only end again. Otherwise it
    // starts anew.
    const sourceEnded = hasEnded(stream.status().sourceStatus);
    const before = watched.questions.filter((question) => sourceEnded || this.#open.has(question));
    const questions = stream.standingQuestions.map((definition, i): FileQuestion => {
      const at = before.findIndex((question) => isDeepStrictEqual(question.definition, definition));
      const [same] = at < 0 ? [] : before.splice(at, 1);
      return same ?? this.#createQuestion(stream.name, definition, i);
    });
    for (const question of before) this.#stopAsking(stream, question);
    watched.questions = questions;
    this.#watched.set(stream, watched);
    const added = questions.filter(({ standingQuestion }) => standingQuestion === null);
    for (const question of added) {
      this.#open.add(question);
      if (question.webhook !== null) this.#webhooks.add(question.webhook);
    }
    this.#unwatch(watched);
    if (this.#hasOpenQuestions(watched) && (watched.watch === null || (watched.watch.isClosed && !sourceEnded)))
      this.#watch(stream, watched);
    for (const question of added) this.#ask(stream, question, watched);
  }

  /** Throws `definition_invalid` if a webhook of these questions lacks its secret. */
  check(stream: string, definitions: readonly StandingQuestionDefinition[]): void {
    definitions.forEach(({ webhook }, i) => {
      if (webhook !== undefined) keyOf(stream, webhook, webhookField(i));
    });
  }

  /** The `i`th question of the stream's file. */
  #createQuestion(stream: string, definition: StandingQuestionDefinition, i: number): FileQuestion {
    const id = newId('standing');
    const webhook = this.#webhookOf(stream, definition.webhook, webhookField(i));
    return { id, definition, webhook, record: new StandingRecord(id, definition), standingQuestion: null };
  }

  #hasOpenQuestions({ questions }: WatchedStream): boolean {
    return questions.some((question) => this.#open.has(question));
  }

  #watch(stream: LiveStream, watched: WatchedStream): void {
    if (watched.watch !== null) this.#watches.delete(watched.watch);
    const report = (state: ReportedState, status: StreamStatus): void => {
      const open = watched.questions.filter((question) => this.#open.has(question));
      this.#reportSource(state, status, open);
    };
    watched.watch = new SourceWatch(stream, report, this.#watchOptions);
    this.#watches.add(watched.watch);
  }

  /** Ends the watch once no question is asked any more. */
  #unwatch(watched: WatchedStream): void {
    const { watch } = watched;
    if (watch === null || this.#hasOpenQuestions(watched)) return;
    watch.close();
    this.#watches.delete(watch);
    watched.watch = null;
  }

  /** Stops a question that its stream's file no longer contains. */
  #stopAsking(stream: LiveStream, question: FileQuestion): void {
    if (!this.#open.has(question)) return;
    question.standingQuestion?.close();
    const logFields = { stream: stream.name, question: question.definition.question };
    this.#options.log.info?.(logFields, "A standing question was stopped: its stream's file no longer contains it.");
    this.#sendEvent(stream, question, 'yoco.standing_question.deleted', { error: null });
    this.#removeQuestion(question);
  }

  #removeQuestion(question: FileQuestion): void {
    this.#open.delete(question);
    const { webhook } = question;
    if (webhook !== null) void webhook.whenDrained().then(() => this.#webhooks.delete(webhook));
  }

  /** The stream's questions, in the order of its file. */
  list(stream: LiveStream): readonly StandingQuestionJson[] {
    return (this.#watched.get(stream)?.questions ?? []).map(({ record }) => record.json());
  }

  /** Stops asking; events that wait for a webhook have `graceMs` to be sent. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    for (const { standingQuestion } of this.#open) standingQuestion?.close();
    for (const watch of this.#watches) watch.close();
    await Promise.all([...this.#webhooks].map((webhook) => webhook.close(graceMs)));
  }

  #sendEvent(
    stream: LiveStream,
    fileQuestion: FileQuestion,
    type: string,
    fields: object,
    picture?: Promise<AnswerPicture | null>,
  ): void {
    const { id, webhook, definition } = fileQuestion;
    const commonFields = { standing_question_id: id, stream: stream.name, question: definition.question };
    webhook?.send({ type, created_at: new Date().toISOString(), ...commonFields, ...fields }, picture);
  }

  #ask(stream: LiveStream, fileQuestion: FileQuestion, watched: WatchedStream): void {
    const { definition, record } = fileQuestion;
    const { question, every, holds, min_confidence: minConfidence } = definition;
    const { log, maxOutputTokens: maxTokens } = this.#options;
    const logFields = { stream: stream.name, question };
    const wantsPicture = definition.webhook?.picture === true;
    fileQuestion.standingQuestion = new StandingQuestion(
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
          const json = changeJson(change);
          record.recordChange(json);
          const { answer, previous, yoco } = json;
          const { as_of_time: at, confidence } = yoco;
          log.info?.({ ...logFields, answer, previous, at, confidence }, 'A standing question has a new answer.');
          const picture = wantsPicture ? answerPicture(change.result, stream) : undefined;
          this.#sendEvent(stream, fileQuestion, 'yoco.standing_question.answered', json, picture);
        },
        ended: (error) => {
          record.recordEnd(error);
          const fields = error === null ? logFields : { ...logFields, code: error.code, err: error.cause };
          log.warn(fields, `A standing question was stopped: ${error?.message ?? 'the stream has ended.'}`);
          this.#sendEvent(stream, fileQuestion, 'yoco.standing_question.deleted', {
            error: error === null ? null : errorJson(error),
          });
          this.#removeQuestion(fileQuestion);
          this.#unwatch(watched);
        },
        asked: (outcome, error) => {
          record.recordAsking(outcome, error);
          this.#metrics.countAsking(outcome);
        },
        // No client is there to ask again, so the question outlasts the error.
        unexpected: (error) => {
          log.error({ ...logFields, err: error.cause ?? error }, 'A standing question was not answered.');
        },
      },
    );
  }

  /**
   * Tells webhooks that no answer can come, or that answers may come again: once per address, however many questions
   * have it.
   */
  #reportSource(state: ReportedState, status: StreamStatus, open: Iterable<FileQuestion>): void {
    const { name: stream, lastMs, pictureChangedMs, startedAtMs, sourceStatus } = status;
    // A source that is back still reports why it was away.
    const error = state === 'playing' || state === 'frozen' ? null : sourceStatus.error;
    const { log } = this.#options;
    const message = `The source of a stream with standing questions ${SOURCE_STATE_TEXT[state]}${error === null ? '.' : `: ${error.message}`}`;
    if (state === 'playing') log.info?.({ stream, state }, message);
    else log.warn({ stream, state, code: error?.code ?? null }, message);
    const event = {
      type: 'yoco.stream.status',
      created_at: new Date().toISOString(),
      stream,
      state,
      error,
      last_time: lastMs === null ? null : wallTime(lastMs, startedAtMs),
      last_change_time: pictureChangedMs === null ? null : wallTime(pictureChangedMs, startedAtMs),
    };
    const reached = new Set<string>();
    for (const { webhook } of open) {
      if (webhook === null || reached.has(webhook.url)) continue;
      reached.add(webhook.url);
      webhook.send(event);
    }
  }

  /** `field`: its field in the stream's file. */
  #webhookOf(stream: string, definition: WebhookDefinition | undefined, field: string): Webhook | null {
    if (definition === undefined) return null;
    const key = keyOf(stream, definition, field);
    return new Webhook({
      url: definition.url,
      ...(key === undefined ? {} : { key }),
      onWarning: (message) => {
        this.#options.log.warn({ stream }, message);
      },
      onOutcome: (outcome, events) => {
        this.#metrics.countWebhookEvents(outcome, events);
      },
    });
  }
}

const webhookField = (i: number): string => `standing_questions.${i}.webhook`;

/**
 * The key that signs what a webhook is sent; undefined: it is not signed. Throws `definition_invalid`, naming the
 * `field` of the stream's file, if the environment does not hold it.
 */
function keyOf(stream: string, { secret_env: variable }: WebhookDefinition, field: string): Buffer | undefined {
  if (variable === undefined) return undefined;
  const key = signingKeyOf(process.env[variable] ?? '');
  if (key !== null) return key;
  const expected = `"whsec_" and the base64 of at least ${MIN_KEY_BYTES} bytes, or as many of plain text`;
  const detail = `${stream}: ${field}.secret_env: expected ${variable} to hold ${expected}.`;
  throw new YocoError('definition_invalid', { param: 'standing_questions', detail });
}
