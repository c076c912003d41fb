import { existsSync, statSync } from 'node:fs';
import type { StreamDefinition } from '../ingest/definition.ts';

/**
 * Tells the operator that a stream's file is missing, or is a folder: the stream's own error, which clients may read,
 * hides the path. Null when the file exists or the source is not a file.
 */
export function missingFileMessage({ source }: StreamDefinition): string | null {
  if (!('file' in source)) return null;
  const { file } = source;
  if (!existsSync(file)) return `There is no file at ${file}.`;
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true ? `${file} is a folder.` : null;
}
