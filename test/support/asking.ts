/** Questions to a scheduler or an engine, as promises. */
import type { AnswerEnd, AnswerListener, AskRequest } from '../../src/engine/protocol.ts';
import type { YocoError } from '../../src/errors.ts';

export interface Outcome {
  readonly end: AnswerEnd | undefined;
  readonly error: YocoError | undefined;
  readonly deltas: readonly string[];
}

interface Times {
  readonly asOfMs?: number | null;
  readonly sinceMs?: number | null;
}

/** Sampled, so that the answers of random weights tell streams apart; the seed makes them repeatable. */
export const request = (
  stream: string | readonly string[],
  question: string,
  { asOfMs = null, sinceMs = null, ...more }: Partial<AskRequest> & Times = {},
): AskRequest => ({
  streams: [stream].flat().map((name) => ({ name, asOfMs, sinceMs })),
  question,
  turns: [],
  maxTokens: 32,
  temperature: 1,
  topP: 1,
  seed: 1,
  ...more,
});

/** A listener, and the promise of what it hears. */
export function listen(onDelta: (text: string) => void = () => undefined): {
  listener: AnswerListener;
  outcome: Promise<Outcome>;
} {
  const deltas: string[] = [];
  let resolve: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((done) => {
    resolve = done;
  });
  const listener: AnswerListener = {
    delta(text) {
      deltas.push(text);
      onDelta(text);
    },
    done(end) {
      resolve({ end, error: undefined, deltas });
    },
    failed(error) {
      resolve({ end: undefined, error, deltas });
    },
  };
  return { listener, outcome };
}
