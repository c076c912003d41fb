/**
 * How a process that runs the model is started, so that little stays resident in it beside the model and the caches.
 */
import { type ChildProcess, fork, type ForkOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * MiB of each half of V8's young generation. It holds what a run leaves behind, and 16 by default: what is dead already
 * then keeps as much again of buffers alive outside.
 */
const SEMI_SPACE_MIB = 1;
const SEMI_SPACE_FLAG = '--max-semi-space-size';
/**
 * One heap of malloc for all threads: those of a run hardly allocate, and what a heap of their own once held stays
 * there.
 */
const HEAPS = { MALLOC_ARENA_MAX: '1' };
/**
 * What a run frees stays in the heap for the next one, which takes longer where it has to fetch each page of memory
 * anew. Both thresholds are set: with one alone malloc maps larger blocks each time (mallopt(3)).
 */
const KEPT = {
  MALLOC_MMAP_THRESHOLD_: String(32 * 2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(128 * 2 ** 20),
};

const launcher = fileURLToPath(new URL('./from-source.js', import.meta.url));

/** `entry`: the file, compiled or of the sources. Flags and variables that somebody has set stay as they are. */
export function forkLean(entry: string, options: ForkOptions = {}): ChildProcess {
  const flags = [...leanFlags(process.execArgv, process.env), ...(options.execArgv ?? [])];
  const env = leanEnvironment(process.env);
  // From source by the launcher: the loader of `tsx` for modules keeps a thread with a heap of its own, for good.
  const [file, args] = entry.endsWith('.ts') ? [launcher, [entry]] : [entry, []];
  return fork(file, args, { ...options, execArgv: flags, env });
}

const LOADS = /^(-r|--require|--import|--loader|--experimental-loader)(=|$)/;
/**
 * What this process runs in place of a file: a child that took it over would run it again, and start a child of its
 * own.
 */
const EVALUATES = /^(-e|-p|-pe|--eval|--print|--input-type)(=|$)/;
const IN_TSX = /(^|[\\/])tsx([\\/]|$)/;

/** Flags of this process that a child of its own loader takes over, and what it takes besides. */
export function leanFlags(own: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const flags: string[] = [];
  for (let i = 0; i < own.length; i++) {
    const [flag = '', next = ''] = [own[i], own[i + 1]];
    const [loads, evaluates] = [LOADS.test(flag), EVALUATES.test(flag)];
    const apart = (loads || evaluates) && !flag.includes('=');
    const left = evaluates || (loads && IN_TSX.test(apart ? next : flag));
    if (!left) flags.push(...(apart ? [flag, next] : [flag]));
    if (apart) i++;
  }
  const set = [...flags, env['NODE_OPTIONS'] ?? ''].some((text) => text.replaceAll('_', '-').includes(SEMI_SPACE_FLAG));
  return set ? flags : [...flags, `${SEMI_SPACE_FLAG}=${SEMI_SPACE_MIB}`];
}

/**
 * What somebody has set stays, as a variable or as one of glibc's tunables, which it reads first; of both thresholds if
 * of one.
 */
export function leanEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const set = (variable: string, tunable: string): boolean =>
    variable in env || env['GLIBC_TUNABLES']?.includes(tunable) === true;
  const heaps = set('MALLOC_ARENA_MAX', 'arena_max') ? {} : HEAPS;
  const kept =
    set('MALLOC_MMAP_THRESHOLD_', 'mmap_threshold') || set('MALLOC_TRIM_THRESHOLD_', 'trim_threshold') ? {} : KEPT;
  return { ...env, ...heaps, ...kept };
}
