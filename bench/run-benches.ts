/** Runs benches one after the other; one that fails takes nothing of the others with it. */
import { YocoError } from '../src/errors.ts';
import type { BenchOptions } from './options.ts';

export type Bench = (options: BenchOptions) => Promise<Record<string, unknown>>;

export interface BenchResults {
  /** What each bench gave, by its name; of one that failed `{ error }`. */
  readonly results: Readonly<Record<string, unknown>>;
  readonly failed: readonly string[];
}

/** `names`: those that are run; none: all. `onNote`: what a person who waits is told. */
export async function runBenches(
  benches: Readonly<Record<string, Bench>>,
  names: readonly string[],
  options: BenchOptions,
  onNote: (line: string) => void,
): Promise<BenchResults> {
  const results: Record<string, unknown> = {};
  const failed: string[] = [];
  for (const [name, bench] of Object.entries(benches)) {
    if (names.length > 0 && !names.includes(name)) continue;
    onNote(`running ${name} ...`);
    try {
      results[name] = await bench(options);
    } catch (error) {
      failed.push(name);
      results[name] = { error: messageOf(error) };
      // Whoever mends it wants to know where it was; what users are told needs no such place.
      onNote(
        `  failed: ${error instanceof Error && !(error instanceof YocoError) ? (error.stack ?? '') : messageOf(error)}`,
      );
    }
  }
  return { results, failed };
}

/** Throws a TypeError that names the bench that there is none of, or the option that the chosen benches do not take. */
export function checkNames(
  benches: Readonly<Record<string, Bench>>,
  names: readonly string[],
  { picture }: Pick<BenchOptions, 'picture'>,
): void {
  const unknown = names.find((name) => !Object.hasOwn(benches, name));
  if (unknown !== undefined) {
    throw new TypeError(`no bench is called ${unknown}; there are ${Object.keys(benches).join(', ')}`);
  }
  // Two would write the same file, one after the other.
  if (picture !== undefined && PICTURES.filter((name) => names.includes(name)).length !== 1) {
    throw new TypeError(`--picture needs exactly one of the benches that draw one: ${PICTURES.join(', ')}`);
  }
}

/** Benches that draw a picture. */
const PICTURES = ['needle', 'failures'];

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
