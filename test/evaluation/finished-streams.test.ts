import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FinishedStreams } from '../../src/evaluation/finished-streams.ts';
import type { StreamResult } from '../../src/evaluation/results.ts';

vi.mock(import('node:fs/promises'), async (original) => {
  const actual = await original();
  return { ...actual, writeFile: vi.fn(actual.writeFile) };
});

const KEY = { bundle: 'abc', seed: 1, seconds: '30', heldOut: true };
const result = (stream: number): StreamResult => ({ stream, seconds: 30, answered: [], described: [], controls: null });

describe('An interrupted evaluation', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'yoco-resume-'));
    file = path.join(folder, 'finished.jsonl');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function withStreams(...streams: number[]): Promise<void> {
    const finished = await FinishedStreams.open(file, KEY);
    for (const stream of streams) await finished.add(result(stream));
  }
  const streamsIn = async (): Promise<number[]> => [...(await FinishedStreams.open(file, KEY)).results.keys()];

  test('resumes after the streams in its file', async () => {
    expect(await streamsIn()).toEqual([]);
    await withStreams(0, 1);
    expect(await streamsIn()).toEqual([0, 1]);
    await withStreams(2);
    expect((await FinishedStreams.open(file, KEY)).results.get(2)).toEqual(result(2));
  });

  test('plays a stream again when its line was truncated', async () => {
    await withStreams(0, 1);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, -10));
    expect(await streamsIn()).toEqual([0]);
    await withStreams(1);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('removes a truncated line without rewriting the file', async () => {
    await withStreams(0, 1);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, -10));
    vi.mocked(writeFile).mockClear();
    await FinishedStreams.open(file, KEY);
    expect(writeFile).not.toHaveBeenCalled();
    expect(await readFile(file, 'utf8')).toBe(text.slice(0, text.lastIndexOf('{"stream":1')));
  });

  test('scores the stored answers again', async () => {
    const finished = await FinishedStreams.open(file, KEY);
    const answer = { task: 'now', expected: 'apple', answer: 'an apple', right: false } as const;
    const wrong = { ...answer, answer: 'pear', right: true };
    const rest = {
      heldOut: false,
      confidence: 0.5,
      chance: 0.1,
      set: 'x',
      absent: false,
      inside: null,
      overlap: null,
      firstTokenMs: 1,
    };
    await finished.add({
      ...result(0),
      answered: [answer, wrong].map((one) => ({ ...rest, ...one })),
      controls: { emptied: [answer], shuffled: [wrong], lastFrames: [], afterAnother: [answer] },
    });
    const { answered, controls } = (await FinishedStreams.open(file, KEY)).results.get(0) ?? {};
    expect(answered?.map(({ right }) => right)).toEqual([true, false]);
    expect([controls?.emptied[0]?.right, controls?.shuffled[0]?.right, controls?.afterAnother[0]?.right]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('starts over when even the header was truncated', async () => {
    await writeFile(file, '{"evaluation":{"bun');
    expect(await streamsIn()).toEqual([]);
  });

  test.each([
    ['seed', { ...KEY, seed: 2 }, 'seed was 1 and is 2 now'],
    ['bundle', { ...KEY, bundle: 'def' }, 'bundle was "abc" and is "def" now'],
    ['length', { ...KEY, seconds: '10-300' }, 'seconds was "30" and is "10-300" now'],
  ])('does not resume with another %s', async (_name, key, detail) => {
    await withStreams(0);
    const before = await readFile(file, 'utf8');
    await expect(FinishedStreams.open(file, key)).rejects.toMatchObject({
      code: 'resume_mismatch',
      param: 'resume',
      detail: expect.stringContaining(detail) as string,
    });
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  test.each([
    ['other text', 'notes of mine', 1],
    ['other lines', 'notes\nof mine\n', 1],
    ['a broken line', `${JSON.stringify({ evaluation: KEY })}\n{"stream":\n`, 2],
    ['a line of something else', `${JSON.stringify({ evaluation: KEY })}\n{"stream":0}\n`, 2],
  ])('rejects a file of %s, names the line and leaves the file unchanged', async (_name, text, line) => {
    await writeFile(file, text);
    await expect(FinishedStreams.open(file, KEY)).rejects.toMatchObject({
      code: 'data_invalid',
      detail: expect.stringContaining(`finished.jsonl line ${line}`) as string,
    });
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('reports a file that cannot be read or written', async () => {
    await expect(FinishedStreams.open(folder, KEY)).rejects.toMatchObject({ code: 'data_invalid', param: 'resume' });
    const nowhere = path.join(folder, 'nowhere', 'file.jsonl');
    await expect(FinishedStreams.open(nowhere, KEY)).rejects.toMatchObject({ code: 'data_invalid', param: 'resume' });
    const finished = await FinishedStreams.open(file, KEY);
    await rm(folder, { recursive: true });
    await expect(finished.add(result(0))).rejects.toMatchObject({ code: 'data_invalid', param: 'resume' });
  });
});
