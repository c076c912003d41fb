/**
 * A question that is asked again as new frames come, and whose answer is reported when it changes. Each asking is a conversation
 * of its own, about the newest frame: earlier answers must not talk the model into the next. While no frame is new nothing is
 * asked, since the answer could not be another one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { YocoError } from '../errors.ts';
import type { SourceState } from '../ingest/frame.ts';
import type { AnswerResult, Conversation } from './types.ts';

/** Shortest, longest and usual time between two askings, ms. */
export const STANDING_EVERY_MS = { least: 500, most: 3_600_000, usual: 2_000 } as const;
/** How many askings in a row may be wanted to agree before a new answer is reported. */
export const STANDING_HOLDS_MAX = 20;

export interface StandingOptions {
  readonly question: string;
  /** From one asking to the next, ms; an asking that takes longer delays the next one. Default: `STANDING_EVERY_MS.usual`. */
  readonly everyMs?: number;
  /** How many askings in a row must give a new answer before it is reported: more of them ride out a single wrong one. Default 1. */
  readonly holds?: number;
  /** Limit of answer tokens. */
  readonly maxTokens?: number;
  /** Which streams to ask, looked at anew each time: a fresh conversation. What it throws is handled as what an answer throws. */
  readonly converse: () => Conversation;
}

/** An answer that is not the one that was reported before. */
export interface StandingChange {
  readonly answer: string;
  /** The answer that was reported before; null at first. */
  readonly previous: string | null;
  readonly result: AnswerResult;
  /** What was asked, for the names and clocks of its streams. */
  readonly conversation: Conversation;
}

export interface StandingHost {
  changed(change: StandingChange): void;
  /** Nothing more is asked, for this error; not called after `close()`. */
  ended(error: YocoError): void;
}

interface Candidate extends Omit<StandingChange, 'previous'> {
  readonly times: number;
}

export class StandingQuestion {
  readonly #options: Required<Pick<StandingOptions, 'everyMs' | 'holds'>> & StandingOptions;
  readonly #host: StandingHost;
  readonly #abort = new AbortController();
  #reported: string | null = null;
  /** A new answer, and how many askings in a row gave it. */
  #candidate: Candidate | null = null;
  /** The newest frames that were asked about. */
  #asked = '';

  /** Begins to ask at once. Throws `invalid_request` for times and numbers outside their bounds. */
  constructor(options: StandingOptions, host: StandingHost) {
    const { everyMs = STANDING_EVERY_MS.usual, holds = 1 } = options;
    const { least, most } = STANDING_EVERY_MS;
    if (!(everyMs >= least && everyMs <= most)) {
      const detail = `every: expected from ${least / 1_000} to ${most / 1_000} seconds, and got ${everyMs / 1_000}.`;
      throw new YocoError('invalid_request', { param: 'every', detail });
    }
    if (!Number.isInteger(holds) || holds < 1 || holds > STANDING_HOLDS_MAX) {
      const detail = `holds: expected a whole number from 1 to ${STANDING_HOLDS_MAX}, and got ${holds}.`;
      throw new YocoError('invalid_request', { param: 'holds', detail });
    }
    this.#options = { ...options, everyMs, holds };
    this.#host = host;
    void this.#run();
  }

  /** Asks no more, and reports nothing any more. */
  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const begin = performance.now();
      await this.#ask().catch((thrown: unknown) => {
        this.#missed(YocoError.from(thrown));
      });
      const left = this.#options.everyMs - (performance.now() - begin);
      await sleep(Math.max(left, 0), undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #missed(error: YocoError): void {
    if (this.#abort.signal.aborted) return;
    // A busy service, an engine that starts again, a stream without a frame: the next asking may be answered.
    if (error.retryable && error.code !== 'internal' && error.code !== 'shutting_down') {
      this.#asked = '';
      return;
    }
    this.#abort.abort();
    this.#host.ended(error);
  }

  async #ask(): Promise<void> {
    const { question, maxTokens, converse } = this.#options;
    const { signal } = this.#abort;
    const conversation = converse();
    const newest = conversation.streams.map((stream) => `${stream.name} ${stream.status().lastMs}`).join('\n');
    if (newest === this.#asked && !hasState(conversation, ['stopped'])) {
      // No more frames come that could agree with the last answer, and the same frames give the same one.
      if (this.#candidate !== null && hasState(conversation, ['ended', 'failed'])) this.#heard(this.#candidate);
      return;
    }
    this.#asked = newest;
    const answer = conversation.ask(question, { signal, ...(maxTokens === undefined ? {} : { maxTokens }) });
    const result = await answer.result;
    if (!signal.aborted) this.#heard({ answer: result.text.trim(), result, conversation });
  }

  #heard({ answer, result, conversation }: Omit<StandingChange, 'previous'>): void {
    if (this.#reported !== null && isTheSame(answer, this.#reported)) {
      this.#candidate = null;
      return;
    }
    const before = this.#candidate;
    const times = before !== null && isTheSame(answer, before.answer) ? before.times + 1 : 1;
    this.#candidate = { answer, result, conversation, times };
    if (times < this.#options.holds) return;
    this.#candidate = null;
    const previous = this.#reported;
    this.#reported = answer;
    this.#host.changed({ answer, previous, result, conversation });
  }
}

/** Whether all streams are in one of these states. A stream that is deleted is asked all the same: the asking says that it is gone. */
function hasState(conversation: Conversation, states: readonly SourceState[]): boolean {
  return conversation.streams.every((stream) => states.includes(stream.status().sourceStatus.state));
}

/** Of two answers letters' case and the blanks between words make no difference. */
function isTheSame(a: string, b: string): boolean {
  const plain = (text: string): string => text.toLowerCase().split(/\s+/).join(' ');
  return plain(a) === plain(b);
}
