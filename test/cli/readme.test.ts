/** The WebSocket example of the README, as a reader runs it. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PACKAGE_ROOT } from '../../src/config.ts';
import { Streams } from '../../src/live/live-service.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { type Ended, startProgram } from '../support/cli.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { freePort } from '../support/ports.ts';
import { png } from '../support/pushing.ts';

const SLOW = 120_000;

let live: Streams;
let server: RunningServer;
let example: string;
beforeAll(async () => {
  live = await Streams.start({ engine: { bundle: TINY_BUNDLE, threads: 1 } });
  server = await startServer(live, { port: 0 });
  const readme = await readFile(path.join(PACKAGE_ROOT, 'README.md'), 'utf8');
  const block = readme.split('```js\n').find((text) => text.includes('new WebSocket('));
  example = block?.split('```')[0] ?? '';
}, SLOW);
afterAll(async () => {
  await server.close();
  await live.close();
});

/** Imports `ws`, as Node 20 has no WebSocket of its own. */
function runExample(port: number, stream = 'demo'): Promise<Ended> {
  const code = example.replace('127.0.0.1:8080', `127.0.0.1:${port}`).replace('stream=demo', `stream=${stream}`);
  return startProgram(process.execPath, ['--input-type=module', '-e', `import { WebSocket } from 'ws';\n${code}`])
    .ended;
}

test(
  'The example prints the answer and its evidence, or says what went wrong',
  async () => {
    const stream = await live.create({ name: 'demo', source: { push: true } }, 'operator');
    const early = await runExample(server.port);
    expect(early).toMatchObject({ status: 0, stdout: '', stderr: expect.stringContaining('no frame yet') as string });

    for (let i = 0; i <= 12; i++) {
      await stream.push(await png(i), i * 1000);
      await expect.poll(() => stream.status().frames).toBe(i + 1);
    }
    const answered = await runExample(server.port);
    expect(answered).toMatchObject({ status: 0, stderr: '' });
    expect(answered.stdout).toContain('peak:');

    for (const refused of [await runExample(server.port, 'nobody'), await runExample(await freePort())]) {
      expect(refused).toMatchObject({ status: 0, stdout: '' });
      expect(refused.stderr).toMatch(/^No service answers, or it refuses/);
    }
  },
  SLOW,
);
