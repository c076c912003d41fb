/** Starts processes that run the model, tuned so that little stays resident besides the model and the caches. */
import { type ChildProcess, fork, type ForkOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * MiB of each semi-space of V8's young generation, which holds the garbage of the runs. With the default of 16, dead
 * objects keep as much again in buffers alive outside the heap.
 */
const SEMI_SPACE_MIB = 1;
const SEMI_SPACE_FLAG = '--max-semi-space-size';
/**
 * One malloc arena for all threads: the threads of a run hardly allocate, and memory that was once in an arena of their
 * own stays there.
 */
const ARENA_SETTING = { MALLOC_ARENA_MAX: '1' };
/**
 * Freed memory stays in the heap for the next run, which is slower if it has to fault every page in again. Both
 * thresholds are set, since with only one malloc maps larger blocks each time (mallopt(3)).
 */
const THRESHOLD_SETTINGS = {
  MALLOC_MMAP_THRESHOLD_: String(32 * 2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(128 * 2 ** 20),
};

const launcher = fileURLToPath(new URL('./from-source.js', import.meta.url));

/** `entry` is the compiled or the source file. Flags and variables that are already set stay as they are. */
export function forkLean(entry: string, options: ForkOptions = {}): ChildProcess {
  const flags = [...leanFlags(process.execArgv, process.env), ...(options.execArgv ?? [])];
  const env = leanEnvironment(process.env);
  // Sources go through the launcher: tsx's loader for ES modules keeps a thread with a heap of its own for good.
  const [file, args] = entry.endsWith('.ts') ? [launcher, [entry]] : [entry, []];
  return fork(file, args, { ...options, execArgv: flags, env });
}

const LOADER_FLAG = /^(-r|--require|--import|--loader|--experimental-loader)(=|$)/;
/**
 * Code that this process runs in place of a file. A child that inherited it would run it again and start a child of its
 * own.
 */
const EVAL_FLAG = /^(-e|-p|-pe|--eval|--print|--input-type)(=|$)/;
const TSX_PATH = /(^|[\\/])tsx([\\/]|$)/;

/** This process's flags without tsx's loader and code to evaluate, plus the semi-space size, for a child. */
export function leanFlags(own: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const flags: string[] = [];
  for (let i = 0; i < own.length; i++) {
    const [flag = '', next = ''] = [own[i], own[i + 1]];
    const [loads, evaluates] = [LOADER_FLAG.test(flag), EVAL_FLAG.test(flag)];
    const hasSeparateValue = (loads || evaluates) && !flag.includes('=');
    const isDropped = evaluates || (loads && TSX_PATH.test(hasSeparateValue ? next : flag));
    if (!isDropped) flags.push(...(hasSeparateValue ? [flag, next] : [flag]));
    if (hasSeparateValue) i++;
  }
  const set = [...flags, env['NODE_OPTIONS'] ?? ''].some((text) => text.replaceAll('_', '-').includes(SEMI_SPACE_FLAG));
  return set ? flags : [...flags, `${SEMI_SPACE_FLAG}=${SEMI_SPACE_MIB}`];
}

/**
 * Adds the malloc settings that are not set yet, be it as a variable or as a glibc tunable, which glibc reads first. If
 * either threshold is set, both stay as they are.
 */
export function leanEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const set = (variable: string, tunable: string): boolean =>
    variable in env || env['GLIBC_TUNABLES']?.includes(tunable) === true;
  const heaps = set('MALLOC_ARENA_MAX', 'arena_max') ? {} : ARENA_SETTING;
  const kept =
    set('MALLOC_MMAP_THRESHOLD_', 'mmap_threshold') || set('MALLOC_TRIM_THRESHOLD_', 'trim_threshold')
      ? {}
      : THRESHOLD_SETTINGS;
  return { ...env, ...heaps, ...kept };
}
