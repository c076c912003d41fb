/**
 * A question that is asked again as new frames come, and whose answer is reported when it changes. Each asking is a new
 * conversation about the newest frame, so that earlier answers do not influence the next. Without a new frame nothing
 * is asked, since the answer would be the same.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { YocoError } from '../errors.ts';
import type { SourceStatus } from '../ingest/frame.ts';
import { MIN_CONFIDENCE, STANDING_EVERY_MS, STANDING_HOLDS } from '../question-limits.ts';
import { hasEnded } from './no-frame.ts';
import { undatedError } from './question-times.ts';
import type { AnswerResult, Conversation, StreamStatus } from './types.ts';

/** Longest wait before a retry, however many unexpected errors have occurred, ms. */
const MAX_RETRY_MS = 60_000;
/** How often to check whether a stream has ended or is gone, ms, so that nobody waits an hour to be told. */
const END_POLL_MS = 1_000;

export interface StandingOptions {
  readonly question: string;
  /**
   * Time from one asking to the next, ms; an asking that takes longer delays the next. Default:
   * `STANDING_EVERY_MS.default`.
   */
  readonly everyMs?: number;
  /**
   * How many askings in a row must give a new answer before it is reported; more of them ride out a single wrong one.
   * Default: `STANDING_HOLDS.default`.
   */
  readonly holds?: number;
  /**
   * Answers below this confidence, 0..1, are ignored: they are not reported, and do not interrupt a run of equal
   * answers. Default: `MIN_CONFIDENCE.default`.
   */
  readonly minConfidence?: number;
  /** Limit of answer tokens. */
  readonly maxTokens?: number;
  /**
   * Opens a new conversation for each asking, and so chooses its streams. Its errors are handled like those of an
   * answer.
   */
  readonly converse: () => Conversation;
  /** Whether the first asking waits for a frame newer than those present at the start. */
  readonly onlyNew?: boolean;
  /** Whether streams may be added later: the question then continues after all present ones have ended. */
  readonly mayGrow?: boolean;
}

/** An answer that differs from the one reported before. */
export interface StandingChange {
  readonly answer: string;
  /** The answer reported before; null at first. */
  readonly previous: string | null;
  readonly result: AnswerResult;
  /** The conversation that was asked, for the names and clocks of its streams. */
  readonly conversation: Conversation;
}

export interface StandingHost {
  changed(change: StandingChange): void;
  /**
   * Nothing more is asked: because of this error or, with null, because all streams have ended and the last answer was
   * reported. Not called after `close()`.
   */
  ended(error: YocoError | null): void;
  /** Called after each asking: it was answered, or missed because of `error`, which may pass. */
  asked?(outcome: 'answered' | 'missed', error: YocoError | null): void;
  /** Called for an unexpected error that the question survives. Without this method such an error ends the question. */
  unexpected?(error: YocoError): void;
}

interface Candidate extends Omit<StandingChange, 'previous'> {
  readonly times: number;
}

/** A stream, and the newest moment of it that was asked about. */
type StreamProgress = Pick<StreamStatus, 'name' | 'startedAtMs' | 'lastMs'>;

/**
 * Outcome of a turn: `unchanged` if there was nothing new to ask about, `missed` if the next turn may be answered,
 * `over` if it was the last.
 */
type Outcome = 'answered' | 'unchanged' | 'missed' | 'over';

export class StandingQuestion {
  readonly #options: Required<Pick<StandingOptions, 'everyMs' | 'holds' | 'minConfidence'>> & StandingOptions;
  readonly #host: StandingHost;
  readonly #abort = new AbortController();
  #reported: string | null = null;
  /** A new answer, and how many askings in a row gave it. */
  #candidate: Candidate | null = null;
  /** What the last answer was about; before the first one empty or, with `onlyNew`, what was there at the start. */
  #lastAsked: readonly StreamProgress[] = [];
  /** Whether all streams had ended at the last turn, and none can be added. */
  #allEnded = false;
  /** The streams of the last turn, and how many of them had ended or were gone. */
  #streams: Conversation['streams'] = [];
  #endedCount = 0;
  /** Unexpected errors in a row; each doubles the wait. */
  #unexpectedErrors = 0;

  /** Starts asking at once. Throws `invalid_request` for numbers out of their bounds. */
  constructor(options: StandingOptions, host: StandingHost) {
    const { everyMs = STANDING_EVERY_MS.default, holds = STANDING_HOLDS.default } = options;
    const { minConfidence = MIN_CONFIDENCE.default } = options;
    if (!isWithin(everyMs, STANDING_EVERY_MS)) {
      const { min: least, max: most } = STANDING_EVERY_MS;
      const detail = `every: expected from ${least / 1_000} to ${most / 1_000} seconds; got ${everyMs / 1_000}.`;
      throw new YocoError('invalid_request', { param: 'every', detail });
    }
    if (!Number.isInteger(holds) || !isWithin(holds, STANDING_HOLDS)) {
      const { min: least, max: most } = STANDING_HOLDS;
      const detail = `holds: expected a whole number from ${least} to ${most}; got ${holds}.`;
      throw new YocoError('invalid_request', { param: 'holds', detail });
    }
    if (!isWithin(minConfidence, MIN_CONFIDENCE)) {
      const { min: least, max: most } = MIN_CONFIDENCE;
      const detail = `min_confidence: expected from ${least} to ${most}; got ${minConfidence}.`;
      throw new YocoError('invalid_request', { param: 'min_confidence', detail });
    }
    this.#options = { ...options, everyMs, holds, minConfidence };
    if (options.onlyNew === true) this.#lastAsked = options.converse().streams.map((stream) => stream.status());
    this.#host = host;
    void this.#run();
  }

  /** Stops asking; neither a change nor the end is reported any more. */
  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    // The caller gets the object before the first turn can end the question.
    await Promise.resolve();
    while (!signal.aborted) {
      const begin = performance.now();
      const outcome = await this.#turn().catch((thrown: unknown) => this.#handleError(YocoError.from(thrown)));
      const wait = outcome === 'missed' ? this.#retryMs() : this.#options.everyMs - (performance.now() - begin);
      await this.#pause(wait);
    }
  }

  /**
   * Waits `ms` for the next turn, or until a stream ends or is gone; at most END_POLL_MS once all streams have ended.
   */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#abort;
    const wait = this.#allEnded ? Math.min(ms, END_POLL_MS) : ms;
    const until = performance.now() + wait;
    for (let left = wait; left > 0 && !signal.aborted; left = until - performance.now()) {
      await sleep(Math.min(left, END_POLL_MS), undefined, { signal, ref: false }).catch(() => undefined);
      if (countEnded(this.#streams) > this.#endedCount) return;
    }
  }

  /** Wait before a retry: short even for an hourly question, and random so that refused askings spread out. */
  #retryMs(): number {
    const retryMs = Math.min(this.#options.everyMs, STANDING_EVERY_MS.default) * 2 ** this.#unexpectedErrors;
    return Math.min(retryMs, MAX_RETRY_MS) * (0.5 + Math.random() / 2);
  }

  async #turn(): Promise<Outcome> {
    const { question, maxTokens, converse, mayGrow = false } = this.#options;
    const { signal } = this.#abort;
    const conversation = converse();
    const statuses = conversation.streams.map((stream) => stream.status());
    this.#streams = conversation.streams;
    this.#endedCount = countEnded(conversation.streams);
    const allEnded = haveAllEnded(conversation);
    this.#allEnded = allEnded && !mayGrow;
    // A deleted stream is asked all the same: the asking reports that it is gone.
    const stopped = statuses.some(({ sourceStatus: { state } }) => state === 'stopped');
    if (!hasNewFrames(statuses, this.#lastAsked) && !stopped) {
      // The same frames would give the same answer, and no more come that could confirm it.
      if (allEnded && this.#candidate !== null) this.#consider(this.#candidate);
      return allEnded && !mayGrow && this.#candidate === null ? this.#endWithStreams(conversation) : 'unchanged';
    }
    // Unlike a question about a time still to come, this one can never be answered.
    const undated = mayGrow ? null : undatedError(question, statuses);
    if (undated !== null) {
      this.#end(undated);
      return 'over';
    }
    const answer = conversation.ask(question, {
      signal,
      unattended: true,
      ...(maxTokens === undefined ? {} : { maxTokens }),
    });
    let result: AnswerResult;
    try {
      result = await answer.result;
    } catch (thrown) {
      if (signal.aborted) return 'over';
      const known = YocoError.from(thrown);
      const { code } = known;
      // One of several streams was deleted meanwhile: the next asking shows whether the others can be asked.
      if (code === 'stream_deleted') return this.#reportMissed(known);
      if (code === 'stream_ended' && mayGrow) return this.#reportMissed(known);
      // No frame is left, and none will come. Of several streams this may be true of one alone, so all must be over;
      // they may have ended only now.
      if (code === 'stream_ended' && haveAllEnded(conversation)) {
        while (this.#candidate !== null) this.#consider(this.#candidate);
        return this.#endWithStreams(conversation);
      }
      throw thrown;
    }
    // The answer may be about a frame newer than the statuses show, which must not be asked about again. It reads fewer
    // streams if some had not begun by then.
    const asOf = new Map(result.streams.map(({ name, asOfMs }) => [name, asOfMs]));
    this.#lastAsked = statuses.map(({ name, startedAtMs, lastMs }) => ({
      name,
      startedAtMs,
      lastMs: Math.max(lastMs ?? 0, asOf.get(name) ?? 0),
    }));
    this.#unexpectedErrors = 0;
    if (signal.aborted) return 'over';
    this.#host.asked?.('answered', null);
    this.#consider({ answer: result.text.trim(), result, conversation });
    return 'answered';
  }

  /** Ends the question, with the error of the first failed source if there is one. */
  #endWithStreams({ streams }: Conversation): 'over' {
    const failed = streams.map((stream) => stream.status().sourceStatus).find(({ state }) => state === 'failed');
    this.#end(failed === undefined ? null : sourceError(failed));
    return 'over';
  }

  #reportMissed(error: YocoError): 'missed' {
    this.#host.asked?.('missed', error);
    return 'missed';
  }

  #handleError(error: YocoError): Outcome {
    if (this.#abort.signal.aborted) return 'over';
    // A busy service, a restarting engine, a stream without a frame: the next asking may be answered.
    const unexpected = error.code === 'internal';
    // "Did anyone come this evening?" may be asked in the morning: nothing is reported before there are frames of that
    // time.
    if (error.code === 'time_out_of_range' && !this.#allEnded) return 'unchanged';
    // Once all streams have ended, the same frames would be asked about for ever.
    const canContinue = !unexpected || (this.#host.unexpected !== undefined && !this.#allEnded);
    if (error.retryable && error.code !== 'shutting_down' && canContinue) {
      if (unexpected) {
        this.#unexpectedErrors += 1;
        this.#host.unexpected?.(error);
      }
      return this.#reportMissed(error);
    }
    this.#end(error);
    return 'over';
  }

  #end(error: YocoError | null): void {
    this.#abort.abort();
    this.#host.ended(error);
  }

  #consider({ answer, result, conversation }: Omit<StandingChange, 'previous'>): void {
    if (result.confidence < this.#options.minConfidence) return;
    if (this.#reported !== null && isSameAnswer(answer, this.#reported)) {
      this.#candidate = null;
      return;
    }
    const before = this.#candidate;
    const times = before !== null && isSameAnswer(answer, before.answer) ? before.times + 1 : 1;
    this.#candidate = { answer, result, conversation, times };
    if (times < this.#options.holds) return;
    this.#candidate = null;
    const previous = this.#reported;
    this.#reported = answer;
    this.#host.changed({ answer, previous, result, conversation });
  }
}

function haveAllEnded({ streams }: Conversation): boolean {
  return streams.every((stream) => hasEnded(stream.status().sourceStatus));
}

/** How many streams have ended or were deleted. */
function countEnded(streams: Conversation['streams']): number {
  return streams.filter((stream) => {
    const { sourceStatus } = stream.status();
    return hasEnded(sourceStatus) || sourceStatus.state === 'stopped';
  }).length;
}

function isWithin(value: number, { min, max }: { readonly min: number; readonly max: number }): boolean {
  return value >= min && value <= max;
}

/** Whether there are frames newer than those asked about, or other streams. */
function hasNewFrames(now: readonly StreamProgress[], asked: readonly StreamProgress[]): boolean {
  if (now.length !== asked.length) return true;
  return now.some(({ name, startedAtMs, lastMs }, i) => {
    const before = asked[i];
    return name !== before?.name || startedAtMs !== before.startedAtMs || (lastMs ?? 0) > (before.lastMs ?? 0);
  });
}

function sourceError({ error }: SourceStatus): YocoError {
  const told = error === null ? null : YocoError.fromMessage(error.code, error.message);
  return told ?? new YocoError('source_invalid');
}

/** Answers that differ only in case and whitespace are the same. */
function isSameAnswer(a: string, b: string): boolean {
  const plain = (text: string): string => text.toLowerCase().split(/\s+/).join(' ');
  return plain(a) === plain(b);
}
