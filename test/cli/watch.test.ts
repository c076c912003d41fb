/** How `watch` ends: with a source that goes away or fails, by a signal, or before it has begun. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { testPicture } from '../support/clips.ts';
import { interrupt, run, start, type Started, workplace } from '../support/cli.ts';
import { freePort } from '../support/ports.ts';
import { descendants, type RunningProcess, untilGone } from '../support/processes.ts';

const SLOW = 120_000;
const CLIP = testPicture(3, 10);

const place = workplace();
const { running } = place;

/** The lines that are not empty, without the warning about an old ffmpeg. */
const linesOf = (text: string): string[] => text.split('\n').filter((line) => !/^$|is older than version 5/.test(line));

describe('A source that goes away', () => {
  test(
    'after its first frames is still asked about, with a warning',
    async () => {
      // Without a length, like live MPEG-TS; only the first connection delivers anything.
      const video = await readFile(await place.clips.make('live.ts', ...CLIP));
      let requests = 0;
      const server = createServer((_request, response) => {
        if (++requests === 1) response.end(video);
        else response.destroy();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const url = `http://user:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}/live.ts`;
      const { status, stdout, stderr } = await run(['watch', url, 'What is shown now?', '--json']);
      server.close();
      expect([status, requests > 1]).toEqual([0, true]);
      expect(JSON.parse(stdout)).toMatchObject({
        frames: 6,
        answers: [{ question: 'What is shown now?', answer: expect.any(String) as string, as_of: 2.5 }],
      });
      const warnings = linesOf(stderr).filter((line) => line.startsWith('warning: '));
      expect(warnings).toEqual([expect.stringMatching(/the 6 frames up to 0:02 .*\(source_unreachable\)$/)]);
      expect(linesOf(stderr).filter((line) => !line.endsWith('Retrying. (source_unreachable)'))).toEqual(warnings);
      expect(stderr).not.toContain('hunter2');
    },
    SLOW,
  );

  test(
    'before its first frame is reported once',
    async () => {
      const missing = await run(['watch', '/nowhere/video.mp4', 'What is this?']);
      expect([missing.status, linesOf(missing.stderr)]).toEqual([
        1,
        [expect.stringMatching(/^error: .*\(source_not_found\)$/)],
      ]);
      const camera = await run(['watch', `rtsp://127.0.0.1:${await freePort()}/live`, 'What is this?']);
      expect([camera.status, linesOf(camera.stderr)]).toEqual([
        1,
        [
          expect.stringMatching(/Retrying\. \(source_unreachable\)$/),
          expect.stringMatching(/^error: .*\(source_unreachable\)$/),
        ],
      ]);
    },
    SLOW,
  );
});

describe('Before anything is started', () => {
  test.each([
    ['--seconds', 'abc', 'a number above 0'],
    ['--seconds', '0', 'a number above 0'],
    ['--seconds', '-3', 'a number above 0'],
    ['--fps', 'abc', 'a number from 0.1 to 30'],
    ['--recorded-at', '9 pm', 'a wall time with its zone, such as 2030-01-31T12:00:00+01:00'],
  ])(
    '%s %j is refused',
    async (flag, value, expected) => {
      // If the engine were started, it would report the missing bundle instead.
      const args = ['watch', 'a.mp4', 'What?', '--bundle', '/nowhere', flag, value];
      const { status, stdout, stderr } = await run(args);
      expect([status, stdout]).toEqual([1, '']);
      expect(linesOf(stderr)).toEqual([expect.stringContaining(`${flag}: expected ${expected}.`)]);
    },
    SLOW,
  );

  test(
    'an address whose password is not URL-encoded is refused, without repeating the password',
    async () => {
      const args = ['watch', 'rtsp://admin:12345#@127.0.0.1/live', 'What?', '--bundle', '/nowhere'];
      const { status, stdout, stderr } = await run(args);
      expect([status, stdout]).toEqual([1, '']);
      expect(linesOf(stderr)).toEqual([expect.stringMatching(/ source\.url: .*%23.*\(definition_invalid\)$/)]);
      expect(stderr).not.toContain('12345');
    },
    SLOW,
  );
});

describe('A question that names a time of day', () => {
  const QUESTION = 'Was there a dog after 9 pm?';

  test(
    'is about the time of the recording, in the configured zone, with --recorded-at',
    async () => {
      const file = await place.clips.make('evening.mp4', ...CLIP);
      const args = ['watch', file, QUESTION, '--json', '--recorded-at', '2026-01-05T20:59:59+01:00'];
      const { status, stdout } = await run(args, { YOCO_TIME_ZONE: 'Europe/Berlin' });
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ answers: [{ question: QUESTION, as_of: 2.5, since: 1 }] });
      // In Tokyo it was five in the morning, so all of it was after 9 pm.
      const elsewhere = await run(args, { YOCO_TIME_ZONE: 'Asia/Tokyo' });
      expect(JSON.parse(elsewhere.stdout)).toMatchObject({ answers: [{ question: QUESTION, since: null }] });
    },
    SLOW,
  );

  test(
    'is refused without --recorded-at, which addresses may not have',
    async () => {
      const file = await place.clips.make('evening.mp4', ...CLIP);
      const undated = await run(['watch', file, QUESTION]);
      expect([undated.status, undated.stderr]).toEqual([1, expect.stringContaining('--recorded-at')]);
      const args = ['watch', 'http://127.0.0.1:1/a.mp4', QUESTION, '--recorded-at', '2026-01-05T20:59:59Z'];
      const address = await run(args);
      expect([address.status, address.stderr]).toEqual([
        1,
        expect.stringContaining('--recorded-at: expected one file'),
      ]);
    },
    SLOW,
  );
});

describe('A question that has no answer', () => {
  const LATER = 'What was shown between 5:00 and 6:00?';
  const NOW = 'What is shown now?';

  test(
    'leaves those before and after it answered, and makes the exit status 1',
    async () => {
      const file = await place.clips.make('some.mp4', ...CLIP);
      const json = await run(['watch', file, NOW, LATER, NOW, '--json']);
      const answered = { question: NOW, answer: expect.any(String) as string };
      expect([json.status, JSON.parse(json.stdout)]).toMatchObject([
        1,
        { answers: [answered, { question: LATER, error: { code: 'time_out_of_range' } }, answered] },
      ]);

      const { status, stdout, stderr } = await run(['watch', file, LATER, NOW]);
      expect(status).toBe(1);
      expect(stdout).toMatch(/^What is shown now\?\n {2}.*\n$/);
      const [error, ...others] = linesOf(stderr);
      expect(error).toMatch(/^error: What was shown between 5:00 and 6:00\?: .*\(time_out_of_range\)$/);
      expect(others).toEqual([expect.stringMatching(/^ {2}.*confidence /)]);
    },
    SLOW,
  );

  test(
    'is not repeated before its error if it is the only one',
    async () => {
      const file = await place.clips.make('some.mp4', ...CLIP);
      const { status, stdout, stderr } = await run(['watch', file, LATER]);
      expect([status, stdout]).toEqual([1, '']);
      expect(linesOf(stderr)).toEqual([expect.stringMatching(/^error: The time lies .*\(time_out_of_range\)$/)]);
    },
    SLOW,
  );
});

describe('Watching a source without end', () => {
  test.each([
    ['SIGTERM', 143, ({ child }: Started) => child.kill('SIGTERM')],
    ['Ctrl-C', 130, interrupt],
  ] as const)(
    'is stopped by %s, together with its ffmpeg, and exits with status %d',
    async (_name, expected, signal) => {
      // Sends one byte, and then nothing more.
      const server = createServer((_request, response) => response.write('a'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/live.ts`;
      const watching = start(['watch', url, 'What is shown now?']);
      running.push(watching);
      let children: RunningProcess[] = [];
      while (!children.some(({ command }) => command.includes(url))) {
        await sleep(10);
        children = await descendants(watching.child.pid ?? 0);
      }
      signal(watching);
      const { status, stdout, stderr } = await watching.ended;
      server.closeAllConnections();
      server.close();
      expect([status, stdout]).toEqual([expected, '']);
      expect(stderr).not.toContain('error: ');
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );
});
