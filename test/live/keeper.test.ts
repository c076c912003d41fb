/** Streams whose memory outlives the service and its engine. Uses a real engine (tiny bundle) and real files. */
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readSnapshot } from '../../src/engine/snapshot-file.ts';
import { YocoError } from '../../src/errors.ts';
import { Keeper } from '../../src/live/keeper.ts';
import { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';
import { SnapshotFolder } from '../../src/live/snapshot-folder.ts';
import type { WarningFields } from '../../src/live/types.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { png } from '../support/pushing.ts';

const DOOR = { name: 'door', source: { push: true }, keep: true };
const PATIENT = { timeout: 25_000 };
const SLOW = 120_000;

let root: string;
let folder: string;
let warnings: string[];
/** The fields of each warning. */
let about: WarningFields[];
const services: Streams[] = [];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'yoco-keeper-'));
  folder = path.join(root, 'snapshots');
  warnings = [];
  about = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const live of services.splice(0)) await live.close();
  await rm(root, { recursive: true, force: true });
});

async function start(): Promise<Streams> {
  const live = await Streams.start({
    engine: { bundle: TINY_BUNDLE, threads: 1, backoffMs: [50, 200], heartbeatMs: 200 },
    snapshots: folder,
    onWarning: (message, fields) => {
      warnings.push(message);
      about.push(fields);
    },
  });
  services.push(live);
  return live;
}

const door = (live: Streams): Promise<SourceStream> => live.create(DOOR, 'operator');
const file = (name: string): string => path.join(folder, name);
const framesOf = (name: string): Promise<number> =>
  readSnapshot(file(name), (reader) => Promise.resolve(reader.summary.frames));
const ofDoor = (): string[] => warnings.filter((message) => message.startsWith('Stream door: '));

/** Pictures `from` to `to`, half a second apart. */
async function push(stream: SourceStream, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    expect(await stream.push(await png(i % 5), i * 500)).toMatchObject({ accepted: true });
    await vi.waitFor(() => {
      expect(stream.status().lastMs).toBe(i * 500);
    }, PATIENT);
  }
}

/** Leaves a folder with the kept file of an earlier service: four frames. */
async function leftBehind(): Promise<void> {
  const live = await start();
  await push(await door(live), 0, 4);
  await live.close();
  expect(await framesOf('door.keep.snap')).toBe(4);
}

function pidOf({ engine }: Streams): number {
  if (engine.pid === undefined) throw new Error('the engine has no process');
  return engine.pid;
}

/** Kills the engine and waits until it is ready again. */
async function lose(live: Streams): Promise<void> {
  const again = once(live.engine, 'ready', { signal: AbortSignal.timeout(50_000) });
  process.kill(pidOf(live), 'SIGKILL');
  await again;
}

describe('A kept stream', () => {
  test(
    'resumes in the next service from what it held at the end of the last, and all of it can be asked about',
    async () => {
      await leftBehind();
      const live = await start();
      const stream = await door(live);
      expect(stream.status()).toMatchObject({ frames: 4, firstMs: 0, lastMs: 1500 });
      expect((await stream.converse().ask('what is shown now?', { asOfMs: 700 }).result).asOfMs).toBe(500);
      await push(stream, 4, 5);
      await live.keep('door');
      expect(await framesOf('door.keep.snap')).toBe(5);
      const [kept] = await live.snapshots();
      expect(kept).toMatchObject({ file: 'door.keep.snap', summary: { stream: 'door', frames: 5 } });
      expect(await readdir(folder)).toEqual(['door.keep.snap']);
      expect(warnings).toEqual([]);
    },
    SLOW,
  );

  test(
    'begins empty without a file, and is written only when it has new frames',
    async () => {
      const live = await start();
      const stream = await door(live);
      expect(stream.status()).toMatchObject({ frames: 0, lastMs: null });
      const snapshot = vi.spyOn(stream, 'snapshot');
      await live.keep('door');
      expect(snapshot).not.toHaveBeenCalled();
      await push(stream, 0, 1);
      await live.keep('door');
      await live.keep('door');
      await live.close();
      expect(snapshot).toHaveBeenCalledTimes(1);
      expect(warnings).toEqual([]);
    },
    SLOW,
  );

  test(
    'is written again when its file was removed, even without a new frame, and at shutdown',
    async () => {
      const live = await start();
      await push(await door(live), 0, 2);
      await live.keep('door');
      for (const writeAgain of [() => live.keep('door'), () => live.close()]) {
        await live.deleteSnapshot('door.keep.snap');
        await writeAgain();
        expect(await framesOf('door.keep.snap')).toBe(2);
      }
      expect(warnings).toEqual([]);
    },
    SLOW,
  );

  test(
    'is written at every interval until it is forgotten',
    async () => {
      const live = await start();
      const stream = await live.create({ name: 'door', source: { push: true } }, 'operator');
      const { engine } = live;
      const keeper = new Keeper({
        engine,
        folder: new SnapshotFolder(folder),
        onWarning: (text) => warnings.push(text),
      });
      keeper.keep(stream, 20);
      for (const frames of [1, 2]) {
        await push(stream, frames - 1, frames);
        await vi.waitFor(async () => {
          expect(await framesOf('door.keep.snap')).toBe(frames);
        }, PATIENT);
      }
      keeper.forget('door');
      await push(stream, 2, 3);
      await keeper.close();
      expect(await framesOf('door.keep.snap')).toBe(2);
      expect(warnings).toEqual([]);
    },
    SLOW,
  );

  test(
    'is no longer written once deleted; its file stays, and a new stream of its name resumes from it',
    async () => {
      const live = await start();
      await push(await door(live), 0, 1);
      await live.keep('door');
      await push(live.get('door'), 1, 2);
      await live.delete('door');
      await live.keep('door');
      expect((await door(live)).status().frames).toBe(1);
    },
    SLOW,
  );

  test(
    'requires a snapshot folder and an operator',
    async () => {
      const live = await Streams.start({ engine: { bundle: TINY_BUNDLE, threads: 1 } });
      services.push(live);
      await expect(door(live)).rejects.toMatchObject({ code: 'snapshots_off' });
      await expect(live.create(DOOR, 'client')).rejects.toMatchObject({ code: 'forbidden', param: 'keep' });
      expect(live.list()).toEqual([]);
    },
    SLOW,
  );
});

describe('A kept file that cannot be used', () => {
  const flip = (bytes: Buffer): Buffer => {
    const at = bytes.length - 40;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };
  const other = (bytes: Buffer): Buffer => {
    bytes.writeUInt32LE(7, 8);
    return bytes;
  };

  test.each([
    ['is damaged in the middle', flip, /damaged/],
    ['is cut short', (bytes: Buffer) => bytes.subarray(0, -1), /damaged/],
    ['is of another version', other, /another model or version/],
    ['is no snapshot', () => Buffer.from('nothing'), /damaged or not a snapshot/],
  ])(
    'is set aside with a warning when it %s; the stream begins empty and is kept again',
    async (_name, change, why) => {
      await leftBehind();
      const bytes = change(await readFile(file('door.keep.snap')));
      await writeFile(file('door.keep.snap'), bytes);
      const live = await start();
      const stream = await door(live);
      expect(stream.status()).toMatchObject({ frames: 0, lastMs: null });
      expect(ofDoor()).toEqual([expect.stringMatching(why)]);
      expect(ofDoor()[0]).toContain('door.keep.bad');
      expect(await readdir(folder)).toEqual(['door.keep.bad']);
      await push(stream, 0, 2);
      await live.close();
      expect(await framesOf('door.keep.snap')).toBe(2);
      expect((await readFile(file('door.keep.bad'))).equals(bytes)).toBe(true);
      expect(ofDoor()).toHaveLength(1);
    },
    SLOW,
  );

  test(
    'is set aside when the memory limit of its stream is too small for it',
    async () => {
      await leftBehind();
      const live = await start();
      const detail = 'memory.limit_mb: the snapshot needs at least 700.';
      const tooLarge = new YocoError('definition_invalid', { param: 'memory.limit_mb', detail });
      vi.spyOn(live.engine, 'restore').mockRejectedValueOnce(tooLarge);
      expect((await door(live)).status().frames).toBe(0);
      expect(ofDoor()).toEqual([expect.stringContaining(detail)]);
      expect(await readdir(folder)).toEqual(['door.keep.bad']);
    },
    SLOW,
  );

  test(
    'is read once more when the engine is lost meanwhile',
    async () => {
      await leftBehind();
      const live = await start();
      vi.spyOn(live.engine, 'restore').mockRejectedValueOnce(new YocoError('engine_restarted'));
      expect((await door(live)).status().frames).toBe(4);
      expect(ofDoor()).toEqual([]);
    },
    SLOW,
  );

  test(
    'is preserved when the engine is lost again: a few new frames do not replace it',
    async () => {
      await leftBehind();
      const live = await start();
      const lost = new YocoError('engine_restarted');
      vi.spyOn(live.engine, 'restore').mockRejectedValueOnce(lost).mockRejectedValueOnce(lost);
      const stream = await door(live);
      expect(await readdir(folder)).toEqual(['door.keep.snap']);
      await push(stream, 0, 1);
      await live.keep('door');
      expect([await framesOf('door.keep.before.snap'), await framesOf('door.keep.snap')]).toEqual([4, 1]);
      expect(ofDoor()).toEqual([
        expect.stringContaining('starts empty'),
        expect.stringContaining('door.keep.before.snap'),
      ]);
    },
    SLOW,
  );
});

describe('A kept file from which its stream did not resume', () => {
  /** A stream that begins empty beside its file, as when the engine is lost twice while reading it. */
  async function beginsEmpty(live: Streams): Promise<SourceStream> {
    const lost = new YocoError('engine_restarted');
    vi.spyOn(live.engine, 'restore').mockRejectedValueOnce(lost).mockRejectedValueOnce(lost);
    return door(live);
  }

  test(
    'does not replace a set-aside file that holds more',
    async () => {
      await leftBehind();
      const live = await start();
      const framesWhere = async (): Promise<number[]> => [
        await framesOf('door.keep.before.snap'),
        await framesOf('door.keep.snap'),
      ];
      await push(await beginsEmpty(live), 0, 1);
      await live.keep('door');
      expect(await framesWhere()).toEqual([4, 1]);

      await live.delete('door');
      const again = await beginsEmpty(live);
      await push(again, 0, 2);
      await live.keep('door');
      expect(await framesWhere()).toEqual([4, 2]);
      expect(ofDoor().at(-1)).toMatch(/ is gone, since door\.keep\.before\.snap holds more\.$/);

      await push(again, 2, 5);
      await live.keep('door');
      await live.delete('door');
      await push(await beginsEmpty(live), 0, 1);
      await live.keep('door');
      expect(await framesWhere()).toEqual([5, 1]);
      expect(ofDoor().at(-1)).toMatch(/ is now door\.keep\.before\.snap\.$/);
    },
    SLOW,
  );

  test(
    'stays in place until a new one is written',
    async () => {
      await leftBehind();
      const live = await start();
      const stream = await beginsEmpty(live);
      await push(stream, 0, 1);
      vi.spyOn(stream, 'snapshot').mockRejectedValueOnce(new YocoError('engine_restarted'));
      await live.keep('door');
      expect(await readdir(folder)).toEqual(['door.keep.snap']);
      expect(await framesOf('door.keep.snap')).toBe(4);
      await live.keep('door');
      expect((await readdir(folder)).sort()).toEqual(['door.keep.before.snap', 'door.keep.snap']);
      expect([await framesOf('door.keep.before.snap'), await framesOf('door.keep.snap')]).toEqual([4, 1]);
    },
    SLOW,
  );
});

describe('After an engine loss, a kept stream', () => {
  test(
    'resumes from its file, without the frames since it was written, and takes new frames',
    async () => {
      const live = await start();
      const stream = await door(live);
      await push(stream, 0, 3);
      await live.keep('door');
      await push(stream, 3, 4);
      await lose(live);
      await vi.waitFor(() => {
        expect(stream.status()).toMatchObject({ firstMs: 0, lastMs: 1000, cacheTokens: 30 });
      }, PATIENT);
      expect((await stream.converse().ask('what is shown now?').result).asOfMs).toBe(1000);
      await push(stream, 4, 5);
      await live.keep('door');
      // The fourth frame is gone with the engine.
      expect(await framesOf('door.keep.snap')).toBe(4);
      expect(await readdir(folder)).toEqual(['door.keep.snap']);
      expect(ofDoor()).toEqual([]);
    },
    SLOW,
  );

  test(
    'begins empty when its file is damaged, and that file is set aside',
    async () => {
      const live = await start();
      const stream = await door(live);
      await push(stream, 0, 3);
      await live.keep('door');
      await writeFile(file('door.keep.snap'), 'nothing');
      await lose(live);
      await vi.waitFor(async () => {
        expect(await readdir(folder)).toEqual(['door.keep.bad']);
        expect(ofDoor()).toEqual([expect.stringContaining('starts empty')]);
        expect(about).toContainEqual({ stream: 'door', code: 'snapshot_damaged' });
      }, PATIENT);
      await push(stream, 3, 4);
      expect(stream.status().cacheTokens).toBe(10);
    },
    SLOW,
  );

  test(
    'begins empty when the engine is lost soon after reading its file, and new frames do not replace that file',
    async () => {
      const live = await start();
      const stream = await door(live);
      await push(stream, 0, 3);
      await live.keep('door');
      await lose(live);
      await vi.waitFor(() => {
        expect(stream.status().lastMs).toBe(1000);
      }, PATIENT);
      await lose(live);
      expect(warnings).toContainEqual(
        expect.stringContaining('Kept streams start empty and do not resume from their files'),
      );
      await push(stream, 3, 4);
      expect(stream.status()).toMatchObject({ firstMs: 1500, cacheTokens: 10 });
      await live.keep('door');
      expect([await framesOf('door.keep.before.snap'), await framesOf('door.keep.snap')]).toEqual([3, 1]);
      expect(ofDoor()).toEqual([expect.stringContaining('door.keep.before.snap')]);
      // From here on it is kept as usual.
      await push(stream, 4, 5);
      await live.keep('door');
      expect([await framesOf('door.keep.before.snap'), await framesOf('door.keep.snap')]).toEqual([3, 2]);
      expect(ofDoor()).toHaveLength(1);
    },
    SLOW,
  );

  test(
    'created meanwhile waits for the engine to read its file',
    async () => {
      await leftBehind();
      const live = await start();
      const lost = once(live.engine, 'lost');
      process.kill(pidOf(live), 'SIGKILL');
      await lost;
      expect((await door(live)).status().frames).toBe(4);
    },
    SLOW,
  );
});

test(
  'A stream that cannot be written is reported once, continues, and is written as soon as possible',
  async () => {
    const live = await start();
    const stream = await door(live);
    await push(stream, 0, 1);
    await live.keep('door');
    expect(live.isKeepFailing('door')).toBe(false);
    await rename(folder, `${folder}-away`);
    await writeFile(folder, '');
    for (const frames of [2, 3]) {
      await push(stream, frames - 1, frames);
      await live.keep('door');
    }
    expect(ofDoor()).toEqual([expect.stringMatching(/could not be saved: .*snapshot folder.* Retrying\.$/)]);
    expect(live.isKeepFailing('door')).toBe(true);
    await rm(folder);
    await mkdir(folder);
    await live.keep('door');
    expect(await framesOf('door.keep.snap')).toBe(3);
    expect(live.isKeepFailing('door')).toBe(false);
    await live.create({ name: 'yard', source: { push: true } }, 'operator');
    expect(live.isKeepFailing('yard')).toBe(null);
    expect(ofDoor()[1]).toContain('is saved again');
    expect(about).toEqual([{ stream: 'door', code: 'snapshot_failed' }, { stream: 'door' }]);
  },
  SLOW,
);

test(
  'On shutdown, the log names a stream that could not be written since the engine was lost',
  async () => {
    const live = await start();
    const stream = await live.create({ name: 'door', source: { push: true } }, 'operator');
    const { engine } = live;
    const keeper = new Keeper({ engine, folder: new SnapshotFolder(folder), onWarning: (text) => warnings.push(text) });
    keeper.keep(stream, 3_600_000);
    await push(stream, 0, 1);
    await keeper.write('door');
    await push(stream, 1, 2);
    vi.spyOn(stream, 'snapshot').mockRejectedValue(new YocoError('engine_restarted'));
    await keeper.close();
    expect(warnings).toEqual(['Stream door: its newest memory could not be saved; the file is unchanged.']);
    expect(await framesOf('door.keep.snap')).toBe(1);
  },
  SLOW,
);

test(
  'On shutdown, the log names each stream that could not be written once, even one reported long before',
  async () => {
    const live = await start();
    const { engine } = live;
    const keeper = new Keeper({ engine, folder: new SnapshotFolder(folder), onWarning: (text) => warnings.push(text) });
    for (const name of ['door', 'yard']) {
      const stream = await live.create({ name, source: { push: true } }, 'operator');
      keeper.keep(stream, 3_600_000);
      await push(stream, 0, 1);
    }
    await writeFile(folder, '');
    await keeper.write('door');
    await keeper.close();
    expect(warnings).toEqual([
      expect.stringMatching(/^Stream door: its memory could not be saved: /),
      'Stream door: its newest memory could not be saved; the file is unchanged.',
      expect.stringMatching(/^Stream yard: its memory could not be saved: /),
    ]);
  },
  SLOW,
);

test(
  'On shutdown, a write that exceeds the time limit is abandoned, and the log names its stream',
  async () => {
    const live = await start();
    const { engine } = live;
    const [stream, yard] = [
      await live.create({ name: 'door', source: { push: true } }, 'operator'),
      await live.create({ name: 'yard', source: { push: true } }, 'operator'),
    ];
    const keeper = new Keeper({ engine, folder: new SnapshotFolder(folder), onWarning: (text) => warnings.push(text) });
    keeper.keep(stream, 3_600_000);
    keeper.keep(yard, 3_600_000);
    await push(stream, 0, 1);
    await keeper.write('door');
    await push(stream, 1, 2);
    process.kill(pidOf(live), 'SIGSTOP');
    try {
      await keeper.close(50);
      expect(warnings).toEqual(['Stream door: its memory could not be saved in time; the file is unchanged.']);
      expect(await framesOf('door.keep.snap')).toBe(1);
    } finally {
      process.kill(pidOf(live), 'SIGCONT');
    }
  },
  SLOW,
);
