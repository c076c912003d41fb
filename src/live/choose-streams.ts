/** Which streams a question over several streams reads. */
import { YocoError } from '../errors.ts';
import { reachesBackTo } from './moments.ts';
import type { StreamStatus, WantedStreams } from './types.ts';

interface Choosable {
  readonly name: string;
  status(): Pick<StreamStatus, 'firstMs' | 'lastMs' | 'startedAtMs'>;
}

/** Errors quote at most this many characters of a name. */
const SHOWN_CHARS = 64;

/**
 * `"all"` selects every stream that has a frame, by name. With `asOfWallMs` (ms since 1970) it selects those of them
 * that reach back to that instant, unless none does: the instant is then refused later. At most `most` streams. Errors
 * name the field `param`. Throws `invalid_request` (none, too many, a duplicate), `stream_not_found` naming the stream,
 * `stream_empty` if `"all"` selects none, and `too_many_streams`, which may pass, if it selects too many.
 */
export function chooseStreams<S extends Choosable>(
  wanted: WantedStreams,
  existing: readonly S[],
  most: number,
  param: string,
  asOfWallMs?: number,
): S[] {
  const invalid = (detail: string): YocoError =>
    new YocoError('invalid_request', { param, detail: `${param}: ${detail}` });
  if (wanted === 'all') {
    const seen = existing.filter((stream) => stream.status().lastMs !== null);
    if (seen.length === 0) throw new YocoError('stream_empty', { param, detail: 'No stream has one.' });
    const reaching = seen.filter((stream) => asOfWallMs === undefined || reachesBackTo(asOfWallMs, stream.status()));
    const all = reaching.length === 0 ? seen : reaching;
    if (all.length > most) {
      const detail = `${all.length} have frames, and it may read ${most}; name 1 to ${most} of them.`;
      throw new YocoError('too_many_streams', { param, detail });
    }
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  if (wanted.length < 1 || wanted.length > most) {
    throw invalid(`expected the names of 1 to ${most} streams, or "all"; got ${wanted.length}.`);
  }
  const twice = wanted.find((name, i) => wanted.indexOf(name) < i);
  if (twice !== undefined)
    throw invalid(`expected each stream once, but "${twice.slice(0, SHOWN_CHARS)}" is named twice.`);
  return wanted.map((name) => {
    const stream = existing.find((candidate) => candidate.name === name);
    if (stream !== undefined) return stream;
    throw noStreamError(name, param);
  });
}

/** The error for a name, given as `param`, that no stream has. */
export function noStreamError(name: string, param: string): YocoError {
  return new YocoError('stream_not_found', { param, detail: `The name was "${name.slice(0, SHOWN_CHARS)}".` });
}
