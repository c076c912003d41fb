import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../../src/config.ts';

describe('ONNX Runtime', () => {
  let home = '';

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'yoco-home-'));
  });

  afterAll(async () => {
    await rm(home, { recursive: true, force: true });
  });

  it('records no telemetry events and no machine id', async () => {
    const model = path.join(PACKAGE_ROOT, 'src', 'model', 'model.ts');
    const bundle = path.join(PACKAGE_ROOT, 'test', 'bundles', 'tiny');
    const program = `
      const { loadModel } = await import(${JSON.stringify(model)});
      const model = await loadModel(${JSON.stringify(bundle)});
      await model.release();
      console.log(process.env.ORT_DISABLE_TELEMETRY);`;
    // The folders it would write to: the user's cache folder and that of temporary files.
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      HOME: home,
      XDG_CACHE_HOME: path.join(home, '.cache'),
      TMPDIR: home,
    };
    delete env['ORT_DISABLE_TELEMETRY'];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', program],
      { cwd: PACKAGE_ROOT, env },
    );
    expect(stdout.trim()).toBe('1');
    const left = (await readdir(home)).filter((name) => !name.startsWith('tsx-'));
    expect(left).toEqual([]);
  });
});
