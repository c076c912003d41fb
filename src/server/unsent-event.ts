import type { ServerEvent } from './wire-types.ts';

/** What a client is to be told on the WebSocket, before its `event_id` is added. */
export type UnsentEvent = WithoutId<ServerEvent>;
type WithoutId<T> = T extends unknown ? Omit<T, 'event_id'> : never;
