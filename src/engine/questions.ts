/** Questions that wait for their answers: checked, encoded, and passed through the self-decoder in batches. */
import { type ErrorCode, YocoError } from '../errors.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { Model } from '../model/model.ts';
import type { ReadStart } from '../model/reader.ts';
import { QuestionSegment, segmentTokens, type SegmentTokens } from '../model/question.ts';
import { sceneStart } from '../model/scene.ts';
import { type Begun, momentsOf, type StreamRead, streamGone } from './answers.ts';
import { namesToCameras } from './camera-names.ts';
import type { EngineStreams } from './engine-stream.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';
import type { AnswerEnd, AnswerListener, AskedStream, AskRequest } from './protocol.ts';
import type { RunTimes } from './run-times.ts';

/** Limit of a question's tokens together with its earlier turns. */
export const MAX_SEGMENT_TOKENS = 1024;
/** Rounds in which a turn opens new questions before its decode step. */
const ADMISSIONS = 3;
/** Questions whose token counts round up to the same multiple of this share a run of the self-decoder. */
const SEGMENT_STEP = 8;
/** A begin at most this far from a frame's time is moved to it, ms. */
const WITHIN_FRAME_MS = 1_000;
const TOO_LONG: readonly ErrorCode[] = ['conversation_full', 'question_too_long'];

interface WaitingQuestion {
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  cancelled: boolean;
}

/** A question that is checked and encoded, but whose segment is not opened yet. */
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

  /** `begin` receives each question whose answer can be written now. */
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

  /** Fails the questions that name a closed stream. */
  failThoseOn(name: string): void {
    for (const [id, { request, listener }] of this.#waiting) {
      if (!request.streams.some((asked) => asked.name === name)) continue;
      this.#waiting.delete(id);
      listener.failed(streamGone(name, request));
    }
  }

  /** Opens as many waiting questions as fit into one turn; returns whether any was opened. */
  async admit(): Promise<boolean> {
    let taken = 0;
    // Questions that arrive while others are opened join them, so a burst gets its first tokens in one step.
    for (let i = 0; i < ADMISSIONS && this.#waiting.size > 0 && taken < MAX_SEGMENT_TOKENS; i++) {
      taken += await this.#admitUpTo(MAX_SEGMENT_TOKENS - taken);
      // A run blocks the event loop: questions that arrived meanwhile are received only now.
      await yieldToEventLoop();
    }
    return taken > 0;
  }

  /** Opens waiting questions of up to `room` tokens in total, but at least one; returns their token count. */
  async #admitUpTo(room: number): Promise<number> {
    let taken = 0;
    // Questions of about the same length share a run of the self-decoder.
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
        // Encoding it took time in vain: the others wait until the event loop has turned.
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
        // It is gone if its stream was closed meanwhile.
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

  /** What a question may see of one stream. With `several` streams, errors name the stream. */
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
 * Moves a begin within WITHIN_FRAME_MS of a frame to that frame, so that questions about "the last minute" asked at
 * about the same time share a reading. Of a frame that stood for longer, only the part after `sinceMs` counts.
 */
function beginOf(cache: KvCache, sinceMs: number, ofChanges: boolean): ReadStart {
  const first = cache.times.firstFrom(sinceMs);
  const time = cache.times.at(first);
  // No frame is kept from then on.
  if (time === undefined) return { sinceMs, sceneMs: sinceMs };
  const sceneMs = ofChanges ? time : (cache.times.at(sceneStart(cache, first)) ?? time);
  return { sinceMs: Math.abs(time - sinceMs) <= WITHIN_FRAME_MS ? time : sinceMs, sceneMs };
}

/** The end of a question that was cancelled before it was opened. */
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
