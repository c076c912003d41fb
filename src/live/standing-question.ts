/**
 * A question that is asked again as new frames come, and whose answer is reported when it changes. Each asking is a
 * conversation of its own, about the newest frame: earlier answers must not talk the model into the next. While no
 * frame is new nothing is asked, since the answer could not be another one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { YocoError } from '../errors.ts';
import type { SourceStatus } from '../ingest/frame.ts';
import { MIN_CONFIDENCE, STANDING_EVERY_MS, STANDING_HOLDS } from '../question-limits.ts';
import { isOver } from './no-frame.ts';
import { withoutDate } from './question-times.ts';
import type { AnswerResult, Conversation, StreamStatus } from './types.ts';

/** However often something unexpected has happened, it is asked again after so long, ms. */
const LONGEST_SOON_MS = 60_000;
/** How often it is looked whether a stream has ended or is gone, ms: nobody waits an hour to be told. */
const LOOK_MS = 1_000;

export interface StandingOptions {
  readonly question: string;
  /**
   * From one asking to the next, ms; an asking that takes longer delays the next one. Default:
   * `STANDING_EVERY_MS.usual`.
   */
  readonly everyMs?: number;
  /**
   * How many askings in a row must give a new answer before it is reported: more of them ride out a single wrong one.
   * Default: `STANDING_HOLDS.usual`.
   */
  readonly holds?: number;
  /**
   * An answer of less confidence counts as none, 0..1: neither is it reported, nor does it end a run of others.
   * Default: `MIN_CONFIDENCE.usual`.
   */
  readonly minConfidence?: number;
  /** Limit of answer tokens. */
  readonly maxTokens?: number;
  /**
   * Which streams to ask, looked at anew each time: a fresh conversation. What it throws is handled as what an answer
   * throws.
   */
  readonly converse: () => Conversation;
  /** Not asked until a frame comes that is newer than those that there are when it begins. */
  readonly onlyNew?: boolean;
  /** Whether other streams may be asked later: the question then goes on when those that there are have ended. */
  readonly mayGrow?: boolean;
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
  /**
   * Nothing more is asked: for this error, or, with null, since all streams have ended and the last answer was
   * reported. Not called after `close()`.
   */
  ended(error: YocoError | null): void;
  /** Called after each asking: whether it was answered, or missed for a reason that may pass, which `error` is. */
  asked?(outcome: 'answered' | 'missed', error: YocoError | null): void;
  /** Called for an error that nobody expected, which the question then outlasts. Without this such an error ends it. */
  unexpected?(error: YocoError): void;
}

interface Candidate extends Omit<StandingChange, 'previous'> {
  readonly times: number;
}

/** Up to where a stream was asked about. */
type AskedUpTo = Pick<StreamStatus, 'name' | 'startedAtMs' | 'lastMs'>;

/**
 * What became of one turn: `still` where no frame was new, `missed` where the next may be answered, `over` where it was
 * the last.
 */
type Outcome = 'answered' | 'still' | 'missed' | 'over';

export class StandingQuestion {
  readonly #options: Required<Pick<StandingOptions, 'everyMs' | 'holds' | 'minConfidence'>> & StandingOptions;
  readonly #host: StandingHost;
  readonly #abort = new AbortController();
  #reported: string | null = null;
  /** A new answer, and how many askings in a row gave it. */
  #candidate: Candidate | null = null;
  /** What was asked about last; empty where it is to be asked anew. */
  #asked: readonly AskedUpTo[] = [];
  /** Whether all streams had ended when it was asked last. */
  #over = false;
  /** The streams of the last turn, and how many of them had ended or were gone. */
  #streams: Conversation['streams'] = [];
  #gone = 0;
  /** Unexpected errors in a row: each doubles the wait. */
  #unexpected = 0;

  /** Begins to ask at once. Throws `invalid_request` for times and numbers outside their bounds. */
  constructor(options: StandingOptions, host: StandingHost) {
    const { everyMs = STANDING_EVERY_MS.usual, holds = STANDING_HOLDS.usual } = options;
    const { minConfidence = MIN_CONFIDENCE.usual } = options;
    if (!isWithin(everyMs, STANDING_EVERY_MS)) {
      const { least, most } = STANDING_EVERY_MS;
      const detail = `every: expected from ${least / 1_000} to ${most / 1_000} seconds; got ${everyMs / 1_000}.`;
      throw new YocoError('invalid_request', { param: 'every', detail });
    }
    if (!Number.isInteger(holds) || !isWithin(holds, STANDING_HOLDS)) {
      const { least, most } = STANDING_HOLDS;
      const detail = `holds: expected a whole number from ${least} to ${most}; got ${holds}.`;
      throw new YocoError('invalid_request', { param: 'holds', detail });
    }
    if (!isWithin(minConfidence, MIN_CONFIDENCE)) {
      const { least, most } = MIN_CONFIDENCE;
      const detail = `min_confidence: expected from ${least} to ${most}; got ${minConfidence}.`;
      throw new YocoError('invalid_request', { param: 'min_confidence', detail });
    }
    this.#options = { ...options, everyMs, holds, minConfidence };
    if (options.onlyNew === true) this.#asked = options.converse().streams.map((stream) => stream.status());
    this.#host = host;
    void this.#run();
  }

  /** Asks no more, and reports nothing any more. */
  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    // Whoever opens it has it before the first turn may end it.
    await Promise.resolve();
    while (!signal.aborted) {
      const begin = performance.now();
      const outcome = await this.#turn().catch((thrown: unknown) => this.#failed(YocoError.from(thrown)));
      const wait = outcome === 'missed' ? this.#soonMs() : this.#options.everyMs - (performance.now() - begin);
      await this.#pause(wait);
    }
  }

  /**
   * Until the next turn: for `ms`, or until one of the streams ends or is gone. Where all have ended there is nothing
   * to wait for.
   */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#abort;
    const wait = this.#over ? Math.min(ms, LOOK_MS) : ms;
    const until = performance.now() + wait;
    for (let left = wait; left > 0 && !signal.aborted; left = until - performance.now()) {
      await sleep(Math.min(left, LOOK_MS), undefined, { signal, ref: false }).catch(() => undefined);
      if (goneOf(this.#streams) > this.#gone) return;
    }
  }

  /** After what may pass nobody waits for an hour; and those who were refused together do not come back together. */
  #soonMs(): number {
    const soon = Math.min(this.#options.everyMs, STANDING_EVERY_MS.usual) * 2 ** this.#unexpected;
    return Math.min(soon, LONGEST_SOON_MS) * (0.5 + Math.random() / 2);
  }

  async #turn(): Promise<Outcome> {
    const { question, maxTokens, converse, mayGrow = false } = this.#options;
    const { signal } = this.#abort;
    const conversation = converse();
    const statuses = conversation.streams.map((stream) => stream.status());
    this.#streams = conversation.streams;
    this.#gone = goneOf(conversation.streams);
    const over = areOver(conversation);
    this.#over = over && !mayGrow;
    // A stream that is deleted is asked all the same: the asking says that it is gone.
    const stopped = statuses.some(({ sourceStatus: { state } }) => state === 'stopped');
    if (!hasNew(statuses, this.#asked) && !stopped) {
      // The same frames would give the same answer, and no more come that could agree with it.
      if (over && this.#candidate !== null) this.#heard(this.#candidate);
      return over && !mayGrow && this.#candidate === null ? this.#allOver(conversation) : 'still';
    }
    // Unlike a time that is still to come, this is never answered.
    const undated = mayGrow ? null : withoutDate(question, statuses);
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
      // One of several was deleted meanwhile: whether the others can be asked the next asking tells.
      if (code === 'stream_deleted') return this.#missed(known);
      if (code === 'stream_ended' && mayGrow) return this.#missed(known);
      // There is no frame, and none comes any more; of several streams that may be so of one alone. It may have ended
      // only now.
      if (code === 'stream_ended' && areOver(conversation)) {
        while (this.#candidate !== null) this.#heard(this.#candidate);
        return this.#allOver(conversation);
      }
      throw thrown;
    }
    // The engine may have answered about a frame of which it tells only now: it is not to be asked about again.
    // It reads fewer streams than there are where some had not begun by then.
    const asOf = new Map(result.streams.map(({ name, asOfMs }) => [name, asOfMs]));
    this.#asked = statuses.map(({ name, startedAtMs, lastMs }) => ({
      name,
      startedAtMs,
      lastMs: Math.max(lastMs ?? 0, asOf.get(name) ?? 0),
    }));
    this.#unexpected = 0;
    this.#host.asked?.('answered', null);
    if (!signal.aborted) this.#heard({ answer: result.text.trim(), result, conversation });
    return 'answered';
  }

  /** Ends, with what the first of the sources that failed says of it. */
  #allOver({ streams }: Conversation): 'over' {
    const failed = streams.map((stream) => stream.status().sourceStatus).find(({ state }) => state === 'failed');
    this.#end(failed === undefined ? null : sourceError(failed));
    return 'over';
  }

  #missed(error: YocoError): 'missed' {
    this.#host.asked?.('missed', error);
    return 'missed';
  }

  #failed(error: YocoError): Outcome {
    if (this.#abort.signal.aborted) return 'over';
    // A busy service, an engine that starts again, a stream without a frame: the next asking may be answered.
    const unexpected = error.code === 'internal';
    // "Did anyone come this evening?" may be asked in the morning: nothing is told before there is something of that
    // time.
    if (error.code === 'time_out_of_range' && !this.#over) return 'still';
    // If all has ended, the same frames would be asked about for ever.
    const outlasts = !unexpected || (this.#host.unexpected !== undefined && !this.#over);
    if (error.retryable && error.code !== 'shutting_down' && outlasts) {
      if (unexpected) {
        this.#unexpected += 1;
        this.#host.unexpected?.(error);
      }
      return this.#missed(error);
    }
    this.#end(error);
    return 'over';
  }

  #end(error: YocoError | null): void {
    this.#abort.abort();
    this.#host.ended(error);
  }

  #heard({ answer, result, conversation }: Omit<StandingChange, 'previous'>): void {
    if (result.confidence < this.#options.minConfidence) return;
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

function areOver({ streams }: Conversation): boolean {
  return streams.every((stream) => isOver(stream.status().sourceStatus));
}

/** How many have ended or were deleted. */
function goneOf(streams: Conversation['streams']): number {
  return streams.filter((stream) => {
    const { sourceStatus } = stream.status();
    return isOver(sourceStatus) || sourceStatus.state === 'stopped';
  }).length;
}

function isWithin(value: number, { least, most }: { readonly least: number; readonly most: number }): boolean {
  return value >= least && value <= most;
}

/** Whether anything was shown beyond what was asked about, or other streams are asked. */
function hasNew(now: readonly AskedUpTo[], asked: readonly AskedUpTo[]): boolean {
  if (now.length !== asked.length) return true;
  return now.some(({ name, startedAtMs, lastMs }, i) => {
    const before = asked[i];
    return name !== before?.name || startedAtMs !== before.startedAtMs || (lastMs ?? 0) > (before.lastMs ?? 0);
  });
}

function sourceError({ error }: SourceStatus): YocoError {
  const told = error === null ? null : YocoError.told(error.code, error.message);
  return told ?? new YocoError('source_invalid');
}

/** The case of letters and the blanks between words make no difference between two answers. */
function isTheSame(a: string, b: string): boolean {
  const plain = (text: string): string => text.toLowerCase().split(/\s+/).join(' ');
  return plain(a) === plain(b);
}
