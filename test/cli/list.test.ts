/** `list`, and what `ask` says of an old newest frame. The service has no model. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { oldFrames } from '../../src/cli/newest-frame.ts';
import { wallText } from '../../src/cli/wall-text.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { FakeLiveService, FakeStream } from '../server/fake-live-service.ts';
import { run } from '../support/cli.ts';

const SLOW = 120_000;
const KEY = 'a-key-of-more-than-16-characters';
const HOUR_MS = 3_600_000;

let live: FakeLiveService;
let server: RunningServer;
let kitchen: FakeStream;
let door: FakeStream;
beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, drainMs: 0, apiKeys: [KEY] });
  [kitchen, door] = [live.stream('kitchen'), live.stream('door')];
});
afterEach(async () => {
  await server.close();
});

/** Dating a newest frame this far ahead keeps it from being old, however long a command takes to start. */
const AHEAD_MS = HOUR_MS / 2;

/** Dates the stream so that its newest frame is `ms` old now. */
function age(stream: FakeStream, ms: number): void {
  stream.startedAtMs = Date.now() - ms - (stream.lastMs ?? 0);
}

const command = (...args: string[]) => run(args, { YOCO_SERVER: server.address, YOCO_API_KEY: KEY });

describe('list', () => {
  test(
    'prints a line per stream: state and error, frames, age of the newest, what is kept, memory, description',
    async () => {
      age(kitchen, 3.5 * HOUR_MS);
      kitchen.state = 'reconnecting';
      kitchen.error = { code: 'source_unreachable', message: 'The source cannot be reached.' };
      door.description = 'Front\n\u001b\u009bdoor';
      [door.firstMs, door.lastMs] = [null, null];
      // A source that plays again still has its last error.
      door.error = { code: 'source_silent', message: 'The source sent no frame for too long.' };
      live.streams.set('tape', Object.assign(new FakeStream('tape'), { wallTimes: 'recorded', state: 'ended' }));
      expect(await run(['list'], { YOCO_SERVER: server.address, YOCO_API_KEY: KEY, YOCO_TIME_ZONE: 'UTC' })).toEqual({
        status: 0,
        stdout:
          'door     playing                            121 frames  nothing kept                              1.2 of 488 MB  Front door\n' +
          'kitchen  reconnecting (source_unreachable)  121 frames  newest 3 h old                 0:00-1:00  1.2 of 488 MB\n' +
          'tape     ended                              121 frames  newest of 2030-01-01 00:01:00  0:00-1:00  1.2 of 488 MB\n',
        stderr: '',
      });
    },
    SLOW,
  );

  test(
    'mentions a camera that has sent the same picture for a minute or more, but no recording and no source that is away',
    async () => {
      const still = { lastMs: 400_000, unchangedMs: 330_000 };
      Object.assign(kitchen, still);
      Object.assign(door, still, { unchangedMs: 59_500 });
      live.streams.set('tape', Object.assign(new FakeStream('tape'), still, { wallTimes: 'recorded' }));
      live.streams.set('yard', Object.assign(new FakeStream('yard'), still, { state: 'reconnecting' }));
      const { stdout } = await command('list');
      expect(stdout.split('\n').map((line) => line.split(/ {2,}/)[1])).toEqual([
        'playing',
        'playing, picture unchanged for 5 min',
        'playing',
        'reconnecting',
        undefined,
      ]);
    },
    SLOW,
  );

  test(
    'prints the response of the service with --json, and says when there are no streams',
    async () => {
      const { status, stdout } = await command('list', '--json');
      expect(status).toBe(0);
      expect(stdout.trim().split('\n')).toHaveLength(1);
      expect(JSON.parse(stdout)).toMatchObject({
        object: 'list',
        bundle: { name: 'tiny' },
        data: [
          { name: 'kitchen', state: 'playing', last_time: '2030-01-01T00:01:00.000Z', cache: { bytes: 1_239_040 } },
          { name: 'door' },
        ],
      });
      live.streams.clear();
      expect(await command('list')).toEqual({ status: 0, stdout: '', stderr: 'The service has no streams.\n' });
    },
    SLOW,
  );

  test(
    'needs the key, as `ask` does, and a yoco-live service',
    async () => {
      const other = createServer((_request, response) => response.end('{"data":[{"name":"door"}]}'));
      other.listen(0, '127.0.0.1');
      await once(other, 'listening');
      const refused = await Promise.all([
        run(['list', '--server', server.address]),
        run(['list', '--server', 'http://127.0.0.1:1']),
        run(['list', '--server', `http://127.0.0.1:${(other.address() as AddressInfo).port}`]),
      ]);
      other.close();
      expect(refused.map(({ status, stdout, stderr }) => [status, stdout, /\((\w+)\)\n$/.exec(stderr)?.[1]])).toEqual([
        [1, '', 'unauthorized'],
        [1, '', 'service_unreachable'],
        [1, '', 'service_unreachable'],
      ]);
    },
    SLOW,
  );
});

describe('ask', () => {
  test(
    'reports an old newest frame, but not when a moment was chosen',
    async () => {
      age(kitchen, 3.5 * HOUR_MS);
      age(door, -AHEAD_MS);
      const now = await command('ask', 'kitchen', 'What is shown now?');
      const asOf = wallText(new Date(kitchen.startedAtMs + 60_000).toISOString());
      expect(now.stderr).toBe(
        `  as of ${asOf} (1:00); newest frame 3 h old; evidence 0:50-0:52, 0:59-1:00; confidence 0.75; first word after 12 ms\n`,
      );
      const [chosen, fresh, both] = await Promise.all([
        command('ask', 'kitchen', 'What is shown now?', '--as-of', '30', '--since', '-20s'),
        command('ask', 'door', 'What is shown now?'),
        command('ask', '--all', 'Which?', '--json'),
      ]);
      expect(chosen.stderr).toMatch(
        /^ {2}as of [^;]*:\d\d \(0:30\), from [^;]*:\d\d \(0:10\); evidence [^;]+; confidence 0\.75; first word/,
      );
      expect(fresh.stderr).toMatch(/^ {2}as of [^;]*:\d\d \(1:00\); evidence /);
      expect(JSON.parse(both.stdout)).toMatchObject({
        as_of: null,
        as_of_time: new Date(door.startedAtMs + 60_000).toISOString(),
      });
    },
    SLOW,
  );

  test(
    'names the stream with an old newest frame among several, also for standing questions, but no recording',
    async () => {
      age(kitchen, 3.5 * HOUR_MS);
      age(door, -AHEAD_MS);
      const several = await command('ask', 'door,kitchen', 'Which?');
      expect(several.stderr).toMatch(/^ {2}as of [^;]*:\d\d; newest frame of kitchen 3 h old; evidence door 0:50/);
      kitchen.wallTimes = 'recorded';
      expect((await command('ask', 'kitchen', 'What is shown?')).stderr).toMatch(/^ {2}as of [^;]*\(1:00\); evidence /);
      kitchen.wallTimes = 'live';
      kitchen.state = 'ended';
      const standing = await command('ask', 'kitchen', 'Now?', '--standing');
      expect(standing.stderr).toMatch(/^ {2}as of [^;]*\(1:00\); newest frame 3 h old; evidence /);
    },
    SLOW,
  );
});

describe('The age of a newest frame', () => {
  /** The old frames found by the clock of a service that is an hour behind, where the newest is `newestMs` old. */
  async function agesBehind(newestMs: number, fps: number) {
    const nowMs = Date.now() - HOUR_MS;
    const behind = createServer((_request, response) => {
      response.setHeader('date', new Date(nowMs).toUTCString());
      response.end(JSON.stringify({ fps, last_time: new Date(nowMs - newestMs).toISOString() }));
    });
    behind.listen(0, '127.0.0.1');
    await once(behind, 'listening');
    const ages = await oldFrames(`http://127.0.0.1:${(behind.address() as AddressInfo).port}`, ['porch']);
    behind.close();
    return ages;
  }

  test('is measured by the clock of the service, which dated the frame', async () => {
    expect(await agesBehind(5_000, 2)).toEqual([]);
    const [old] = await agesBehind(60_000, 2);
    expect(old?.stream).toBe('porch');
    expect(Math.round((old?.ageMs ?? 0) / 1_000)).toBeOneOf([59, 60]);
  });

  test('is not reported for a slow stream within two frame intervals', async () => {
    expect(await agesBehind(15_000, 0.1)).toEqual([]);
    expect(await agesBehind(25_000, 0.1)).toHaveLength(1);
  });

  test('is not reported when the service gives none', async () => {
    expect(await oldFrames('http://127.0.0.1:1', ['porch'])).toEqual([]);
    expect(await oldFrames(server.address, ['nobody'])).toEqual([]);
  });
});
