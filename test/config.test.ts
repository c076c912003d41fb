import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { checkVariables, readConfig } from '../src/config.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-config-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('Environment variables', () => {
  const OF_YOCO_LIVE = {
    YOCO_LIVE_SERVICE_HOST: '10.96.0.7',
    YOCO_LIVE_SERVICE_PORT: '8080',
    YOCO_LIVE_SERVICE_PORT_HTTP: '8080',
    YOCO_LIVE_PORT: 'tcp://10.96.0.7:8080',
    YOCO_LIVE_PORT_8080_TCP: 'tcp://10.96.0.7:8080',
    YOCO_LIVE_PORT_8080_TCP_PROTO: 'tcp',
    YOCO_LIVE_PORT_8080_TCP_PORT: '8080',
    YOCO_LIVE_PORT_8080_TCP_ADDR: '10.96.0.7',
  };

  test('that Kubernetes sets for a Service named yoco-live are ignored', async () => {
    const { port, host } = await readConfig({}, { ...OF_YOCO_LIVE, YOCO_PORT: '9000' });
    expect([port, host]).toEqual([9000, '127.0.0.1']);
    checkVariables(OF_YOCO_LIVE);
  });

  test('that Kubernetes sets for a Service named yoco do not set the port', async () => {
    const ofYoco = Object.entries(OF_YOCO_LIVE).map(([name, value]) => [name.replace('_LIVE', ''), value]);
    const { port } = await readConfig({}, Object.fromEntries(ofYoco) as Record<string, string>);
    expect(port).toBe(8080);
    expect((await readConfig({}, { YOCO_PORT: 'udp://10.96.0.7:5000' })).port).toBe(8080);
  });

  test('take precedence over the defaults of the caller, which precede the built-in ones', async () => {
    expect((await readConfig({}, {}, undefined, { port: 0 })).port).toBe(0);
    expect((await readConfig({}, { YOCO_PORT: '9000' }, undefined, { port: 0 })).port).toBe(9000);
  });

  test('may have whitespace and carriage returns around their values', async () => {
    const { snapshots, port, host } = await readConfig(
      {},
      { YOCO_SNAPSHOTS: '/data\r', YOCO_PORT: ' 9000 ', YOCO_HOST: ' ::1' },
    );
    expect([snapshots, port, host]).toEqual(['/data', 9000, '::1']);
  });
});

describe('An invalid setting', () => {
  const refusal = (param: string, message: string) => ({
    code: 'config_invalid',
    param,
    message: expect.stringContaining(message) as string,
  });

  test.each([
    [{ YOCO_PORT: 'tcp' }, 'port', ' port (YOCO_PORT): expected a whole number from 0 to 65535.'],
    [{ YOCO_PORT: '70000' }, 'port', ' port (YOCO_PORT): expected a whole number from 0 to 65535.'],
    [{ YOCO_PORT: ' ' }, 'port', ' port (YOCO_PORT): expected a whole number from 0 to 65535.'],
    [{ YOCO_THREADS: '1.5' }, 'threads', ' threads (YOCO_THREADS): expected a whole number from 1 to 256.'],
    [
      { YOCO_ENGINE_MEMORY_MB: '8 GB' },
      'engine_memory_mb',
      ' engine_memory_mb (YOCO_ENGINE_MEMORY_MB): expected a whole number of at least 512.',
    ],
    [{ YOCO_LIVE_PORT: '8080' }, 'live_port', ' live_port (YOCO_LIVE_PORT): is not a setting.'],
    [{ YOCO_TLS_KEY: 'key.pem' }, 'tls.cert', ' tls.cert: '],
    [
      { YOCO_TIME_ZONE: 'Berlin' },
      'time_zone',
      ' time_zone (YOCO_TIME_ZONE): expected the name of a time zone, such as ',
    ],
    [{ YOCO_SOURCE_HOSTS: 'cam.example,10.0.0.0/33' }, 'source_hosts.1', ' source_hosts.1 (YOCO_SOURCE_HOSTS): '],
  ])('from the environment (%j) is rejected, naming its variable', async (env, param, message) => {
    await expect(readConfig({}, env)).rejects.toMatchObject(refusal(param, message));
  });

  test('from a flag or the settings file is rejected without blaming a variable', async () => {
    const flag = readConfig({ port: 'eighty' }, { YOCO_PORT: '9000' });
    await expect(flag).rejects.toMatchObject(refusal('port', ' port: '));
    const file = path.join(folder, 'wrong.yaml');
    await writeFile(file, 'port: eighty\n');
    const expected = ' port: expected a whole number from 0 to 65535.';
    await expect(readConfig({}, {}, file)).rejects.toMatchObject(refusal('port', expected));
    await writeFile(file, 'port:\n');
    await expect(readConfig({}, {}, file)).rejects.toMatchObject(refusal('port', expected));
  });

  test('is rejected by name even by commands that read no settings', () => {
    expect(() => {
      checkVariables({ YOCO_SEVER: 'http://127.0.0.1:8080' });
    }).toThrow('YOCO_SEVER');
    checkVariables({
      YOCO_SERVER: 'x',
      YOCO_API_KEY: 'x',
      YOCO_TLS_KEY: 'x',
      YOCO_PORT: 'x',
      HOME: 'x',
      YOCO_EMPTY: '',
    });
  });
});

describe('A settings file that cannot be read', () => {
  /** The error detail for a settings file with this text, without the leading file name. */
  async function said(text: string): Promise<string> {
    const file = path.join(folder, 'unread.yaml');
    await writeFile(file, text);
    const error: unknown = await readConfig({}, {}, file).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'config_invalid', param: 'config' });
    const { detail } = error as { detail: string };
    expect(detail.startsWith(`${file} `)).toBe(true);
    return detail.slice(file.length + 1);
  }

  test.each([
    ['api_keys: [hunter2\nport: 80\n', 'BAD_INDENT at line 2, column 1'],
    ['port: 80\napi_keys:\n\t- hunter2\n', 'TAB_AS_INDENT at line 3, column 1'],
    ['host: a\napi_keys: @hunter2\n', 'BAD_SCALAR_START at line 2, column 11'],
    ['api_keys: [*hunter2]\n', 'a value that begins with "*" needs quotation marks'],
  ])('because its YAML is invalid is reported with the position but without its content: %j', async (text, why) => {
    expect(await said(text)).toBe(`cannot be read (${why}).`);
  });

  test('is reported with the system error code', async () => {
    await expect(readConfig({}, {}, path.join(folder, 'nowhere.yaml'))).rejects.toMatchObject({
      detail: `${path.join(folder, 'nowhere.yaml')} cannot be read (ENOENT).`,
    });
    await expect(readConfig({}, {}, folder)).rejects.toMatchObject({ detail: `${folder} cannot be read (EISDIR).` });
  });
});

test('A key that YAML parses as a tag never appears in a warning', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const file = path.join(folder, 'tag.yaml');
  await writeFile(file, 'api_keys: [!hunter2]\n');
  await expect(readConfig({}, {}, file)).rejects.toMatchObject({ param: 'api_keys.0' });
  expect(warned).not.toHaveBeenCalled();
  warned.mockRestore();
});

test('API keys and view keys come from the settings file, unless a variable overrides it', async () => {
  const file = path.join(folder, 'keys.yaml');
  await writeFile(file, 'api_keys: [of-the-file]\nview_keys: [seen-by-the-file, and-another]\n');
  expect(await readConfig({}, {}, file)).toMatchObject({
    api_keys: ['of-the-file'],
    view_keys: ['seen-by-the-file', 'and-another'],
  });
  expect((await readConfig({}, { YOCO_VIEW_KEYS: 'one, two' }, file)).view_keys).toEqual(['one', 'two']);
  expect((await readConfig({}, {})).view_keys).toEqual([]);
});

test('The time zone comes from the settings file, unless a variable overrides it', async () => {
  const file = path.join(folder, 'zone.yaml');
  await writeFile(file, 'time_zone: Europe/Berlin\n');
  expect((await readConfig({}, {}, file)).time_zone).toBe('Europe/Berlin');
  expect((await readConfig({}, { YOCO_TIME_ZONE: 'UTC' }, file)).time_zone).toBe('UTC');
  expect((await readConfig({}, { YOCO_TIME_ZONE: '' })).time_zone).toBeUndefined();
});

test('Empty variables count as unset, including YOCO_CONFIG', async () => {
  expect((await readConfig({}, { YOCO_PORT: '', YOCO_API_KEYS: '', YOCO_CONFIG: '' })).port).toBe(8080);
});

test.each(['cam.example:554', 'rtsp://cam.example', 'http://x/y', 'foo bar', '*cam', '*.', '', 'a/8', '10.0.0.0/33'])(
  'source_hosts rejects a rule that can never match: %j',
  async (rule) => {
    const read = readConfig({ source_hosts: [rule] }, {});
    await expect(read).rejects.toMatchObject({ code: 'config_invalid', param: 'source_hosts.0' });
  },
);

test('source_hosts accepts hosts, wildcards, address ranges and *', async () => {
  const rules = ['Cam.Example.', '*.example', '10.0.0.0/8', 'fd00::/8', '[fd00::1]', '10.0.0.7', 'front_door', '*'];
  expect((await readConfig({ source_hosts: rules }, {})).source_hosts).toEqual(rules);
});
