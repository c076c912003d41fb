/**
 * Questions on their way to their answers: checked, encoded, and passed through the self-decoder, several in one run.
 */
import { type ErrorCode, YocoError } from '../errors.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { Model } from '../model/model.ts';
import type { Begin } from '../model/reader.ts';
import { QuestionSegment, segmentTokens, type SegmentTokens } from '../model/question.ts';
import { sceneStart } from '../model/scene.ts';
import { type Begun, momentsOf, type StreamRead, streamGone } from './answers.ts';
import { namesToCameras } from './camera-names.ts';
import type { EngineStreams } from './engine-stream.ts';
import { nextTurn } from './next-turn.ts';
import type { AnswerEnd, AnswerListener, AskedStream, AskRequest } from './protocol.ts';
import type { RunTimes } from './run-times.ts';

/** Tokens of a question with its earlier turns. */
export const MAX_SEGMENT_TOKENS = 1024;
/** How often new questions are opened in one turn before its decode step. */
const ADMISSIONS = 3;
/** Questions whose tokens are as many, when rounded up to this, pass the self-decoder in one run. */
const SEGMENT_STEP = 8;
/** Frames further apart do not count as those of a lively stream. */
const WITHIN_FRAME_MS = 1_000;
const TOO_LONG: readonly ErrorCode[] = ['conversation_full', 'question_too_long'];

interface WaitingQuestion {
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  cancelled: boolean;
}

/** A question that is checked and encoded, and whose segment is not begun. */
interface Opening {
  readonly id: number;
  readonly waiting: WaitingQuestion;
  readonly asked: readonly StreamRead[];
  readonly asOfMs: number;
  readonly tokens: SegmentTokens;
}

export class Questions {
  readonly #model: Model;
  readonly #streams: EngineStreams;
  readonly #runs: RunTimes;
  readonly #begin: (id: number, begun: Begun) => void;
  readonly #waiting = new Map<number, WaitingQuestion>();

  /** `begin` gets each question whose answer can be written now. */
  constructor(model: Model, streams: EngineStreams, runs: RunTimes, begin: (id: number, begun: Begun) => void) {
    this.#model = model;
    this.#streams = streams;
    this.#runs = runs;
    this.#begin = begin;
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(id: number, request: AskRequest, listener: AnswerListener): void {
    this.#waiting.set(id, { request, listener, cancelled: false });
  }

  cancel(id: number): void {
    const question = this.#waiting.get(id);
    if (question !== undefined) question.cancelled = true;
  }

  /** Those that name a stream which was closed fail. */
  failThoseOn(name: string): void {
    for (const [id, { request, listener }] of this.#waiting) {
      if (!request.streams.some((asked) => asked.name === name)) continue;
      this.#waiting.delete(id);
      listener.failed(streamGone(name, request));
    }
  }

  /** Opens what waits, as far as one turn has room for it; returns whether any was opened. */
  async admit(): Promise<boolean> {
    let taken = 0;
    // Questions that come while others are opened join them: those of a burst get their first tokens in one step.
    for (let i = 0; i < ADMISSIONS && this.#waiting.size > 0 && taken < MAX_SEGMENT_TOKENS; i++) {
      taken += await this.#admitUpTo(MAX_SEGMENT_TOKENS - taken);
      // A run holds up the event loop: those that came meanwhile are heard of only now.
      await nextTurn();
    }
    return taken > 0;
  }

  /** Opens waiting questions of up to `room` tokens in all, and one at least; returns of how many. */
  async #admitUpTo(room: number): Promise<number> {
    let taken = 0;
    // Questions of about as many tokens pass the self-decoder in one run.
    const groups: Opening[][] = [];
    const byLength = new Map<number, Opening[]>();
    for (const [id, waiting] of this.#waiting) {
      try {
        const opening = this.#opening(id, waiting);
        if (waiting.cancelled) {
          this.#waiting.delete(id);
          waiting.listener.done(unanswered(opening));
          continue;
        }
        const length = Math.ceil(opening.tokens.ids.length / SEGMENT_STEP) * SEGMENT_STEP;
        if (taken > 0 && taken + length > room) break;
        taken += length;
        const group = byLength.get(length);
        if (group !== undefined && (group.length + 1) * length <= MAX_SEGMENT_TOKENS) group.push(opening);
        else {
          const begun = [opening];
          groups.push(begun);
          byLength.set(length, begun);
        }
      } catch (error) {
        this.#waiting.delete(id);
        const known = YocoError.from(error);
        waiting.listener.failed(known);
        // Encoding it took time, and was in vain: the others wait until the event loop has gone round.
        if (TOO_LONG.includes(known.code)) break;
      }
    }
    for (const group of groups) await this.#open(group);
    return taken;
  }

  async #open(group: readonly Opening[]): Promise<void> {
    const { config, selfDecoder, embeddings } = this.#model;
    const tokens = group.map((opening) => opening.tokens);
    try {
      const segments = await this.#runs.timed('selfDecoder', () =>
        QuestionSegment.openAll(selfDecoder, embeddings, config, tokens),
      );
      segments.forEach((segment, i) => {
        const opening = group[i];
        // It is gone when its stream was closed meanwhile.
        if (opening === undefined || !this.#waiting.delete(opening.id)) return;
        this.#begin(opening.id, begun(opening, segment));
      });
    } catch (error) {
      for (const { id, waiting } of group) {
        if (this.#waiting.delete(id)) waiting.listener.failed(YocoError.from(error));
      }
    }
  }

  /** Checks a question and encodes it. */
  #opening(id: number, waiting: WaitingQuestion): Opening {
    const { request } = waiting;
    const { tokenizer, config } = this.#model;
    const most = config.streamTags;
    if (request.streams.length < 1 || request.streams.length > most) {
      const detail = `One question may read 1 to ${most} streams; this one names ${request.streams.length}.`;
      throw new YocoError('invalid_request', { param: 'streams', detail });
    }
    const several = request.streams.length > 1;
    const asked = request.streams.map((one) => this.#moment(one, several, request.ofChanges === true));
    const asOfMs = Math.max(...asked.map((one) => one.asOfMs));
    const names = asked.map((one) => one.stream.name);
    const said = (text: string): string => (several ? namesToCameras(text, names) : text);
    const turns = request.turns.map((turn) => ({ ...turn, question: said(turn.question), answer: said(turn.answer) }));
    const tokens = segmentTokens(tokenizer, config, turns, said(request.question), asOfMs, names.length);
    if (tokens.ids.length > MAX_SEGMENT_TOKENS) {
      const detail = `It has ${tokens.ids.length} tokens with its earlier turns; the limit is ${MAX_SEGMENT_TOKENS}.`;
      throw new YocoError(request.turns.length > 0 ? 'conversation_full' : 'question_too_long', { detail });
    }
    return { id, waiting, asked, asOfMs, tokens };
  }

  /** What a question may see of a stream. Errors of one among `several` name it. */
  #moment({ name, asOfMs, sinceMs }: AskedStream, several: boolean, ofChanges: boolean): StreamRead {
    const which = several ? { param: 'streams', detail: `It is "${name}".` } : { param: 'stream' };
    const stream = this.#streams.get(name);
    if (stream === undefined) {
      throw new YocoError('stream_not_found', several ? { ...which, detail: `The name was "${name}".` } : which);
    }
    const { cache } = stream;
    const firstMs = cache.times.at(0);
    if (firstMs === undefined) throw new YocoError('stream_empty', which);
    const lastMs = cache.times.endOf(cache.frames - 1);
    const wanted = asOfMs ?? lastMs;
    if (wanted < firstMs || wanted > lastMs) {
      const range = `${(firstMs / 1000).toFixed(1)} s to ${(lastMs / 1000).toFixed(1)} s`;
      throw new YocoError('time_out_of_range', {
        param: 'as_of',
        detail: `Kept are ${range}${several ? ` of "${name}"` : ''}.`,
      });
    }
    const untilMs = Math.min(wanted, cache.times.endOf(cache.times.upTo(wanted) - 1));
    return {
      stream,
      asOfMs: untilMs,
      begin: sinceMs === null || sinceMs <= firstMs ? null : beginOf(cache, sinceMs, ofChanges),
    };
  }
}

/**
 * A reading that begins within a frame of a lively stream begins with the frame: so those who ask about the last minute
 * at about the same time share one. Only the part after `sinceMs` counts of a frame that stands for long.
 */
function beginOf(cache: KvCache, sinceMs: number, ofChanges: boolean): Begin {
  const first = cache.times.firstFrom(sinceMs);
  const time = cache.times.at(first);
  // Nothing is kept from then on.
  if (time === undefined) return { sinceMs, sceneMs: sinceMs };
  const sceneMs = ofChanges ? time : (cache.times.at(sceneStart(cache, first)) ?? time);
  return { sinceMs: Math.abs(time - sinceMs) <= WITHIN_FRAME_MS ? time : sinceMs, sceneMs };
}

/** The end of a question that was cancelled before it was begun. */
function unanswered({ asked, asOfMs, tokens }: Opening): AnswerEnd {
  return {
    text: '',
    finish: 'cancelled',
    asOfMs,
    streams: momentsOf(asked),
    precision: 'full',
    evidence: [],
    confidence: 0,
    inputTokens: tokens.ids.length,
    outputTokens: 0,
  };
}

function begun({ waiting, asked, asOfMs, tokens }: Opening, segment: QuestionSegment): Begun {
  const { request, listener } = waiting;
  return { asked, request, listener, segment, inputTokens: tokens.ids.length, asOfMs, cancelled: waiting.cancelled };
}
