/** Questions over several live streams, with a real engine (tiny bundle): which streams are read, and as of when. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { chooseStreams } from '../../src/live/choose-streams.ts';
import { Streams } from '../../src/live/live-service.ts';
import type { SourceStream } from '../../src/live/live-stream.ts';
import { CLOCK_SKEW_MS, momentsAt, newestWallMs, type StreamClock } from '../../src/live/moments.ts';
import { TINY_BUNDLE } from '../support/golden.ts';
import { pushed as pushedTo } from '../support/pushing.ts';

let live: Streams;
beforeAll(async () => {
  live = await Streams.start({ engine: { bundle: TINY_BUNDLE, threads: 1 } });
});
afterEach(async () => {
  for (const stream of live.list()) await live.delete(stream.name);
});
afterAll(() => live.close());

function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** A push stream that shows the same picture in every frame. */
const pushed = (name: string, frames: number, memory: object = {}, shown = 0): Promise<SourceStream> =>
  pushedTo(live, name, frames, memory, () => shown);

describe('A conversation about several streams', () => {
  test('works like one about a single stream, keeps its turns, and reports what it read', async () => {
    await pushed('yard', 3);
    await pushed('front', 2, {}, 1);
    const conversation = live.converse(['yard', 'front']);
    expect(conversation.streams.map(({ name }) => name)).toEqual(['yard', 'front']);
    const first = await conversation.ask('which camera shows the dog?').result;
    expect(first).toMatchObject({
      streams: [
        { name: 'yard', asOfMs: 1000 },
        { name: 'front', asOfMs: 500 },
      ],
      precision: 'full',
    });
    expect(first.evidence.length).toBeGreaterThan(0);
    expect(first.evidence.every(({ stream }) => ['yard', 'front'].includes(stream))).toBe(true);
    const second = await conversation.ask('which camera shows the dog?').result;
    expect(second.inputTokens).toBeGreaterThan(first.inputTokens);
  });

  test('reads every stream as of the same instant of the wall clock', async () => {
    const [yard, front] = [await pushed('yard', 3), await pushed('front', 3)];
    const conversation = live.converse(['yard', 'front']);
    const began = [yard, front].map((stream) => stream.status().startedAtMs);
    const asOfWallMs = Math.max(...began) + 600;
    const { streams } = await conversation.ask('what is shown?', { asOfWallMs }).result;
    // The newest frame of each stream at that instant; frames are half a second apart.
    const expected = began.map((at) => Math.min(1000, Math.floor((asOfWallMs - at) / 500) * 500));
    expect(streams.map(({ asOfMs }) => asOfMs)).toEqual(expected);
    const { asOfMs } = await yard.converse().ask('what is shown?', { asOfWallMs: (began[0] ?? 0) + 700 }).result;
    expect(asOfMs).toBe(500);
  });

  test('looks back from the same instant in every stream', async () => {
    const [yard, front] = [await pushed('yard', 5), await pushed('front', 5)];
    const began = [yard, front].map((stream) => stream.status().startedAtMs);
    const asked = live.converse(['yard', 'front']).ask('which camera showed a dog in the last second?');
    const { streams } = await asked.result;
    const sinceMs = Math.max(...began) + 1_000;
    streams.forEach((stream, i) => {
      // Reading begins with the frame that stood then.
      expect(Math.abs((stream.sinceMs ?? NaN) - (sinceMs - (began[i] ?? 0)))).toBeLessThanOrEqual(500);
    });
  });

  test('may cover all streams that keep something of an instant', async () => {
    const yard = await pushed('yard', 3);
    const asOfWallMs = yard.status().startedAtMs + 600;
    await expect.poll(() => Date.now()).toBeGreaterThan(asOfWallMs);
    await pushed('young', 1);
    expect(live.converse('all').streams).toHaveLength(2);
    const { streams } = await live.converse('all', 'streams', asOfWallMs).ask('what is shown?', { asOfWallMs }).result;
    expect(streams).toMatchObject([{ name: 'yard', asOfMs: 500 }]);
  });

  test('refuses a time of one stream, and two moments at once', async () => {
    await pushed('yard', 1);
    await pushed('front', 1);
    expect(thrown(() => live.converse('all').ask('what?', { asOfMs: 0 }))).toMatchObject({
      code: 'invalid_request',
      param: 'asOfMs',
    });
    expect(thrown(() => live.get('yard').converse().ask('what?', { asOfMs: 0, asOfWallMs: 0 }))).toMatchObject({
      code: 'invalid_request',
      param: 'asOfMs',
    });
  });

  test('ends when any of its streams is deleted, even if a new stream takes its name', async () => {
    await pushed('yard', 1);
    await pushed('front', 1);
    const conversation = live.converse(['front', 'yard']);
    await live.delete('yard');
    expect(thrown(() => conversation.ask('what?'))).toMatchObject({ code: 'stream_deleted', detail: 'It is "yard".' });
    expect(thrown(() => live.converse(['front', 'yard']))).toMatchObject({ code: 'stream_not_found' });
    await pushed('yard', 1);
    expect(thrown(() => conversation.ask('what?'))).toMatchObject({ code: 'stream_deleted' });
    expect((await live.converse(['front', 'yard']).ask('what?').result).streams).toHaveLength(2);
  });

  test('names the stream that has no frame', async () => {
    await pushed('yard', 1);
    await live.create({ name: 'new', source: { push: true } }, 'operator');
    const both = live.converse(['yard', 'new']);
    await expect(both.ask('what?').result).rejects.toMatchObject({ code: 'stream_empty', detail: 'It is "new".' });
    expect(thrown(() => both.ask('what?', { asOfWallMs: Date.now() }))).toMatchObject({
      code: 'stream_empty',
      detail: 'It is "new".',
    });
    expect(live.converse('all').streams.map(({ name }) => name)).toEqual(['yard']);
  });
});

describe('The streams of a question', () => {
  const stream = (name: string, lastMs: number | null = 0, startedAtMs = 0) => ({
    name,
    status: () => ({ firstMs: lastMs === null ? null : 0, lastMs, startedAtMs }),
  });
  const existing = [stream('yard'), stream('attic'), stream('new', null), stream('front')];
  const choose = (wanted: readonly string[] | 'all', most = 8) =>
    chooseStreams(wanted, existing, most, 'yoco.streams').map(({ name }) => name);

  test('keep the order in which they were named; "all" means those with frames, by name', () => {
    expect(choose(['yard', 'attic'])).toEqual(['yard', 'attic']);
    expect(choose(['new'])).toEqual(['new']);
    expect(choose('all')).toEqual(['attic', 'front', 'yard']);
    expect(existing.map(({ name }) => name)).toEqual(['yard', 'attic', 'new', 'front']);
  });

  test('"all" at an instant means those that keep something of it, or all of them when none does', () => {
    const then = [
      stream('yard', 5_000, 70_000),
      stream('new', null),
      stream('ended', 1_000, 10_000),
      stream('old', 90_000),
    ];
    const at = (wallMs: number, most = 3): string[] =>
      chooseStreams('all', then, most, 'streams', wallMs).map(({ name }) => name);
    expect([at(70_000), at(69_999, 2), at(9_000, 1)]).toEqual([['ended', 'old', 'yard'], ['ended', 'old'], ['old']]);
    expect(at(-1)).toEqual(['ended', 'old', 'yard']);
    expect(thrown(() => at(70_000, 2))).toMatchObject({ code: 'too_many_streams' });
    expect(chooseStreams(['yard'], then, 3, 'streams', 0).map(({ name }) => name)).toEqual(['yard']);
  });

  test.each([
    [[], 8, 'yoco.streams: expected the names of 1 to 8 streams, or "all"; got 0.'],
    [['yard', 'attic', 'front'], 2, 'yoco.streams: expected the names of 1 to 2 streams, or "all"; got 3.'],
    [['yard', 'attic', 'yard'], 8, 'yoco.streams: expected each stream once, but "yard" is named twice.'],
  ] as const)('%j of at most %d are refused: %s', (wanted, most, detail) => {
    expect(thrown(() => choose(wanted, most))).toMatchObject({
      code: 'invalid_request',
      param: 'yoco.streams',
      detail,
    });
  });

  test('"all" is refused as retryable when too many have frames', () => {
    expect(thrown(() => choose('all', 2))).toMatchObject({
      code: 'too_many_streams',
      param: 'yoco.streams',
      detail: '3 have frames, and it may read 2; name 1 to 2 of them.',
      retryable: true,
    });
  });

  test('must exist, and "all" must match at least one', () => {
    expect(thrown(() => choose(['yard', 'cellar']))).toMatchObject({
      code: 'stream_not_found',
      param: 'yoco.streams',
      detail: 'The name was "cellar".',
    });
    const none = (): unknown => chooseStreams('all', [stream('new', null)], 8, 'streams');
    expect(thrown(none)).toMatchObject({ code: 'stream_empty', param: 'streams' });
  });
});

describe('An instant', () => {
  const NOON = Date.parse('2030-01-01T12:00:00Z');
  const clock = (name: string, startedAtMs: number, firstMs: number | null, lastMs: number | null): StreamClock => ({
    name,
    startedAtMs,
    firstMs,
    lastMs,
    frames: 0,
    lateFrames: 0,
    sourceStatus: { state: 'playing', frames: 0, dropped: 0, reconnects: 0, error: null },
  });
  const early = clock('early', NOON, 0, 60_000);
  const late = clock('late', NOON + 20_000, 5_000, 30_000);
  const now = NOON + 60_000;

  test('maps to the clock of each stream, at most to its newest frame', () => {
    expect(momentsAt(NOON + 30_000, [early, late], 'as_of', now)).toEqual([30_000, 10_000]);
    expect(momentsAt(NOON + 60_000, [early, late], 'as_of', now)).toEqual([60_000, 30_000]);
    expect(momentsAt(now + CLOCK_SKEW_MS, [early, late], 'as_of', now)).toEqual([60_000, 30_000]);
    expect(newestWallMs([early, late])).toBe(NOON + 60_000);
  });

  test('is refused when a stream keeps nothing of it, with the name and range of that stream', () => {
    expect(thrown(() => momentsAt(NOON + 24_000, [early, late], 'as_of', now))).toMatchObject({
      code: 'time_out_of_range',
      param: 'as_of',
      detail:
        '2030-01-01T12:00:24.000Z is before the first frame of "late". "late" keeps 5 s to 30 s of its own time ' +
        '(2030-01-01T12:00:25.000Z to 2030-01-01T12:00:50.000Z).',
    });
  });

  test('is refused when it is in the future, with the range of each stream', () => {
    expect(thrown(() => momentsAt(now + CLOCK_SKEW_MS + 1, [early, late], 'as_of', now))).toMatchObject({
      code: 'time_out_of_range',
      detail:
        '2030-01-01T12:01:01.001Z is in the future. "early" keeps 0 s to 60 s of its own time ' +
        '(2030-01-01T12:00:00.000Z to 2030-01-01T12:01:00.000Z). "late" keeps 5 s to 30 s of its own time ' +
        '(2030-01-01T12:00:25.000Z to 2030-01-01T12:00:50.000Z).',
    });
  });

  test('ahead of the wall clock is accepted when a file that is read faster than it plays has reached it', () => {
    const ahead = clock('ahead', NOON, 0, 3_600_000);
    expect(momentsAt(NOON + 3_600_000, [ahead, late], 'as_of', now)).toEqual([3_600_000, 30_000]);
  });

  test('is refused when a stream has no frame', () => {
    const empty = clock('empty', NOON, null, null);
    expect(thrown(() => momentsAt(NOON, [early, empty], 'as_of', now))).toMatchObject({
      code: 'stream_empty',
      param: 'streams',
      detail: 'It is "empty".',
    });
  });
});

describe('The memory of a stream', () => {
  test('merges still frames when its definition says so, and its status counts them', async () => {
    const stream = await pushed('still', 4, { merge_below: 0.05 });
    expect(stream.status()).toMatchObject({
      frames: 4,
      cacheTokens: 10,
      mergedFrames: 3,
      int8Frames: 0,
      thinnedFrames: 0,
      droppedFrames: 0,
      firstMs: 0,
      lastMs: 1500,
    });
    const { asOfMs } = await stream.converse().ask('what is shown?', { asOfMs: 1200 }).result;
    expect(asOfMs).toBe(1200);
  });

  test('keeps every frame by default', async () => {
    expect((await pushed('still', 3)).status()).toMatchObject({ cacheTokens: 30, mergedFrames: 0 });
  });
});
