/** What the service sends besides an answer's text: the `yoco` object of a response or a standing question's answer. */
import type { StandingChange } from '../live/standing-question.ts';
import type { AnswerResult, Conversation } from '../live/types.ts';
import { seconds, wallTime } from './times.ts';
import type { AnswerJson } from './wire-types.ts';

/** Times in seconds on each stream's clock and as RFC 3339; `conversation` is the one that was asked. */
export function answerJson(result: AnswerResult, conversation: Conversation): AnswerJson {
  const startedAtMs = new Map(conversation.streams.map((stream) => [stream.name, stream.status().startedAtMs]));
  const wall = (stream: string, ms: number): string => wallTime(ms, startedAtMs.get(stream) ?? 0);
  const streams = result.streams.map(({ name, asOfMs, sinceMs }) => ({
    name,
    as_of: seconds(asOfMs),
    as_of_time: wall(name, asOfMs),
    since: sinceMs === null ? null : seconds(sinceMs),
    since_time: sinceMs === null ? null : wall(name, sinceMs),
  }));
  const only = streams.length === 1 ? streams[0] : undefined;
  return {
    stream: only?.name ?? null,
    as_of: only?.as_of ?? null,
    as_of_time: streams.reduce((latest, { as_of_time: time }) => (time > latest ? time : latest), ''),
    since: only?.since ?? null,
    streams,
    precision: result.precision,
    confidence: Math.round(result.confidence * 10_000) / 10_000,
    evidence: result.evidence.map(({ stream, startMs, endMs, peakMs, weight }) => ({
      stream,
      start: seconds(startMs),
      end: seconds(endMs),
      peak: seconds(peakMs),
      weight: Math.round(weight * 10_000) / 10_000,
      start_time: wall(stream, startMs),
      end_time: wall(stream, endMs),
      peak_time: wall(stream, peakMs),
    })),
    latency_ms: { first_token: Math.round(result.firstTokenMs), total: Math.round(result.totalMs) },
  };
}

/** How an answer ended, as the status of a response. */
export function statusOf({ finish }: Pick<AnswerResult, 'finish'>): 'completed' | 'incomplete' | 'cancelled' {
  return ({ stop: 'completed', length: 'incomplete', cancelled: 'cancelled' } as const)[finish];
}

/** A standing question's new answer, for events and webhooks. */
export function changeJson({ answer, previous, result, conversation }: StandingChange) {
  // A cancelled asking is never reported.
  const status = result.finish === 'length' ? ('incomplete' as const) : ('completed' as const);
  return { answer, previous, status, yoco: answerJson(result, conversation) };
}
