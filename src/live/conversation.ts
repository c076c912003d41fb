/** A run of turns on one stream: validates a question, hands it to the engine, remembers what was answered. */
import { randomInt } from 'node:crypto';
import type { Engine } from '../engine/supervisor.ts';
import { YocoError } from '../errors.ts';
import type { Turn } from '../model/question.ts';
import { StreamedAnswer } from './answer.ts';
import { type Answer, type AskOptions, type Conversation, QUESTION_MAX_CHARS } from './types.ts';

/** Turns that a conversation keeps; the oldest are forgotten, so that one can go on for hours. */
export const MAX_TURNS = 8;

export class StreamConversation implements Conversation {
  readonly #engine: Engine;
  readonly #stream: string;
  readonly #deleted: () => boolean;
  #turns: Turn[] = [];
  #busy = false;

  /** `deleted` tells whether the stream is gone; another may have its name by then. */
  constructor(engine: Engine, stream: string, deleted: () => boolean) {
    this.#engine = engine;
    this.#stream = stream;
    this.#deleted = deleted;
  }

  /** Throws `question_empty`, `question_too_long`, `stream_deleted`, `response_in_progress` or `invalid_request`; the rest fails in the answer. */
  ask(question: string, options: AskOptions = {}): Answer {
    const text = question.trim();
    if (text === '') throw new YocoError('question_empty', { param: 'question' });
    if (question.length > QUESTION_MAX_CHARS) {
      const detail = `It has ${question.length} characters; the limit is ${QUESTION_MAX_CHARS}.`;
      throw new YocoError('question_too_long', { param: 'question', detail });
    }
    if (this.#deleted()) throw new YocoError('stream_deleted');
    if (this.#busy) throw new YocoError('response_in_progress');
    const limit = this.#engine.bundle.maxAnswerTokens;
    const { temperature = 0, topP = 1, seed = randomInt(2 ** 31), maxTokens = limit, signal } = options;
    check('temperature', temperature, 0, 2);
    check('topP', topP, Number.MIN_VALUE, 1);
    check('maxTokens', maxTokens, 1, Infinity);
    this.#busy = true;
    const answer = new StreamedAnswer();
    const begin = performance.now();
    let firstTokenMs: number | undefined;
    const cancel = this.#engine.ask(
      {
        streams: [{ name: this.#stream, asOfMs: options.asOfMs ?? null }],
        question: text,
        turns: this.#turns,
        maxTokens: Math.min(limit, Math.floor(maxTokens)),
        temperature,
        topP,
        seed,
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
            this.#turns = [...this.#turns, { question: text, timeMs: end.asOfMs, answer: end.text }].slice(-MAX_TURNS);
          }
          answer.end({ ...end, firstTokenMs: firstTokenMs ?? totalMs, totalMs });
        },
        failed: (error) => {
          this.#busy = false;
          signal?.removeEventListener('abort', cancel);
          answer.fail(error);
        },
      },
    );
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    return answer;
  }
}

function check(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  const detail = `${name} must be from ${least} to ${most}, and is ${value}.`;
  throw new YocoError('invalid_request', { param: name, detail });
}
