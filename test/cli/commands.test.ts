/** The commands as a user runs them: real processes, ffmpeg and engine, the tiny bundle. */
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { testPicture } from '../support/clips.ts';
import { interrupt, run, start, type Started, workplace } from '../support/cli.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { freePort } from '../support/ports.ts';
import { descendants, untilGone } from '../support/processes.ts';
import { picture } from '../support/tiny.ts';

const SLOW = 120_000;
const KEY = 'a-key-of-more-than-16-characters';

const place = workplace();
const { running } = place;

describe('watch', () => {
  test(
    'reads a clip and prints one object with --json, and nothing else on stdout',
    async () => {
      const file = await place.clips.make('watch.mp4', ...testPicture(3, 10));
      const { status, stdout, stderr } = await run([
        'watch',
        file,
        'What is shown now?',
        'What was shown first?',
        '--json',
      ]);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout.trim().split('\n')).toHaveLength(1);
      const result = JSON.parse(stdout) as { answers: { evidence: unknown[] }[] };
      expect(result).toEqual({
        source: `file ${path.basename(file)}`,
        frames: 6,
        seconds: 2.5,
        answers: ['What is shown now?', 'What was shown first?'].map((question) => ({
          question,
          answer: expect.any(String) as string,
          as_of: 2.5,
          since: null,
          confidence: expect.any(Number) as number,
          evidence: expect.any(Array) as unknown[],
        })),
      });
      for (const span of result.answers.flatMap(({ evidence }) => evidence)) {
        expect(span).toEqual({
          start: expect.any(Number) as number,
          end: expect.any(Number) as number,
          peak: expect.any(Number) as number,
          weight: expect.any(Number) as number,
        });
      }
    },
    SLOW,
  );

  test(
    'prints the answer on stdout and its evidence on stderr without --json',
    async () => {
      const file = await place.clips.make('person.mp4', ...testPicture(2, 10));
      const { status, stdout, stderr } = await run(['watch', file, 'What is shown now?', '--fps', '5']);
      expect(status).toBe(0);
      expect(stdout.endsWith('\n')).toBe(true);
      expect(stderr).toMatch(/^ {2}evidence \d+:\d\d.*; confidence \d\.\d\d(?:, a guess)?\n$/);
    },
    SLOW,
  );

  test.each([
    ['a missing file', 'source_not_found', () => Promise.resolve('/nowhere/video.mp4')],
    ['a camera that refuses', 'source_unreachable', async () => `rtsp://127.0.0.1:${await freePort()}/live`],
    ['an address that refuses', 'source_unreachable', async () => `http://127.0.0.1:${await freePort()}/video.mp4`],
    [
      'a text',
      'source_invalid',
      async () => {
        await writeFile(path.join(place.folder, 'text.mp4'), 'once upon a time');
        return path.join(place.folder, 'text.mp4');
      },
    ],
    [
      'sound only',
      'source_no_video',
      () => place.clips.make('cli.wav', '-f', 'lavfi', '-i', 'sine=frequency=440', '-t', '1'),
    ],
  ])(
    'of %s ends with its code and status 1',
    async (_name, code, make) => {
      const { status, stdout, stderr } = await run(['watch', await make(), 'What is this?', '--json']);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(new RegExp(`^error: .* \\(${code}\\)$`, 'm'));
      expect(stderr).not.toContain('    at ');
    },
    SLOW,
  );

  test(
    'of a long video stops after --seconds',
    async () => {
      const file = await place.clips.make('long.mp4', ...testPicture(60, 5));
      const { status, stdout } = await run(['watch', file, 'What is this?', '--seconds', '3', '--json']);
      expect(status).toBe(0);
      const { seconds } = JSON.parse(stdout) as { seconds: number };
      expect(seconds).toBeGreaterThanOrEqual(3);
      expect(seconds).toBeLessThan(60);
    },
    SLOW,
  );

  test(
    'rejects invalid numbers',
    async () => {
      const file = await place.clips.make('numbers.mp4', ...testPicture(1, 5));
      const outcomes = await Promise.all([
        run(['watch', file, 'What is this?', '--seconds', 'ten']),
        run(['watch', file, 'What is this?', '--fps', 'many']),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([1, 1]);
      expect(outcomes[0].stderr).toContain('(invalid_request)');
      expect(outcomes[1].stderr).toContain('(definition_invalid)');
      expect(outcomes[1].stderr).toContain('fps');
    },
    SLOW,
  );
});

describe('An invalid configuration', () => {
  test.each([
    ['port', ['serve', '--port', 'eighty'], {}],
    ['port', ['serve'], { YOCO_PORT: '70000' }],
    ['prot', ['serve'], { YOCO_PROT: '9000' }],
    ['max_streams', ['serve'], { YOCO_MAX_STREAMS: '0' }],
    ['log_level', ['serve'], { YOCO_LOG_LEVEL: 'loud' }],
    ['tls.cert', ['serve'], { YOCO_TLS_KEY: 'key.pem' }],
    ['threads', ['watch', 'a.mp4', 'What?'], { YOCO_THREADS: 'all' }],
    ['source_hosts.0', ['serve'], { YOCO_SOURCE_HOSTS: '10.0.0.0/33' }],
  ] as const)(
    'is refused, naming the setting: %s',
    async (name, args, env) => {
      const { status, stdout, stderr } = await run(args, env);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/\(config_invalid\)\n$/);
      expect(stderr).toMatch(new RegExp(` ${name}( \\(YOCO_\\w+\\))?: `));
    },
    SLOW,
  );

  test(
    'in a file is refused too, without repeating the value',
    async () => {
      const file = path.join(place.folder, 'settings.yaml');
      await writeFile(file, 'port:\n');
      expect((await run(['serve', '--config', file])).stderr).toContain(' port: ');
      await writeFile(file, 'port: 0\napi_keys: top-secret-value\n');
      const { status, stderr } = await run(['serve', '--config', file]);
      expect(status).toBe(1);
      expect(stderr).toContain(' api_keys: ');
      expect(stderr).not.toContain('top-secret');
      const missing = await run(['serve', '--config', '/nowhere.yaml']);
      expect([missing.status, missing.stderr.includes('/nowhere.yaml cannot be read')]).toEqual([1, true]);
    },
    SLOW,
  );

  test.each([
    ['bundle_not_found', '/nowhere'],
    ['bundle_not_found', tmpdir()],
  ])(
    'with a path that holds no bundle ends with %s',
    async (code, bundle) => {
      const { status, stderr } = await run(['watch', 'a.mp4', 'What?', '--bundle', bundle]);
      expect(status).toBe(1);
      expect(stderr).toContain(`(${code})`);
    },
    SLOW,
  );

  test(
    'of the command line prints the usage',
    async () => {
      const { status, stderr } = await run(['watch']);
      expect(status).toBe(1);
      expect(stderr).toContain('Usage: yoco-live watch');
      expect((await run(['sing'])).status).toBe(1);
    },
    SLOW,
  );
});

describe('serve and ask', () => {
  async function serve(
    env: Record<string, string> = {},
    viaNpx = false,
    others: readonly string[] = [],
  ): Promise<{ service: Started; address: string }> {
    const streams = await mkdtemp(path.join(place.folder, 'streams-'));
    const clip = await place.clips.make('served.mp4', ...testPicture(3, 10));
    await writeFile(path.join(streams, 'door.yaml'), `source: { file: ${clip}, loop: true }\n`);
    for (const name of others) {
      await writeFile(path.join(streams, `${name}.yaml`), `source: { file: ${clip}, loop: true }\n`);
    }
    const service = start(['serve', '--port', '0', '--streams', streams, '--bundle', TINY_BUNDLE], env, viaNpx);
    running.push(service);
    const [, address = ''] = await service.wrote(/"address":"(http:[^"]+)"/);
    return { service, address };
  }

  async function askUntilSeen(address: string, args: readonly string[], env: Record<string, string> = {}) {
    for (;;) {
      const outcome = await run(['ask', '--server', address, ...args], env);
      if (!outcome.stderr.includes('(stream_empty)')) return outcome;
    }
  }

  async function seenUpTo(address: string, stream: string, seconds: number) {
    await vi.waitFor(async () => {
      const info = (await (await fetch(`${address}/v1/streams/${stream}`)).json()) as { last: number | null };
      expect(info.last).toBeGreaterThanOrEqual(seconds);
    }, 20_000);
  }

  test(
    'answer over the network, report errors with their codes, and leave no process behind after Ctrl-C',
    async () => {
      const { service, address } = await serve();
      const plain = await askUntilSeen(address, ['door', 'What is shown now?']);
      expect(plain.status).toBe(0);
      expect(plain.stderr).toMatch(/^ {2}as of [^;]*:\d\d \(\d+:\d\d\); .*first word after \d+ ms\n$/);

      await seenUpTo(address, 'door', 1);
      const json = await run([
        'ask',
        '--server',
        address,
        'door',
        'What is this?',
        'And now?',
        '--as-of',
        '0.5',
        '--json',
      ]);
      expect(json.status).toBe(0);
      const answers = json.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect(answers).toMatchObject(
        ['What is this?', 'And now?'].map((question) => ({
          question,
          answer: expect.any(String) as string,
          as_of: 0.5,
          as_of_time: expect.any(String) as string,
          evidence: expect.any(Array) as unknown[],
          latency_ms: { first_token: expect.any(Number) as number },
        })),
      );

      const began = performance.now();
      const [unknown, future, form, empty] = await Promise.all([
        run(['ask', '--server', address, 'nobody', 'What is this?']),
        run(['ask', '--server', address, 'door', 'What is this?', '--as-of', '99999']),
        run(['ask', '--server', address, 'door', 'What is this?', '--as-of', 'yesterday']),
        run(['ask', '--server', address, 'door', ' ']),
      ]);
      // A refused command exits at once: it does not wait for its connection to close.
      expect(performance.now() - began).toBeLessThan(30_000);
      expect(form.stderr).toContain('--as-of must be seconds');

      const unquoted = await run([
        'ask',
        '--server',
        address,
        'door',
        'what',
        'is',
        'this',
        '--json',
        '--as-of',
        '0:01',
        '--since',
        '-500ms',
      ]);
      expect(JSON.parse(unquoted.stdout)).toMatchObject({ question: 'what is this', as_of: 1, since: 0.5 });

      const codes = [unknown, future, form, empty].map(({ status, stdout, stderr }) => [
        status,
        stdout.trim(),
        /\((\w+)\)\s*$/.exec(stderr)?.[1],
      ]);
      expect(codes).toEqual([
        [1, '', 'stream_not_found'],
        [1, '', 'time_out_of_range'],
        [1, '', 'invalid_request'],
        [1, '', 'question_empty'],
      ]);

      // Between two loops of the clip no ffmpeg runs for a moment.
      const children = await vi.waitFor(async () => {
        const all = await descendants(service.child.pid ?? 0);
        expect(all.some(({ command }) => command.includes('engine/process'))).toBe(true);
        expect(all.some(({ command }) => /ffmpeg/.test(command))).toBe(true);
        return all;
      }, 10_000);
      interrupt(service);
      const { status, stderr } = await service.ended;
      expect(status).toBe(0);
      expect(stderr).toContain('stopping');
      expect(stderr).not.toMatch(/"level":(50|60)/);
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );

  test(
    'end cleanly when started with npx, and on the signal of a service manager',
    async () => {
      const { service } = await serve({}, true);
      const children = await descendants(service.child.pid ?? 0);
      interrupt(service);
      expect((await service.ended).stderr).toContain('stopping');
      await untilGone(children.map(({ pid }) => pid));

      const other = await serve();
      const left = await descendants(other.service.child.pid ?? 0);
      other.service.child.kill('SIGTERM');
      expect((await other.service.ended).status).toBe(0);
      await untilGone(left.map(({ pid }) => pid));
    },
    SLOW,
  );

  test(
    'answer about several streams at once, by name or all of them, and name the stream of the evidence',
    async () => {
      const { address } = await serve({}, false, ['yard']);
      const plain = await askUntilSeen(address, ['door,yard', 'Which camera shows the dog?']);
      expect(plain.status).toBe(0);
      expect(plain.stderr).toMatch(
        /^ {2}as of [^;]*:\d\d; evidence (door|yard) \d+:\d\d.*; first word after \d+ ms\n$/,
      );

      for (const name of ['door', 'yard']) await seenUpTo(address, name, 1);
      const [named, all] = await Promise.all([
        run(['ask', '--server', address, '--streams', 'yard,door', 'Which?', 'And now?', '--json']),
        run(['ask', '--server', address, '--all', 'Which?', '--as-of', '-500ms', '--json']),
      ]);
      const lines = (text: string): unknown[] =>
        text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown);
      const answered = (question: string, names: readonly string[]) => ({
        question,
        as_of: null,
        streams: names.map((name) => ({ name, as_of: expect.any(Number) as number })),
        precision: 'full',
      });
      expect(lines(named.stdout)).toMatchObject(['Which?', 'And now?'].map((text) => answered(text, ['yard', 'door'])));
      expect(lines(all.stdout)).toMatchObject([answered('Which?', ['door', 'yard'])]);
      const [{ evidence }] = lines(all.stdout) as [{ evidence: { stream: string }[] }];
      expect(evidence.length).toBeGreaterThan(0);
      expect(evidence.every(({ stream }) => ['door', 'yard'].includes(stream))).toBe(true);

      const wrong = await Promise.all([
        run(['ask', '--server', address, 'door,cellar', 'What?']),
        run(['ask', '--server', address, 'door,door', 'What?']),
        run(['ask', '--server', address, '--all', 'What?', '--as-of', '1']),
        run(['ask', '--server', address, '--all', '--streams', 'door', 'What?']),
        run(['ask', '--server', address, 'door']),
      ]);
      expect(wrong.map(({ status, stderr }) => [status, /\((\w+)\)\s*$/.exec(stderr)?.[1]])).toEqual([
        [1, 'stream_not_found'],
        [1, 'invalid_request'],
        [1, 'invalid_request'],
        [1, 'invalid_request'],
        [1, 'invalid_request'],
      ]);
      expect(wrong[0].stderr).toContain('"cellar"');
      expect(wrong[2].stderr).toContain('--as-of: seconds are counted from the beginning of one stream');
    },
    SLOW,
  );

  test(
    'need the key where one is configured',
    async () => {
      const { address } = await serve({ YOCO_API_KEYS: KEY });
      const right = await askUntilSeen(address, ['door', 'What is this?'], { YOCO_API_KEY: KEY });
      const [none, wrong] = await Promise.all([
        run(['ask', '--server', address, 'door', 'What is this?']),
        run(['ask', '--server', address, 'door', 'What is this?'], { YOCO_API_KEY: `${KEY}x` }),
      ]);
      expect(right.status).toBe(0);
      for (const { status, stdout, stderr } of [none, wrong]) {
        expect([status, stdout]).toEqual([1, '']);
        expect(stderr).not.toContain(KEY);
      }
      expect(none.stderr).toContain('Commands read it from YOCO_API_KEY. (unauthorized)');
      expect(wrong.stderr).toBe(
        'error: A valid API key is required. The key in YOCO_API_KEY is not accepted. (unauthorized)\n',
      );
    },
    SLOW,
  );

  test(
    'say so when no service answers',
    async () => {
      const port = await freePort();
      const { status, stderr } = await run(['ask', '--server', `http://127.0.0.1:${port}`, 'door', 'What is this?']);
      expect(status).toBe(1);
      expect(stderr).toBe(
        `error: The service cannot be reached. No service answers at http://127.0.0.1:${port} (ECONNREFUSED). (service_unreachable)\n`,
      );
    },
    SLOW,
  );

  test(
    'fail when a stream file is invalid, naming the file and the field, or the port is in use',
    async () => {
      const streams = await mkdtemp(path.join(place.folder, 'streams-'));
      await writeFile(path.join(streams, 'door.yaml'), 'source: { file: a.mp4 }\nsampling: { fps: 1000 }\n');
      const wrong = await run(['serve', '--port', '0', '--streams', streams]);
      expect(wrong.status).toBe(1);
      expect(wrong.stderr).toContain('door.yaml');
      expect(wrong.stderr).toContain('sampling.fps');
      expect(wrong.stderr).toContain('(definition_invalid)');

      const taken = createServer();
      taken.listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const empty = await mkdtemp(path.join(place.folder, 'streams-'));
      const { port } = taken.address() as AddressInfo;
      const refused = await run(['serve', '--port', String(port), '--streams', empty]);
      await new Promise((resolve) => taken.close(resolve));
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('(config_invalid)');
      expect(refused.stderr).toContain(String(port));
    },
    SLOW,
  );
});

describe('eval', () => {
  async function data(labels: readonly string[]): Promise<string> {
    const directory = await mkdtemp(path.join(place.folder, 'data-'));
    const set = path.join(directory, 'things');
    await mkdir(set);
    const lines = await Promise.all(
      labels.map(async (label, i) => {
        const raw = { width: 224, height: 224, channels: 3 } as const;
        await sharp(picture(i), { raw })
          .jpeg()
          .toFile(path.join(set, `${i}.jpg`));
        return JSON.stringify({ image: `${i}.jpg`, class: label });
      }),
    );
    await writeFile(path.join(set, 'labels.jsonl'), lines.join('\n'));
    return directory;
  }
  const THINGS = ['apple', 'pear', 'plum', 'kiwi', 'leek', 'lemon', 'mango', 'onion', 'papaya', 'potato'];

  test(
    'plays labelled pictures and prints one object: counts by task, and recall without memory',
    async () => {
      const directory = await data(THINGS);
      const args = [
        'eval',
        '--data',
        directory,
        '--sets',
        'all',
        '--streams',
        '1',
        '--seconds',
        '12',
        '--controls',
        '1',
      ];
      const { status, stdout, stderr } = await run([...args, '--size', '160x120', '--seed', '5', '--json']);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout.trim().split('\n')).toHaveLength(1);
      const result = JSON.parse(stdout) as { tasks: Record<string, unknown>; questions: number };
      const number = expect.any(Number) as number;
      const interval = [number, number];
      const score = { correct: number, total: number, accuracy: number, interval };
      const task = { ...score, random: number, mostFrequent: number, rule: null };
      expect(result).toMatchObject({
        bundle: 'tiny',
        seed: 5,
        streams: 1,
        seconds: '12',
        tasks: { now: task, seen: task, seennow: task, first: task, when: task, left: task, duration: task },
        nowBySet: { things: score },
        hallucination: { count: number, total: number, share: number, interval },
        recall: { ...score, controlled: score, emptied: score, shuffled: score, chance: number },
        lastFrames: { frames: 4, now: score, recall: score },
        conversation: { alone: score, afterAnother: score },
        phrasings: { trained: score, heldOut: score, difference: number, interval },
        byLength: { 12: { streams: 1, now: score, recall: score } },
        describe: null,
        evidence: score,
        firstTokenMs: { median: number },
      });
      const totals = Object.values(result.tasks).map((task) => (task as { total: number }).total);
      expect(totals.reduce((a, b) => a + b, 0)).toBe(result.questions);
    },
    SLOW,
  );

  test(
    'asks where and how many with cut-outs, and for descriptions with scenes',
    async () => {
      const directory = await data(THINGS);
      const raw = { width: 224, height: 224, channels: 3 } as const;
      for (const [set, labels] of [
        ['emoji', { name: 'clown face' }],
        ['flickr', { captions: ['a dog runs', 'a dog'] }],
      ] as const) {
        await mkdir(path.join(directory, set));
        await sharp(picture(1), { raw })
          .png()
          .toFile(path.join(directory, set, '1.png'));
        await writeFile(path.join(directory, set, 'labels.jsonl'), JSON.stringify({ image: '1.png', ...labels }));
      }
      const args = ['eval', '--data', directory, '--sets', 'things', '--streams', '1', '--seconds', '8'];
      const { status, stdout } = await run([...args, '--controls', '0', '--size', '160x120', '--json']);
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        tasks: { where: { total: 2 }, howmany: { total: 2 } },
        describe: { ciderD: { total: 2 }, tokenF1: { total: 2 }, nearest: { tokenF1: { total: 2 } } },
      });
    },
    SLOW,
  );

  test(
    'resumes from a file of finished streams, plays only the missing ones, and rejects other options',
    async () => {
      const directory = await data(THINGS);
      const file = path.join(directory, 'finished.jsonl');
      const args = ['eval', '--data', directory, '--sets', 'all', '--streams', '2', '--seconds', '8', '--json'];
      const resumed = [...args, '--size', '160x120', '--controls', '0', '--resume', file];
      const whole = await run(resumed);
      expect([whole.status, whole.stderr]).toEqual([0, '']);
      const [head = '', first = '', second = ''] = (await readFile(file, 'utf8')).split('\n');
      // Playing this stream again would answer its questions, and write another line.
      const kept = JSON.stringify({ ...(JSON.parse(first) as object), answered: [], seconds: 77 });
      await writeFile(file, `${head}\n${kept}\n${second.slice(0, 20)}`);
      const again = await run(resumed);
      expect([again.status, again.stderr]).toEqual([0, '']);
      const questions = (stdout: string): number => (JSON.parse(stdout) as { questions: number }).questions;
      const answered = (line: string): number => (JSON.parse(line) as { answered: unknown[] }).answered.length;
      expect(questions(whole.stdout)).toBe(answered(first) + answered(second));
      expect(questions(again.stdout)).toBe(answered(second));
      const [headNow, firstNow, secondNow = '', ...rest] = (await readFile(file, 'utf8')).split('\n');
      expect([headNow, firstNow, rest]).toEqual([head, kept, ['']]);
      expect(answered(secondNow)).toBe(answered(second));
      const other = await run([...resumed, '--seed', '2']);
      expect([other.status, other.stdout]).toEqual([1, '']);
      expect(other.stderr).toContain('seed was 1 and is 2 now');
      expect(other.stderr).toContain('(resume_mismatch)');
    },
    SLOW,
  );

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'stopped by %s leaves no process and no video behind, and ends with status %d',
    async (name, expected) => {
      const directory = await data(THINGS);
      const temporary = await mkdtemp(path.join(place.folder, 'temporary-'));
      const args = ['eval', '--data', directory, '--sets', 'all', '--streams', '9', '--seconds', '60', '--answers'];
      const evaluating = start([...args, '--size', '160x120', '--controls', '0'], { TMPDIR: temporary });
      running.push(evaluating);
      await evaluating.wrote(/^[-+] now: /m);
      expect((await readdir(temporary)).some((left) => left.startsWith('yoco-eval-'))).toBe(true);
      const children = await descendants(evaluating.child.pid ?? 0);
      if (name === 'SIGTERM') evaluating.child.kill(name);
      else {
        interrupt(evaluating);
        // As npm forwards the signal.
        await new Promise((resolve) => setTimeout(resolve, 10));
        evaluating.child.kill(name);
      }
      const { status, stdout, stderr } = await evaluating.ended;
      expect([status, stdout]).toEqual([expected, '']);
      expect(stderr).not.toContain('error');
      expect((await readdir(temporary)).filter((left) => left.startsWith('yoco-eval-'))).toEqual([]);
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );

  test(
    'prints a table without --json',
    async () => {
      const directory = await data(THINGS);
      const args = [
        'eval',
        '--data',
        directory,
        '--sets',
        'things',
        '--streams',
        '1',
        '--seconds',
        '8',
        '--controls',
        '0',
      ];
      const { status, stdout } = await run([...args, '--size', '160x120']);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^tiny, seed 1: 1 streams of 8 s, \d+ questions\n/);
      expect(stdout).toMatch(/^now +\d+\.\d% +\d+\/\d+ +\[/m);
    },
    SLOW,
  );

  test.each([
    ['a folder that does not exist', () => Promise.resolve('/nowhere'), []],
    ['too few things', () => data(['apple', 'pear']), ['--sets', 'all']],
    ['an unknown set', () => data(THINGS), ['--sets', 'grocery']],
    [
      'a picture that cannot be decoded',
      async () => {
        const directory = await data(THINGS);
        for (let i = 0; i < THINGS.length; i++)
          await writeFile(path.join(directory, 'things', `${i}.jpg`), 'no picture');
        return directory;
      },
      ['--sets', 'all'],
    ],
  ])(
    'of %s ends with data_invalid',
    async (_name, make, more) => {
      const { status, stdout, stderr } = await run(['eval', '--data', await make(), ...more, '--json']);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toContain('(data_invalid)');
    },
    SLOW,
  );

  test.each([
    ['--seed', 'x'],
    ['--streams', '1,2'],
    ['--streams', ''],
    ['--size', '161x121'],
  ])(
    'rejects an invalid number by name, before anything is started: %s %j',
    async (flag, value) => {
      const { status, stdout, stderr } = await run(['eval', '--data', '/nowhere', flag, value]);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`${flag} must be`);
      expect(stderr).toContain('(invalid_request)');
    },
    SLOW,
  );
});

describe('eval-clips', () => {
  test(
    'plays the clips of a folder, and prints answers, counts, and the text-only baseline',
    async () => {
      const directory = await mkdtemp(path.join(place.folder, 'clips-'));
      const clip = await place.clips.make('cockatoo.mp4', ...testPicture(3, 10));
      await copyFile(clip, path.join(directory, 'cockatoo.mp4'));
      const { status, stdout, stderr } = await run(['eval-clips', directory, '--json']);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout.trim().split('\n')).toHaveLength(1);
      const number = expect.any(Number) as number;
      expect(JSON.parse(stdout)).toMatchObject({
        score: { correct: number, total: 10 },
        baseline: { correct: number, total: 10 },
        clips: { 'cockatoo.mp4': { answers: expect.any(Array) as unknown[] } },
      });
      const plain = await run(['eval-clips', directory]);
      expect(plain.stdout).toMatch(/^cockatoo\.mp4: \d+ of 10$/m);
      expect(plain.stdout).toMatch(/^\d+ of 10 right, by text alone \d+$/m);
    },
    SLOW,
  );

  test(
    'of a folder without any known clip ends with data_invalid',
    async () => {
      const { status, stdout, stderr } = await run(['eval-clips', place.folder]);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toContain('(data_invalid)');
    },
    SLOW,
  );
});

describe('demo', () => {
  test(
    '--once plays the clip, prints answers with evidence to its questions, and ends, whatever the settings',
    async () => {
      const configured = {
        API_KEYS: KEY,
        VIEW_KEYS: `${KEY}-2`,
        STREAMS: '/nowhere',
        HOST: '0.0.0.0',
        ALLOWED_ORIGINS: 'not an origin',
        PORT: String(await freePort()),
      };
      const env = Object.fromEntries(Object.entries(configured).map(([name, value]) => [`YOCO_${name}`, value]));
      const demo = start(['demo', '--once'], env);
      running.push(demo);
      const [, address = ''] = await demo.wrote(/The page: {2}(http:\S+)\//);
      const children = await descendants(demo.child.pid ?? 0);
      expect(new URL(address).host).toBe(`127.0.0.1:${configured.PORT}`);
      const { status, stdout, stderr } = await demo.ended;
      expect([status, stderr]).toEqual([0, '']);
      for (const question of ['What is shown now?', 'What was shown first?']) expect(stdout).toContain(question);
      expect(stdout).toContain(`ask --server ${address} demo`);
      expect(stdout.match(/\(evidence [^)]*; first word after \d+ ms\)/g)?.length).toBe(3);
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );

  test.each([
    ['while it waits for the first question', /The page: /],
    ['while it answers', /^\[0:0\d\] What is shown now\?/m],
    ['between two questions', /\(evidence .*; first word after/],
  ])(
    'is stopped by Ctrl-C %s, and leaves no process behind',
    async (_name, moment) => {
      const demo = start(['demo', '--port', '0']);
      running.push(demo);
      await demo.wrote(moment);
      const children = await descendants(demo.child.pid ?? 0);
      expect(children.some(({ command }) => command.includes('engine/process'))).toBe(true);
      interrupt(demo);
      expect((await demo.ended).status).toBe(0);
      await untilGone(children.map(({ pid }) => pid));
    },
    SLOW,
  );
});
