/**
 * SIGHUP: a running service reloads its stream files, its certificate and its keys. Real processes, the tiny bundle.
 */
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { generate } from 'selfsigned';
import { expect, test, vi } from 'vitest';
import { testPicture } from '../support/clips.ts';
import { interrupt, start, type Started, workplace } from '../support/cli.ts';
import { descendants } from '../support/processes.ts';
import { png } from '../support/pushing.ts';

const SLOW = 120_000;
const PATIENT = { timeout: 25_000 };

const place = workplace();

interface Status {
  readonly name: string;
  readonly source: string;
  readonly state: string;
  readonly frames: number;
  readonly first: number | null;
  readonly last: number | null;
}

/** A service over a folder of stream files. */
class Service {
  readonly #folder: string;
  readonly #process: Started;
  #address = '';

  private constructor(folder: string, process: Started) {
    this.#folder = folder;
    this.#process = process;
  }

  static async begin(files: Record<string, string>, env: Record<string, string> = {}): Promise<Service> {
    const folder = await mkdtemp(path.join(place.folder, 'streams-'));
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, `${name}.yaml`), text);
    const process = start(['serve', '--port', '0', '--streams', folder], env);
    place.running.push(process);
    const service = new Service(folder, process);
    [, service.#address = ''] = await process.wrote(/"address":"(https?:[^"]+)"/);
    return service;
  }

  get address(): string {
    return this.#address;
  }

  async file(name: string, text: string | null): Promise<void> {
    const file = path.join(this.#folder, `${name}.yaml`);
    await (text === null ? rm(file) : writeFile(file, text));
  }

  /** Sends SIGHUP, to the engine too, as a terminal does; resolves with the matching log line. */
  async hangup(line: RegExp): Promise<string> {
    process.kill(-(this.#process.child.pid ?? NaN), 'SIGHUP');
    return (await this.#process.wrote(line))[0];
  }

  /** Stops the service; resolves with all that it has logged. */
  async end(): Promise<string> {
    interrupt(this.#process);
    const { status, stderr } = await this.#process.ended;
    expect(status).toBe(0);
    expect(stderr).not.toContain('The engine');
    return stderr;
  }

  async names(): Promise<string[]> {
    const { data } = (await (await fetch(`${this.#address}/v1/streams`)).json()) as { data: Status[] };
    return data.map(({ name }) => name).sort();
  }

  async status(name: string): Promise<Status> {
    return (await (await fetch(`${this.#address}/v1/streams/${name}`)).json()) as Status;
  }

  async becomes(name: string, status: Partial<Status>): Promise<Status> {
    return vi.waitFor(async () => {
      const now = await this.status(name);
      expect(now).toMatchObject(status);
      return now;
    }, PATIENT);
  }

  async push(name: string, seconds: number): Promise<void> {
    const init = { method: 'POST', headers: { 'content-type': 'image/png' }, body: await png(seconds * 2) };
    const response = await fetch(`${this.#address}/v1/streams/${name}/frames?t=${seconds}`, init);
    expect(await response.json()).toMatchObject({ accepted: true });
    await this.becomes(name, { last: seconds });
  }
}

/** Matches the log line of a reload; each list has one name or none. */
function line(lists: { created?: string; changed?: string; removed?: string; failed?: string; left: number }): RegExp {
  const { created = '', changed = '', removed = '', failed = '', left } = lists;
  const list = (name: string, names: string): string => `"${name}":\\[${names === '' ? '' : `"${names}"`}\\]`;
  const all = [list('created', created), list('changed', changed), list('removed', removed), list('failed', failed)];
  return new RegExp(`${all.join(',')},"left":${left},"msg":"The stream files were reloaded\\."`);
}

const PUSHED = 'source: { push: true }\n';

test(
  'A reload adds and removes cameras and changes addresses; streams that stay keep what they have seen',
  async () => {
    const [before, after] = [
      await place.clips.make('before.mp4', ...testPicture(3, 10)),
      await place.clips.make('after.mp4', ...testPicture(2, 10)),
    ];
    const service = await Service.begin({
      door: PUSHED,
      gate: PUSHED,
      yard: `source: { file: ${before}, pace: fastest }\n`,
    });
    await service.push('door', 0);
    await service.push('door', 0.5);
    await service.becomes('yard', { state: 'ended', frames: 6 });

    // A file that is wrong leaves all streams as they were, whatever else has changed.
    await service.file('gate', null);
    await service.file('attic', 'source: { push: perhaps }\n');
    await service.hangup(/"level":50[^\n]*"msg":"The streams are unchanged: [^\n]*attic\.yaml: source\.push: /);
    expect(await service.names()).toEqual(['door', 'gate', 'yard']);

    await service.file('attic', null);
    await service.file('shed', PUSHED);
    await service.file('yard', `source: { file: ${after}, pace: fastest }\n`);
    await service.hangup(line({ created: 'shed', changed: 'yard', removed: 'gate', left: 1 }));
    expect(await service.names()).toEqual(['door', 'shed', 'yard']);
    expect(await service.becomes('yard', { state: 'ended', frames: 10 })).toMatchObject({
      source: 'file after.mp4',
      first: 0,
    });
    expect(await service.status('door')).toMatchObject({ frames: 2, first: 0, last: 0.5 });
    await service.push('door', 1);
    await service.push('shed', 0);

    // Masking a part of the picture keeps what the camera saw before.
    await service.file('door', `${PUSHED}sampling: { masks: [{ left: 0, top: 0, width: 1, height: 1 }] }\n`);
    await service.hangup(line({ changed: 'door', left: 2 }));
    expect(await service.status('door')).toMatchObject({ frames: 3, first: 0, last: 1 });
    const picture = await fetch(`${service.address}/v1/streams/door/frames`);
    expect(await picture.json()).toMatchObject({ error: { code: 'time_out_of_range' } });
    await service.push('door', 1.5);
    expect((await service.status('door')).frames).toBe(4);
    await service.end();
  },
  SLOW,
);

test(
  'A source that has failed for good is retried, even if its file is unchanged',
  async () => {
    const clip = path.join(place.folder, 'later.mp4');
    const asking = 'standing_questions: [{ question: What is shown now?, every: 0.5 }]\n';
    const yard = `source: { file: ${clip}, pace: fastest }\n${asking}`;
    const service = await Service.begin({ door: PUSHED, yard });
    await service.push('door', 0);
    await service.becomes('yard', { state: 'failed', frames: 0 });
    await service.hangup(line({ changed: 'yard', left: 1 }));
    await service.becomes('yard', { state: 'failed', frames: 0 });

    await copyFile(await place.clips.make('there.mp4', ...testPicture(2, 10)), clip);
    await service.hangup(line({ changed: 'yard', left: 1 }));
    await service.becomes('yard', { state: 'ended', frames: 4, first: 0 });
    const asked = `${service.address}/v1/streams/yard/standing_questions`;
    await vi.waitFor(async () => {
      expect(await (await fetch(asked)).json()).toMatchObject({
        data: [{ answer: expect.stringMatching(/./) as string }],
      });
    }, PATIENT);
    // Sources that have ended, or go on, are left alone.
    await service.hangup(line({ left: 2 }));
    expect(await service.status('door')).toMatchObject({ frames: 1 });

    const log = await service.end();
    expect(log.match(/"level":40[^\n]*"stream":"yard","msg":"There is no file at /g)).toHaveLength(2);
    const failed =
      /"level":40[^\n]*"stream":"yard","code":"source_not_found","msg":"Stream yard: The source does not exist/g;
    expect(log.match(failed)).toHaveLength(2);
  },
  SLOW,
);

test(
  'Streams of clients are left alone, one that a client deleted is recreated, and failures are reported by stream',
  async () => {
    const clip = await place.clips.make('dated.mp4', ...testPicture(2, 10));
    const service = await Service.begin({ door: PUSHED, gate: PUSHED, yard: `source: { file: ${clip} }\n` });
    const made = await fetch(`${service.address}/v1/streams`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'desk', source: { push: true } }),
    });
    expect(made.status).toBe(201);
    await service.push('desk', 0);
    await service.push('gate', 0);
    // While it starts, ffmpeg is still in the process group that gets the SIGHUP.
    await service.becomes('yard', { first: 0 });
    expect((await fetch(`${service.address}/v1/streams/door`, { method: 'DELETE' })).status).toBe(200);

    await service.file('desk', PUSHED);
    await service.hangup(line({ created: 'door', failed: 'desk', left: 2 }));
    expect(await service.names()).toEqual(['desk', 'door', 'gate', 'yard']);
    expect(await service.status('desk')).toMatchObject({ frames: 1 });

    await service.file('desk', null);
    await service.file('gate', `${PUSHED}memory: { limit_mb: 64 }\n`);
    await service.hangup(line({ changed: 'gate', left: 2 }));
    expect(await service.names()).toEqual(['desk', 'door', 'gate', 'yard']);
    expect(await service.status('gate')).toMatchObject({ frames: 1 });

    await service.file('yard', `source: { file: ${clip}, recorded_at: '2030-01-01T12:00:00Z' }\n`);
    await service.hangup(line({ changed: 'yard', left: 2 }));
    await service.becomes('yard', { first: 0 });
    await service.file('door', 'source: { url: rtsp://127.0.0.1/live, credentials_env: NOBODY_HAS_SET_THIS }\n');
    await service.hangup(line({ failed: 'door', left: 2 }));
    expect(await service.status('door')).toMatchObject({ source: 'push' });
    const webhook = '{ url: http://127.0.0.1/hook, secret_env: NOR_THIS }';
    const asking = `standing_questions: [{ question: What is shown now?, webhook: ${webhook} }]\n`;
    await service.file('yard', `source: { push: true }\n${asking}`);
    await service.file('door', PUSHED);
    await service.hangup(line({ failed: 'yard', left: 2 }));
    expect(await service.status('yard')).toMatchObject({ source: 'file dated.mp4' });

    const log = await service.end();
    expect(log).toMatch(/"level":50[^\n]*"stream":"desk","code":"stream_exists"/);
    expect(log).toMatch(/"level":40[^\n]*"stream":"gate","msg":"[^\n]*memory, restore[^\n]*after a restart/);
    expect(log).toMatch(/"level":40[^\n]*"stream":"yard","msg":"The stream starts over and forgets/);
    expect(log).toMatch(/"level":50[^\n]*"stream":"door","code":"definition_invalid"[^\n]*NOBODY_HAS_SET_THIS/);
    expect(log).toMatch(/"level":50[^\n]*"stream":"yard","code":"definition_invalid"[^\n]*NOR_THIS/);
  },
  SLOW,
);

test(
  'A reload applies `keep` and standing questions; frames from before it survive the next restart',
  async () => {
    const env = { YOCO_SNAPSHOTS: path.join(place.folder, 'kept') };
    const asking = 'standing_questions: [{ question: What is shown now?, every: 0.5 }]\n';
    const service = await Service.begin({ door: PUSHED, gate: PUSHED }, env);
    await service.push('door', 0);
    await service.push('gate', 0);
    await service.file('door', `${PUSHED}keep: true\n${asking}`);
    await service.hangup(line({ changed: 'door', left: 1 }));
    const asked = `${service.address}/v1/streams/door/standing_questions`;
    await vi.waitFor(async () => {
      expect(await (await fetch(asked)).json()).toMatchObject({ data: [{ state: 'answered' }] });
    }, PATIENT);
    await service.file('door', `${PUSHED}keep: true\n`);
    await service.file('gate', null);
    await service.hangup(line({ changed: 'door', removed: 'gate', left: 0 }));
    expect(await (await fetch(asked)).json()).toMatchObject({ data: [] });
    await service.end();

    const next = await Service.begin({ door: `${PUSHED}keep: true\n` }, env);
    expect(await next.status('door')).toMatchObject({ frames: 1, last: 0 });
    await next.end();
  },
  SLOW,
);

test(
  'A SIGHUP during the start does not end the service, and is acted on afterwards',
  async () => {
    const folder = await mkdtemp(path.join(place.folder, 'streams-'));
    const service = start(['serve', '--port', '0', '--streams', folder]);
    place.running.push(service);
    while (!(await descendants(service.child.pid ?? 0)).some(({ command }) => command.includes('engine/process'))) {
      await sleep(10);
    }
    service.child.kill('SIGHUP');
    await service.wrote(line({ left: 0 }));
    interrupt(service);
    const { status, stderr } = await service.ended;
    expect([status, stderr.includes('"msg":"listening"')]).toEqual([0, true]);
  },
  SLOW,
);

/** A key and a certificate for localhost in two files. */
async function certificate(files: { key: string; cert: string }): Promise<{ key: string; cert: string }> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
  await writeFile(files.key, made.private);
  await writeFile(files.cert, made.cert);
  return { key: made.private, cert: made.cert };
}

async function connected(port: number): Promise<tls.TLSSocket> {
  // The tests compare the certificate, and need not trust it.
  const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}

async function shown(port: number): Promise<string> {
  const socket = await connected(port);
  const pem = socket.getPeerX509Certificate()?.toString() ?? '';
  socket.destroy();
  return pem.trim();
}

test(
  'A renewed certificate serves new connections while open ones go on; an unusable one is rejected',
  async () => {
    const files = { key: path.join(place.folder, 'key.pem'), cert: path.join(place.folder, 'cert.pem') };
    const first = await certificate(files);
    const service = await Service.begin({}, { YOCO_TLS_KEY: files.key, YOCO_TLS_CERT: files.cert });
    const port = Number(new URL(service.address).port);
    expect(await shown(port)).toBe(first.cert.trim());
    const open = await connected(port);

    const second = await certificate(files);
    const told = await service.hangup(/"valid_to":"([^"]+)"[^\n]*"msg":"The certificate was reloaded\."/);
    expect(Date.parse(/"valid_to":"([^"]+)"/.exec(told)?.[1] ?? '')).toBeGreaterThan(Date.now());
    expect(await shown(port)).toBe(second.cert.trim());

    await writeFile(files.key, first.key);
    await service.hangup(/"level":50[^\n]*"msg":"The certificate is unchanged: [^\n]*cannot be used/);
    await rm(files.cert);
    await service.hangup(
      /"level":50[^\n]*"param":"tls\.cert","msg":"The certificate is unchanged: [^\n]*cannot be read/,
    );
    expect(await shown(port)).toBe(second.cert.trim());

    open.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [answer] = (await once(open, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
    open.destroy();
    await service.end();
  },
  SLOW,
);

test(
  'Keys of the settings file are reloaded, and other changed settings named; invalid keys or files change nothing',
  async () => {
    const settings = path.join(place.folder, 'yoco.yaml');
    const [old, next] = ['the-key-until-now-0123', 'the-key-from-now-on-45'];
    await writeFile(settings, `api_keys: [${old}]\npictures_mb: 32\ntime_zone: Europe/Rome\n`);
    const service = await Service.begin({}, { YOCO_CONFIG: settings });
    const statuses = (): Promise<number[]> =>
      Promise.all(
        [old, next].map(async (key) => {
          const headers = { authorization: `Bearer ${key}` };
          return (await fetch(`${service.address}/v1/streams`, { headers })).status;
        }),
      );
    expect(await statuses()).toEqual([200, 401]);

    await writeFile(settings, `api_keys: [${next}]\nmax_streams: 3\n`);
    await service.hangup(/"added":1,"removed":1,"closed":0,"msg":"The keys were reloaded\."/);
    expect(await statuses()).toEqual([401, 200]);

    await writeFile(settings, '');
    await service.hangup(
      /"level":50[^\n]*"msg":"The keys are unchanged: [^\n]*api_keys: The new list of keys is empty/,
    );
    await writeFile(settings, 'api_keys: [short]\n');
    await service.hangup(/"level":50[^\n]*"msg":"The keys are unchanged: [^\n]*api_keys: Each API key needs/);
    await writeFile(settings, `port: 0\napi_keys: [${next}\n`);
    await service.hangup(
      /"level":50[^\n]*"msg":"The keys are unchanged: [^\n]*yoco\.yaml cannot be read \(\w+ at line 3, column 1\)/,
    );
    await rm(settings);
    await service.hangup(/"level":50[^\n]*"msg":"The keys are unchanged: [^\n]*yoco\.yaml cannot be read \(ENOENT\)/);
    expect(await statuses()).toEqual([401, 200]);
    expect(await service.end()).toMatch(
      /"level":40[^\n]*"settings":\["max_streams","pictures_mb","time_zone"\],"msg":"[^\n]*after a restart/,
    );
  },
  SLOW,
);

test(
  'Keys from an environment variable stay as they are, which the log says',
  async () => {
    const key = 'the-key-of-the-variable-67';
    const service = await Service.begin({}, { YOCO_API_KEYS: key });
    await service.hangup(/"level":40[^\n]*"variables":\["YOCO_API_KEYS"\],"msg":"[^\n]*until a restart/);
    const answer = await fetch(`${service.address}/v1/streams`, { headers: { authorization: `Bearer ${key}` } });
    expect(answer.status).toBe(200);
    await service.end();
  },
  SLOW,
);

test(
  'A recording whose cache was lost with the engine is read again',
  async () => {
    const file = await place.clips.make('reread.mp4', ...testPicture(2, 10));
    const service = await Service.begin({ tape: `source: { file: ${file}, pace: fastest }\n` });
    const last = async (): Promise<[string, number | null]> => {
      const { state, last: end } = (await (await fetch(`${service.address}/v1/streams/tape`)).json()) as Status;
      return [state, end];
    };
    await expect.poll(last, PATIENT).toEqual(['ended', 1.5]);
    const running = place.running.at(-1)?.child.pid ?? NaN;
    const engine = (await descendants(running)).find(({ command }) => command.includes('engine/process'));
    process.kill(engine?.pid ?? NaN, 'SIGKILL');
    await expect.poll(last, PATIENT).toEqual(['ended', null]);
    await service.hangup(/"changed":\["tape"\]/);
    await expect.poll(last, PATIENT).toEqual(['ended', 1.5]);
  },
  SLOW,
);
