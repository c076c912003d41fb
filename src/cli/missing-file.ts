import { existsSync, statSync } from 'node:fs';
import type { StreamDefinition } from '../ingest/definition.ts';

/**
 * For the operator, where a stream's file was looked for in vain: the stream's own error, which clients may read, does
 * not tell the folder. Null where it is there, or the source is none.
 */
export function missingFile({ source }: StreamDefinition): string | null {
  if (!('file' in source)) return null;
  const { file } = source;
  if (!existsSync(file)) return `There is no file at ${file}.`;
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true ? `${file} is a folder.` : null;
}
