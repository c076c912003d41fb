/** How the service starts, and how a signal ends it at any time: real processes, the tiny bundle. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { testPicture } from '../support/clips.ts';
import { interrupt, run, start, type Started, startProgram, workplace } from '../support/cli.ts';
import { freePort } from '../support/ports.ts';
import { descendants, type RunningProcess, untilGone } from '../support/processes.ts';

const SLOW = 120_000;

const place = workplace();
const { running } = place;

async function streams(definitions: Record<string, string> = {}): Promise<string> {
  const made = await mkdtemp(path.join(place.folder, 'streams-'));
  for (const [name, text] of Object.entries(definitions)) await writeFile(path.join(made, `${name}.yaml`), text);
  return made;
}

const SIGNALS: readonly [string, (service: Started) => unknown][] = [
  ['SIGTERM', ({ child }) => child.kill('SIGTERM')],
  ['Ctrl-C', interrupt],
];

describe.each(SIGNALS)('%s', (name, signal) => {
  test(
    'cleanly stops a service that npm has started, with all its processes',
    async () => {
      const clip = await place.clips.make('npm.mp4', ...testPicture(3, 10));
      const definitions = await streams({ door: `source: { file: ${clip}, loop: true }\n` });
      const env = { YOCO_PORT: '0', YOCO_STREAMS: definitions, YOCO_TIME_ZONE: 'Asia/Tokyo' };
      const service = startProgram('npm', ['start'], env);
      running.push(service);
      await service.wrote(/"time_zone":"Asia\/Tokyo","msg":"listening"/);
      const children = await descendants(service.child.pid ?? 0);
      signal(service);
      const { status, stderr } = await service.ended;
      expect([status, stderr.includes('"msg":"stopping"')]).toEqual([0, true]);
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );

  test(
    'stops a service that is still loading its model, with status 0',
    async () => {
      // The tiny bundle might be loaded before the signal arrives.
      const service = start(['serve', '--port', '0', '--streams', await streams(), '--bundle', DEFAULT_BUNDLE]);
      running.push(service);
      let children: RunningProcess[] = [];
      while (!children.some(({ command }) => command.includes('engine/process'))) {
        await sleep(10);
        children = await descendants(service.child.pid ?? 0);
      }
      signal(service);
      const { status, stderr } = await service.ended;
      expect([name, status, stderr.includes('listening')]).toEqual([name, 0, false]);
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );
});

test(
  'A service reveals the path of a missing source file only in its log',
  async () => {
    const definitions = await streams({ door: 'source: { file: clips/door.mp4 }\n' });
    const service = start(['serve', '--port', '0', '--streams', definitions]);
    running.push(service);
    const [, address = ''] = await service.wrote(/"address":"(http:[^"]+)"/);
    const status = await (await fetch(`${address}/v1/streams`)).text();
    interrupt(service);
    const { stderr } = await service.ended;
    expect(stderr).toContain(`There is no file at ${path.join(definitions, 'clips/door.mp4')}.`);
    expect([status.includes('door'), status.includes(definitions)]).toEqual([true, false]);
  },
  SLOW,
);

test(
  'A Ctrl-C that arrives twice, from the terminal and from npm, counts once; the next one ends the process at once',
  async () => {
    const program = `
      import { stopSignal } from './src/cli/terminal.ts';
      setInterval(() => undefined, 1000);
      stopSignal().addEventListener('abort', () => {
        console.log('stopping');
        // As npm does.
        process.kill(process.pid, 'SIGINT');
      });
      process.on('SIGINT', () => console.log('heard'));
      console.log('ready');`;
    const stuck = startProgram(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]);
    running.push(stuck);
    await stuck.wrote(/ready/);
    interrupt(stuck);
    await stuck.wrote(/stopping\nheard\nheard\n/);
    // Longer than the time within which another SIGINT counts as the same Ctrl-C.
    await sleep(1_500);
    expect(stuck.child.exitCode).toBeNull();
    interrupt(stuck);
    expect(await stuck.ended).toMatchObject({ status: 130, stdout: 'ready\nstopping\nheard\nheard\n' });
  },
  SLOW,
);

test(
  'A stream that cannot be started is named, with its snapshot',
  async () => {
    const definitions = { yard: 'source: { push: true }\n', door: 'restore: nothing.snap\n' };
    const serve = ['serve', '--port', '0', '--streams', await streams(definitions)];
    const [none, few] = await Promise.all([
      run(serve, { YOCO_SNAPSHOTS: place.folder }),
      run(['serve', '--port', '0', '--streams', await streams({ a: definitions.yard, b: definitions.yard })], {
        YOCO_MAX_STREAMS: '1',
      }),
    ]);
    expect(none.status).toBe(1);
    expect(none.stderr).toContain('Stream door, snapshot nothing.snap');
    expect(none.stderr).toContain('(snapshot_not_found)');
    expect(few.status).toBe(1);
    expect(few.stderr).toContain('Stream b: ');
    expect(few.stderr).toContain('(stream_limit)');
  },
  SLOW,
);

describe('A setting that the server refuses', () => {
  test.each([
    ['api_keys (YOCO_API_KEYS)', { YOCO_API_KEYS: 'hunter2' }],
    [
      'view_keys (YOCO_VIEW_KEYS)',
      { YOCO_API_KEYS: 'hunter2-hunter2-hunter2', YOCO_VIEW_KEYS: 'hunter2-hunter2-hunter2' },
    ],
    ['allowed_origins (YOCO_ALLOWED_ORIGINS)', { YOCO_ALLOWED_ORIGINS: 'https://x/y' }],
    ['allowed_hosts (YOCO_ALLOWED_HOSTS)', { YOCO_ALLOWED_HOSTS: 'h:8080' }],
    ['host (YOCO_HOST)', { YOCO_HOST: '0.0.0.0' }],
    ['tls.key (YOCO_TLS_KEY)', { YOCO_TLS_KEY: '/nowhere/key.pem', YOCO_TLS_CERT: '/nowhere/cert.pem' }],
  ])(
    'is named, without its value: %s',
    async (name, env) => {
      const { status, stdout, stderr } = await run(['serve', '--streams', place.folder], env);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toContain(` ${name}: `);
      expect(stderr).toMatch(/\(config_invalid\)\n$/);
      expect(stderr).not.toContain('hunter2');
    },
    SLOW,
  );
});

// Needs /dev/full, a device that is always full.
describe.skipIf(process.platform !== 'linux')('When output cannot be written', () => {
  const full = (redirected: string, args: readonly string[], env: Record<string, string> = {}): Started => {
    const node = [process.execPath, '--import', 'tsx', 'src/main.ts', ...args];
    const started = startProgram('sh', ['-c', `exec "$0" "$@" ${redirected}`, ...node], env);
    running.push(started);
    return started;
  };

  test(
    'a service runs on without its log, and stops on SIGTERM',
    async () => {
      const port = await freePort();
      const service = full('2>/dev/full', ['serve', '--port', String(port), '--streams', await streams()]);
      const healthy = async (): Promise<number | null> =>
        fetch(`http://127.0.0.1:${port}/healthz`).then(
          ({ status }) => status,
          () => null,
        );
      await expect.poll(healthy, { timeout: 30_000 }).toBe(200);
      await sleep(500);
      expect(await healthy()).toBe(200);
      service.child.kill('SIGTERM');
      expect((await service.ended).status).toBe(0);
    },
    SLOW,
  );

  test(
    'a command reports that its results cannot be written',
    async () => {
      const clip = await place.clips.make('full.mp4', ...testPicture(1, 10));
      const { ended } = full('>/dev/full', ['watch', clip, 'what is shown?']);
      const { status, stderr } = await ended;
      expect([status, stderr]).toEqual([1, expect.stringMatching(/^error: The results cannot be written: .*ENOSPC/m)]);
      expect(stderr).not.toContain('    at ');
    },
    SLOW,
  );
});
