/** When it is told that a stream's source is away, back, or over. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SourceState } from '../../src/ingest/frame.ts';
import { AWAY_AFTER_MS, BACK_AFTER_MS, SourceWatch } from '../../src/server/source-watch.ts';
import { FakeStream } from './fake-live-service.ts';

let camera: FakeStream;
let told: (readonly [SourceState, string | null])[];
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

test('A source that is away for ten seconds is told of once, however often it is tried, with the newest reason', () => {
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

test('A source that is back sooner is not told of, nor are the times that it was away added up', () => {
  begin();
  for (let times = 0; times < 5; times++) {
    becomes('reconnecting');
    vi.advanceTimersByTime(AWAY_AFTER_MS - 1);
    becomes('playing');
    vi.advanceTimersByTime(1_000);
  }
  expect(told).toEqual([]);
});

test('A source that is back is told of when frames have come for a while, not where each try gives one', () => {
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

test('A source that hangs after its first frames is not back, though it is not yet seen that it hangs', () => {
  begin();
  becomes('reconnecting');
  vi.advanceTimersByTime(AWAY_AFTER_MS);
  for (let tries = 0; tries < 5; tries++) {
    becomes('playing');
    camera.tick(tries);
    vi.advanceTimersByTime(10_000);
    camera.changed(); // for another reason
    becomes('reconnecting');
    vi.advanceTimersByTime(30_000);
  }
  expect(told.map(([state]) => state)).toEqual(['reconnecting']);
});

test('A source of which a frame is taken each ten seconds is given the time to show a second one', () => {
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

test('A camera that was never reached is away, a push stream to which nobody has pushed is not', () => {
  begin('connecting');
  camera.changed();
  vi.advanceTimersByTime(600_000);
  expect(told).toEqual([]);
  becomes('reconnecting', 'source_unreachable');
  vi.advanceTimersByTime(AWAY_AFTER_MS);
  expect(told).toEqual([['reconnecting', 'source_unreachable']]);
});

test.each(['ended', 'failed'] as const)('A source that has %s is told of at once, and then nothing more', (state) => {
  begin();
  becomes('reconnecting');
  becomes(state, 'source_invalid');
  expect(told).toEqual([[state, 'source_invalid']]);
  expect(camera.listeners).toBe(0);
  vi.advanceTimersByTime(600_000);
  expect(told).toHaveLength(1);
});

test('A source that is over when it begins to be watched is told of', () => {
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
])('Nothing is told of %s', (_, end) => {
  begin();
  becomes('reconnecting');
  end();
  vi.advanceTimersByTime(600_000);
  expect(told).toEqual([]);
  expect([camera.listeners, vi.getTimerCount()]).toEqual([0, 0]);
});
