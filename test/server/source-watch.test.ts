/** When a watcher reports that a stream's source is away, back, or over. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SourceState } from '../../src/ingest/frame.ts';
import { AWAY_AFTER_MS, BACK_AFTER_MS, type ReportedState, SourceWatch } from '../../src/server/source-watch.ts';
import { FakeStream } from './fake-live-service.ts';

let camera: FakeStream;
let told: (readonly [ReportedState, string | null])[];
let watch: SourceWatch | null;

beforeEach(() => {
  vi.useFakeTimers();
  camera = new FakeStream('camera');
  told = [];
  watch = null;
});

afterEach(() => {
  watch?.close();
  vi.useRealTimers();
});

function begin(state: SourceState = 'playing'): void {
  camera.state = state;
  watch = new SourceWatch(camera, (is, { sourceStatus }) => told.push([is, sourceStatus.error?.code ?? null]));
}

function becomes(state: SourceState, code: string | null = null): void {
  camera.state = state;
  camera.error = code === null ? null : { code, message: 'Why.' };
  camera.changed();
}

test('A source that is away for ten seconds is reported once, with the newest reason, however often it is retried', () => {
  begin();
  becomes('reconnecting', 'source_unreachable');
  vi.advanceTimersByTime(AWAY_AFTER_MS - 1);
  becomes('reconnecting', 'source_unauthorized');
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([['reconnecting', 'source_unauthorized']]);
  for (let tries = 0; tries < 20; tries++) {
    becomes('reconnecting', 'source_unreachable');
    vi.advanceTimersByTime(30_000);
  }
  expect(told).toHaveLength(1);
});

test('A shorter outage is not reported, and several of them are not added up', () => {
  begin();
  for (let times = 0; times < 5; times++) {
    becomes('reconnecting');
    vi.advanceTimersByTime(AWAY_AFTER_MS - 1);
    becomes('playing');
    vi.advanceTimersByTime(1_000);
  }
  expect(told).toEqual([]);
});

test('A source is reported back once frames keep coming, not when each retry yields one', () => {
  begin();
  becomes('reconnecting');
  vi.advanceTimersByTime(AWAY_AFTER_MS);
  for (let tries = 0; tries < 5; tries++) {
    becomes('playing');
    vi.advanceTimersByTime(BACK_AFTER_MS - 1);
    becomes('reconnecting');
    vi.advanceTimersByTime(30_000);
  }
  expect(told.map(([state]) => state)).toEqual(['reconnecting']);
  becomes('playing');
  for (let frames = 0; frames < 10; frames++) {
    camera.tick(frames);
    vi.advanceTimersByTime(BACK_AFTER_MS / 2);
  }
  expect(told.map(([state]) => state)).toEqual(['reconnecting', 'playing']);
});

test('A source that hangs after its first frame is not reported back, even before the hang is noticed', () => {
  begin();
  becomes('reconnecting');
  vi.advanceTimersByTime(AWAY_AFTER_MS);
  for (let tries = 0; tries < 5; tries++) {
    becomes('playing');
    camera.tick(tries);
    vi.advanceTimersByTime(10_000);
    camera.changed(); // a change without a new frame
    becomes('reconnecting');
    vi.advanceTimersByTime(30_000);
  }
  expect(told.map(([state]) => state)).toEqual(['reconnecting']);
});

test('A source sampled every ten seconds gets the time for a second frame before it counts as away', () => {
  camera.fps = 0.1;
  begin();
  becomes('reconnecting');
  vi.advanceTimersByTime(12_000);
  becomes('playing');
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([]);
  becomes('reconnecting');
  vi.advanceTimersByTime(20_000);
  expect(told.map(([state]) => state)).toEqual(['reconnecting']);
});

test('A camera that was never reached is reported away; a push stream without frames is not', () => {
  begin('connecting');
  camera.changed();
  vi.advanceTimersByTime(600_000);
  expect(told).toEqual([]);
  becomes('reconnecting', 'source_unreachable');
  vi.advanceTimersByTime(AWAY_AFTER_MS);
  expect(told).toEqual([['reconnecting', 'source_unreachable']]);
});

describe('A picture that does not change', () => {
  const statesTold = (): ReportedState[] => told.map(([state]) => state);
  /** The next frame comes; the newest change lies `unchangedMs` before it. */
  const frame = (unchangedMs: number): void => {
    camera.unchangedMs = unchangedMs;
    camera.tick((camera.lastMs ?? 0) + 500);
  };

  beforeEach(() => {
    camera.frozenAfterMs = 60_000;
    begin();
  });

  test('is reported once when it has lasted for as long as the stream says, and once more when it changes', () => {
    frame(59_999);
    expect(told).toEqual([]);
    frame(60_000);
    frame(60_500);
    expect(statesTold()).toEqual(['frozen']);
    frame(0);
    frame(500);
    expect(statesTold()).toEqual(['frozen', 'playing']);
  });

  test('is not reported of a stream that does not ask for it', () => {
    camera.frozenAfterMs = null;
    frame(86_400_000);
    expect(told).toEqual([]);
  });

  test('is reported after a change of the definition', () => {
    camera.frozenAfterMs = null;
    frame(60_000);
    camera.frozenAfterMs = 30_000;
    camera.changed();
    expect(statesTold()).toEqual(['frozen']);
  });

  test('is reported again if it is the same after an outage', () => {
    frame(60_000);
    becomes('reconnecting', 'source_silent');
    vi.advanceTimersByTime(AWAY_AFTER_MS);
    becomes('playing');
    vi.advanceTimersByTime(BACK_AFTER_MS);
    frame(90_000);
    frame(90_500);
    expect(statesTold()).toEqual(['frozen', 'reconnecting', 'playing', 'frozen']);
  });

  test('stays reported over an outage that is too short to be one', () => {
    frame(60_000);
    becomes('reconnecting');
    vi.advanceTimersByTime(AWAY_AFTER_MS - 1);
    becomes('playing');
    frame(70_000);
    vi.advanceTimersByTime(AWAY_AFTER_MS);
    expect(statesTold()).toEqual(['frozen']);
  });

  test('is no matter before a frame has come since a restore', () => {
    camera.lastMs = null;
    camera.changed();
    expect(told).toEqual([]);
  });
});

test.each(['ended', 'failed'] as const)('A source that has %s is reported at once, and nothing after that', (state) => {
  begin();
  becomes('reconnecting');
  becomes(state, 'source_invalid');
  expect(told).toEqual([[state, 'source_invalid']]);
  expect(camera.listeners).toBe(0);
  vi.advanceTimersByTime(600_000);
  expect(told).toHaveLength(1);
});

test('A source that is over before it is watched is reported', () => {
  begin('ended');
  expect(told).toEqual([['ended', null]]);
});

test.each([
  [
    'a deleted stream',
    (): void => {
      becomes('stopped');
    },
  ],
  ['one that is watched no more', (): void => watch?.close()],
])('Nothing is reported of %s', (_, end) => {
  begin();
  becomes('reconnecting');
  end();
  vi.advanceTimersByTime(600_000);
  expect(told).toEqual([]);
  expect([camera.listeners, vi.getTimerCount()]).toEqual([0, 0]);
});
