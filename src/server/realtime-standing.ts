/** The standing questions of one session, as `yoco.standing_question.*` events. */
import { YocoError } from '../errors.ts';
import { StandingQuestion, type StandingOptions } from '../live/standing-question.ts';
import type { Conversation } from '../live/types.ts';
import { MIN_CONFIDENCE, STANDING_EVERY_MS, STANDING_HOLDS } from '../question-limits.ts';
import { changeJson } from './answer-json.ts';
import { withStreamsParam } from './question-scope.ts';
import { errorJson } from './errors-http.ts';
import type { StandingParams } from './realtime-events.ts';
import type { SessionStreams } from './realtime-streams.ts';
import { newId } from './ids.ts';
import { questionText } from './request-fields.ts';
import type { ResolvedOptions } from './server-options.ts';
import type { UnsentEvent } from './unsent-event.ts';

/** What standing questions need from their session. */
export interface StandingQuestionsHost {
  emit(event: UnsentEvent): void;
  isDraining(): boolean;
  /** Called after each asking. */
  onAsked(outcome: 'answered' | 'missed'): void;
  /** Called for unexpected errors. */
  reportInternal(error: YocoError): void;
}

/** What bounds standing questions. */
type StandingLimits = Pick<ResolvedOptions, 'maxStandingQuestionsPerConnection' | 'questionMaxChars'>;

/** The field of a message that names the streams. */
const STREAMS_PARAM = 'standing_question.streams';

export class StandingQuestions {
  readonly #streams: SessionStreams;
  readonly #limits: StandingLimits;
  readonly #host: StandingQuestionsHost;
  readonly #open = new Map<string, StandingQuestion>();

  constructor(streams: SessionStreams, limits: StandingLimits, host: StandingQuestionsHost) {
    this.#streams = streams;
    this.#limits = limits;
    this.#host = host;
  }

  /**
   * `maxTokens` bounds each answer. Throws `shutting_down`, `question_empty`, `question_too_long`,
   * `too_many_questions`, `invalid_request`, or the error of the streams; a stream without a frame is waited for.
   */
  create(params: StandingParams, maxTokens: number): void {
    if (this.#host.isDraining()) throw new YocoError('shutting_down');
    const { questionMaxChars, maxStandingQuestionsPerConnection: limit } = this.#limits;
    const question = questionText(params.question, questionMaxChars, 'standing_question.question');
    if (this.#open.size >= limit) {
      const detail = `This connection has ${this.#open.size} standing questions; the limit is ${limit}.`;
      throw new YocoError('too_many_questions', { detail });
    }
    const { id = newId('standing'), streams = null, every = STANDING_EVERY_MS.default / 1_000 } = params;
    const { holds = STANDING_HOLDS.default, min_confidence: minConfidence = MIN_CONFIDENCE.default } = params;
    if (this.#open.has(id)) {
      const param = 'standing_question.id';
      throw new YocoError('invalid_request', {
        param,
        detail: `${param}: another standing question of the connection has this id.`,
      });
    }
    const converse = (): Conversation => this.#streams.converse(streams, STREAMS_PARAM);
    this.#checkStreams(converse);
    const standing = this.#start(
      { question, everyMs: every * 1_000, holds, minConfidence, maxTokens, converse, mayGrow: streams === 'all' },
      id,
    );
    this.#open.set(id, standing);
    const described = { id, object: 'yoco.standing_question' as const, question, streams, every, holds };
    const created = { ...described, min_confidence: minConfidence };
    this.#host.emit({ type: 'yoco.standing_question.created', standing_question: created });
  }

  /** Throws `standing_question_not_found`. */
  delete(id: string): void {
    const standing = this.#open.get(id);
    if (standing === undefined) throw new YocoError('standing_question_not_found', { param: 'standing_question_id' });
    standing.close();
    this.#end(id, null);
  }

  close(): void {
    for (const standing of this.#open.values()) standing.close();
    this.#open.clear();
  }

  #start(options: StandingOptions, id: string): StandingQuestion {
    return new StandingQuestion(options, {
      changed: (change) => {
        this.#host.emit({
          type: 'yoco.standing_question.answered',
          standing_question_id: id,
          ...changeJson(change),
        });
      },
      ended: (error) => {
        if (error?.code === 'internal') this.#host.reportInternal(error);
        this.#end(id, error === null ? null : withStreamsParam(error, STREAMS_PARAM));
      },
      asked: (outcome) => {
        this.#host.onAsked(outcome);
      },
    });
  }

  /** Reports unknown names at once; a stream may get its first frame later. */
  #checkStreams(converse: () => Conversation): void {
    try {
      converse();
    } catch (thrown) {
      const error = YocoError.from(thrown);
      if (error.code !== 'stream_empty') throw error;
    }
  }

  #end(id: string, error: YocoError | null): void {
    this.#open.delete(id);
    const json = error === null ? null : errorJson(error);
    this.#host.emit({ type: 'yoco.standing_question.deleted', standing_question_id: id, error: json });
  }
}
