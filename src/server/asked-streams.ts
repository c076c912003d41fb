/** What one question is about: a fresh conversation on its streams, and the moment. */
import { YocoError } from '../errors.ts';
import type { AskOptions, Conversation, LiveService, LiveStream, WantedStreams } from '../live/types.ts';
import { asOfInstant, asOfOptions, instantMs, type WireTime } from './times.ts';

export type Moment = Pick<AskOptions, 'asOfMs' | 'asOfWallMs'>;

export interface Asked {
  /** Asked where no streams are wanted. */
  readonly own: LiveStream;
  readonly wanted: WantedStreams | null;
  /** null: the newest frame. */
  readonly asOf: WireTime | null;
  /** The fields of the message that say which streams and which time. */
  readonly streamsParam: string;
  readonly asOfParam: string;
}

/** Throws what `LiveService.converse` and `asOfOptions` throw, with the fields of the message. */
export function askedStreams(live: LiveService, asked: Asked): { conversation: Conversation; moment: Moment } {
  const { own, wanted, asOf, streamsParam, asOfParam } = asked;
  const instant = wanted === 'all' && asOf !== null ? instantOfAll(live, asOf, asOfParam) : undefined;
  const conversation = wanted === null ? own.converse() : live.converse(wanted, streamsParam, instant);
  const clocks = conversation.streams.map((stream) => stream.status());
  try {
    if (instant !== undefined) return { conversation, moment: asOfInstant(instant, clocks, asOfParam) };
    return { conversation, moment: asOf === null ? {} : asOfOptions(asOf, clocks, asOfParam) };
  } catch (error) {
    throw withStreamsParam(YocoError.from(error), streamsParam);
  }
}

/** What a time is in all streams that have frames; undefined where that is one at most, on whose own clock it may be. */
function instantOfAll(live: LiveService, asOf: WireTime, param: string): number | undefined {
  const clocks = live.list().map((stream) => stream.status());
  const seen = clocks.filter(({ lastMs }) => lastMs !== null);
  return seen.length > 1 ? instantMs(asOf, seen, param) : undefined;
}

/** The error, with the place in the message of the streams that it is about. */
export function withStreamsParam(error: YocoError, param: string): YocoError {
  if (error.param !== 'streams' && error.param !== 'stream') return error;
  return new YocoError(error.code, { param, ...(error.detail === '' ? {} : { detail: error.detail }) });
}
