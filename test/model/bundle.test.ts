import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { YocoError } from '../../src/errors.ts';
import { openDevice } from '../../src/model/device/device.ts';
import { BUNDLE_FORMAT, bundlePath, readBundle } from '../../src/model/bundle.ts';
import { loadModel } from '../../src/model/model.ts';
import { TINY_BUNDLE } from '../support/golden.ts';

type Json = Record<string, unknown>;

const FILES = ['vision.onnx', 'self_decoder.onnx', 'cross_decoder.onnx', 'embeddings.bin', 'tokenizer.json'];

let folder: string;
let bundle: string;
let number = 0;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-bundle-'));
});
beforeEach(async () => {
  bundle = path.join(folder, String(number++));
  await cp(TINY_BUNDLE, bundle, { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const inBundle = (name: string): string => path.join(bundle, name);

async function readConfig(): Promise<Json> {
  return JSON.parse(await readFile(inBundle('config.json'), 'utf8')) as Json;
}

const writeConfig = (config: unknown): Promise<void> => writeFile(inBundle('config.json'), JSON.stringify(config));

/** Replaces a file and updates its size and checksum in the configuration: only the content is then wrong. */
async function replace(name: string, content: Buffer): Promise<void> {
  await writeFile(inBundle(name), content);
  const config = await readConfig();
  const sha256 = createHash('sha256').update(content).digest('hex');
  await writeConfig({ ...config, files: { ...(config['files'] as Json), [name]: { bytes: content.length, sha256 } } });
}

async function failure(promise: Promise<unknown>): Promise<YocoError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof YocoError) return error;
  throw new Error(`expected a YocoError, got ${String(error)}`);
}

// Clients refer to it by that name: `yoco-small-1@demo`.
test('The default bundle has the name of its folder', async () => {
  const { name } = JSON.parse(await readFile(path.join(DEFAULT_BUNDLE, 'config.json'), 'utf8')) as Json;
  expect(name).toBe(path.basename(DEFAULT_BUNDLE));
});

describe('A bundle', () => {
  test('is read with its dimensions', async () => {
    const read = await readBundle(bundle);
    expect(read.config).toMatchObject({ name: 'tiny', imageSize: 224, tokensPerFrame: 10, selfDecoder: 'window' });
    expect(bundlePath(read, 'vision.onnx')).toBe(inBundle('vision.onnx'));
  });

  test('that does not exist is reported with the path that was tried', async () => {
    const error = await failure(readBundle(inBundle('nowhere')));
    expect(error.code).toBe('bundle_not_found');
    expect(error.message).toContain(inBundle('nowhere/config.json'));
  });

  test.each(FILES)('without %s is damaged', async (name) => {
    await rm(inBundle(name));
    const error = await failure(readBundle(bundle));
    expect([error.code, error.detail]).toEqual(['bundle_damaged', `${inBundle(name)} is missing.`]);
  });

  test.each(FILES)('whose %s is truncated is damaged', async (name) => {
    const whole = await readFile(inBundle(name));
    await writeFile(inBundle(name), whole.subarray(0, -1));
    const error = await failure(readBundle(bundle));
    expect(error.code).toBe('bundle_damaged');
    expect(error.detail).toBe(`${inBundle(name)} has ${whole.length - 1} bytes, expected ${whole.length}.`);
  });

  test.each(FILES)('with one flipped bit in %s is damaged', async (name) => {
    const bytes = await readFile(inBundle(name));
    const middle = bytes.length >> 1;
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    await writeFile(inBundle(name), bytes);
    const error = await failure(readBundle(bundle));
    expect([error.code, error.detail]).toEqual(['bundle_damaged', `${inBundle(name)} does not match its checksum.`]);
  });

  test('whose configuration is not JSON is damaged', async () => {
    await writeFile(inBundle('config.json'), '{"format": 1,');
    const error = await failure(readBundle(bundle));
    expect([error.code, error.detail]).toEqual(['bundle_damaged', `${inBundle('config.json')} is not JSON.`]);
  });

  test('of a later format is unsupported, whatever else it contains', async () => {
    await writeConfig({ format: BUNDLE_FORMAT + 1 });
    const error = await failure(readBundle(bundle));
    expect([error.code, error.detail]).toEqual([
      'bundle_unsupported',
      `Its format is ${BUNDLE_FORMAT + 1}; this version reads ${BUNDLE_FORMAT}.`,
    ]);
  });

  test.each(['format', 'name', 'width', 'window', 'kvHeads', 'answerTokens', 'startToken', 'files'])(
    'whose configuration lacks %s is damaged, and the error names the field',
    async (field) => {
      const config = await readConfig();
      await writeConfig(Object.fromEntries(Object.entries(config).filter(([key]) => key !== field)));
      const error = await failure(readBundle(bundle));
      expect([error.code, error.param]).toEqual(['bundle_damaged', field]);
      expect(error.detail).toContain('config.json');
    },
  );

  test.each([
    ['window', { window: 0 }],
    ['window', { window: '32' }],
    ['imageSize', { imageSize: 224.5 }],
    ['answerTokens', { answerTokens: [] }],
    ['selfDecoder', { selfDecoder: 'telepathy' }],
    ['files.tokenizer.json.sha256', { files: { 'tokenizer.json': { bytes: 1, sha256: 'abc' } } }],
  ] as [string, Json][])('with a wrong %s is damaged, and the error names the field', async (field, wrong) => {
    const config = await readConfig();
    const files = { ...(config['files'] as Json), ...(wrong['files'] as Json | undefined) };
    await writeConfig({ ...config, ...wrong, files });
    const error = await failure(readBundle(bundle));
    expect([error.code, error.param]).toEqual(['bundle_damaged', field]);
  });

  test.each(['vision.onnx', 'self_decoder.onnx', 'cross_decoder.onnx'])(
    'whose %s is not a graph cannot be loaded, even with a valid checksum',
    async (name) => {
      await replace(name, Buffer.from('not a graph'));
      const error = await failure(loadModel(bundle, { threads: 1 }));
      expect([error.code, error.detail]).toEqual(['bundle_damaged', `${inBundle(name)} cannot be loaded.`]);
    },
  );

  test('whose embeddings have another shape cannot be loaded', async () => {
    const rows = await readFile(inBundle('embeddings.bin'));
    await replace('embeddings.bin', rows.subarray(0, -36));
    const error = await failure(loadModel(bundle, { threads: 1 }));
    expect([error.code, error.detail]).toEqual([
      'bundle_damaged',
      `${inBundle('embeddings.bin')} does not hold 2000 rows of 32.`,
    ]);
  });

  test.each(['not JSON', '{}', '{"model": {}}'])('whose tokenizer is %s cannot be loaded', async (content) => {
    await replace('tokenizer.json', Buffer.from(content));
    const error = await failure(loadModel(bundle, { threads: 1 }));
    expect([error.code, error.detail]).toEqual(['bundle_damaged', `${inBundle('tokenizer.json')} is not a tokenizer.`]);
  });

  test('reports its loading progress, rising to 1', async () => {
    const shares: number[] = [];
    const model = await loadModel(bundle, { threads: 1, onProgress: (share) => shares.push(share) });
    await model.release();
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
    expect(shares.length).toBeGreaterThan(3);
  });
});

test('A bundle whose questions may read more streams than its graphs for a device have pages is refused there', async () => {
  const bundle = await readBundle(TINY_BUNDLE);
  const promising = { ...bundle, config: { ...bundle.config, streamTags: 17 } };
  await expect(openDevice(promising, { limitBytes: 2 ** 20 })).rejects.toMatchObject({
    code: 'device_unavailable',
    detail: 'Its graphs read 16 streams at most; tiny promises 17.',
  });
});
