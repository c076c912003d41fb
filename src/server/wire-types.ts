/** TypeScript types of the wire formats, inferred from their schemas (realtime-events.ts, wire-schemas.ts). */
import type { z } from 'zod';
import type { CLIENT_EVENTS } from './realtime-events.ts';
import type * as wire from './wire-schemas.ts';

/** An event that a client sends on the WebSocket, by its `type`. */
export type ClientEvent = {
  [K in keyof typeof CLIENT_EVENTS]: z.input<(typeof CLIENT_EVENTS)[K]>;
}[keyof typeof CLIENT_EVENTS];

type ServerEvents = typeof wire.SERVER_EVENTS;

/** An event that the service sends on the WebSocket, by its `type`. */
export type ServerEvent = {
  [K in keyof ServerEvents]: { type: K; event_id: string } & z.output<z.ZodObject<ServerEvents[K]>>;
}[keyof ServerEvents];

/** The body of a webhook request, by its `type`. */
export type WebhookEvent = z.output<
  typeof wire.standingAnswered | typeof wire.standingDeleted | typeof wire.sourceStatusEvent
>;

/** The `yoco` object of an answer. */
export type AnswerJson = z.output<typeof wire.answerSchema>;
/** The `response` of `response.created` and `response.done`. */
export type ResponseJson = Extract<ServerEvent, { type: 'response.done' }>['response'];
export type StreamJson = z.output<typeof wire.streamSchema>;
/** A standing question of a stream's file, as `GET /v1/streams/NAME/standing_questions` lists it. */
export type StandingQuestionJson = z.output<typeof wire.standingSchema>;
/** An error, as sent in HTTP bodies, in events and in failed responses. */
export type ErrorJson = z.output<typeof wire.errorSchema>;
