/** What a snapshot holds, which ones are rejected, and how writing one fails. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, open, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readSnapshot, writeSnapshot } from '../../src/engine/snapshot-file.ts';
import { type BundleConfig, readBundle } from '../../src/model/bundle.ts';
import { KvCache } from '../../src/model/kv-cache.ts';
import { checkModel } from '../../src/model/snapshot-format.ts';
import { cacheBytes, buildHeader, readContent, sectionsOf, type StreamContent } from '../../src/model/snapshot.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { cacheFor, contentFor, digestOf, FACTS, fill, shapeOf } from '../support/snapshots.ts';
import { bitsOf } from '../support/tiny.ts';

let config: BundleConfig;
let folder: string;
let file: string;
beforeAll(async () => {
  ({ config } = await readBundle(TINY_BUNDLE));
});
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-snapshot-'));
  file = path.join(folder, 'door.snap');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function write(content: StreamContent): Promise<number> {
  const header = buildHeader(config, shapeOf(config), FACTS, content, 1234);
  return writeSnapshot(file, header, sectionsOf(content));
}

const read = (name = file): Promise<StreamContent> =>
  readSnapshot(name, async (reader) => {
    checkModel(reader.header, config);
    const content = await readContent(reader.header, (target) => reader.fill(target));
    await reader.verify();
    return content;
  });

const refused = async (name = file): Promise<unknown> => read(name).catch((error: unknown) => error);

/** A cache with thinned pages, dropped ones, and some frames in full precision. */
function aged(): KvCache {
  const cache = cacheFor(config, 200 * cacheFor(config, 1).bytesPerFrame);
  fill(cache, 0, 900);
  cache.merge(899 * 500 + 300);
  expect(cache.sealedFrames).toBeGreaterThan(64);
  expect(cache.thinnedFrames).toBeGreaterThan(0);
  expect(cache.droppedFrames).toBeGreaterThan(0);
  return cache;
}

/** Applies `change` to the header of the file and recomputes the checksums. */
async function tamper(change: (header: Record<string, unknown>) => void): Promise<void> {
  const bytes = await readFile(file);
  const length = bytes.readUInt32LE(12);
  const header = JSON.parse(bytes.subarray(16, 16 + length).toString()) as Record<string, unknown>;
  change(header);
  const json = Buffer.from(JSON.stringify(header));
  const fixed = Buffer.from(bytes.subarray(0, 16));
  fixed.writeUInt32LE(json.length, 12);
  const sha = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
  const sections = bytes.subarray(16 + length + 32, -32);
  const head = Buffer.concat([fixed, json, sha(fixed, json)]);
  await writeFile(file, Buffer.concat([head, sections, sha(head, sections)]));
}

describe('A snapshot', () => {
  test('restores every byte of a cache with pages, thinned pages and frames in full precision', async () => {
    const cache = aged();
    const content = contentFor(config, cache);
    const bytes = await write(content);
    expect((await readFile(file)).length).toBe(bytes);
    const back = await read();
    expect(digestOf(back.cache)).toEqual(digestOf(content.cache));
    expect(back.window).toEqual(content.window);
    expect(back.kept).toEqual(content.kept);
    const restored = KvCache.from({ ...shapeOf(config), limitBytes: cache.limitBytes }, back.cache);
    expect(bitsOf(restored).equals(bitsOf(cache))).toBe(true);
    expect(digestOf(restored.content())).toEqual(digestOf(cache.content()));
    expect(await readSnapshot(file, ({ header }) => Promise.resolve(cacheBytes(header)))).toBe(cache.bytes);
    const counts = (c: KvCache): number[] => [c.bytes, c.mergedFrames, c.thinnedFrames, c.droppedFrames];
    expect(counts(restored)).toEqual(counts(cache));
    // From here on both seal, thin and drop the same frames.
    fill(cache, 900, 1200);
    fill(restored, 900, 1200);
    expect(digestOf(restored.content())).toEqual(digestOf(cache.content()));
  });

  test('holds the state when it was taken, whatever happens to the cache while it is written', async () => {
    const cache = aged();
    const before = digestOf(cache.content());
    const dropped = cache.droppedFrames;
    const content = contentFor(config, cache);
    fill(cache, 900, 1800);
    expect(cache.droppedFrames).toBeGreaterThan(dropped);
    expect(digestOf(content.cache)).toEqual(before);
    await write(content);
    expect(digestOf((await read()).cache)).toEqual(before);
  });

  test('has its summary in its header', async () => {
    const cache = aged();
    const bytes = await write(contentFor(config, cache));
    expect(await readSnapshot(file, ({ summary }) => Promise.resolve(summary))).toEqual({
      bytes,
      createdAtMs: 1234,
      bundle: 'tiny',
      stream: 'door',
      fps: 2,
      startedAtMs: FACTS.startedAtMs,
      limitBytes: FACTS.limitBytes,
      mergeBelow: 0.01,
      firstMs: cache.times.at(0),
      lastMs: 899 * 500 + 300,
      frames: 901,
    });
  });

  test('is readable only by its owner', async () => {
    await write(contentFor(config, aged()));
    expect((await stat(file)).mode & 0o077).toBe(0);
  });

  test('continues under another limit, and makes room', () => {
    const cache = aged();
    const content = cache.content();
    for (const limitBytes of [1, cache.limitBytes / 2, cache.limitBytes * 4]) {
      const restored = KvCache.from({ ...shapeOf(config), limitBytes }, content);
      fill(restored, 900, 1100);
      expect(restored.times.newest).toBe(1099 * 500);
      expect(restored.index.cells).toBeGreaterThan(0);
    }
    expect(digestOf(content)).toEqual(digestOf(cache.content()));
  });
});

describe('Reading a snapshot', () => {
  beforeEach(async () => {
    const cache = cacheFor(config, 2 ** 24);
    fill(cache, 0, 70);
    await write(contentFor(config, cache));
  });

  test('rejects a file truncated anywhere', async () => {
    const bytes = await readFile(file);
    for (const length of [0, 5, 15, 40, 1000, bytes.length - 33, bytes.length - 1]) {
      await writeFile(file, bytes.subarray(0, length));
      expect(await refused(), String(length)).toMatchObject({ code: 'snapshot_damaged', param: 'restore' });
    }
    await writeFile(file, Buffer.concat([bytes, Buffer.from([0])]));
    expect(await refused()).toMatchObject({ code: 'snapshot_damaged' });
  });

  test('rejects a flipped bit anywhere', async () => {
    const bytes = await readFile(file);
    const places = Array.from({ length: 40 }, (_, i) => Math.floor((i * (bytes.length - 1)) / 39));
    for (const at of [...places, 12, 13, 14, 15, 20, 100]) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 4;
      await writeFile(file, flipped);
      expect(await refused(), String(at)).toMatchObject({ code: 'snapshot_damaged' });
    }
  });

  test('rejects a file that is not a snapshot, and a missing file', async () => {
    await writeFile(file, 'a text');
    expect(await refused()).toMatchObject({ code: 'snapshot_damaged', detail: 'It is not a snapshot.' });
    expect(await refused(folder)).toMatchObject({ code: 'snapshot_not_found' });
    expect(await refused(path.join(folder, 'nothing'))).toMatchObject({ code: 'snapshot_not_found', status: 404 });
  });

  test('rejects another version', async () => {
    const bytes = await readFile(file);
    bytes.writeUInt32LE(3, 8);
    await writeFile(file, bytes);
    expect(await refused()).toMatchObject({
      code: 'snapshot_unsupported',
      detail: 'Its version is 3; this version of yoco-live reads 2.',
    });
  });

  test('accepts a bundle with another index graph, which holds nothing learned', async () => {
    const before = await read();
    await tamper((header) => {
      const { files } = header['bundle'] as { files: Record<string, string> };
      files['kv_index.onnx'] = '0'.repeat(64);
    });
    expect((await read()).cache.times).toEqual(before.cache.times);
  });

  test('rejects another bundle, by the checksums of its files or by its name', async () => {
    await tamper((header) => {
      const { files } = header['bundle'] as { files: Record<string, string> };
      files['vision.onnx'] = '0'.repeat(64);
    });
    expect(await refused()).toMatchObject({
      code: 'snapshot_unsupported',
      detail: expect.stringContaining('another tiny, whose vision.onnx differs') as string,
    });
    await tamper((header) => {
      header['bundle'] = { ...(header['bundle'] as object), name: 'large' };
    });
    expect(await refused()).toMatchObject({ detail: expect.stringContaining('the bundle large') as string });
  });

  test('rejects a header whose counts do not match its sections', async () => {
    for (const change of [
      { frames: 71 },
      { hotFrames: 3 },
      { cells: 1 },
      { pages: 2 },
      { frames: -1 },
      { sections: [] },
    ]) {
      const good = await readFile(file);
      await tamper((header) => Object.assign(header, change));
      expect(await refused(), JSON.stringify(change)).toMatchObject({ code: 'snapshot_damaged' });
      await writeFile(file, good);
    }
  });
});

describe('Reading a snapshot with valid checksums', () => {
  beforeEach(async () => {
    await write(contentFor(config, aged()));
  });

  test.each([{ startedAtMs: 1e300 }, { startedAtMs: -9e15 }, { lastMs: 1e300 }, { firstMs: 1 }, { lastMs: 7 }])(
    'rejects an impossible time, or one that contradicts its frames: %j',
    async (change) => {
      await tamper(({ stream }) => Object.assign(stream as object, change));
      expect(await refused()).toMatchObject({ code: 'snapshot_damaged' });
    },
  );

  test('rejects a name with terminal control characters', async () => {
    await tamper(({ stream }) => Object.assign(stream as object, { name: 'door\u001b]0;x\u0007' }));
    expect(await refused()).toMatchObject({ code: 'snapshot_damaged' });
  });

  test('rejects frames whose times do not rise', async () => {
    const content = contentFor(config, aged());
    for (const [at, time] of [
      [1, NaN],
      [5, 0],
      [8, 1e300],
    ] as const) {
      const times = Float64Array.from(content.cache.times);
      times[at] = time;
      await write({ ...content, cache: { ...content.cache, times } });
      expect(await refused(), String(time)).toMatchObject({ code: 'snapshot_damaged' });
    }
  });
});

describe('Writing a snapshot', () => {
  const content = (): StreamContent => {
    const cache = cacheFor(config, 2 ** 24);
    fill(cache, 0, 70);
    return contentFor(config, cache);
  };

  test('fails on a full disk, keeping the earlier file and leaving no other', async () => {
    await write(content());
    const before = await readFile(file);
    const handle = await open(file, 'r');
    const prototype = Object.getPrototypeOf(handle) as { write: () => Promise<unknown> };
    await handle.close();
    vi.spyOn(prototype, 'write').mockRejectedValue(Object.assign(new Error('no space: /secret'), { code: 'ENOSPC' }));
    await expect(write(content())).rejects.toMatchObject({
      code: 'snapshot_failed',
      retryable: true,
      detail: 'The disk is full.',
    });
    vi.restoreAllMocks();
    expect(await readdir(folder)).toEqual(['door.snap']);
    expect((await readFile(file)).equals(before)).toBe(true);
  });

  test('fails without a folder to write to', async () => {
    file = path.join(folder, 'nowhere', 'door.snap');
    await expect(write(content())).rejects.toMatchObject({ code: 'snapshot_failed' });
    file = path.join(folder, 'text', 'door.snap');
    await writeFile(path.join(folder, 'text'), '');
    await expect(write(content())).rejects.toMatchObject({
      code: 'snapshot_failed',
      detail: 'The path of the snapshot folder is not a folder.',
    });
  });

  // Root may write anywhere.
  test.skipIf(process.getuid?.() === 0)('fails without write permission', async () => {
    await chmod(folder, 0o500);
    await expect(write(content())).rejects.toMatchObject({ code: 'snapshot_failed' });
    await chmod(folder, 0o700);
  });

  test('never replaces something that is not a snapshot', async () => {
    await writeFile(file, 'a list of things to buy');
    await expect(write(content())).rejects.toMatchObject({ code: 'invalid_request', param: 'file' });
    expect(await readFile(file, 'utf8')).toBe('a list of things to buy');
    await rm(file);
    await mkdir(file);
    await expect(write(content())).rejects.toMatchObject({ code: 'snapshot_failed' });
  });
});

test('Writing a snapshot removes abandoned partial files: its own at once, those of other names once they are old', async () => {
  const old = path.join(folder, '.gate.snap.0123456789ab.part');
  await writeFile(old, 'half');
  await utimes(old, 0, 0);
  const others = [
    '.door.snap.0123456789ab.part.old',
    '.door.0123456789ab.part',
    '.door.snap.x.part',
    'door.snap.part',
    '.yard.snap.0123456789ab.part',
  ];
  for (const name of ['.door.snap.0123456789ab.part', ...others]) await writeFile(path.join(folder, name), 'half');
  const cache = cacheFor(config, 2 ** 24);
  fill(cache, 0, 1);
  await write(contentFor(config, cache));
  expect((await readdir(folder)).sort()).toEqual([...others, 'door.snap'].sort());
});
