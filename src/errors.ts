/** The single catalogue of errors, each with its HTTP status and whether a retry can help. */

export interface ErrorEntry {
  readonly message: string;
  /** HTTP status; the WebSocket carries the same code in an `error` event. */
  readonly status: number;
  /** True when the same request may succeed later without a change. */
  readonly retryable: boolean;
}

const entry = (status: number, message: string, retryable = false): ErrorEntry => ({ status, message, retryable });

/** `docs/protocol.md` lists these; a test keeps the two in step. */
export const ERRORS = {
  // What a client sent
  invalid_json: entry(400, 'The message is not valid JSON.'),
  invalid_request: entry(400, 'A field of the request is missing or wrong.'),
  unknown_event: entry(400, 'The event type is unknown.'),
  timeout: entry(408, 'The request came too slowly.', true),
  message_too_large: entry(413, 'The message is larger than the limit.'),
  question_empty: entry(400, 'The question is empty.'),
  question_too_long: entry(400, 'The question is longer than the limit.'),
  conversation_full: entry(400, 'The conversation is longer than the limit; start a new one.'),
  item_not_found: entry(404, 'The conversation holds no item with this id.'),
  response_not_found: entry(404, 'No response with this id is in progress.'),
  standing_question_not_found: entry(404, 'The connection has no standing question with this id.'),
  response_in_progress: entry(409, 'The conversation already has a response in progress.', true),
  image_undecodable: entry(400, 'The pushed picture cannot be decoded; JPEG and PNG are accepted.'),
  // Who may do what
  unauthorized: entry(401, 'A valid API key is required.'),
  forbidden: entry(403, 'This request is not allowed here.'),
  origin_forbidden: entry(403, 'Requests from this web origin are not allowed.'),
  not_found: entry(404, 'There is nothing at this address.'),
  method_not_allowed: entry(405, 'This address does not take this method.'),
  media_type_unsupported: entry(415, 'The body is of a type that this address does not take.'),
  // Streams and sources
  stream_not_found: entry(404, 'There is no stream with this name.'),
  stream_exists: entry(409, 'A stream with this name exists already.'),
  stream_limit: entry(429, 'The service has reached its limit of streams.', true),
  stream_deleted: entry(410, 'The stream was deleted.'),
  too_many_streams: entry(409, 'More streams have frames than one question may read.', true),
  stream_empty: entry(409, 'The stream has no frame yet.', true),
  stream_ended: entry(410, 'The stream has ended and holds no frame.'),
  stream_not_pushable: entry(409, 'Frames can be pushed only to a stream whose source is push.'),
  definition_invalid: entry(400, 'The stream definition is not valid.'),
  time_out_of_range: entry(400, 'The time lies outside what the stream keeps.'),
  source_not_found: entry(404, 'The source does not exist.'),
  source_forbidden: entry(403, 'The source is not allowed by the configuration.'),
  source_unreachable: entry(502, 'The source cannot be reached.', true),
  source_unauthorized: entry(502, 'The source refused the credentials.'),
  source_invalid: entry(422, 'The source is not a video that can be decoded.'),
  source_no_video: entry(422, 'The source has no video track.'),
  source_incomplete: entry(422, 'The recording was cut short: its end is missing.'),
  source_silent: entry(504, 'The source sent no frame for too long.', true),
  ffmpeg_missing: entry(500, 'No usable ffmpeg was found.'),
  ffmpeg_failed: entry(500, 'ffmpeg ended for a reason that does not lie in the source.', true),
  // Snapshots
  snapshots_off: entry(403, 'No snapshots are kept: the setting `snapshots` names no folder.'),
  snapshot_not_found: entry(404, 'There is no snapshot with this name.'),
  snapshot_damaged: entry(422, 'The file is damaged or not a snapshot.'),
  snapshot_unsupported: entry(409, 'The snapshot is of another model or version.'),
  snapshot_failed: entry(500, 'The snapshot could not be written.', true),
  // The way to the service, as the command line sees it
  service_unreachable: entry(502, 'The service cannot be reached.', true),
  connection_closed: entry(502, 'The connection was closed before the answer was complete.', true),
  // The service itself
  too_many_questions: entry(429, 'Too many questions are waiting.', true),
  too_many_connections: entry(429, 'More connections are open than the limit allows.', true),
  client_too_slow: entry(429, 'The client reads more slowly than the answer is written.', true),
  engine_restarted: entry(503, 'The engine restarted while it answered; ask again.', true),
  engine_unavailable: entry(503, 'The engine is not ready.', true),
  shutting_down: entry(503, 'The service is shutting down.', true),
  bundle_not_found: entry(500, 'The model bundle does not exist.'),
  bundle_damaged: entry(500, 'The model bundle is damaged or incomplete.'),
  bundle_unsupported: entry(500, 'The model bundle needs another version of yoco-live.'),
  device_unavailable: entry(500, 'The device that the configuration asks for cannot be used.'),
  config_invalid: entry(500, 'The configuration is not valid.'),
  data_invalid: entry(400, 'The evaluation data is not valid.'),
  resume_mismatch: entry(409, 'The file holds an evaluation of other options.'),
  internal: entry(500, 'An unexpected error happened; it was logged.', true),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorDetails {
  /** What exactly was wrong, and what was expected. Never holds a secret. */
  readonly detail?: string;
  /** The field, flag or query parameter that was wrong. */
  readonly param?: string;
  readonly cause?: unknown;
}

/** Any error that a user may see. Its message is the catalogue's sentence, then the detail. */
export class YocoError extends Error {
  readonly code: ErrorCode;
  /** What exactly was wrong; empty if the catalogue's sentence says it all. */
  readonly detail: string;
  readonly param: string | null;
  override readonly name = 'YocoError';

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    const sentence = ERRORS[code].message;
    super(details.detail === undefined ? sentence : `${sentence} ${details.detail}`, { cause: details.cause });
    this.code = code;
    this.detail = details.detail ?? '';
    this.param = details.param ?? null;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  /** Restores an error from its code and its whole message; null if the catalogue has no such code. */
  static fromMessage(code: string, message: string): YocoError | null {
    if (!Object.hasOwn(ERRORS, code)) return null;
    const known = code as ErrorCode;
    const detail = message.replace(ERRORS[known].message, '').trim();
    return new YocoError(known, detail === '' ? {} : { detail });
  }

  /** Converts anything thrown to a YocoError: others become `internal` and stay as its cause, for the log. */
  static from(error: unknown): YocoError {
    return error instanceof YocoError ? error : new YocoError('internal', { cause: error });
  }
}
