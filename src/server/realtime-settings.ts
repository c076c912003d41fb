/** The settings of one session, which `session.update` changes and which hold where an event does not say otherwise. */
import { YocoError } from '../errors.ts';
import type { SessionParams } from './realtime-events.ts';
import type { ScopeDefaults, SessionStreams } from './realtime-streams.ts';
import { checkTime } from './times.ts';

/** The values of the settings at one moment. */
export interface Settings extends ScopeDefaults {
  /** Limit of an answer's tokens. */
  readonly maxTokens: number;
  /** Whether `yoco.stream.status` events are sent. */
  readonly wantsStatus: boolean;
}

export class SessionSettings {
  readonly #streams: SessionStreams;
  readonly #maxTokensLimit: number;
  #current: Settings;

  /** `maxTokensLimit` bounds the tokens of an answer, and is their number by default. */
  constructor(streams: SessionStreams, maxTokensLimit: number) {
    this.#streams = streams;
    this.#maxTokensLimit = maxTokensLimit;
    this.#current = { maxTokens: maxTokensLimit, wantsStatus: false, streams: null, asOf: null, since: null };
  }

  get current(): Settings {
    return this.#current;
  }

  /**
   * Applies all fields, or none if one is wrong. Throws `invalid_request`, and for streams given by name what
   * `SessionStreams.converse` throws.
   */
  update({ max_output_tokens: asked, yoco = {} }: SessionParams): void {
    const { current } = this;
    const maxTokens = this.maxTokensOf(asked, 'session.max_output_tokens');
    // "all" is resolved at each question.
    if (Array.isArray(yoco.streams)) this.#streams.converse(yoco.streams, 'session.yoco.streams');
    if (yoco.as_of != null) checkTime(yoco.as_of, 'session.yoco.as_of');
    if (yoco.since != null) checkTime(yoco.since, 'session.yoco.since');
    const { status: wantsStatus = current.wantsStatus } = yoco;
    const { streams = current.streams, as_of: asOf = current.asOf, since = current.since } = yoco;
    this.#current = { maxTokens, wantsStatus, streams, asOf, since };
  }

  /**
   * The limit of an answer's tokens; `inf` is the service's, undefined the session's. Throws `invalid_request`, naming
   * `param`, above the service's limit.
   */
  maxTokensOf(asked: number | 'inf' | undefined, param: string): number {
    if (asked === undefined) return this.#current.maxTokens;
    const limit = this.#maxTokensLimit;
    if (asked === 'inf') return limit;
    if (asked > limit) throw new YocoError('invalid_request', { param, detail: `${param}: the limit is ${limit}.` });
    return asked;
  }
}
