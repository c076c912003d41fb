/** Kept streams across restarts of the service: real processes, the tiny bundle. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { interrupt, run, start, type Started, workplace } from '../support/cli.ts';
import { descendants } from '../support/processes.ts';
import { png } from '../support/pushing.ts';

const SLOW = 120_000;

const place = workplace();
const { running } = place;

interface Status {
  readonly frames: number;
  readonly first: number | null;
  readonly last: number | null;
}

/** Starts a service with the stream `door`, which is kept in the folder of this name. */
async function serve(kept: string): Promise<{ service: Started; address: string }> {
  const streams = path.join(place.folder, 'streams');
  await mkdir(streams, { recursive: true });
  await writeFile(path.join(streams, 'door.yaml'), 'source: { push: true }\nkeep: { every: 3600 }\n');
  const env = { YOCO_SNAPSHOTS: path.join(place.folder, kept) };
  const service = start(['serve', '--port', '0', '--streams', streams], env);
  running.push(service);
  const [, address = ''] = await service.wrote(/"address":"(http:[^"]+)"/);
  return { service, address };
}

async function statusAt(address: string, stream = 'door'): Promise<Status> {
  return (await (await fetch(`${address}/v1/streams/${stream}`)).json()) as Status;
}

async function push(address: string, from: number, to: number, stream = 'door'): Promise<void> {
  for (let i = from; i < to; i++) {
    const init = { method: 'POST', headers: { 'content-type': 'image/png' }, body: await png(i) };
    const response = await fetch(`${address}/v1/streams/${stream}/frames?t=${i / 2}`, init);
    expect(await response.json()).toMatchObject({ accepted: true });
    await vi.waitFor(
      async () => {
        expect((await statusAt(address, stream)).last).toBe(i / 2);
      },
      { timeout: 25_000 },
    );
  }
}

async function end(service: Started): Promise<string> {
  interrupt(service);
  const { status, stderr } = await service.ended;
  expect(status).toBe(0);
  return stderr;
}

test(
  'A kept stream remembers what it saw before a restart, and starts empty if its file is damaged',
  async () => {
    const first = await serve('kept');
    expect(await statusAt(first.address)).toMatchObject({ frames: 0, last: null });
    await push(first.address, 0, 3);
    expect(await end(first.service)).not.toContain('Stream door');

    const second = await serve('kept');
    expect(await statusAt(second.address)).toMatchObject({ frames: 3, first: 0, last: 1 });
    const past = await run(['ask', 'door', 'What is shown now?', '--json', '--as-of', '0.5'], {
      YOCO_SERVER: second.address,
    });
    expect(JSON.parse(past.stdout)).toMatchObject({ as_of: 0.5 });
    await push(second.address, 3, 4);
    expect(await end(second.service)).not.toContain('Stream door');
    const folder = path.join(place.folder, 'kept');
    expect(await readdir(folder)).toEqual(['door.keep.snap']);

    const file = path.join(folder, 'door.keep.snap');
    await writeFile(file, (await readFile(file)).subarray(0, -1));
    const third = await serve('kept');
    expect(await statusAt(third.address)).toMatchObject({ frames: 0, last: null });
    expect(await end(third.service)).toMatch(/"level":40.*Stream door: .*starts empty.*door\.keep\.bad/);
    expect(await readdir(folder)).toEqual(['door.keep.bad']);
  },
  SLOW,
);

test(
  'A kept stream needs the setting `snapshots`, else the service does not start',
  async () => {
    const streams = path.join(place.folder, 'homeless');
    await mkdir(streams);
    await writeFile(path.join(streams, 'yard.yaml'), 'source: { push: true }\nkeep: true\n');
    const { status, stderr } = await run(['serve', '--port', '0', '--streams', streams]);
    expect(status).toBe(1);
    expect(stderr).toContain('not valid. snapshots: must name a folder, since stream yard has keep. (config_invalid)');
  },
  SLOW,
);

test(
  'A service warns at the start when its snapshot folder cannot be written',
  async () => {
    await writeFile(path.join(place.folder, 'no-folder'), '');
    const { service } = await serve('no-folder');
    expect(await end(service)).toMatch(/"reason":"EEXIST","msg":"The snapshot folder is not writable/);
  },
  SLOW,
);

test(
  'The log says when a lost engine is ready again, and which streams begin empty or are read from files',
  async () => {
    const streams = path.join(place.folder, 'streams');
    await mkdir(streams, { recursive: true });
    const before = await serve('lost');
    await push(before.address, 0, 1);
    await end(before.service);
    await writeFile(path.join(streams, 'yard.yaml'), 'source: { push: true }\n');
    await writeFile(path.join(streams, 'empty.yaml'), 'source: { push: true }\n');
    // Is kept, but has no file yet.
    await writeFile(path.join(streams, 'shed.yaml'), 'source: { push: true }\nkeep: { every: 3600 }\n');
    const { service, address } = await serve('lost');
    await push(address, 0, 1, 'shed');
    await push(address, 0, 1, 'yard');
    const [engine] = await descendants(service.child.pid ?? 0);
    process.kill(engine?.pid ?? NaN, 'SIGKILL');
    await service.wrote(
      /"begin_empty":\["shed","yard"\],"read_from_files":\["door"\],"msg":"The engine is ready again\./,
    );
    await end(service);
  },
  SLOW,
);
