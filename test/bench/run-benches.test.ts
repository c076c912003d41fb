import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BenchOptions } from '../../bench/options.ts';
import { checkNames, runBenches } from '../../bench/run-benches.ts';
import { PACKAGE_ROOT } from '../../src/config.ts';

const OPTIONS = { quick: true, picture: undefined } as unknown as BenchOptions;

describe('Benches', () => {
  const benches = {
    first: () => Promise.resolve({ figure: 1 }),
    second: () => Promise.reject(new Error('no such folder')),
    third: ({ quick }: BenchOptions) => Promise.resolve({ quick }),
  };

  test('report their results when another one fails, and why it failed', async () => {
    const notes: string[] = [];
    const outcome = await runBenches(benches, [], OPTIONS, (line) => notes.push(line));
    expect(outcome).toEqual({
      results: { first: { figure: 1 }, second: { error: 'no such folder' }, third: { quick: true } },
      failed: ['second'],
    });
    expect(notes.join()).toContain('failed: Error: no such folder');
  });

  test('run only when named, if any is named', async () => {
    const { results, failed } = await runBenches(benches, ['third', 'first'], OPTIONS, () => undefined);
    expect([Object.keys(results), failed]).toEqual([['first', 'third'], []]);
  });

  test('are known only by their own names', () => {
    expect(() => {
      checkNames(benches, ['first', 'constructor'], { picture: undefined });
    }).toThrow('no bench is called constructor; there are first, second, third');
  });

  test.each([
    [['needle'], true],
    [['failures', 'signs'], true],
    [['needle', 'failures'], false],
    [['signs'], false],
    [[], false],
  ])('%j take a picture: %s', (names, taken) => {
    const all = { needle: benches.first, failures: benches.first, signs: benches.first };
    const check = (): void => {
      checkNames(all, names, { picture: 'picture.svg' });
    };
    if (taken) expect(check).not.toThrow();
    else expect(check).toThrow('--picture needs exactly one of the benches that draw one: needle, failures');
  });
});

describe('The bench command', () => {
  const bench = (...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const main = path.join(PACKAGE_ROOT, 'bench', 'main.ts');
      // The command gets none of this shell's YOCO_ variables.
      const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('YOCO_')));
      const options = { cwd: PACKAGE_ROOT, env };
      execFile(process.execPath, ['--import', 'tsx', main, ...args], options, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });

  test('prints exactly one object with --json, including failures, and then exits with status 1', async () => {
    const { status, stdout, stderr } = await bench('needle', 'llamacpp', '--data', '/nowhere', '--quick', '--json');
    expect(status).toBe(1);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toEqual({
      machine: expect.objectContaining({ cores: expect.any(Number) as number }) as object,
      needle: { error: expect.stringContaining('/nowhere') as string },
      llamacpp: { skipped: expect.stringContaining('node-llama-cpp') as string },
    });
    expect(stderr).toContain('failed: needle');
    expect(stderr).not.toContain('    at ');
  }, 120_000);

  test('makes haystacks of a video, and names the one that it cannot read', async () => {
    const needleOf = async (footage: string): Promise<object> => {
      const { stdout } = await bench('needle', '--footage', footage, '--seconds', '10', '--needles', '2', '--json');
      return (JSON.parse(stdout) as { needle: object }).needle;
    };
    expect(await needleOf('streams/clips/demo.mp4')).toMatchObject({
      hay: expect.stringMatching(/^demo\.mp4, 1[34]\d frames$/) as string,
      atSeconds: { '10': { needles: 2, absent: 2 } },
    });
    expect(await needleOf('streams/clips/none.mp4')).toEqual({
      error: expect.stringContaining('none.mp4') as string,
    });
  }, 120_000);

  test('prints lines for a person, and exits with status 0 when a bench is skipped', async () => {
    const { status, stdout } = await bench('llamacpp');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^machine\n {2}cpu /);
    expect(stdout).toMatch(/^llamacpp\n {2}skipped /m);
  }, 120_000);

  test('refuses an unknown bench', async () => {
    const { status, stdout, stderr } = await bench('toString');
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('no bench is called toString');
  }, 120_000);
});
