/** Messages between the server process and the engine process. Times in ms since the stream began. */
import type { ErrorCode } from '../errors.ts';
import type { EvidenceSpan } from '../model/evidence.ts';
import type { Turn } from '../model/question.ts';

export interface AskRequest {
  readonly stream: string;
  readonly question: string;
  /** Earlier turns of the conversation, oldest first. */
  readonly turns: readonly Turn[];
  /** null: the newest frame. */
  readonly asOfMs: number | null;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
}

export interface AnswerEnd {
  readonly text: string;
  readonly finish: 'stop' | 'length' | 'cancelled';
  readonly asOfMs: number;
  /** Spans that the answer rests on, strongest first. */
  readonly evidence: readonly EvidenceSpan[];
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface Appended {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly frames: number;
  readonly cacheTokens: number;
  readonly cacheBytes: number;
}

export interface WireError {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly param: string | null;
}

export interface EngineLoad {
  readonly bundle: string;
  readonly threads: number | null;
  readonly maxAnswers: number;
}

export type ToEngine =
  | ({ readonly type: 'load' } & EngineLoad)
  | { readonly type: 'open'; readonly stream: string; readonly limitBytes: number }
  | { readonly type: 'close'; readonly stream: string }
  | {
      readonly type: 'frame';
      readonly id: number;
      readonly stream: string;
      readonly timeMs: number;
      readonly rgb: Uint8Array;
    }
  | { readonly type: 'ask'; readonly id: number; readonly request: AskRequest }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'ping' }
  | { readonly type: 'stop' };

export interface LoadedBundle {
  readonly name: string;
  readonly parameters: number;
  readonly licence: string;
  readonly imageSize: number;
  readonly maxAnswerTokens: number;
}

/** Milliseconds that the engine spent in each part since it started, and what it did. */
export interface EngineTimes {
  readonly vision: number;
  readonly selfDecoder: number;
  readonly crossDecoder: number;
  readonly frames: number;
  readonly answerTokens: number;
}

export const NO_TIMES: EngineTimes = { vision: 0, selfDecoder: 0, crossDecoder: 0, frames: 0, answerTokens: 0 };

export type FromEngine =
  | { readonly type: 'progress'; readonly share: number }
  | { readonly type: 'loaded'; readonly bundle: LoadedBundle }
  | { readonly type: 'load_failed'; readonly error: WireError }
  | { readonly type: 'appended'; readonly id: number; readonly result: Appended }
  | { readonly type: 'delta'; readonly id: number; readonly text: string }
  | { readonly type: 'done'; readonly id: number; readonly end: AnswerEnd }
  | { readonly type: 'failed'; readonly id: number; readonly error: WireError }
  | { readonly type: 'pong'; readonly rssBytes: number; readonly times: EngineTimes };
