/** What `ask` prints when a question has no answer, or nobody reads all of it. The service has no model. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { interrupt, run, start, workplace } from '../support/cli.ts';
import { FakeLiveService } from '../server/fake-live-service.ts';

const SLOW = 120_000;
const [FIRST, LAST] = ['What is shown now?', 'What was shown first?'];

const { running } = workplace();

let server: RunningServer;
let env: Record<string, string>;
beforeEach(async () => {
  server = await startServer(new FakeLiveService(), { port: 0, drainMs: 0 });
  env = { YOCO_SERVER: server.address };
});
afterEach(async () => {
  await server.close();
});

const ask = (...words: string[]) => run(['ask', 'kitchen', ...words], env);
const errorsOf = (stderr: string): string[] => stderr.split('\n').filter((line) => line.startsWith('error: '));
const echo = (question: string, turn = 1): string => `You asked: ${question} (turn ${turn})\n`;

describe('One of several questions that has no answer', () => {
  test(
    'is reported with its error and leaves the others answered; the exit status is 1',
    async () => {
      const [text, json] = await Promise.all([
        ask(FIRST, 'throw time_out_of_range', LAST),
        ask(FIRST, 'throw time_out_of_range', LAST, '--json'),
      ]);
      expect([text.status, text.stdout]).toEqual([1, echo(FIRST) + echo(LAST)]);
      const objects = json.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect([json.status, objects]).toMatchObject([1, [{ question: FIRST }, { question: LAST }]]);
      for (const { stderr } of [text, json]) {
        expect(errorsOf(stderr)).toEqual([
          expect.stringMatching(/^error: throw time_out_of_range: The time lies .* \(time_out_of_range\)$/),
        ]);
      }
    },
    SLOW,
  );

  test(
    'ends a conversation of follow-ups',
    async () => {
      const { status, stdout, stderr } = await ask(FIRST, 'throw time_out_of_range', LAST, '--follow-up');
      expect([status, stdout]).toEqual([1, echo(FIRST)]);
      expect(errorsOf(stderr)).toEqual([expect.stringMatching(/^error: The time lies .* \(time_out_of_range\)$/)]);
    },
    SLOW,
  );

  test.each(['stream_not_found', 'stream_deleted', 'shutting_down', 'unauthorized'])(
    'for a reason that concerns all of them ends the command: %s',
    async (code) => {
      const { status, stdout, stderr } = await ask(FIRST, `throw ${code}`, LAST);
      expect([status, stdout]).toEqual([1, echo(FIRST)]);
      expect(errorsOf(stderr)).toEqual([expect.stringMatching(new RegExp(`\\(${code}\\)$`))]);
    },
    SLOW,
  );
});

describe('An answer that breaks off', () => {
  test(
    'is printed on a line of its own, apart from its error',
    async () => {
      const { status, stdout, stderr } = await ask('fail engine_restarted');
      expect([status, stdout]).toEqual([1, 'You asked: \n']);
      expect(stderr).toMatch(/^error: .* \(engine_restarted\)\n$/);
    },
    SLOW,
  );

  test(
    'is not printed with --json',
    async () => {
      expect(await ask('fail engine_restarted', '--json')).toMatchObject({ status: 1, stdout: '' });
    },
    SLOW,
  );
});

test(
  'Answers are complete, and the exit status is 0, when stderr is closed',
  async () => {
    const asking = start(['ask', 'kitchen', FIRST, LAST], env);
    running.push(asking);
    asking.child.stderr?.destroy();
    expect(await asking.ended).toMatchObject({ status: 0, stdout: echo(FIRST) + echo(LAST) });
  },
  SLOW,
);

test(
  'A standing question prints times in the configured zone, as the line under an answer does; in UTC with --json',
  async () => {
    const standing = (...flags: string[]) => {
      const asking = start(['ask', 'kitchen', FIRST, '--standing', ...flags], { ...env, YOCO_TIME_ZONE: 'Asia/Tokyo' });
      running.push(asking);
      return asking;
    };
    const text = standing();
    await text.wrote(/^ {2}as of 2030-01-01 09:01:00 /m);
    interrupt(text);
    expect((await text.ended).stdout).toBe(`2030-01-01 09:01:00 ${echo(FIRST)}`);
    const json = standing('--json');
    const [line] = await json.wrote(/^\{.*\}\n/);
    expect(JSON.parse(line)).toMatchObject({ as_of_time: '2030-01-01T00:01:00.000Z' });
    interrupt(json);
    await json.ended;
  },
  SLOW,
);
