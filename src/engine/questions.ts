/** Questions that wait for their answers: checked, encoded, and passed through the self-decoder in batches. */
import { type ErrorCode, YocoError } from '../errors.ts';
import type { KvCache } from '../model/kv-cache.ts';
import type { Model } from '../model/model.ts';
import type { ReadStart } from '../model/reader.ts';
import { QuestionSegment, segmentTokens, type SegmentTokens } from '../model/question.ts';
import { sceneStart } from '../model/scene.ts';
import { type OpenedQuestion, seenStreamsOf, type StreamRead, streamDeletedError } from './answers.ts';
import { namesToCameras } from './camera-names.ts';
import type { EngineStreams } from './engine-stream.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';
import type { AnswerEnd, AnswerListener, AskedStream, AskRequest } from './protocol.ts';
import type { RunTimes } from './run-times.ts';

/** Limit of a question's tokens together with its earlier turns. */
export const MAX_SEGMENT_TOKENS = 1024;
/** Rounds in which a turn opens new questions before its decode step. */
const MAX_ADMISSION_ROUNDS = 3;
/** Questions whose token counts round up to the same multiple of this share a run of the self-decoder. */
const LENGTH_BUCKET_TOKENS = 8;
/** A begin at most this far from a frame's time is moved to it, ms. */
const SNAP_TO_FRAME_MS = 1_000;
const TOO_LONG_ERRORS: readonly ErrorCode[] = ['conversation_full', 'question_too_long'];

interface WaitingQuestion {
  readonly request: AskRequest;
  readonly listener: AnswerListener;
  cancelled: boolean;
}

/** A question that is checked and encoded, but whose segment is not opened yet. */
interface EncodedQuestion {
  readonly id: number;
  readonly waiting: WaitingQuestion;
  readonly reads: readonly StreamRead[];
  readonly asOfMs: number;
  readonly tokens: SegmentTokens;
}

export class Questions {
  readonly #model: Model;
  readonly #streams: EngineStreams;
  readonly #runs: RunTimes;
  readonly #onOpened: (id: number, question: OpenedQuestion) => void;
  readonly #waiting = new Map<number, WaitingQuestion>();

  /** `onOpened` receives each question whose answer can be written now. */
  constructor(
    model: Model,
    streams: EngineStreams,
    runs: RunTimes,
    onOpened: (id: number, question: OpenedQuestion) => void,
  ) {
    this.#model = model;
    this.#streams = streams;
    this.#runs = runs;
    this.#onOpened = onOpened;
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
  failForStream(name: string): void {
    for (const [id, { request, listener }] of this.#waiting) {
      if (!request.streams.some((asked) => asked.name === name)) continue;
      this.#waiting.delete(id);
      listener.failed(streamDeletedError(name, request));
    }
  }

  /** Opens as many waiting questions as fit into one turn; returns whether any was opened. */
  async admit(): Promise<boolean> {
    let taken = 0;
    // Questions that arrive while others are opened join them, so a burst gets its first tokens in one step.
    for (let i = 0; i < MAX_ADMISSION_ROUNDS && this.#waiting.size > 0 && taken < MAX_SEGMENT_TOKENS; i++) {
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
    const groups: EncodedQuestion[][] = [];
    const byLength = new Map<number, EncodedQuestion[]>();
    for (const [id, waiting] of this.#waiting) {
      try {
        const encoded = this.#encode(id, waiting);
        if (waiting.cancelled) {
          this.#waiting.delete(id);
          waiting.listener.done(cancelledEnd(encoded));
          continue;
        }
        const length = Math.ceil(encoded.tokens.ids.length / LENGTH_BUCKET_TOKENS) * LENGTH_BUCKET_TOKENS;
        if (taken > 0 && taken + length > room) break;
        taken += length;
        const group = byLength.get(length);
        if (group !== undefined && (group.length + 1) * length <= MAX_SEGMENT_TOKENS) group.push(encoded);
        else {
          const newGroup = [encoded];
          groups.push(newGroup);
          byLength.set(length, newGroup);
        }
      } catch (error) {
        this.#waiting.delete(id);
        const known = YocoError.from(error);
        waiting.listener.failed(known);
        // Encoding it took time in vain: the others wait until the event loop has turned.
        if (TOO_LONG_ERRORS.includes(known.code)) break;
      }
    }
    for (const group of groups) await this.#open(group);
    return taken;
  }

  async #open(group: readonly EncodedQuestion[]): Promise<void> {
    const { config, selfDecoder, embeddings } = this.#model;
    const tokens = group.map((opening) => opening.tokens);
    try {
      const segments = await this.#runs.measure('selfDecoder', () =>
        QuestionSegment.openAll(selfDecoder, embeddings, config, tokens),
      );
      segments.forEach((segment, i) => {
        const encoded = group[i];
        // It is gone if its stream was closed meanwhile.
        if (encoded === undefined || !this.#waiting.delete(encoded.id)) return;
        this.#onOpened(encoded.id, openedQuestion(encoded, segment));
      });
    } catch (error) {
      for (const { id, waiting } of group) {
        if (this.#waiting.delete(id)) waiting.listener.failed(YocoError.from(error));
      }
    }
  }

  /** Checks a question and encodes it. */
  #encode(id: number, waiting: WaitingQuestion): EncodedQuestion {
    const { request } = waiting;
    const { tokenizer, config } = this.#model;
    const most = config.streamTags;
    if (request.streams.length < 1 || request.streams.length > most) {
      const detail = `One question may read 1 to ${most} streams; this one names ${request.streams.length}.`;
      throw new YocoError('invalid_request', { param: 'streams', detail });
    }
    const several = request.streams.length > 1;
    const reads = request.streams.map((one) => this.#resolveRead(one, several, request.asksForChange === true));
    const asOfMs = Math.max(...reads.map((one) => one.asOfMs));
    const names = reads.map((one) => one.stream.name);
    const withCameras = (text: string): string => (several ? namesToCameras(text, names) : text);
    const turns = request.turns.map((turn) => ({
      ...turn,
      question: withCameras(turn.question),
      answer: withCameras(turn.answer),
    }));
    const tokens = segmentTokens(tokenizer, config, turns, withCameras(request.question), asOfMs, names.length);
    if (tokens.ids.length > MAX_SEGMENT_TOKENS) {
      const detail = `It has ${tokens.ids.length} tokens with its earlier turns; the limit is ${MAX_SEGMENT_TOKENS}.`;
      throw new YocoError(request.turns.length > 0 ? 'conversation_full' : 'question_too_long', { detail });
    }
    return { id, waiting, reads, asOfMs, tokens };
  }

  /** What a question may see of one stream. With `several` streams, errors name the stream. */
  #resolveRead({ name, asOfMs, sinceMs }: AskedStream, several: boolean, asksForChange: boolean): StreamRead {
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
    const untilMs = Math.min(wanted, cache.times.endOf(cache.times.countUpTo(wanted) - 1));
    return {
      stream,
      asOfMs: untilMs,
      start: sinceMs === null || sinceMs <= firstMs ? null : readStartOf(cache, sinceMs, asksForChange),
    };
  }
}

/**
 * Moves a begin within SNAP_TO_FRAME_MS of a frame to that frame, so that questions about "the last minute" asked at
 * about the same time share a reading. Of a frame that stood for longer, only the part after `sinceMs` counts.
 */
function readStartOf(cache: KvCache, sinceMs: number, asksForChange: boolean): ReadStart {
  const first = cache.times.firstShownFrom(sinceMs);
  const time = cache.times.at(first);
  // No frame is kept from then on.
  if (time === undefined) return { sinceMs, sceneMs: sinceMs };
  const sceneMs = asksForChange ? time : (cache.times.at(sceneStart(cache, first)) ?? time);
  return { sinceMs: Math.abs(time - sinceMs) <= SNAP_TO_FRAME_MS ? time : sinceMs, sceneMs };
}

/** The end of a question that was cancelled before it was opened. */
function cancelledEnd({ reads, asOfMs, tokens }: EncodedQuestion): AnswerEnd {
  return {
    text: '',
    finish: 'cancelled',
    asOfMs,
    streams: seenStreamsOf(reads),
    precision: 'full',
    evidence: [],
    confidence: 0,
    inputTokens: tokens.ids.length,
    outputTokens: 0,
  };
}

function openedQuestion({ waiting, reads, asOfMs, tokens }: EncodedQuestion, segment: QuestionSegment): OpenedQuestion {
  const { request, listener } = waiting;
  return { reads, request, listener, segment, inputTokens: tokens.ids.length, asOfMs, cancelled: waiting.cancelled };
}
