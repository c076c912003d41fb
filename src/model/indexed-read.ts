/**
 * The passes of a reading through the index.
 *
 * Only the first layer's queries depend on the question alone; those of later layers depend on what was read before
 * them. So an answer's first token takes three passes. The first reads the newest part of the cache, the second what
 * its queries find, and the third, the answer's, what the second's queries find. Every later token starts from the
 * queries of the token before it. All layers read the same frames.
 */
import type { Reading } from './reader.ts';

export interface IndexedPasses<Part, R extends Reading> {
  /** The newest part of the cache, which the first pass reads. */
  newest(): Promise<Part>;
  /** What `queries` find. `isGuiding`: only the queries of the reading are needed, and a smaller part will do. */
  find(queries: Float32Array, isGuiding: boolean): Promise<Part>;
  /** Reads a part, for one token of an answer. */
  read(part: Part): Promise<R>;
}

/** Reads one token. `queries`: those of the answer's previous token; undefined for the first. */
export async function readThroughIndex<Part, R extends Reading>(
  queries: Float32Array | undefined,
  passes: IndexedPasses<Part, R>,
): Promise<R> {
  return passes.read(await passes.find(queries ?? (await guidingQueries(passes)), false));
}

async function guidingQueries<Part>(passes: IndexedPasses<Part, Reading>): Promise<Float32Array> {
  const newest = await passes.read(await passes.newest());
  const guiding = await passes.read(await passes.find(newest.queries, true));
  return guiding.queries;
}
