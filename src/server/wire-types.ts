/**
 * What goes over the wire, as types for programs of TypeScript: made from the schemas that check it
 * (realtime-events.ts, wire-schemas.ts).
 */
import type { z } from 'zod';
import type { CLIENT_EVENTS } from './realtime-events.ts';
import type * as wire from './wire-schemas.ts';

/** What a client sends on the WebSocket, by its `type`. */
export type ClientEvent = {
  [K in keyof typeof CLIENT_EVENTS]: z.input<(typeof CLIENT_EVENTS)[K]>;
}[keyof typeof CLIENT_EVENTS];

type ServerEvents = typeof wire.SERVER_EVENTS;

/** What the service sends on the WebSocket, by its `type`. */
export type ServerEvent = {
  [K in keyof ServerEvents]: { type: K; event_id: string } & z.output<z.ZodObject<ServerEvents[K]>>;
}[keyof ServerEvents];

/** What a webhook gets, by its `type`. */
export type WebhookEvent = z.output<
  typeof wire.standingAnswered | typeof wire.standingDeleted | typeof wire.sourceStatusTold
>;

/** The `yoco` object of an answer. */
export type AnswerJson = z.output<typeof wire.answerSchema>;
/** The `response` of `response.created` and `response.done`. */
export type ResponseJson = Extract<ServerEvent, { type: 'response.done' }>['response'];
export type StreamJson = z.output<typeof wire.streamSchema>;
/** A standing question of a stream's file, as `GET /v1/streams/NAME/standing_questions` lists it. */
export type StandingQuestionJson = z.output<typeof wire.standingSchema>;
/** What went wrong, as over HTTP in `error`, in events and in a failed response. */
export type ErrorJson = z.output<typeof wire.errorSchema>;
