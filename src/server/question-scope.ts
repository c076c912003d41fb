/** What one question is about: a fresh conversation on its streams, and the times. */
import { YocoError } from '../errors.ts';
import type { AskOptions, Conversation, LiveService, LiveStream, WantedStreams } from '../live/types.ts';
import { asOfInstant, asOfOptions, instantMs, sinceOptions, type WireTime } from './times.ts';

/** The range of time in which the streams are read. */
export type TimeRange = Pick<AskOptions, 'asOfMs' | 'asOfWallMs' | 'sinceMs' | 'sinceWallMs'>;

export interface QuestionScope {
  /** Asked if `wanted` is null. */
  readonly defaultStream: LiveStream;
  readonly wanted: WantedStreams | null;
  /** null: the newest frame. */
  readonly asOf: WireTime | null;
  /** null: all that is kept. */
  readonly since: WireTime | null;
  /** The fields of the message that name the streams and the times. */
  readonly streamsParam: string;
  readonly asOfParam: string;
  readonly sinceParam: string;
}

/** Throws what `LiveService.converse`, `asOfOptions` and `sinceOptions` throw, naming the fields of the message. */
export function resolveScope(
  live: LiveService,
  scope: QuestionScope,
): { conversation: Conversation; times: TimeRange } {
  const { defaultStream, wanted, asOf, since, streamsParam, asOfParam, sinceParam } = scope;
  const instant = wanted === 'all' && asOf !== null ? commonInstantMs(live, asOf, asOfParam) : undefined;
  const conversation = wanted === null ? defaultStream.converse() : live.converse(wanted, streamsParam, instant);
  const clocks = conversation.streams.map((stream) => stream.status());
  try {
    const moment =
      instant !== undefined
        ? asOfInstant(instant, clocks, asOfParam)
        : asOf === null
          ? {}
          : asOfOptions(asOf, clocks, asOfParam);
    const begin = since === null ? {} : sinceOptions(since, moment, clocks, sinceParam);
    return { conversation, times: { ...moment, ...begin } };
  } catch (error) {
    throw withStreamsParam(YocoError.from(error), streamsParam);
  }
}

/**
 * The instant that a time means across all streams with frames; undefined if at most one has any, since the time may
 * then be on its own clock.
 */
function commonInstantMs(live: LiveService, asOf: WireTime, param: string): number | undefined {
  const clocks = live.list().map((stream) => stream.status());
  const seen = clocks.filter(({ lastMs }) => lastMs !== null);
  return seen.length > 1 ? instantMs(asOf, seen, param) : undefined;
}

/** The error; if it is about the streams, it names the field `param`. */
export function withStreamsParam(error: YocoError, param: string): YocoError {
  if (error.param !== 'streams' && error.param !== 'stream') return error;
  return new YocoError(error.code, { param, ...(error.detail === '' ? {} : { detail: error.detail }) });
}
