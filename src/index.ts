/** The library: `import { loadModel, Streams } from 'yoco-live'`. */
// Declarations name Buffer and modules of Node; not every program has Node's types among its own.
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
/** What `Streams.create` takes, before its defaults; what goes on from a snapshot has its name, and needs no source. */
export type StreamDefinitionInput = WholeDefinition | (Partial<WholeDefinition> & { restore: string });
