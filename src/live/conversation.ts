/** Turns over one or several streams: validates questions, passes them to the engine, and remembers the answers. */
import { randomInt } from 'node:crypto';
import type { Engine } from '../engine/supervisor.ts';
import { YocoError } from '../errors.ts';
import { asksForAChange } from '../model/time-language/question-span.ts';
import type { Turn } from '../model/question.ts';
import { QUESTION_MAX_CHARS } from '../question-limits.ts';
import { StreamedAnswer } from './answer.ts';
import { hasEnded, noFrameError } from './no-frame.ts';
import { askedParts } from './question-times.ts';
import type { Answer, AskOptions, Conversation, LiveStream, PastTurn } from './types.ts';

/** Turns that a conversation keeps. The oldest are forgotten, so that it can continue for hours. */
export const MAX_TURNS = 8;
/**
 * Limit of characters in turns given by a caller: more would not fit into a question's tokens, and encoding them takes
 * engine time.
 */
export const TURNS_MAX_CHARS = 8_000;

export interface ConversationStream extends Pick<LiveStream, 'name' | 'status'> {
  /** Whether the stream was deleted; another may have its name by then. */
  readonly deleted: boolean;
}

export class StreamConversation implements Conversation {
  readonly streams: readonly ConversationStream[];
  readonly #engine: Engine;
  readonly #timeZone: string | undefined;
  readonly #anyOf: boolean;
  #turns: Turn[] = [];
  #busy = false;

  /**
   * `timeZone`: of times of day in questions; default: the process's. `anyOf`: nobody named the streams, so those that
   * keep nothing of what a question is about are left out.
   */
  constructor(engine: Engine, streams: readonly ConversationStream[], timeZone?: string, anyOf = false) {
    this.#engine = engine;
    this.#timeZone = timeZone;
    this.#anyOf = anyOf;
    this.streams = streams;
  }

  /**
   * Throws `question_empty`, `question_too_long`, `conversation_full`, `stream_deleted`, `response_in_progress`,
   * `invalid_request`, and the errors of `askedParts`; other errors fail the answer.
   */
  ask(question: string, options: AskOptions = {}): Answer {
    const normalised = this.#checkQuestion(question);
    const limit = this.#engine.bundle.maxAnswerTokens;
    const { temperature = 0, topP = 1, seed = randomInt(2 ** 31), maxTokens = limit, unattended, signal } = options;
    const { anyOf = this.#anyOf } = options;
    checkRange('temperature', temperature, 0, 2);
    checkRange('topP', topP, Number.MIN_VALUE, 1);
    checkRange('maxTokens', maxTokens, 1, Infinity);
    const context = { nowMs: Date.now(), timeZone: this.#timeZone };
    const previousQuestion = questionOf((options.turns ?? this.#turns).at(-1));
    const parts = askedParts(normalised, { ...options, anyOf, previousQuestion }, this.streams, context);
    const { streams, moments, starts, question: narrowedQuestion, fullQuestion } = parts;
    const turns = options.turns === undefined ? this.#turns : this.#checkTurns(options.turns, moments);
    this.#busy = true;
    const answer = new StreamedAnswer();
    const begin = performance.now();
    let firstTokenMs: number | undefined;
    const cancel = this.#engine.ask(
      {
        streams: streams.map(({ name }, i) => ({
          name,
          asOfMs: moments?.[i] ?? null,
          sinceMs: starts?.[i] ?? null,
        })),
        question: narrowedQuestion,
        asksForChange: asksForAChange(fullQuestion),
        turns,
        maxTokens: Math.min(limit, Math.floor(maxTokens)),
        temperature,
        topP,
        seed,
        ...(unattended === true ? { unattended } : {}),
      },
      {
        delta: (piece) => {
          firstTokenMs ??= performance.now() - begin;
          answer.add(piece);
        },
        done: (end) => {
          this.#busy = false;
          signal?.removeEventListener('abort', cancel);
          const totalMs = performance.now() - begin;
          if (end.finish !== 'cancelled') {
            // As the model was asked: "10 minutes ago" counts from the question, but its moment may be the end of a
            // part.
            const turn = { question: narrowedQuestion, timeMs: end.asOfMs, answer: end.text };
            this.#turns = [...this.#turns, turn].slice(-MAX_TURNS);
          }
          answer.end({ ...end, firstTokenMs: firstTokenMs ?? totalMs, totalMs });
        },
        failed: (error) => {
          this.#busy = false;
          signal?.removeEventListener('abort', cancel);
          answer.fail(error.code === 'stream_empty' ? this.#explainNoFrame(error) : error);
        },
      },
    );
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    return answer;
  }

  /** The normalised question. Throws errors that do not depend on its options. */
  #checkQuestion(question: string): string {
    const normalised = collapseWhitespace(question);
    if (normalised === '') throw new YocoError('question_empty', { param: 'question' });
    if (question.length > QUESTION_MAX_CHARS) {
      const detail = `It has ${question.length} characters; the limit is ${QUESTION_MAX_CHARS}.`;
      throw new YocoError('question_too_long', { param: 'question', detail });
    }
    const gone = this.streams.find((stream) => stream.deleted);
    if (gone !== undefined) {
      throw new YocoError('stream_deleted', this.streams.length > 1 ? { detail: `It is "${gone.name}".` } : {});
    }
    if (this.#busy) throw new YocoError('response_in_progress');
    return normalised;
  }

  /** The engine knows no sources, so the reason for a missing frame is added here, and whether one may still come. */
  #explainNoFrame(error: YocoError): YocoError {
    const statuses = this.streams.map((stream) => stream.status());
    const empty = statuses.filter(({ lastMs }) => lastMs === null);
    const reported = empty.find(({ sourceStatus }) => hasEnded(sourceStatus)) ?? empty[0];
    if (reported === undefined) return error;
    return noFrameError(
      reported,
      statuses.length > 1 ? { param: 'streams', detail: `It is "${reported.name}".` } : { param: 'stream' },
    );
  }

  /** The newest of the turns given by the caller. Throws `conversation_full`. */
  #checkTurns(turns: readonly PastTurn[], moments: readonly number[] | null): Turn[] {
    const kept = turns.slice(-MAX_TURNS);
    const chars = kept.reduce((sum, { question, answer }) => sum + question.length + answer.length, 0);
    if (chars > TURNS_MAX_CHARS) {
      const detail = `Its last ${kept.length} turns have ${chars} characters; the limit is ${TURNS_MAX_CHARS}.`;
      throw new YocoError('conversation_full', { detail });
    }
    const times = moments ?? this.streams.map((stream) => stream.status().lastMs ?? 0);
    const timeMs = Math.max(0, ...times);
    return kept.map((turn) => ({ ...turn, timeMs }));
  }
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  const detail = `${name} must be from ${least} to ${most}; it is ${value}.`;
  throw new YocoError('invalid_request', { param: name, detail });
}

const collapseWhitespace = (question: string): string => question.trim().replace(/\s+/g, ' ');

/** The question of an earlier turn; undefined if it is too long to have been asked. */
function questionOf(turn: PastTurn | Turn | undefined): string | undefined {
  return turn === undefined || turn.question.length > QUESTION_MAX_CHARS
    ? undefined
    : collapseWhitespace(turn.question);
}
