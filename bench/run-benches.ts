/** Runs benches one after the other; a failure does not affect the others. */
import { YocoError } from '../src/errors.ts';
import type { BenchOptions } from './options.ts';

export type Bench = (options: BenchOptions) => Promise<Record<string, unknown>>;

export interface BenchResults {
  /** Results by the name of the bench; `{ error }` for one that failed. */
  readonly results: Readonly<Record<string, unknown>>;
  readonly failed: readonly string[];
}

/** Runs the benches in `names`, or all if it is empty. `onNote` receives progress for the user. */
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
      // A bug needs its stack to be found; a YocoError is a message to users and needs none.
      onNote(
        `  failed: ${error instanceof Error && !(error instanceof YocoError) ? (error.stack ?? '') : messageOf(error)}`,
      );
    }
  }
  return { results, failed };
}

/** Throws a TypeError that names an unknown bench, or an option that does not suit the chosen benches. */
export function checkNames(
  benches: Readonly<Record<string, Bench>>,
  names: readonly string[],
  { picture }: Pick<BenchOptions, 'picture'>,
): void {
  const unknown = names.find((name) => !Object.hasOwn(benches, name));
  if (unknown !== undefined) {
    throw new TypeError(`no bench is called ${unknown}; there are ${Object.keys(benches).join(', ')}`);
  }
  // Two benches would overwrite the same file.
  if (picture !== undefined && PICTURE_BENCHES.filter((name) => names.includes(name)).length !== 1) {
    throw new TypeError(`--picture needs exactly one of the benches that draw one: ${PICTURE_BENCHES.join(', ')}`);
  }
}

/** Benches that draw a picture. */
const PICTURE_BENCHES = ['needle', 'failures'];

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
