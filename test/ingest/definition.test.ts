import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  describeSource,
  type FileSourceDefinition,
  parseDefinition,
  readDefinition,
  readDefinitions,
} from '../../src/ingest/definition.ts';
import { ffmpegInput } from '../../src/ingest/ffmpeg-input.ts';
import { checkSource, type SourcePolicy } from '../../src/ingest/policy.ts';
import { redact, redactUrl, secretsOf } from '../../src/ingest/redact.ts';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'yoco-definition-')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const standing = (...asked: object[]) => ({
  name: 'a',
  source: { push: true },
  standing_questions: asked.map((one) => ({ question: 'now?', ...one })),
});

const WHEN = '2030-01-28T20:00:00+01:00';

describe('A definition', () => {
  test('gets its defaults', () => {
    expect(parseDefinition({ name: 'door', source: { file: 'a.mp4' } })).toEqual({
      name: 'door',
      source: { file: 'a.mp4', loop: false, pace: 'realtime' },
      sampling: { fps: 2, masks: [] },
      memory: { limit_mb: 512, merge_below: 0 },
    });
  });

  test.each([[true], [{}], [{ every: 900 }]])('is kept every quarter of an hour with keep: %j', (keep) => {
    expect(parseDefinition({ name: 'a', source: { push: true }, keep }).keep).toEqual({ every: 900 });
  });

  test.each([
    [{ url: 'rtsp://10.0.0.7/live', transport: 'udp', credentials_env: 'DOOR' }],
    [{ url: 'https://example.org/a.m3u8?x=1' }],
    [{ url: 'https://example.org/@channel/a.m3u8?mail=a@b' }],
    [{ url: 'rtsp://admin:1%232%2F3%40@10.0.0.7:554/live?x=1' }],
    [{ url: 'rtsp://admin:a\\b@[fd00::1]:554/live' }],
    [{ device: '/dev/video0' }],
    [{ push: true }],
  ])('accepts the source %j', (source) => {
    expect(parseDefinition({ name: 'a', source }).source).toEqual(source);
  });

  test.each([
    [null, null, /Expected an object/],
    [{ source: { push: true } }, 'name', /name: expected string/],
    [{ name: 'Ä', source: { push: true } }, 'name', /1 to 64/],
    [{ name: '../etc', source: { push: true } }, 'name', /1 to 64/],
    [{ name: 'a' }, 'source', /exactly one of url, file, device, push/],
    [{ name: 'a', source: { push: true, file: 'a' } }, 'source', /exactly one/],
    [{ name: 'a', source: { push: false } }, 'source.push', /expected true/],
    [{ name: 'a', source: { push: true, loop: true } }, 'source.loop', /unknown/],
    [{ name: 'a', source: { push: true }, colour: 'red' }, 'colour', /unknown/],
    [{ name: 'a', source: { url: 'http://a/', transport: 'udp' } }, 'source.transport', /only for rtsp/],
    [{ name: 'a', source: { url: 'rtsp://a/', credentials_env: 'a:b' } }, 'source.credentials_env', /environment/],
    [{ name: 'a', source: { url: 'rtsp://a/', credentials_env: 'YOCO_CAM' } }, 'source.credentials_env', /YOCO_/],
    [{ name: 'a', source: { device: '/etc/passwd' } }, 'source.device', /\/dev\/video0/],
    [{ name: 'a', source: { device: '/dev/../etc/passwd' } }, 'source.device', /\/dev\/video0/],
    [{ name: 'a', source: { file: 'a', recorded_at: '' } }, 'source.recorded_at', /a wall time with its zone/],
    [{ name: 'a', source: { file: 'a', recorded_at: '2030-02-30T12:00:00Z' } }, 'source.recorded_at', /a wall time/],
    [{ name: 'a', source: { file: 'a', recorded_at: '2030-01-31' } }, 'source.recorded_at', /a wall time with/],
    [{ name: 'a', source: { file: 'a', recorded_at: '2030-01-31T12:00:00' } }, 'source.recorded_at', /with its zone/],
    [
      { name: 'a', source: { file: 'a', recorded_at: WHEN, loop: true } },
      'source.recorded_at',
      /cannot be used .* loop/,
    ],
    [
      { name: 'a', source: { file: 'a', recorded_at: WHEN }, restore: 'a' },
      'source.recorded_at',
      /cannot be combined with restore/,
    ],
    [
      { name: 'a', source: { file: 'a', recorded_at: WHEN }, keep: true },
      'source.recorded_at',
      /cannot be combined .* keep/,
    ],
    [{ name: 'a', source: { push: true, recorded_at: WHEN } }, 'source.recorded_at', /unknown/],
    [{ name: 'a', source: { push: true }, sampling: { fps: 0 } }, 'sampling.fps', /0\.1/],
    [{ name: 'a', source: { push: true }, sampling: { fps: '2' } }, 'sampling.fps', /expected number/],
    [{ name: 'a', source: { push: true }, memory: { limit_mb: 4 } }, 'memory.limit_mb', /16/],
    [{ name: 'a', source: { push: true }, memory: { merge_below: -0.1 } }, 'memory.merge_below', /0/],
    [{ name: 'a', source: { push: true }, memory: { merge_below: 1.1 } }, 'memory.merge_below', /1/],
    [{ name: 'a', source: { push: true }, frozen_after: 9 }, 'frozen_after', /10/],
    [{ name: 'a', source: { push: true }, keep: { every: 9 } }, 'keep.every', /10/],
    [{ name: 'a', source: { push: true }, keep: { every: 86_401 } }, 'keep.every', /86400/],
    [{ name: 'a', source: { push: true }, keep: false }, 'keep', /expected object/],
    [{ name: 'a', source: { push: true }, keep: {}, restore: 'a.snap' }, 'keep', /cannot be combined with restore/],
    [{ restore: '../a.snap' }, 'restore', /1 to 128/],
    [standing({ question: ' ' }), 'standing_questions.0.question', /expected a question/],
    [standing({ question: 'a'.repeat(2_001) }), 'standing_questions.0.question', /2000/],
    [standing({ every: 0.4 }), 'standing_questions.0.every', /0\.5/],
    [standing({ every: 3_601 }), 'standing_questions.0.every', /3600/],
    [standing({ holds: 1.5 }), 'standing_questions.0.holds', /int/],
    [standing({ webhook: { url: 'http://:word@a/b' } }), 'standing_questions.0.webhook.url', /without a user/],
    [standing({ webhook: 'http://a' }), 'standing_questions.0.webhook', /object/],
    [standing({ webhook: { url: 'http://a', picture: 'yes' } }), 'standing_questions.0.webhook.picture', /boolean/],
    [standing({ webhook: { url: 'ftp://a' } }), 'standing_questions.0.webhook.url', /http/],
    [standing({ webhook: { url: 'http://me:word@a/b' } }), 'standing_questions.0.webhook.url', /without a user/],
    [
      standing({ webhook: { url: 'http://a', secret_env: 'YOCO_X' } }),
      'standing_questions.0.webhook.secret_env',
      /YOCO_/,
    ],
    [
      standing({ webhook: { url: 'http://a', secret_env: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLcNw' } }),
      'standing_questions.0.webhook.secret_env',
      /not the secret itself(?!.*MfKQ)/,
    ],
    [standing(...Array.from({ length: 9 }, () => ({}))), 'standing_questions', /8/],
  ])('is refused: %j', (input, param, detail) => {
    expect(() => parseDefinition(input)).toThrow(
      expect.objectContaining({ code: 'definition_invalid', param, message: expect.stringMatching(detail) as string }),
    );
  });

  test.each([
    'file:///etc/passwd',
    'concat:a|b',
    'data:video/mp4;base64,AA',
    'pipe:0',
    '-i',
    'ftp://a/b',
    'rtsp://',
    'http:example.org/a',
    'http:///example.org/a',
    'http:\\\\example.org/a',
    'https://example.org/a.m3u8#t=1',
    '',
  ])('is refused with the address %j', (url) => {
    expect(() => parseDefinition({ name: 'a', source: { url } })).toThrow(
      expect.objectContaining({ code: 'definition_invalid', param: 'source.url' }),
    );
  });

  const NO_FILES = [
    ...[
      '-i',
      'a\0b',
      '',
      'http://a/b',
      'HTTP://a/b',
      'unheard-of://a',
      'file:a',
      'FILE:a',
      'file:///etc/passwd',
      'pipe:',
    ],
    ...[
      'pipe:0',
      'fd:',
      'concat:a|b',
      'concatf:a',
      'data:video/mp4;base64,AA',
      'subfile,,start,0:a',
      'subfile,a',
      'tee:a',
    ],
    ...['crypto:a', 'crypto+file:a', 'crypto+concat:a', 'cache:a', 'async:a', 'hls+http:a', 'hls:a', 'unix:a', 'tcp:a'],
    ...[
      'udp:a',
      'rtp:a',
      'srtp:a',
      'rtsp:a',
      'https:a',
      'ftp:a',
      'sftp:a',
      'smb:a',
      'gopher:a',
      'rtmp:a',
      'md5:',
      'srt:a',
    ],
  ];
  test.each(NO_FILES)('is refused with the file %j', (file) => {
    expect(() => parseDefinition({ name: 'a', source: { file } })).toThrow(
      expect.objectContaining({ code: 'definition_invalid', param: 'source.file' }),
    );
  });

  test.each(['cam-2024-01-01T12:00:00.mp4', '12:00.mp4', 'a:b.mp4', 'http-cam:1.mp4', 'data, first.mp4', 'c:/a.mp4'])(
    'accepts the file %j, which ffmpeg gets as one whole path',
    (file) => {
      const { source } = parseDefinition({ name: 'a', source: { file } });
      expect(ffmpegInput(source as FileSourceDefinition).address).toBe(`file:${resolve(file)}`);
      expect(resolve(file).startsWith('/')).toBe(true);
    },
  );

  test('of any file allows ffmpeg no protocol but that of files', () => {
    for (const file of NO_FILES.filter((name) => !name.includes('\0'))) {
      const { address, optionsFor } = ffmpegInput({ file, loop: false, pace: 'fastest' });
      expect(address).toMatch(/^file:\//);
      const options = optionsFor({ path: 'ffmpeg', version: '5', origin: 'PATH', libavformat: [59, 27] });
      expect(options[options.indexOf('-protocol_whitelist') + 1]).toBe('file');
    }
  });

  test('does not repeat its password when it is refused', () => {
    const parse = () => parseDefinition({ name: 'a', source: { url: 'rtsp://admin:hunter2@:x/' } });
    expect(parse).toThrow(/source\.url/);
    expect(parse).not.toThrow(/hunter2/);
  });

  test.each([
    ['rtsp://admin:12345#@127.0.0.1:18201/live', /12345/],
    ['rtsp://admin:12345?SEKRET@127.0.0.1/live', /12345|SEKRET/],
    ['rtsp://admin:2024/SEKRET@127.0.0.1/live', /2024|SEKRET/],
    ['rtsp://admin:/SEKRET@127.0.0.1/live', /SEKRET/],
    ['rtsp://admin:SEKRET@pw#x@host', /SEKRET|pw|x@/],
    ['rtsp://admin:SEKRET@pw/x@host', /SEKRET|pw|x@/],
    ['rtsp://admin:SEKRET#1@host/', /SEKRET/],
    ['rtsp://admin:SEKRET/1@host/', /SEKRET/],
    ['https://admin:2024\\SEKRET@127.0.0.1/live', /2024|SEKRET/],
    ['http:///admin:2024/SEKRET@127.0.0.1/live', /2024|SEKRET/],
    ['http:\\\\admin:2024\\SEKRET@127.0.0.1/live', /2024|SEKRET/],
  ])('with an unencoded password is refused with how to encode it, and does not repeat it: %s', async (url, secret) => {
    const file = join(folder, 'door.yaml');
    await writeFile(file, `source: { url: '${url}' }\n`);
    const errors: unknown[] = [await readDefinition(file).catch((error: unknown) => error)];
    try {
      parseDefinition({ name: 'door', source: { url } });
    } catch (error) {
      errors.push(error);
    }
    expect(errors).toHaveLength(2);
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'definition_invalid', param: 'source.url' });
      expect((error as Error).message).toMatch(/source\.url: expected .*%23|source\.url: expected an rtsp:/);
      expect(inspect(error, { depth: Infinity })).not.toMatch(secret);
    }
  });

  test.each([
    ['url: !cam rtsp://admin:SEKRET@127.0.0.1/x', /door\.yaml: Unresolved tag at line 2, column 8\.$/],
    ['url: "rtsp://admin:SEKRET@127.0.0.1/x', /door\.yaml: .*line \d+, column \d+\.$/],
    ['credentials_env: !SEKRET', /door\.yaml: Unresolved tag at line 2, column 20\.$/],
    ['credentials_env: *SEKRET', /door\.yaml: Unresolved alias \(.*\)\.$/],
    ['credentials_env: |SEKRET', /door\.yaml: Block scalar header .*line 2, column 21\.$/],
  ])('with invalid YAML or an unknown tag is refused without its line: %s', async (line, message) => {
    const file = join(folder, 'door.yaml');
    await writeFile(file, `source:\n  ${line}\n`);
    const error: unknown = await readDefinition(file).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'definition_invalid' });
    expect((error as Error).message).toMatch(message);
    expect(inspect(error, { depth: Infinity })).not.toContain('SEKRET');
  });

  test('is shown without credentials', () => {
    const { source } = parseDefinition({ name: 'a', source: { url: 'rtsp://admin:hunter2@10.0.0.7/live?token=abc' } });
    expect(describeSource(source)).toBe('rtsp://***@10.0.0.7/live?token=***');
  });
});

describe('A folder of definitions', () => {
  test('is read without its examples, with names from the files and paths relative to the folder', async () => {
    await writeFile(join(folder, 'b.yaml'), `source: { file: clips/b.mp4, recorded_at: ${WHEN} }`);
    await writeFile(join(folder, 'a.yaml'), 'name: first\nsource: { push: true }');
    await writeFile(join(folder, 'c.yml'), 'source: { push: true }');
    await writeFile(join(folder, 'c.example.yaml'), 'nonsense');
    await writeFile(join(folder, 'd.example.yml'), 'nonsense');
    await writeFile(join(folder, 'notes.txt'), 'nonsense');
    // macOS leaves such files on the disks of other systems.
    await writeFile(join(folder, '._a.yaml'), Buffer.from([0, 5, 22, 7, 0, 2, 0, 0]));
    await writeFile(join(folder, '.hidden.yaml'), 'source: { push: true }');
    const definitions = await readDefinitions(folder);
    expect(definitions.map(({ name }) => name)).toEqual(['first', 'b', 'c']);
    expect(definitions[1]?.source).toMatchObject({ file: join(folder, 'clips/b.mp4'), recorded_at: WHEN });
  });

  test.each([
    ['source: { file: a.mp4, speed: 2 }', 'source.speed', /^.*door\.yaml: source\.speed: this field is unknown/],
    ['source: [', null, /door\.yaml: .*line 1/],
    ['', null, /door\.yaml: Expected an object with source \(one of url, file, device, push\).* sampling, memory\.$/],
  ])('has the file and the field in the error of %j', async (text, param, message) => {
    await writeFile(join(folder, 'door.yaml'), text);
    await expect(readDefinitions(folder)).rejects.toMatchObject({
      code: 'definition_invalid',
      param,
      message: expect.stringMatching(message) as string,
    });
  });

  test('refuses two streams of one name', async () => {
    await writeFile(join(folder, 'a.yaml'), 'source: { push: true }');
    await writeFile(join(folder, 'b.yaml'), 'name: a\nsource: { push: true }');
    await expect(readDefinitions(folder)).rejects.toThrow(/b\.yaml: the name is already used by a\.yaml/);
  });

  test('must exist', async () => {
    await expect(readDefinitions(join(folder, 'none'))).rejects.toMatchObject({ code: 'definition_invalid' });
  });

  test('has examples that are valid', async () => {
    const examples = (await readdir('streams')).filter((name) => name.endsWith('.example.yaml'));
    expect(examples.length).toBeGreaterThanOrEqual(5);
    for (const name of examples) await readDefinition(join('streams', name));
  });
});

describe('The source policy', () => {
  const check = (source: object, policy: Partial<SourcePolicy> = {}, origin: 'client' | 'operator' = 'client') =>
    checkSource(parseDefinition({ name: 'a', source }), origin, { mediaRoots: [], allowedHosts: [], ...policy });
  const forbidden = expect.objectContaining({ code: 'source_forbidden' }) as Error;

  test('lets the operator name anything', () => {
    check({ file: '/etc/hostname' }, {}, 'operator');
    check({ device: '/dev/video0' }, {}, 'operator');
    check({ url: 'rtsp://10.0.0.7/', credentials_env: 'DOOR' }, {}, 'operator');
  });

  test('refuses clients devices, variables of the service and, without an allowlist, every host', () => {
    expect(() => check({ device: '/dev/video0' })).toThrow(forbidden);
    expect(() => check({ url: 'rtsp://a/' })).toThrow(forbidden);
    expect(() => check({ url: 'rtsp://a/', credentials_env: 'SECRET' }, { allowedHosts: ['*'] })).toThrow(forbidden);
    check({ push: true });
  });

  test.each([
    ['rtsp://cam.example/a', 'cam.example', true],
    ['rtsp://CAM.example./a', 'cam.example', true],
    ['rtsp://cam.example.evil/a', 'cam.example', false],
    ['http://a.b.example/', '*.example', true],
    ['http://example/', '*.example', false],
    ['http://badexample/', '*.example', false],
    ['rtsp://10.1.2.3:8554/a', '10.0.0.0/8', true],
    ['rtsp://11.1.2.3/a', '10.0.0.0/8', false],
    ['http://0x7f.1/', '10.0.0.0/8', false],
    ['http://10.evil.example/', '10.0.0.0/8', false],
    ['rtsp://[fd00::1]/a', 'fd00::/8', true],
    ['rtsp://[fe80::1]/a', 'fd00::/8', false],
    ['http://cam.example@evil.example/', 'cam.example', false],
    ['http://evil.example/?@cam.example', 'cam.example', false],
    ['http://cam.example\\@evil.example/', 'evil.example', false],
    ['http://anything/', '*', true],
  ])('on %s with the rule %s says %s', (url, rule, allowed) => {
    const attempt = () => check({ url }, { allowedHosts: [rule] });
    if (allowed) attempt();
    else expect(attempt).toThrow(forbidden);
  });

  test('lets clients play only the files of media folders, with links resolved', async () => {
    const media = join(folder, 'media');
    await mkdir(media);
    await mkdir(join(folder, 'media-private'));
    for (const file of ['media/a.mp4', 'secret.mp4', 'media-private/b.mp4']) await writeFile(join(folder, file), '');
    await symlink(join(folder, 'secret.mp4'), join(media, 'link.mp4'));
    await symlink(join(media, 'a.mp4'), join(media, 'inner.mp4'));
    const policy = { mediaRoots: [join(folder, 'none'), media] };

    expect(check({ file: join(media, 'a.mp4') }, policy).source).toMatchObject({ file: join(media, 'a.mp4') });
    expect(check({ file: 'a.mp4' }, policy).source).toMatchObject({ file: join(media, 'a.mp4') });
    await writeFile(join(media, 'cam-2024-01-01T12:00:00.mp4'), '');
    expect(check({ file: 'cam-2024-01-01T12:00:00.mp4' }, policy).source).toMatchObject({
      file: join(media, 'cam-2024-01-01T12:00:00.mp4'),
    });
    expect(check({ file: 'inner.mp4' }, policy).source).toMatchObject({ file: join(media, 'a.mp4') });
    for (const file of [
      'link.mp4',
      '../secret.mp4',
      '../none.mp4',
      join(folder, 'media-private/b.mp4'),
      '/etc/none',
      media,
    ]) {
      expect(() => check({ file }, policy), file).toThrow(forbidden);
    }
    expect(() => check({ file: 'none.mp4' }, policy)).toThrow(expect.objectContaining({ code: 'source_not_found' }));
    expect(() => check({ file: join(media, 'none.mp4') }, policy)).toThrow(
      expect.objectContaining({ code: 'source_not_found' }),
    );
    expect(() => check({ file: 'a.mp4' })).toThrow(forbidden);
  });

  test('does not say which files there are where a link leads out of a media folder', async () => {
    const media = join(folder, 'media');
    await mkdir(media);
    await mkdir(join(folder, 'private'));
    await writeFile(join(folder, 'private/a.mp4'), '');
    await symlink(join(folder, 'private'), join(media, 'out'));
    await mkdir(join(media, 'day'));
    await symlink(join(media, 'day'), join(media, 'in'));
    const policy = { mediaRoots: [media] };

    for (const file of ['out/a.mp4', 'out/none.mp4', 'out/none/none.mp4']) {
      expect(() => check({ file }, policy), file).toThrow(forbidden);
    }
    for (const file of ['in/none.mp4', 'none/none.mp4']) {
      expect(() => check({ file }, policy), file).toThrow(expect.objectContaining({ code: 'source_not_found' }));
    }
  });

  test('checks schemes without relying on the schema', () => {
    const file = { loop: false, pace: 'realtime' } as const;
    for (const source of [
      ...[{ url: 'file:///etc/passwd' }, { url: 'concat:a' }, { url: '-i' }],
      ...[
        { ...file, file: 'concat:a' },
        { ...file, file: 'http://a' },
        { ...file, file: '-i' },
      ],
    ]) {
      const definition = { ...parseDefinition({ name: 'a', source: { push: true } }), source };
      expect(() => checkSource(definition, 'operator', { mediaRoots: [], allowedHosts: ['*'] })).toThrow(forbidden);
    }
  });
});

describe('Redaction', () => {
  test.each([
    ['from rtsp://admin:hunter2@cam/live:', 'from rtsp://***@cam/live:'],
    ['rtsp://admin:p@ss@cam/', 'rtsp://***@cam/'],
    ['http://cam/a?user=admin&pwd=hunter2&fps=1', 'http://cam/a?user=***&pwd=***&fps=1'],
    ['http://cam/a?access_token=t&sig=s#f', 'http://cam/a?access_token=***&sig=***#f'],
    ['http://cam/a?u=admin&pw=hunter2: Server returned', 'http://cam/a?u=***&pw=*** Server returned'],
    ['https://cdn/a.m3u8?hdnts=exp=1~acl=/*~hmac=ab "x"', 'https://cdn/a.m3u8?hdnts=*** "x"'],
    ['https://cdn/hdntl=exp=1~hmac=ab/a.ts?jwt=ey.ab', 'https://cdn/hdntl=***'],
    ["Opening '/a.ts?jwt=ey.ab&pin=1' for reading", "Opening '/a.ts?jwt=***&pin=***' for reading"],
    ['rtsp://cam/user=admin_password=hunter2_channel=1.sdp?real', 'rtsp://cam/user=***'],
    ['rtsp://cam/%75ser=admin_channel=1.sdp', 'rtsp://cam/%75ser=***'],
    ['Authorization: Basic YWRtaW4=', 'Authorization: ***'],
    ['rtsp://cam/onvif1/admin:12345: Connection refused', 'rtsp://cam/onvif1/***: Connection refused'],
    ['Error opening input file rtsp://cam/0/usrnm:admin/main.', 'Error opening input file rtsp://cam/0/***/main.'],
    ["Opening 'https://cam/SECRETTOKEN1234567/1.ts' for", "Opening 'https://cam/***/1.ts' for"],
    ['https://cam/hls/SECRETTOKEN1234567.m3u8: 404.', 'https://cam/hls/***.m3u8: 404.'],
    ['(https://cam/live;SECRETTOKEN1234567)', '(https://cam/live;***)'],
    ['rtsp://cam:554/live: 404 (http://cam/a)', 'rtsp://cam:554/live: 404 (http://cam/a)'],
    [
      'at 12:30:00 file:/media/a:b.mp4 and 16/characters12345',
      'at 12:30:00 file:/media/a:b.mp4 and 16/characters12345',
    ],
    ['nothing to hide at rtsp://cam/live?channel=1', 'nothing to hide at rtsp://cam/live?channel=1'],
  ])('of the text %j', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  test.each([
    ["rtsp://admin:it's@10.0.0.7/live", 'rtsp://***@10.0.0.7/live'],
    ['rtsp://admin:a"b c@10.0.0.7/live?channel=1', 'rtsp://***@10.0.0.7/live?channel=1'],
    ['rtsp://admin@10.0.0.7/live?pass=it&x=1', 'rtsp://***@10.0.0.7/live?pass=***&x=***'],
    ["rtsp://10.0.0.7/live?pass=it's mine&subtype=0", 'rtsp://10.0.0.7/live?pass=***&subtype=0'],
    [
      'http://10.0.0.7/v?channel=1&Resolution=640x480&sid=7f;pin=1',
      'http://10.0.0.7/v?channel=1&Resolution=640x480&sid=***;pin=***',
    ],
    ['http://10.0.0.7/v?%70wd=a&pwd%3Db&hunter2#c', 'http://10.0.0.7/v?***&***&***#***'],
    ['rtsp://admin:12345#@10.0.0.7/live', 'rtsp://***@10.0.0.7/live'],
    ['rtsp://admin:12345?SEKRET@10.0.0.7/live', 'rtsp://***@10.0.0.7/live'],
    ['rtsp://admin:2024/SEKRET@10.0.0.7/live', 'rtsp://***@10.0.0.7/live'],
    ['rtsp://admin:SEKRET@pw#x@10.0.0.7', 'rtsp://***@10.0.0.7'],
    ['rtsp://10.0.0.7/live', 'rtsp://10.0.0.7/live'],
    ['no address @ all', 'no address @ all'],
    ['rtsp://10.0.0.7/user=a_password=b==_c.sdp', 'rtsp://10.0.0.7/user=***'],
    ['rtsp://10.0.0.7/x=a_password=b==&y=c', 'rtsp://10.0.0.7/x=a_password=***&y=c'],
    ['https://example.org/@channel/a.m3u8?mail=a@b', 'https://example.org/@channel/a.m3u8?mail=***'],
    ['rtsp://cam/onvif1/admin:12345', 'rtsp://cam/onvif1/***'],
    ['rtsp://cam/onvif1/admin%3A12345', 'rtsp://cam/onvif1/***'],
    ['rtsp://cam/onvif1/admin:', 'rtsp://cam/onvif1/***'],
    ['rtsp://cam/0/usrnm:admin/pwd:12345/main', 'rtsp://cam/0/***/***/main'],
    ['rtsp://10.0.0.7/live it/pass:a b', 'rtsp://10.0.0.7/live it/***'],
    ['https://cam.example/live/SECRETTOKEN1234567/index.m3u8', 'https://cam.example/live/***/index.m3u8'],
    ['rtsps://192.168.1.1:7441/8kZQabcdEFGH1234?enableSrtp', 'rtsps://192.168.1.1:7441/***?***'],
    ['rtsp://admin:12345@[fd00::1]:554/a_key-of-16chars', 'rtsp://***@[fd00::1]:554/***'],
    ['http://cam/550e8400-e29b-41d4-a716-446655440000/', 'http://cam/***/'],
    ['http://cam/SECRET_1234567_KEY/a', 'http://cam/***/a'],
    ['https://cam/hls/0123456789abcdef0123456789.m3u8', 'https://cam/hls/***.m3u8'],
    ['https://cam/SECRETTOKEN1234567.stream.MP4', 'https://cam/***.MP4'],
    ['https://cam/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl/a.ts', 'https://cam/***/a.ts'],
    ['https://cam/QWxhZGRpbjpvcGVu1g==/a', 'https://cam/***/a'],
    ['https://cam/QWxhZGRpbj+pvcGVu1g%3D%3D', 'https://cam/***'],
    ['https://cam/QWxhZGR%2FpbjpvcGVu1g', 'https://cam/***'],
    ['https://cam/QWxhZGR%pbjpvcGVu1g', 'https://cam/***'],
    ['https://cam/AbCd1234~EfGh5678IjKl', 'https://cam/***'],
    ['https://cam/live;swordfish1234567890/', 'https://cam/live;***/'],
    ['https://cam/live.m3u8%3Bswordfish1234567890;a=1', 'https://cam/live.m3u8%3B***;a=1'],
    ['https://cam/live;admin:123;45/a', 'https://cam/***/a'],
    ['https://cam/token=AbCd1234EfGh5678/IjKlMn/a', 'https://cam/token=***'],
    ['https://cam/hash=AbCd1234EfGh5678/a', 'https://cam/***/a'],
    ['https://cam/2026-11-29-swordfish12', 'https://cam/***'],
  ])('of the whole address %j', (url, expected) => {
    expect(redactUrl(url)).toBe(expected);
  });

  test.each([
    'rtsp://10.0.0.7:554/Streaming/Channels/101',
    'https://example.org/live/index.m3u8',
    'rtsp://10.0.0.7/h264Preview_01_main',
    'rtsp://10.0.0.7/stream_profile_channel_2',
    'rtsp://10.0.0.7/axis-media/media.amp',
    'rtsp://10.0.0.7/cam/realmonitor',
    'rtsp://10.0.0.7/stream/channel=1_stream=0.sdp',
    'https://example.org/videos/2026-11-29-front-door.mp4',
    'https://example.org/videos/door2_2026-11-29_10-15-00.mp4',
    'https://example.org/SampleVideo_1280x720_1mb.mp4',
    'https://example.org/smil/camera1.front_door.smil/playlist_720p.m3u8',
    'http://10.0.0.7/hls/stream_1080p_3000kbps/1.ts',
    'rtsp://[fd00::1]:554/live/ch00_0',
    'rtsp://10.0.0.7/fifteen-chars-1',
    'rtsp://10.0.0.7/onlylettersofaword',
    'rtsp://10.0.0.7/20300131120000000000',
    'rtsp://10.0.0.7/2030-01-31-120000000',
    'rtsp://10.0.0.7:554',
  ])('shows all of the ordinary address %j', (url) => {
    expect([redactUrl(url), redact(`from ${url}: Connection refused`), secretsOf(url)]).toEqual([
      url,
      `from ${url}: Connection refused`,
      [],
    ]);
  });

  test('takes time linear in the length of a name', () => {
    const colons = `http://10.0.0.7/${':'.repeat(300_000)}`;
    expect([redact(`${colons}x`), redact(colons)]).toEqual(['http://10.0.0.7/***', colons]);
    const name = 'key'.repeat(100_000);
    expect(redact(`http://10.0.0.7/${name}`)).toBe(`http://10.0.0.7/${name}`);
    expect(redact(`http://10.0.0.7/${name}=value`)).toBe(`http://10.0.0.7/${name}=***`);
    expect(redact(`http://10.0.0.7/${name}?x=1 ?`)).toBe(`http://10.0.0.7/${name}?x=*** ?`);
  });

  test('hides the credentials of an address wherever they occur, encoded or not', () => {
    const secrets = secretsOf('rtsp://operator:p%40ss%20word@cam/?key=abcdef');
    expect(redact('bad login operator / p@ss word / p%40ss%20word / abcdef', secrets)).toBe(
      'bad login *** / *** / *** / ***',
    );
    const inPath = secretsOf('https://cam/SECRETTOKEN1234567.m3u8;swordfish1234567890/QWxhZGRpbj+pvcGVu1g%3D%3D/a');
    expect(redact('of SECRETTOKEN1234567.m3u8, swordfish1234567890 and QWxhZGRpbj+pvcGVu1g==', inPath)).toBe(
      'of ***.m3u8, *** and ***',
    );
    expect(secretsOf('rtsp://cam/live/usrnm%3Aadmin/main')).toEqual(['usrnm%3Aadmin', 'usrnm:admin']);
    expect(secretsOf('http://cam/?channel=main&%70w=hunter%2B2&bare')).toEqual(['hunter%2B2', 'hunter+2', 'bare']);
  });
});
