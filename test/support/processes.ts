/** Running processes, read from /proc. */
import { readdir, readFile } from 'node:fs/promises';

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** All processes that run. */
export async function running(): Promise<RunningProcess[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      try {
        const [stat, command] = await Promise.all([
          readFile(`/proc/${name}/stat`, 'utf8'),
          readFile(`/proc/${name}/cmdline`, 'utf8'),
        ]);
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (state === 'Z') return undefined; // it has ended
        return { pid: Number(name), parent: Number(parent), command: command.replaceAll('\0', ' ') };
      } catch {
        return undefined; // it ended meanwhile
      }
    }),
  );
  return found.filter((process) => process !== undefined);
}

/** The children of a process, their children, and so on. */
export async function descendants(pid: number): Promise<RunningProcess[]> {
  const all = await running();
  const found: RunningProcess[] = [];
  for (let parents = [pid]; parents.length > 0;) {
    const children = all.filter(({ parent }) => parents.includes(parent));
    found.push(...children);
    parents = children.map((child) => child.pid);
  }
  return found;
}

export async function isRunning(pid: number): Promise<boolean> {
  return (await running()).some((process) => process.pid === pid);
}

/** Resolves when none of these processes runs; rejects after `limitMs` with those that still do. */
export async function untilGone(pids: readonly number[], limitMs = 15_000): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    const left = (await running()).filter(({ pid }) => pids.includes(pid));
    if (left.length === 0) return;
    if (Date.now() > end) throw new Error(`Still running: ${JSON.stringify(left)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
