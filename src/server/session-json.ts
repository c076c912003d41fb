/** A WebSocket's session as clients read it. */
import type { StreamStatus } from '../live/types.ts';
import type { Settings } from './realtime-settings.ts';
import { streamJson } from './stream-json.ts';
import type { ServerEvent } from './wire-types.ts';

export type SessionJson = Extract<ServerEvent, { type: 'session.created' }>['session'];

export interface DescribedSession {
  readonly id: string;
  readonly model: string;
  readonly conversationId: string;
  /** Of the session's own stream. */
  readonly stream: StreamStatus;
  readonly settings: Settings;
}

export function sessionJson({ id, model, conversationId, stream, settings }: DescribedSession): SessionJson {
  return {
    type: 'realtime',
    object: 'realtime.session',
    id,
    model,
    output_modalities: ['text'],
    max_output_tokens: settings.maxTokens,
    tools: [],
    yoco: {
      stream: streamJson(stream),
      streams: settings.streams,
      as_of: settings.asOf,
      since: settings.since,
      status: settings.wantsStatus,
      conversation_id: conversationId,
    },
  };
}
