import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { testPicture } from '../support/clips.ts';
import { freePort } from '../support/ports.ts';
import { interrupt, run, start, workplace } from '../support/cli.ts';
import { TINY_BUNDLE } from '../support/golden.ts';

const place = workplace();

test('Answers to a standing question of a stream file, and the loss of its camera, reach the log and the webhook', async () => {
  const bodies: string[] = [];
  const receiver = createServer((request, response) => {
    void request
      .toArray()
      .then((pieces) => bodies.push(Buffer.concat(pieces as Buffer[]).toString('utf8')))
      .then(() => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const streams = await mkdtemp(path.join(place.folder, 'streams-'));
  const clip = await place.clips.make('notices.mp4', ...testPicture(3, 10));
  const definition = (variable: string): string =>
    `source: { file: ${clip}, loop: true }
standing_questions:
  - question: What is shown now?
    every: 0.5
    webhook: { url: '${hook}', secret_env: ${variable}, picture: true }
`;
  await writeFile(path.join(streams, 'door.yaml'), definition('DOOR_SECRET'));
  const gone = `rtsp://admin:a-password@127.0.0.1:${await freePort()}/live`;
  await writeFile(
    path.join(streams, 'gate.yaml'),
    definition('DOOR_SECRET').replace(/\{ file.*/, `{ url: '${gone}' }`),
  );
  const args = ['serve', '--port', '0', '--streams', streams, '--bundle', TINY_BUNDLE];
  const service = start(args, { DOOR_SECRET: 'a-secret-of-the-tests' });
  place.running.push(service);
  await service.wrote(
    /"stream":"door","question":"What is shown now\?","answer":".*","confidence":[\d.]+,"msg":"A standing question has/,
  );
  const told = (stream: string): Record<string, unknown>[] =>
    bodies.map((body) => JSON.parse(body) as Record<string, unknown>).filter((event) => event['stream'] === stream);
  await expect.poll(() => told('door').length, { timeout: 30_000 }).toBeGreaterThan(0);
  const { type, stream, previous, yoco, picture } = told('door')[0] ?? {};
  expect({ type, stream, previous }).toEqual({
    type: 'yoco.standing_question.answered',
    stream: 'door',
    previous: null,
  });
  expect(yoco).toMatchObject({ stream: 'door', as_of: expect.any(Number) as number });
  const { jpeg = '', ...about } = picture as { jpeg?: string };
  expect(about).toMatchObject({ stream: 'door', t: expect.any(Number) as number });
  expect(await sharp(Buffer.from(jpeg, 'base64')).metadata()).toMatchObject({ format: 'jpeg' });

  await service.wrote(
    /"stream":"gate","state":"reconnecting","code":"source_unreachable","msg":"The source of a stream/,
  );
  await expect.poll(() => told('gate').length, { timeout: 30_000 }).toBe(1);
  expect(told('gate')).toMatchObject([
    { type: 'yoco.stream.status', state: 'reconnecting', error: { code: 'source_unreachable' }, last_time: null },
  ]);
  expect(bodies.join()).not.toContain('a-password');
  interrupt(service);
  expect((await service.ended).status).toBe(0);
  receiver.close();

  const without = await run(args);
  expect(without.status).not.toBe(0);
  expect(without.stderr).toMatch(/standing_questions\.0\.webhook\.secret_env: expected DOOR_SECRET to hold/);
}, 120_000);
