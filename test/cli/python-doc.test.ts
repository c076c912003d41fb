/**
 * The programs of docs/python.md, as a reader runs them. Programs for which this machine lacks Python or a package are
 * skipped.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { PACKAGE_ROOT } from '../../src/config.ts';
import { Streams } from '../../src/live/live-service.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { signingKeyOf, Webhook } from '../../src/server/webhook.ts';
import { killAll, startProgram, type Started } from '../support/cli.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { freePort } from '../support/ports.ts';
import { pushed } from '../support/pushing.ts';

const SLOW = 60_000;
const SECRET = 'a-secret-of-the-tests-0123';
const PICTURE = path.join(PACKAGE_ROOT, 'test', 'recorded', 'photos', 'coral-reef.jpg');

const programs = readFileSync(path.join(PACKAGE_ROOT, 'docs', 'python.md'), 'utf8')
  .split('```python\n')
  .slice(1)
  .map((text) => text.split('```')[0] ?? '');

/** The one program that contains `name`. Throws unless there is exactly one. */
function program(name: string): string {
  const found = programs.filter((text) => text.includes(name));
  if (found.length !== 1) throw new Error(`${found.length} programs have ${name}.`);
  return found[0] ?? '';
}

const imports = (module: string): boolean => spawnSync('python3', ['-c', `import ${module}`]).status === 0;

describe('docs/python.md', () => {
  let live: Streams;
  let server: RunningServer;
  const running: Started[] = [];
  beforeAll(async () => {
    live = await Streams.start({ engine: { bundle: TINY_BUNDLE, threads: 1 } });
    server = await startServer(live, { port: 0 });
    await pushed(live, 'demo', 25);
  }, SLOW);
  afterEach(() => {
    killAll(running);
  });
  afterAll(async () => {
    await server.close();
    await live.close();
  });

  function run(code: string): Started {
    const text = code
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${server.port}`)
      .replace('yoco-small-1@', `${live.bundle.name}@`);
    const started = startProgram('python3', ['-c', text], { DOOR_WEBHOOK_SECRET: SECRET });
    running.push(started);
    return started;
  }

  it.skipIf(!imports('openai'))(
    'asks with the official package',
    async () => {
      const { status, stdout, stderr } = await run(program('import OpenAI')).ended;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/^.+\n(\d{4}-\d\d-\d\dT[\d:.]+Z [\d.]+\n)+$/);
    },
    SLOW,
  );

  it.skipIf(!imports('websockets.sync.client'))(
    'reads an answer over a WebSocket as it is written',
    async () => {
      const { status, stdout, stderr } = await run(program('import connect')).ended;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout.trim()).not.toBe('');
    },
    SLOW,
  );

  it.skipIf(!imports('urllib.request'))(
    'pushes a picture',
    async () => {
      const code = program('import Request').replace('"picture.jpg"', JSON.stringify(PICTURE));
      const { status, stdout, stderr } = await run(code).ended;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/'accepted': True/);
      await vi.waitFor(() => {
        expect(live.get('mine').status().frames).toBe(1);
      }, 10_000);
    },
    SLOW,
  );

  it.skipIf(!imports('http.server'))(
    'accepts webhook events with a valid signature, and no others',
    async () => {
      const port = await freePort();
      const receiver = run(program('HTTPServer').replace('9000', String(port)));
      const warnings: string[] = [];
      const open = (secret: string): Webhook =>
        new Webhook({
          url: `http://127.0.0.1:${port}/`,
          key: signingKeyOf(secret) ?? Buffer.alloc(0),
          // The first attempts may come before Python listens.
          retryDelaysMs: Array.from({ length: 100 }, () => 200),
          onWarning: (message) => warnings.push(message),
        });
      const event = { type: 'yoco.standing_question.answered', stream: 'door', answer: 'yes' };
      open(SECRET).send(event);
      await receiver.wrote(/^door yoco\.standing_question\.answered yes$/m);
      expect(warnings).toEqual([]);
      const stranger = open('another-secret-0123456');
      stranger.send({ ...event, answer: 'no' });
      await stranger.whenDrained();
      expect(warnings).toEqual([expect.stringMatching(/it answers 401/)]);
    },
    SLOW,
  );
});
