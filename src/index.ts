/** The library: `import { loadModel, Streams } from 'yoco-live'`. */
export { YocoError, ERRORS, type ErrorCode } from './errors.ts';
export { loadModel, Model, type LoadOptions } from './model/model.ts';
export { KvCache, type KvCacheOptions, type KvView } from './model/kv-cache.ts';
export { QuestionSegment, segmentTokens, type Turn } from './model/question.ts';
export { Scheduler } from './engine/scheduler.ts';
export { Streams, type LiveServiceOptions } from './live/live-service.ts';
export type * from './live/types.ts';
export type { StreamDefinition } from './ingest/definition.ts';
export { startServer, type ServerOptions } from './server/index.ts';
