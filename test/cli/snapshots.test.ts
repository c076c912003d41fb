/** The snapshot commands as a user runs them, from one service to the next. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { interrupt, run, start, type Started, workplace } from '../support/cli.ts';
import { testPicture } from '../support/clips.ts';

const KEY = 'a-key-of-more-than-16-characters';
const SLOW = 120_000;

const place = workplace();
const { running } = place;

/** Starts a service with a folder of these stream definitions. */
async function serve(
  name: string,
  definitions: Record<string, string>,
): Promise<{ service: Started; address: string }> {
  const streams = path.join(place.folder, name);
  await mkdir(streams, { recursive: true });
  for (const [file, text] of Object.entries(definitions)) await writeFile(path.join(streams, file), text);
  const service = start(['serve', '--port', '0', '--streams', streams], {
    YOCO_SNAPSHOTS: path.join(place.folder, 'kept'),
    YOCO_API_KEYS: KEY,
  });
  running.push(service);
  const [, address = ''] = await service.wrote(/"address":"(http:[^"]+)"/);
  return { service, address };
}

const command = (address: string, ...args: string[]) => run(args, { YOCO_SERVER: address, YOCO_API_KEY: KEY });

/** Takes snapshots until one has all 4 frames of the clip, up to 1.5 s; returns what that command printed. */
async function untilRead(address: string): Promise<string> {
  for (let tries = 0; tries < 20; tries++) {
    const { stdout, status } = await command(address, 'snapshot', 'door', '--file', 'door.snap');
    if (status === 0 && stdout.includes('4 frames')) return stdout;
  }
  throw new Error('the clip was not read');
}

test(
  'A snapshot of one service is restored in the next, by a command and by a definition',
  async () => {
    const clip = await place.clips.make('door.mp4', ...testPicture(2, 10));
    const source = `source: { file: ${clip}, pace: fastest }\n`;
    const first = await serve('first', { 'door.yaml': source });
    const kept = await untilRead(first.address);
    expect(kept).toMatch(/^door\.snap {2}\d+\.\d MB {2}stream door, 0:00-0:01, 4 frames\n$/);
    const copied = await command(first.address, 'restore', 'door.snap', '--name', 'copy');
    expect(copied).toMatchObject({ status: 0, stdout: 'stream copy: 4 frames, up to 0:01\n', stderr: '' });
    interrupt(first.service);
    await first.service.ended;

    const second = await serve('second', { 'yard.yaml': `restore: door.snap\n${source}` });
    const restored = await command(second.address, 'restore', 'door.snap', '--json');
    expect(JSON.parse(restored.stdout)).toMatchObject({ name: 'door', source: 'push', frames: 4, last: 1.5 });
    const answer = await command(second.address, 'ask', 'door', 'What is shown now?', '--json');
    expect(JSON.parse(answer.stdout)).toMatchObject({ status: expect.any(String) as string, as_of: 1.5 });
    // The definition's file is played after the frames of the snapshot.
    const headers = { authorization: `Bearer ${KEY}` };
    const yard = async (): Promise<number | null> =>
      ((await (await fetch(`${second.address}/v1/streams/yard`, { headers })).json()) as { last: number | null }).last;
    await expect.poll(yard, { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
    const later = await command(second.address, 'ask', 'yard', 'What is shown now?', '--json', '--as-of', '3');
    expect(JSON.parse(later.stdout)).toMatchObject({ as_of: 3 });

    const list = await command(second.address, 'snapshots');
    expect(list.stdout).toBe(kept);
    const listed = await command(second.address, 'snapshots', '--json');
    expect(JSON.parse(listed.stdout)).toMatchObject({ object: 'list', data: [{ file: 'door.snap', bundle: 'tiny' }] });
    expect(await readdir(path.join(place.folder, 'kept'))).toEqual(['door.snap']);

    const refused = await Promise.all([
      command(second.address, 'snapshot', 'nobody'),
      command(second.address, 'restore', 'none.snap'),
      command(second.address, 'snapshots', '--delete', 'none.snap', 'door.snap'),
      command(second.address, 'snapshot', 'door', '--file', '../door'),
      command(second.address, 'restore', 'door.snap', '--source', 'rtsp://10.0.0.1/live', '--name', 'x'),
      run(['snapshots', '--server', second.address], { YOCO_API_KEY: `${KEY}x` }),
      run(['snapshots', '--server', 'http://127.0.0.1:1']),
    ]);
    expect(refused.map(({ status, stdout }) => [status, stdout])).toEqual(refused.map(() => [1, '']));
    expect(refused.map(({ stderr }) => /\((\w+)\)\n$/.exec(stderr)?.[1])).toEqual([
      'stream_not_found',
      'snapshot_not_found',
      'snapshot_not_found',
      'invalid_request',
      'source_forbidden',
      'unauthorized',
      'service_unreachable',
    ]);
    for (const { stderr } of refused.slice(1, 3)) expect(stderr).toContain('The name was "none.snap".');
    const taken = await command(second.address, 'restore', 'door.snap');
    expect(taken.stderr).toMatch(/The name was "door"\. Give another with --name\. \(stream_exists\)\n$/);

    const gone = await command(second.address, 'snapshots', '--delete', 'door.snap');
    expect(gone).toMatchObject({ status: 0, stdout: 'door.snap is deleted\n', stderr: '' });
    expect(await readdir(path.join(place.folder, 'kept'))).toEqual([]);
    const none = await command(second.address, 'snapshots');
    expect(none).toMatchObject({ status: 0, stdout: '', stderr: 'There are no snapshots.\n' });
  },
  SLOW,
);

test(
  'A service does not start with a definition whose snapshot is missing',
  async () => {
    const streams = path.join(place.folder, 'missing');
    await mkdir(streams);
    await writeFile(path.join(streams, 'door.yaml'), 'restore: nothing.snap\n');
    const env = { YOCO_SNAPSHOTS: path.join(place.folder, 'kept') };
    const { status, stderr } = await run(['serve', '--port', '0', '--streams', streams], env);
    expect(status).toBe(1);
    expect(stderr).toContain('(snapshot_not_found)');
  },
  SLOW,
);
