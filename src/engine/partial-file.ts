/** Names of files that are still being written: `.NAME.<12 hex digits>.part` beside the file NAME that they become. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';

const PARTIAL = /^\.(.+)\.[0-9a-f]{12}\.part$/;

/** A path that no other write of `file` has. */
export function partialPathOf(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}.part`);
}

/** The name of the file that a partial file was to become; undefined for the name of any other file. */
export function targetOfPartial(name: string): string | undefined {
  return PARTIAL.exec(name)?.[1];
}
