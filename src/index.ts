/** The library: `import { loadModel, Streams } from 'yoco-live'`. */
// The declarations refer to Buffer and to modules of Node, and not every program includes Node's types.
/// <reference types="node" preserve="true" />
import type { z } from 'zod';
import type { StreamDefinition, streamDefinitionSchema } from './ingest/definition.ts';

export { YocoError, ERRORS, type ErrorCode } from './errors.ts';
export { loadModel, Model, type LoadOptions } from './model/model.ts';
export type { EngineOptions } from './engine/supervisor.ts';
export { Streams, type LiveServiceOptions } from './live/live-service.ts';
export type { SourceStream } from './live/live-stream.ts';
export {
  StandingQuestion,
  type StandingChange,
  type StandingHost,
  type StandingOptions,
} from './live/standing-question.ts';
export type * from './live/types.ts';
export type { SourcePolicy } from './ingest/policy.ts';
export type { StreamDefinition };
export { startServer, type RunningServer, type ServerLog, type ServerOptions } from './server/index.ts';
export type * from './server/wire-types.ts';

type WholeDefinition = z.input<typeof streamDefinitionSchema>;
/** What `Streams.create` takes, before defaults. A stream restored from a snapshot needs neither name nor source. */
export type StreamDefinitionInput = WholeDefinition | (Partial<WholeDefinition> & { restore: string });
