import type { ServerEvent } from './wire-types.ts';

/** A WebSocket event for a client, before its `event_id` is added. */
export type UnsentEvent = WithoutId<ServerEvent>;
type WithoutId<T> = T extends unknown ? Omit<T, 'event_id'> : never;
