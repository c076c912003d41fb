import { existsSync } from 'node:fs';
import type { StreamDefinition } from '../ingest/definition.ts';

/** For the operator, where a stream's file was looked for in vain: the stream's own error, which clients may read, does not tell the folder. Null where it is there, or the source is none. */
export function missingFile({ source }: StreamDefinition): string | null {
  return 'file' in source && !existsSync(source.file) ? `There is no file at ${source.file}.` : null;
}
