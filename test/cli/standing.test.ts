import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { testPicture } from '../support/clips.ts';
import { interrupt, run, start, startProgram, workplace } from '../support/cli.ts';
import { TINY_BUNDLE } from '../support/golden.ts';

const TIMEOUT_MS = 120_000;

describe('ask --standing', () => {
  const place = workplace();

  async function serve(source = 'loop: true'): Promise<string> {
    const streams = await mkdtemp(path.join(place.folder, 'streams-'));
    const clip = await place.clips.make('standing.mp4', ...testPicture(3, 10));
    await writeFile(path.join(streams, 'door.yaml'), `source: { file: ${clip}, ${source} }\n`);
    const service = start(['serve', '--port', '0', '--streams', streams, '--bundle', TINY_BUNDLE]);
    place.running.push(service);
    const [, address = ''] = await service.wrote(/"address":"(http:[^"]+)"/);
    return address;
  }

  it(
    'prints the first answer with its time, and runs until Ctrl-C',
    async () => {
      const address = await serve();
      const asking = start(['ask', '--server', address, 'door', 'What is shown now?', '--standing', '--every', '.5']);
      place.running.push(asking);
      await asking.wrote(/^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d .*\n/);
      await asking.wrote(/^ {2}as of .*first word after \d+ ms/m);
      interrupt(asking);
      const { status, stderr } = await asking.ended;
      expect([status, stderr]).toEqual([130, expect.not.stringContaining('error')]);
    },
    TIMEOUT_MS,
  );

  it(
    'ends when the recording has ended, and when its output pipe is closed',
    async () => {
      const address = await serve('loop: false');
      const ended = await run(['ask', '--server', address, 'door', 'Now?', '--standing', '--every', '0.5']);
      expect(ended.status).toBe(0);
      expect(ended.stdout).toMatch(/^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d .*\n/);
      const looping = await serve();
      const ask = `"${process.execPath}" --import tsx src/main.ts ask --server ${looping} door "Now?" --standing --every 0.5`;
      const piped = startProgram('bash', ['-c', `${ask} | true; echo "\${PIPESTATUS[0]}"`]);
      place.running.push(piped);
      const { stdout, stderr } = await piped.ended;
      expect(stdout).toBe('141\n');
      expect(stderr).not.toContain('EPIPE');
    },
    TIMEOUT_MS,
  );

  it(
    'prints JSON objects with --json, and names a wrong flag',
    async () => {
      const address = await serve();
      const asking = start(['ask', '--server', address, '--all', 'Which?', '--standing', '--holds', '2', '--json']);
      place.running.push(asking);
      const [line] = await asking.wrote(/^\{.*\}\n/);
      expect(JSON.parse(line)).toMatchObject({ question: 'Which?', previous: null, streams: [{ name: 'door' }] });
      interrupt(asking);
      await asking.ended;

      const ask = (...flags: string[]) => run(['ask', '--server', address, 'door', 'Now?', ...flags]);
      const refused = await Promise.all([
        ask('--every', '2'),
        ask('--standing', '--every', 'often'),
        ask('--standing', '--every', '0.1'),
        ask('And then?', '--standing'),
      ]);
      expect(refused.map(({ status, stderr }) => [status, /\((\w+)\)\s*$/.exec(stderr)?.[1]])).toEqual(
        refused.map(() => [1, 'invalid_request']),
      );
      const said = ['--every needs --standing', '--every: expected a number', 'question.every', 'one question'];
      refused.forEach(({ stderr }, i) => {
        expect(stderr).toContain(said[i]);
      });
    },
    TIMEOUT_MS,
  );
});
