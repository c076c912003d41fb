/** What `watch` is to watch: one source, the recordings in a folder, or those listed on stdin. */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { YocoError } from '../errors.ts';
import { redactUrl } from '../ingest/redact.ts';
import { systemReason } from '../system-code.ts';
import { readLines } from './input-lines.ts';
import { isAddress } from './source-argument.ts';

/** File extensions of the recordings in a folder, in any case. */
export const VIDEO_EXTENSIONS: readonly string[] = (
  '.mp4 .m4v .mov .3gp .mkv .webm .avi .ts .mts .m2ts .mpg .mpeg .vob .wmv .asf .flv .ogv .mxf .h264 .h265 .hevc .mjpeg ' +
  '.mjpg'
).split(' ');

/** Maximum number of recordings in one command. */
const MAX_RECORDINGS = 10_000;
/** Maximum size of the list of paths on stdin, bytes. */
const MAX_LIST_BYTES = 4 * 2 ** 20;

export interface Sources {
  /** Paths and addresses, as given. */
  readonly all: readonly string[];
  /**
   * Whether the source was named by itself. The sources of a list are named in the output, and one that fails does not
   * affect the others.
   */
  readonly isSingle: boolean;
}

/**
 * `source` is a file, an address, a folder, or `-` for paths on stdin. `warn` receives a message about each subfolder
 * that cannot be read. Throws `source_not_found` for a folder without a recording, `invalid_request` for a list that is
 * empty or too long.
 */
export async function findSources(
  source: string,
  { recursive, warn }: { readonly recursive: boolean; readonly warn: (message: string) => void },
): Promise<Sources> {
  if (source === '-') return { all: checkCount(await readStdinPaths()), isSingle: false };
  const isFolder = !isAddress(source) && (await stat(source).catch(() => null))?.isDirectory() === true;
  return isFolder
    ? { all: checkCount(await findInFolder(source, recursive, warn)), isSingle: false }
    : { all: [source], isSingle: true };
}

/** A source of a list as printed: as given, but without the passwords of an address. */
export const shownSource = (source: string): string => (isAddress(source) ? redactUrl(source) : source);

async function readStdinPaths(): Promise<string[]> {
  const lines = await readLines(process.stdin, '-', MAX_LIST_BYTES);
  const paths = lines.filter((line) => line !== '');
  if (paths.length > 0) return paths;
  throw new YocoError('invalid_request', { param: 'source', detail: '-: expected paths on stdin, one a line.' });
}

/** Sorted by name. */
async function findInFolder(folder: string, recursive: boolean, warn: (message: string) => void): Promise<string[]> {
  const found: string[] = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined && found.length <= MAX_RECORDINGS; at = folders.pop()) {
    for (const entry of await readFolder(at, at === folder ? null : warn)) {
      // Hidden files are not the user's: macOS leaves its `._door.mp4` on other systems' disks.
      if (entry.name.startsWith('.')) continue;
      const inside = path.join(at, entry.name);
      if (isVideo(entry)) found.push(inside);
      else if (recursive && entry.isDirectory()) folders.push(inside);
    }
  }
  if (found.length > 0) return found.sort();
  const deeper = recursive ? '' : ' Use --recursive to search its subfolders, too.';
  throw new YocoError('source_not_found', {
    param: 'source',
    detail: `There is no video file in ${folder}. Names of video files end in ${VIDEO_EXTENSIONS.join(', ')}.${deeper}`,
  });
}

/**
 * A link counts whatever its target, which shows when it is opened. Pipes and sockets do not, since reading them would
 * block.
 */
function isVideo(entry: Dirent): boolean {
  const isFile = entry.isFile() || entry.isSymbolicLink();
  return isFile && VIDEO_EXTENSIONS.includes(path.extname(entry.name).toLowerCase());
}

/** Returns nothing for a folder that cannot be read, and tells `warn`. Without `warn` it throws `source_not_found`. */
async function readFolder(folder: string, warn: ((message: string) => void) | null): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    const detail = `The folder ${folder} cannot be read (${systemReason(cause)}).`;
    if (warn === null) throw new YocoError('source_not_found', { param: 'source', detail, cause });
    warn(`${detail} Skipping it.`);
    return [];
  }
}

function checkCount(sources: string[]): string[] {
  if (sources.length <= MAX_RECORDINGS) return sources;
  const detail = `Expected at most ${MAX_RECORDINGS} recordings at once.`;
  throw new YocoError('invalid_request', { param: 'source', detail });
}
