/**
 * What users add to this folder, and git and Docker's build must never pick up: camera addresses, settings and keys.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { PACKAGE_ROOT } from '../../src/config.ts';

const execute = promisify(execFile);

/** A file, with the copies that editors and backups leave of it. */
const leftovers = (folder: string, name: string): string[] =>
  [name, `${name}~`, `${name}.bak`, `.${name}.swp`, `.${name}.swo`, `#${name}#`, `.#${name}`].map((one) =>
    path.posix.join(folder, one),
  );
const SECRETS = [
  ...['door.yaml', 'door.yml'].flatMap((name) => leftovers('streams', name)),
  ...leftovers('streams', 'demo.yaml').slice(1),
  'streams/front/door.yaml',
  'streams/passwords.txt',
  'streams/clips/mine.mp4',
  'streams/clips/photos/door.yaml',
  ...leftovers('', 'yoco.yaml'),
  ...leftovers('', 'yoco.yml'),
  ...leftovers('', 'key.pem'),
  ...leftovers('tls', 'cert.pem'),
  ...leftovers('src', 'tls.key'),
  ...leftovers('models/yoco-small-1', 'tls.key'),
  '.env',
  '.env~',
  '.env.local',
];
const NEEDED = [
  'package.json',
  'src/main.ts',
  'web/index.html',
  'models/yoco-small-1/config.json',
  'models/yoco-small-1/tokenizer.json',
  'streams/demo.yaml',
  'streams/camera.example.yaml',
  'streams/clips/demo.mp4',
];

describe('Git', () => {
  async function ignored(names: readonly string[]): Promise<string[]> {
    const folder = await mkdtemp(path.join(tmpdir(), 'yoco-git-'));
    try {
      await execute('git', ['init', '-q', folder]);
      await copyFile(path.join(PACKAGE_ROOT, '.gitignore'), path.join(folder, '.gitignore'));
      // The exit status is 1 when no name is ignored.
      const args = ['-c', 'core.quotePath=false', '-c', 'core.excludesFile=', 'check-ignore', ...names];
      const { stdout } = await execute('git', args, { cwd: folder }).catch(
        (error: unknown) => error as { stdout: string },
      );
      return stdout.split('\n').slice(0, -1);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  test('ignores the streams, settings and keys that a user adds', async () => {
    expect(await ignored(SECRETS)).toEqual(SECRETS);
  });

  test('does not ignore what belongs to the package', async () => {
    expect(await ignored([...NEEDED, 'streams/clips/README.md', 'streams/clips/make.sh', 'src/keys.ts'])).toEqual([]);
  });

  test.skipIf(!existsSync(path.join(PACKAGE_ROOT, '.git')))('ignores no tracked file', async () => {
    const { stdout } = await execute('git', ['ls-files', '-ci', '--exclude-standard'], { cwd: PACKAGE_ROOT });
    expect(stdout).toBe('');
  });
});

describe('Docker’s build', () => {
  /** As Docker reads .dockerignore: the last pattern that matches the file, or one of its folders, decides. */
  async function leftOut(names: readonly string[]): Promise<string[]> {
    const text = await readFile(path.join(PACKAGE_ROOT, '.dockerignore'), 'utf8');
    const patterns = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => ({ out: !line.startsWith('!'), matches: expression(line.replace(/^!/, '')) }));
    return names.filter((name) => patterns.findLast(({ matches }) => matches.test(name))?.out === true);
  }

  function expression(pattern: string): RegExp {
    const parts: Record<string, string> = { '**/': '(?:.*/)?', '*': '[^/]*', '?': '[^/]', '.': '\\.' };
    const source = pattern.replace(/\[[^\]]*\]|\*\*\/|[*?.]/g, (part) => parts[part] ?? part);
    return new RegExp(`^${source}(?:/.*)?$`);
  }

  test('is not sent the streams, settings and keys that a user adds', async () => {
    expect(await leftOut(SECRETS)).toEqual(SECRETS);
  });

  test('is sent what the Dockerfile copies', async () => {
    const dockerfile = await readFile(path.join(PACKAGE_ROOT, 'Dockerfile'), 'utf8');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    expect(copied).toEqual(expect.arrayContaining(['package-lock.json', 'src', 'models', 'streams']));
    expect(await leftOut(NEEDED)).toEqual([]);
    for (const name of copied) {
      const place = path.join(PACKAGE_ROOT, name);
      const files = statSync(place).isDirectory() ? readdirSync(place).map((one) => `${name}/${one}`) : [name];
      expect(await leftOut(files), name).not.toEqual(files);
    }
  });
});
