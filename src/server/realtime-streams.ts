/**
 * The streams that one session may ask, and what each of its questions is about: streams and a range of time, from the
 * event that asks or else from the session's settings.
 */
import { YocoError } from '../errors.ts';
import type { Conversation, LiveService, LiveStream, WantedStreams } from '../live/types.ts';
import { otherStreamsForbiddenError } from './permissions.ts';
import { resolveScope, type TimeRange } from './question-scope.ts';
import type { ResponseParams } from './realtime-events.ts';
import type { WireStreams } from './request-fields.ts';
import type { WireTime } from './times.ts';

/** Which streams a session may ask. */
export interface AskableStreams {
  readonly live: LiveService;
  /** The session's own stream, asked by default. */
  readonly stream: LiveStream;
  /** True for a token bound to this stream: no other may be asked. */
  readonly isTokenBound: boolean;
}

/** What a response is about where its event does not say. */
export interface ScopeDefaults {
  /** null: the session's own stream. */
  readonly streams: WireStreams | null;
  /** null: the newest frame. */
  readonly asOf: WireTime | null;
  /** null: all that is kept. */
  readonly since: WireTime | null;
}

/** What one response is about. */
export interface ResponseScope {
  /** On the streams that are asked, without turns. */
  readonly fresh: Conversation;
  readonly times: TimeRange;
  /** The field that names the streams, for errors. */
  readonly streamsParam: string;
  /** Whether all streams are asked without being named. */
  readonly anyOf: boolean;
}

export class SessionStreams {
  readonly #askable: AskableStreams;

  constructor(askable: AskableStreams) {
    this.#askable = askable;
  }

  /**
   * A fresh conversation about the wanted streams; null: the session's own. Throws `forbidden`, `stream_deleted`, and
   * what `LiveService.converse` throws, naming the field `param`.
   */
  converse(wanted: WantedStreams | null, param: string): Conversation {
    const { live, stream } = this.#askable;
    this.#checkAllowed(wanted, param);
    return wanted === null ? stream.converse() : live.converse(wanted, param);
  }

  /**
   * What a response is about. Throws `forbidden`, `stream_deleted`, and what `resolveScope` throws, naming the field of
   * the response or of the session.
   */
  scopeOf(asked: NonNullable<ResponseParams['yoco']>, defaults: ScopeDefaults): ResponseScope {
    const { live, stream: defaultStream } = this.#askable;
    const { streams: wanted = defaults.streams, as_of: asOf = defaults.asOf, since = defaults.since } = asked;
    const paramOf = (field: 'streams' | 'as_of' | 'since'): string =>
      `${asked[field] === undefined ? 'session' : 'response'}.yoco.${field}`;
    // The address names the session's own stream.
    const streamsParam = wanted === null ? 'stream' : paramOf('streams');
    this.#checkAllowed(wanted, streamsParam);
    const { conversation: fresh, times } = resolveScope(live, {
      defaultStream,
      wanted,
      asOf,
      since,
      streamsParam,
      asOfParam: paramOf('as_of'),
      sinceParam: paramOf('since'),
    });
    return { fresh, times, streamsParam, anyOf: wanted === 'all' };
  }

  /**
   * Runs before the streams are looked up, so that a refused client does not learn which exist. Throws `forbidden`, or
   * `stream_deleted` if the token's stream is gone: another one may have its name by now.
   */
  #checkAllowed(wanted: WantedStreams | null, param: string): void {
    const { stream, isTokenBound } = this.#askable;
    if (!isTokenBound || wanted === null) return;
    if (wanted === 'all' || wanted.some((name) => name !== stream.name)) {
      throw otherStreamsForbiddenError(stream.name, param);
    }
    if (stream.status().sourceStatus.state === 'stopped') throw new YocoError('stream_deleted', { param });
  }
}
