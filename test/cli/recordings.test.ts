/** `watch` over many recordings, from a folder or a list on stdin, and over recordings kept as snapshots. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { VIDEO_EXTENSIONS } from '../../src/cli/recordings.ts';
import { PACKAGE_ROOT } from '../../src/config.ts';
import { testPicture } from '../support/clips.ts';
import { interrupt, run, start, startProgram, type Started, workplace } from '../support/cli.ts';
import { TINY_RETENTION_BUNDLE } from '../support/golden.ts';
import { freePort } from '../support/ports.ts';
import { descendants, untilGone } from '../support/processes.ts';

const SLOW = 180_000;
const NOW = 'What is shown now?';
const FIRST = 'What was shown first?';

const place = workplace();
const { running } = place;

let clip: string;
beforeAll(async () => {
  clip = await place.clips.make('clip.mp4', ...testPicture(2, 10));
});

const text = (name: string, content: string): Promise<string> =>
  writeFile(path.join(place.folder, name), content).then(() => path.join(place.folder, name));

/** Starts `watch -` with the file `list` as its stdin. */
function startListed(list: string, ...args: string[]): Started {
  const command = [process.execPath, '--import', 'tsx', 'src/main.ts', 'watch', '-', ...args];
  return startProgram('sh', ['-c', 'exec "$@" < "$0"', list, ...command]);
}

const objects = (stdout: string): unknown[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

const answered = (question: string): object => ({ question, answer: expect.any(String) as string });
const failed = (code: string): object => ({ code, message: expect.any(String) as string });

describe('A folder of recordings', () => {
  let folder: string;
  const inside = (name: string): string => path.join(folder, name);
  beforeAll(async () => {
    folder = await mkdtemp(path.join(place.folder, 'recordings-'));
    await mkdir(inside('deeper'));
    for (const name of ['c.mp4', 'a.MP4', 'deeper/d.mp4']) await copyFile(clip, inside(name));
    for (const name of ['b.mp4', '._a.mp4', 'notes.txt']) await writeFile(inside(name), 'once upon a time');
  });

  test(
    'is asked all questions of a file, recording by recording, and goes on after one that fails',
    async () => {
      const questions = await text('questions.txt', `# of each day\r\n\r\n  ${NOW} \r\n#\r\n${FIRST}`);
      const { status, stdout, stderr } = await run(['watch', folder, '--questions', questions, '--json']);
      expect([status, stderr]).toEqual([1, '']);
      const seen = { frames: 4, seconds: 1.5, answers: [NOW, FIRST].map((question) => answered(question)) };
      expect(objects(stdout)).toMatchObject([
        { source: inside('a.MP4'), ...seen },
        { source: inside('b.mp4'), error: failed('source_invalid') },
        { source: inside('c.mp4'), ...seen },
      ]);
    },
    SLOW,
  );

  test(
    'prints a heading per recording, also in subfolders with --recursive, and errors on stderr',
    async () => {
      const { status, stdout, stderr } = await run(['watch', folder, NOW, '--recursive']);
      expect(status).toBe(1);
      expect(stdout.match(/^==> .* <==$/gm)).toEqual(
        ['a.MP4', 'c.mp4', 'deeper/d.mp4'].map((name) => `==> ${inside(name)} <==`),
      );
      const errors = stderr.split('\n').filter((line) => line.startsWith('error: '));
      expect(errors).toEqual([expect.stringMatching(/\(source_invalid\)$/)]);
      expect(errors[0]).toContain(`error: ${inside('b.mp4')}: `);
    },
    SLOW,
  );
});

describe('A list of recordings', () => {
  test(
    'is reported by the names given, without passwords, and goes on after a question without an answer',
    async () => {
      const given = path.relative(PACKAGE_ROOT, clip);
      const address = `http://user:hunter2@127.0.0.1:${await freePort()}/door.mp4`;
      const list = await text('list', ['/nowhere/video.mp4', place.folder, address, '', given].join('\r\n'));
      const { status, stdout, stderr } = await startListed(list, 'What was shown between 5:00 and 6:00?', NOW, '--json')
        .ended;
      expect(status).toBe(1);
      expect(objects(stdout)).toMatchObject([
        { source: '/nowhere/video.mp4', error: failed('source_not_found') },
        { source: place.folder, error: failed('source_not_found') },
        { source: expect.stringMatching(/^http:.*\/door\.mp4$/) as string, error: failed('source_unreachable') },
        {
          source: given,
          answers: [
            { question: 'What was shown between 5:00 and 6:00?', error: failed('time_out_of_range') },
            answered(NOW),
          ],
        },
      ]);
      expect(stdout + stderr).not.toContain('hunter2');
    },
    SLOW,
  );

  test(
    'is stopped by Ctrl-C after printing what is finished, and leaves no process behind',
    async () => {
      // Sends one byte, and then nothing more.
      const server = createServer((_request, response) => response.write('a'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/live.ts`;
      const watching = startListed(await text('stopped', [clip, url, clip].join('\n')), NOW, '--json');
      running.push(watching);
      const children = await vi.waitFor(
        async () => {
          const found = await descendants(watching.child.pid ?? 0);
          expect(found.some(({ command }) => command.includes(url))).toBe(true);
          return found;
        },
        { timeout: SLOW / 2, interval: 20 },
      );
      interrupt(watching);
      const { status, stdout, stderr } = await watching.ended;
      server.closeAllConnections();
      server.close();
      expect(status).toBe(130);
      expect(objects(stdout)).toMatchObject([{ source: clip, answers: [answered(NOW)] }]);
      expect(stderr).not.toContain('error: ');
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );
});

describe('Before anything is started', () => {
  test.each([
    ['a list without a path', ['-', NOW], 'invalid_request', 'expected paths on stdin'],
    ['no question', ['a.mp4'], 'invalid_request', 'Give a question'],
    ['an empty question', ['a.mp4', ' '], 'question_empty', ''],
    ['a file of questions that is not there', ['a.mp4', '--questions', '/nowhere'], 'invalid_request', 'ENOENT'],
    ['--keep of an address', ['http://127.0.0.1/a.mp4', NOW, '--keep'], 'invalid_request', 'expected a file'],
    [
      '--keep beside --seconds',
      ['a.mp4', NOW, '--keep', '--seconds', '3'],
      'invalid_request',
      'cannot be used with --seconds',
    ],
    ['--keep without a folder', ['a.mp4', NOW, '--keep'], 'snapshots_off', '`snapshots`'],
  ])(
    '%s is refused',
    async (_name, args, code, expected) => {
      // If the engine were started, it would report the missing bundle instead.
      const { status, stdout, stderr } = await run(['watch', ...args, '--bundle', '/nowhere']);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(new RegExp(`^error: .*\\(${code}\\)\n$`));
      expect(stderr).toContain(expected);
    },
    SLOW,
  );

  test(
    'a file without questions, or with one that is too long, is refused, naming the line',
    async () => {
      const none = await text('none.txt', '# only this\n\n');
      const long = await text('long.txt', `${NOW}\n${'x'.repeat(2_001)}\n`);
      const [empty, tooLong] = await Promise.all(
        [none, long].map((file) => run(['watch', 'a.mp4', '--questions', file, '--bundle', '/nowhere'])),
      );
      expect(empty).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/none\.txt.*\(invalid_request\)/) as string,
      });
      expect(tooLong).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/line 2\..*\(question_too_long\)/) as string,
      });
    },
    SLOW,
  );

  test(
    'a folder without a video file is refused, listing the file endings as documented',
    async () => {
      const folder = await mkdtemp(path.join(place.folder, 'empty-'));
      await writeFile(path.join(folder, 'notes.txt'), '');
      const { status, stdout, stderr } = await run(['watch', folder, NOW, '--bundle', '/nowhere']);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/\(source_not_found\)\n$/);
      expect(stderr).toContain(VIDEO_EXTENSIONS.join(', '));
      const manual = await readFile(path.join(PACKAGE_ROOT, 'docs', 'operations.md'), 'utf8');
      expect(manual.replace(/\s+/g, ' ')).toContain(VIDEO_EXTENSIONS.map((ending) => `\`${ending}\``).join(', '));
    },
    SLOW,
  );
});

describe('A kept recording', () => {
  const DATE = new Date('2030-01-01T12:00:00Z');

  /** A copy of the clip in a folder of its own, the folder for its snapshots, and a function that watches it. */
  async function recording() {
    const folder = await mkdtemp(path.join(place.folder, 'kept-'));
    const file = path.join(folder, 'Über uns #1.mp4');
    await copyFile(clip, file);
    await utimes(file, DATE, DATE);
    const snapshots = path.join(folder, 'snapshots');
    const watch = (source: string, env: Record<string, string> = {}) =>
      run(['watch', source, NOW, FIRST, '--keep', '--json'], { YOCO_SNAPSHOTS: snapshots, ...env });
    return { folder, file, snapshots, watch };
  }

  test(
    'is not read again until it has changed',
    async () => {
      const { folder, file, snapshots, watch } = await recording();
      const first = await watch(file);
      expect(first).toMatchObject({ status: 0, stderr: '' });
      const kept = await readdir(snapshots);
      expect(kept).toEqual([expect.stringMatching(/^ber-uns-1\.mp4-[0-9a-f]{16}\.snap$/)]);

      // Other content of the same size and time: reading it would find no video.
      const video = await readFile(file);
      await writeFile(file, Buffer.alloc((await stat(file)).size, 'a'));
      await utimes(file, DATE, DATE);
      const again = await watch(folder);
      expect([again.status, again.stderr]).toEqual([
        0,
        `${file}: The snapshot ${kept.join()} is used instead of reading the video again.\n`,
      ]);
      expect(JSON.parse(again.stdout)).toEqual({ ...(JSON.parse(first.stdout) as object), source: file });

      await writeFile(file, video);
      const changed = await watch(file);
      expect([changed.status, changed.stdout]).toEqual([0, first.stdout]);
      expect(changed.stderr).toContain('was made from another version of the file');
      // The new snapshot replaces the old one.
      expect(await readdir(snapshots)).toEqual(kept);
    },
    SLOW,
  );

  test(
    'is read again, with a warning, when its snapshot is damaged or of another model',
    async () => {
      const { file, snapshots, watch } = await recording();
      const first = await watch(file);
      const [name = ''] = await readdir(snapshots);
      const whole = await readFile(path.join(snapshots, name));
      const damaged = Buffer.from(whole);
      const middle = Math.floor(damaged.length / 2);
      damaged[middle] = (damaged[middle] ?? 0) ^ 1;
      await writeFile(path.join(snapshots, name), damaged);

      const again = await watch(file);
      expect([again.status, again.stdout]).toEqual([0, first.stdout]);
      expect(again.stderr).toMatch(/^warning: The snapshot .* \(snapshot_damaged\)\n$/);
      expect(await readFile(path.join(snapshots, name))).toHaveLength(whole.length);

      const other = await watch(file, { YOCO_BUNDLE: TINY_RETENTION_BUNDLE });
      expect(other.status).toBe(0);
      expect(other.stderr).toMatch(/^warning: The snapshot .* \(snapshot_unsupported\)\n$/);
      expect(JSON.parse(other.stdout)).toMatchObject({ frames: 4, answers: [answered(NOW), answered(FIRST)] });
      expect(await readdir(snapshots)).toEqual([name]);
    },
    SLOW,
  );

  test(
    'is answered about, with a warning, even when no snapshot can be written',
    async () => {
      const { file, watch } = await recording();
      const { status, stdout, stderr } = await watch(file, { YOCO_SNAPSHOTS: clip });
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ answers: [answered(NOW), answered(FIRST)] });
      expect(stderr).toMatch(/^warning: No snapshot was kept\. .* \(snapshot_failed\)\n$/);
    },
    SLOW,
  );

  test(
    'leaves no partial snapshot when stopped while being read',
    async () => {
      const long = await place.clips.make('long.mp4', ...testPicture(600, 5));
      const snapshots = path.join(place.folder, 'stopped-snapshots');
      const watching = start(['watch', long, NOW, '--keep', '--fps', '5'], { YOCO_SNAPSHOTS: snapshots });
      running.push(watching);
      const children = await vi.waitFor(
        async () => {
          const found = await descendants(watching.child.pid ?? 0);
          expect(found.some(({ command }) => command.includes(long))).toBe(true);
          return found;
        },
        { timeout: SLOW / 2, interval: 20 },
      );
      interrupt(watching);
      const { stdout, stderr } = await watching.ended;
      expect([stdout, stderr]).toEqual(['', '']);
      expect(await readdir(snapshots).catch(() => [])).toEqual([]);
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );
});
