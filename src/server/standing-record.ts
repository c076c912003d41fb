/** A standing question of a stream's file as clients see it: its state and the answers that it has reported. */
import type { YocoError } from '../errors.ts';
import type { StandingQuestionDefinition } from '../ingest/definition.ts';
import type { changeJson } from './answer-json.ts';
import { errorJson } from './errors-http.ts';
import { wallTime } from './times.ts';
import type { StandingQuestionJson } from './wire-types.ts';

/** Reported answers kept per question; beyond that the oldest are dropped. */
export const MAX_REPORTED_ANSWERS = 50;

type Change = ReturnType<typeof changeJson>;

export class StandingRecord {
  readonly #id: string;
  readonly #definition: StandingQuestionDefinition;
  /** Newest first. */
  readonly #reported: Change[] = [];
  #state: StandingQuestionJson['state'] = 'waiting';
  #error: YocoError | null = null;
  #askedAtMs: number | null = null;

  constructor(id: string, definition: StandingQuestionDefinition) {
    this.#id = id;
    this.#definition = definition;
  }

  /** Records an asking; `error` says why it was missed. */
  recordAsking(state: 'answered' | 'missed', error: YocoError | null): void {
    this.#state = state;
    this.#error = error;
    this.#askedAtMs = Date.now();
  }

  recordChange(change: Change): void {
    this.#reported.unshift(change);
    this.#reported.splice(MAX_REPORTED_ANSWERS);
  }

  recordEnd(error: YocoError | null): void {
    this.#state = 'ended';
    this.#error = error;
  }

  /** Shows only the webhook's host: its path may be a secret. */
  json(): StandingQuestionJson {
    const { question, every, holds, min_confidence, webhook } = this.#definition;
    const [newest] = this.#reported;
    return {
      object: 'yoco.standing_question',
      id: this.#id,
      question,
      every,
      holds,
      min_confidence,
      webhook: webhook === undefined ? null : new URL(webhook.url).host,
      state: this.#state,
      error: this.#error === null ? null : errorJson(this.#error),
      asked_time: this.#askedAtMs === null ? null : wallTime(this.#askedAtMs, 0),
      answer: newest?.answer ?? null,
      since_time: newest?.yoco.as_of_time ?? null,
      told: this.#reported.map(({ answer, previous, status, yoco: { as_of, as_of_time, confidence, evidence } }) => {
        return { answer, previous, status, as_of, as_of_time, confidence, evidence };
      }),
    };
  }
}
