/** Questions and greedy answers directly on the model, without the engine. */
import type { KvCache } from '../src/model/kv-cache.ts';
import type { Model } from '../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../src/model/question.ts';
import { argmax } from '../src/model/sampling.ts';

/** Opens a question at the time of the newest frame in the cache. */
export function openQuestion(model: Model, cache: KvCache, question: string): Promise<QuestionSegment> {
  const { config, embeddings, selfDecoder, tokenizer } = model;
  const asked = segmentTokens(tokenizer, config, [], question, cache.times.newest ?? 0);
  return QuestionSegment.open(selfDecoder, embeddings, config, asked);
}

/** The first token of the greedy answer, as an index into `answerTokens`. */
export async function firstToken(model: Model, cache: KvCache, question: string): Promise<number> {
  const segment = await openQuestion(model, cache, question);
  return argmax((await model.reader.read([{ cache, frames: cache.frames }], segment.readerInput)).logits);
}

/** The tokens of the greedy answer to a question at the newest frame, including the end token. */
export async function greedyAnswer(model: Model, cache: KvCache, question: string): Promise<number[]> {
  const { config, embeddings, reader, selfDecoder } = model;
  const segment = await openQuestion(model, cache, question);
  const tokens: number[] = [];
  while (tokens.length < config.maxAnswerTokens) {
    const reading = await reader.read([{ cache, frames: cache.frames }], segment.readerInput);
    segment.recordReading(reading);
    const token = config.answerTokens[argmax(reading.logits)] ?? config.endToken;
    tokens.push(token);
    if (token === config.endToken) break;
    const { window } = segment;
    const [next] = await selfDecoder.step([{ window, tokens: embeddings.lookup([token]), timesMs: [-1] }]);
    if (next === undefined) break;
    segment.extend(next);
  }
  return tokens;
}

/** The same answer as text, without the end token. */
export async function greedyText(model: Model, cache: KvCache, question: string): Promise<string> {
  const ids = await greedyAnswer(model, cache, question);
  return model.tokenizer.decode(ids.filter((id) => id !== model.config.endToken)).trim();
}
