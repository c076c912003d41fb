import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_SNAPSHOTS, SnapshotFolder } from '../../src/live/snapshot-folder.ts';

const NOW = Date.UTC(2030, 0, 1);

describe('A snapshot folder', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'yoco-snapshots-'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  test('gives two snapshots of the same millisecond different names', async () => {
    const snapshots = new SnapshotFolder(folder);
    const [one, two] = [
      await snapshots.reserveNew('door', undefined, NOW),
      await snapshots.reserveNew('door', undefined, NOW),
    ];
    expect([one.file, two.file]).toEqual(['door-20300101T000000-000Z.snap', 'door-20300101T000000-000Z-2.snap']);
    one.release();
    // The first name is free again: nothing was written under it.
    expect((await snapshots.reserveNew('door', undefined, NOW)).file).toBe(one.file);
  });

  test('counts snapshots being written, so that clients cannot exceed its limit', async () => {
    for (let i = 0; i < MAX_SNAPSHOTS - 2; i++) await writeFile(path.join(folder, `${i}.snap`), '');
    const snapshots = new SnapshotFolder(folder);
    const asked = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => snapshots.reserveNew('door', `new-${i}`)),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(asked.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'snapshot_failed' } });
    // An existing file may be replaced.
    expect((await snapshots.reserveNew('door', '7.snap')).file).toBe('7.snap');
    for (const one of asked) if (one.status === 'fulfilled') one.value.release();
    expect((await snapshots.reserveNew('door', 'later')).file).toBe('later');
    expect(await readdir(folder)).toHaveLength(MAX_SNAPSHOTS - 2);
  });

  test('lists nothing when it is missing, and fails when it cannot be read', async () => {
    expect(await new SnapshotFolder(path.join(folder, 'later')).list()).toEqual([]);
    const file = path.join(folder, 'file.txt');
    await writeFile(file, '');
    await expect(new SnapshotFolder(file).list()).rejects.toMatchObject({ code: 'snapshot_failed' });
  });

  test('takes files of kept streams even when it is full, and reserves their names', async () => {
    for (let i = 0; i < MAX_SNAPSHOTS; i++) await writeFile(path.join(folder, `${i}.snap`), '');
    const snapshots = new SnapshotFolder(folder);
    await expect(snapshots.reserveNew('door')).rejects.toMatchObject({ code: 'snapshot_failed' });
    expect((await snapshots.reserveKept('door')).file).toBe('door.keep.snap');
    for (const name of ['door.keep.snap', 'yard.keep.before.snap', 'yard.keep.bad', 'door.keep.SNAP']) {
      await expect(snapshots.reserveNew('door', name)).rejects.toMatchObject({
        code: 'invalid_request',
        param: 'file',
      });
    }
  });

  test('always has a file of a kept stream, even when a new one cannot replace it', async () => {
    await writeFile(path.join(folder, 'yard.keep.snap'), 'old');
    const snapshots = new SnapshotFolder(folder);
    const beside = snapshots.temporaryPath('yard');
    await expect(snapshots.replaceKept('yard', beside)).rejects.toMatchObject({ code: 'snapshot_failed' });
    expect(await readFile(path.join(folder, 'yard.keep.snap'), 'utf8')).toBe('old');
    await writeFile(beside, 'new');
    expect(await snapshots.replaceKept('yard', beside)).toEqual({
      backupFile: 'yard.keep.before.snap',
      isSetAside: true,
    });
    const left = (await readdir(folder)).filter((name) => name.includes('yard')).sort();
    expect(left).toEqual(['yard.keep.before.snap', 'yard.keep.snap']);
    expect(await readFile(path.join(folder, 'yard.keep.snap'), 'utf8')).toBe('new');
    expect(await readFile(path.join(folder, 'yard.keep.before.snap'), 'utf8')).toBe('old');
  });
});
