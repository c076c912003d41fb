import { existsSync, statSync } from 'node:fs';
import type { StreamDefinition } from '../ingest/definition.ts';

/**
 * Tells the operator which file of a stream is missing. The stream's own error, which clients may read, hides the
 * folder. Null when the file exists or the source is not a file.
 */
export function missingFile({ source }: StreamDefinition): string | null {
  if (!('file' in source)) return null;
  const { file } = source;
  if (!existsSync(file)) return `There is no file at ${file}.`;
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true ? `${file} is a folder.` : null;
}
