/** The command line as a child process, with the tiny bundle. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type ClipFolder, clipFolder } from './clips.ts';
import { TINY_BUNDLE } from './golden.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const MAIN = path.join(ROOT, 'src', 'main.ts');

export interface Ended {
  /** Exit status; null where a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with the first match in what it has written. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>;
}

/** What the tests of one file share. */
export interface Workplace {
  readonly clips: ClipFolder;
  /** For other files. */
  readonly folder: string;
  /** Programs to kill after each test. */
  readonly running: Started[];
}

/** Creates the workplace before the first test of the calling file, and removes it after the last. */
export function workplace(): Workplace {
  const made: { clips?: ClipFolder; folder?: string } = {};
  const running: Started[] = [];
  beforeAll(async () => {
    made.clips = await clipFolder();
    made.folder = await mkdtemp(path.join(tmpdir(), 'yoco-cli-'));
  });
  afterEach(() => {
    killAll(running);
  });
  afterAll(async () => {
    await made.clips?.remove();
    if (made.folder !== undefined) await rm(made.folder, { recursive: true, force: true });
  });
  const ready = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('There is no workplace outside of tests.');
    return part;
  };
  return {
    get clips() {
      return ready(made.clips);
    },
    get folder() {
      return ready(made.folder);
    },
    running,
  };
}

/** Of this shell's YOCO_ variables the child gets only YOCO_FFMPEG. */
function environment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('YOCO_') || name === 'YOCO_FFMPEG');
  return { ...Object.fromEntries(own), YOCO_BUNDLE: TINY_BUNDLE, YOCO_THREADS: '1', ...more };
}

export function start(args: readonly string[], env: Record<string, string> = {}, viaNpx = false): Started {
  const [program, before] = viaNpx ? ['npx', ['tsx']] : [process.execPath, ['--import', 'tsx']];
  return startProgram(program, [...before, MAIN, ...args], env);
}

/** Starts it in a process group of its own, as a terminal does: a Ctrl-C reaches the whole group (see `interrupt`). */
export function startProgram(program: string, args: readonly string[], env: Record<string, string> = {}): Started {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const written = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
      for (const check of waiting) check();
    });
  }
  const ended = once(child, 'close').then(([status]) => ({ status: status as number | null, ...written }));
  return {
    child,
    ended,
    wrote(pattern) {
      return new Promise((resolve, reject) => {
        const check = (): void => {
          const match = pattern.exec(written.stdout) ?? pattern.exec(written.stderr);
          if (match === null) return;
          waiting.delete(check);
          resolve(match);
        };
        waiting.add(check);
        check();
        void ended.then(() => {
          reject(new Error(`It ended without ${String(pattern)}: ${written.stdout}${written.stderr}`));
        });
      });
    },
  };
}

export const run = (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
  start(args, env).ended;

/** Kills the programs that still run, with their process groups. */
export function killAll(started: Started[]): void {
  for (const { child } of started.splice(0)) {
    const { exitCode, signalCode, pid } = child;
    if (exitCode === null && signalCode === null && pid !== undefined) process.kill(-pid, 'SIGKILL');
  }
}

/** Interrupts its process group, as a Ctrl-C in its terminal does. */
export function interrupt({ child }: Started): void {
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
}
