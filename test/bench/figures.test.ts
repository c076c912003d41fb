import { describe, expect, test } from 'vitest';
import { lateArrivals } from '../../bench/frame-watch.ts';
import { parseCommandLine } from '../../bench/options.ts';
import {
  fits,
  readShapes,
  selfDecoderFlops,
  transformerBytesAToken,
  transformerFlops,
  yocoBytesAToken,
} from '../../bench/shapes.ts';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { readBundle } from '../../src/model/bundle.ts';

describe('late frames', () => {
  const onTime = Array.from({ length: 10 }, (_, i) => ({ atMs: 5_000 + i * 500, timeMs: i * 500 }));

  test('a steady delay is none', () => {
    expect(lateArrivals(onTime, 500)).toBe(0);
  });

  test('a frame that comes more than the allowed time after its moment is late', () => {
    const arrivals = onTime.map((a, i) => (i === 4 ? { ...a, atMs: a.atMs + 501 } : a));
    expect(lateArrivals(arrivals, 500)).toBe(1);
    expect(lateArrivals(arrivals, 500, 5)).toBe(0);
  });

  test('what it takes to open a clip anew at each of its rounds does not add up', () => {
    const rounds = Array.from({ length: 600 }, (_, i) => ({
      atMs: i * 500 + 300 * Math.floor(i / 140),
      timeMs: i * 500,
    }));
    expect(lateArrivals(rounds, 500, 0, 70_000)).toBe(0);
    expect(lateArrivals(rounds, 500)).toBeGreaterThan(0);
  });

  test('frames before the count began tell the clock', () => {
    const arrivals = onTime.map((a, i) => (i >= 5 ? { ...a, atMs: a.atMs + 600 } : a));
    expect(lateArrivals(arrivals, 500, 5)).toBe(5);
  });
});

describe('shapes', () => {
  test('the baseline has the shape of the bundle, and caches as many times its bytes as it has layers', async () => {
    const { config } = await readBundle(DEFAULT_BUNDLE);
    const { transformer } = await readShapes();
    expect(fits(transformer, config)).toBe(true);
    expect(transformerBytesAToken(transformer)).toBe(transformer.layers * yocoBytesAToken(config));
    expect(fits({ ...transformer, layers: transformer.layers + 1 }, config)).toBe(false);
  });

  test('a frame costs a Transformer more with every token before it, and the self-decoder the same', async () => {
    const { config } = await readBundle(DEFAULT_BUNDLE);
    const { transformer: s } = await readShapes();
    const more = transformerFlops(s, 10, 2_000) - transformerFlops(s, 10, 1_000);
    expect(more).toBe(s.layers * 10 * 4 * s.heads * s.headDim * 1_000);
    expect(selfDecoderFlops(config, s.ffn, 10)).toBeLessThan(transformerFlops(s, 10, 1_000));
  });
});

describe('command line', () => {
  test('names and options', () => {
    const { names, json, options } = parseCommandLine(['askers', '--json', '--limit-gb', '4', 'streams'], {
      YOCO_BENCH_GGUF: 'model.gguf',
    });
    expect(names).toEqual(['askers', 'streams']);
    expect(json).toBe(true);
    expect(options).toMatchObject({ quick: false, limitGiB: 4, llama: undefined, gguf: 'model.gguf', needles: 12 });
    expect(parseCommandLine(['needle', '--seconds', '10,600'], {}).options.seconds).toEqual([10, 600]);
  });

  test('what it does not know is an error', () => {
    expect(() => parseCommandLine(['--fast'], {})).toThrow(TypeError);
    expect(() => parseCommandLine(['--limit-gb', 'much'], {})).toThrow('--limit-gb');
    expect(() => parseCommandLine(['--seconds', '10,soon'], {})).toThrow('--seconds');
    expect(() => parseCommandLine(['--needles', '0'], {})).toThrow('--needles');
  });
});
