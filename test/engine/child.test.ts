/** How a process that runs the model is started. */
import { describe, expect, test } from 'vitest';
import { leanEnvironment, leanFlags } from '../../src/engine/child.ts';

describe('Flags of the engine process', () => {
  test('keep its young generation small', () => {
    expect(leanFlags([], {})).toEqual(['--max-semi-space-size=1']);
  });

  test('are those of this process, without the loaders of tsx', () => {
    const own = [
      '--require',
      '/x/tsx/dist/preflight.cjs',
      '--import=file:///x/tsx/loader.mjs',
      '--inspect',
      '-r',
      './a.cjs',
    ];
    expect(leanFlags(own, {})).toEqual(['--inspect', '-r', './a.cjs', '--max-semi-space-size=1']);
  });

  test('leave out code that this process evaluates', () => {
    expect(leanFlags(['--input-type=module', '-e', 'import("yoco-live")', '--inspect'], {})).toEqual([
      '--inspect',
      '--max-semi-space-size=1',
    ]);
    expect(leanFlags(['--eval=1', '-p', '2'], {})).toEqual(['--max-semi-space-size=1']);
  });

  test('keep a loader that merely has tsx in its name', () => {
    expect(leanFlags(['--import=/x/tsx-app/trace.mjs'], {})).toContain('--import=/x/tsx-app/trace.mjs');
  });

  test('keep a semi-space size that somebody has set', () => {
    expect(leanFlags(['--max_semi_space_size=32'], {})).toEqual(['--max_semi_space_size=32']);
    expect(leanFlags([], { NODE_OPTIONS: '--max-semi-space-size=8' })).toEqual([]);
  });
});

describe('The environment of the engine process', () => {
  test('adds one malloc arena for all threads and thresholds that retain freed memory', () => {
    expect(leanEnvironment({ HOME: '/root' })).toEqual({
      HOME: '/root',
      MALLOC_ARENA_MAX: '1',
      MALLOC_MMAP_THRESHOLD_: '33554432',
      MALLOC_TRIM_THRESHOLD_: '134217728',
    });
  });

  test('keeps malloc settings that somebody has made: one threshold set keeps both', () => {
    expect(leanEnvironment({ MALLOC_ARENA_MAX: '4' })['MALLOC_ARENA_MAX']).toBe('4');
    const one = { MALLOC_TRIM_THRESHOLD_: '1000000' };
    expect(leanEnvironment(one)).toEqual({ ...one, MALLOC_ARENA_MAX: '1' });
    const tunables = { GLIBC_TUNABLES: 'glibc.malloc.arena_max=2:glibc.malloc.mmap_threshold=1000000' };
    expect(leanEnvironment(tunables)).toEqual(tunables);
  });
});
