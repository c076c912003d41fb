/**
 * A run of turns on one stream or several: validates a question, hands it to the engine, remembers what was answered.
 */
import { randomInt } from 'node:crypto';
import type { Engine } from '../engine/supervisor.ts';
import { YocoError } from '../errors.ts';
import { asksForAChange } from '../model/asked-span.ts';
import type { Turn } from '../model/question.ts';
import { QUESTION_MAX_CHARS } from '../question-limits.ts';
import { StreamedAnswer } from './answer.ts';
import { isOver, noFrame } from './no-frame.ts';
import { askedParts } from './question-times.ts';
import type { Answer, AskOptions, Conversation, LiveStream, PastTurn } from './types.ts';

/** Turns that a conversation keeps; the oldest are forgotten, so that one can go on for hours. */
export const MAX_TURNS = 8;
/**
 * Characters of turns that a caller gives: more would not fit into a question's tokens, and encoding them takes the
 * engine's time.
 */
export const TURNS_MAX_CHARS = 8_000;

export interface ConversationStream extends Pick<LiveStream, 'name' | 'status'> {
  /** Whether the stream is gone; another may have its name by then. */
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
   * `timeZone`: of the times of day in questions; default: that of the process. `anyOf`: nobody named the streams,
   * and one that keeps nothing of what a question is about is left out.
   */
  constructor(engine: Engine, streams: readonly ConversationStream[], timeZone?: string, anyOf = false) {
    this.#engine = engine;
    this.#timeZone = timeZone;
    this.#anyOf = anyOf;
    this.streams = streams;
  }

  /**
   * Throws `question_empty`, `question_too_long`, `conversation_full`, `stream_deleted`, `response_in_progress` or
   * `invalid_request`, and what `askedParts` throws; the rest fails in the answer.
   */
  ask(question: string, options: AskOptions = {}): Answer {
    const said = this.#checked(question);
    const limit = this.#engine.bundle.maxAnswerTokens;
    const { temperature = 0, topP = 1, seed = randomInt(2 ** 31), maxTokens = limit, unattended, signal } = options;
    const { anyOf = this.#anyOf } = options;
    check('temperature', temperature, 0, 2);
    check('topP', topP, Number.MIN_VALUE, 1);
    check('maxTokens', maxTokens, 1, Infinity);
    const now = { nowMs: Date.now(), timeZone: this.#timeZone };
    const before = questionOf((options.turns ?? this.#turns).at(-1));
    const parts = askedParts(said, { ...options, anyOf, before }, this.streams, now);
    const { streams, moments, begins, question: asked, whole } = parts;
    const turns = options.turns === undefined ? this.#turns : this.#given(options.turns, moments);
    this.#busy = true;
    const answer = new StreamedAnswer();
    const begin = performance.now();
    let firstTokenMs: number | undefined;
    const cancel = this.#engine.ask(
      {
        streams: streams.map(({ name }, i) => ({
          name,
          asOfMs: moments?.[i] ?? null,
          sinceMs: begins?.[i] ?? null,
        })),
        question: asked,
        ofChanges: asksForAChange(whole),
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
            // As the model was asked: "10 minutes ago" counts from the question, and its moment may be the end of a
            // part.
            const turn = { question: asked, timeMs: end.asOfMs, answer: end.text };
            this.#turns = [...this.#turns, turn].slice(-MAX_TURNS);
          }
          answer.end({ ...end, firstTokenMs: firstTokenMs ?? totalMs, totalMs });
        },
        failed: (error) => {
          this.#busy = false;
          signal?.removeEventListener('abort', cancel);
          answer.fail(error.code === 'stream_empty' ? this.#withoutFrame(error) : error);
        },
      },
    );
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    return answer;
  }

  /** The question as it is asked. Throws what keeps it from being asked at all, whatever its options. */
  #checked(question: string): string {
    const said = inOneLine(question);
    if (said === '') throw new YocoError('question_empty', { param: 'question' });
    if (question.length > QUESTION_MAX_CHARS) {
      const detail = `It has ${question.length} characters; the limit is ${QUESTION_MAX_CHARS}.`;
      throw new YocoError('question_too_long', { param: 'question', detail });
    }
    const gone = this.streams.find((stream) => stream.deleted);
    if (gone !== undefined) {
      throw new YocoError('stream_deleted', this.streams.length > 1 ? { detail: `It is "${gone.name}".` } : {});
    }
    if (this.#busy) throw new YocoError('response_in_progress');
    return said;
  }

  /** The engine knows of no sources: why there is no frame, and that none comes any more, is to be seen here. */
  #withoutFrame(error: YocoError): YocoError {
    const statuses = this.streams.map((stream) => stream.status());
    const empty = statuses.filter(({ lastMs }) => lastMs === null);
    const told = empty.find(({ sourceStatus }) => isOver(sourceStatus)) ?? empty[0];
    if (told === undefined) return error;
    return noFrame(
      told,
      statuses.length > 1 ? { param: 'streams', detail: `It is "${told.name}".` } : { param: 'stream' },
    );
  }

  /** Turns that the caller remembers, the newest of them. Throws `conversation_full`. */
  #given(turns: readonly PastTurn[], moments: readonly number[] | null): Turn[] {
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

function check(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  const detail = `${name} must be from ${least} to ${most}; it is ${value}.`;
  throw new YocoError('invalid_request', { param: name, detail });
}

const inOneLine = (question: string): string => question.trim().replace(/\s+/g, ' ');

/** What a turn that a client gave says it asked; undefined where nothing so long could have been asked. */
function questionOf(turn: PastTurn | Turn | undefined): string | undefined {
  return turn === undefined || turn.question.length > QUESTION_MAX_CHARS ? undefined : inOneLine(turn.question);
}
