import { describe, expect, test } from 'vitest';
import { tokensASecondAfterFirst } from '../../bench/askers.ts';
import { lateArrivals } from '../../bench/frame-watch.ts';
import { median, quantiles } from '../../bench/machine.ts';
import type { Scene } from '../../bench/haystack.ts';
import { type Haystack, haystacksOf, haystacksOfFootage } from '../../bench/needle-plan.ts';
import { parseCommandLine } from '../../bench/options.ts';
import {
  hasBundleShape,
  readShapes,
  selfDecoderFlops,
  transformerBytesPerToken,
  transformerFlops,
  yocoBytesPerToken,
} from '../../bench/shapes.ts';
import { keptUp } from '../../bench/streams.ts';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { readBundle } from '../../src/model/bundle.ts';

describe('Late frames', () => {
  const onTime = Array.from({ length: 10 }, (_, i) => ({ atMs: 5_000 + i * 500, timeMs: i * 500 }));

  test('do not come from a steady delay', () => {
    expect(lateArrivals(onTime, 500)).toBe(0);
  });

  test('come more than the allowed time after their moment', () => {
    const arrivals = onTime.map((a, i) => (i === 4 ? { ...a, atMs: a.atMs + 501 } : a));
    expect(lateArrivals(arrivals, 500)).toBe(1);
    expect(lateArrivals(arrivals, 500, 5)).toBe(0);
  });

  test('do not come from the time that it takes to reopen a clip for each round', () => {
    const rounds = Array.from({ length: 600 }, (_, i) => ({
      atMs: i * 500 + 300 * Math.floor(i / 140),
      timeMs: i * 500,
    }));
    expect(lateArrivals(rounds, 500, 0, 70_000)).toBe(0);
    expect(lateArrivals(rounds, 500)).toBeGreaterThan(0);
  });

  test('are all frames of a round that starts too late for a reopened clip', () => {
    const rounds = Array.from({ length: 420 }, (_, i) => ({ atMs: i * 500 + (i >= 140 ? 4_000 : 0), timeMs: i * 500 }));
    expect(lateArrivals(rounds, 500, 0, 70_000)).toBe(280);
    expect(lateArrivals(rounds.slice(0, 280), 500, 140, 70_000)).toBe(140);
  });

  test('allow for reopening a clip twice after a round without frames', () => {
    const gap = Array.from({ length: 420 }, (_, i) => ({ atMs: i * 500 + (i >= 280 ? 600 : 0), timeMs: i * 500 }));
    const without = gap.filter((_, i) => i < 140 || i >= 280);
    expect(lateArrivals(without, 500, 0, 70_000)).toBe(0);
  });

  test('are counted from a given frame on, and earlier frames only set the clock', () => {
    const arrivals = onTime.map((a, i) => (i >= 5 ? { ...a, atMs: a.atMs + 600 } : a));
    expect(lateArrivals(arrivals, 500, 5)).toBe(5);
  });
});

describe('Played streams', () => {
  test('are kept up with when nearly all of their frames come', () => {
    expect(keptUp(4 * 40, 4, 20)).toBe(true);
    // Four clips restarted meanwhile.
    expect(keptUp(4 * 39, 4, 20)).toBe(true);
    expect(keptUp(4 * 37, 4, 20)).toBe(false);
  });
});

describe('Tokens a second after the first', () => {
  test('count the time in which some write and others still wait', () => {
    const answer = (firstTokenMs: number) => ({ outputTokens: 8, firstTokenMs });
    expect(tokensASecondAfterFirst([{ answers: [answer(100)], ms: 800 }])).toBeCloseTo(10);
    // One token every 100 ms for each of two, of whom the second begins when the first is done.
    expect(tokensASecondAfterFirst([{ answers: [answer(100), answer(900)], ms: 1_600 }])).toBeCloseTo(14 / 1.5);
  });
});

describe('quantiles', () => {
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => n - i);

  test('the 95th percentile of twenty is the nineteenth, not the largest', () => {
    expect(quantiles(upTo(20))).toEqual({ median: 10.5, p95: 19 });
    expect(quantiles(upTo(100)).p95).toBe(95);
    expect(quantiles([7])).toEqual({ median: 7, p95: 7 });
    expect(quantiles([])).toEqual({ median: 0, p95: 0 });
  });

  test('the median of an even number is between the two in the middle', () => {
    expect([median([4, 1]), median([3, 1, 2]), median([])]).toEqual([2.5, 2, 0]);
  });
});

describe('haystacks', () => {
  const classes = Array.from({ length: 36 }, (_, i) => `class ${i}`);

  test('depend only on their length, not on other haystacks', () => {
    expect(haystacksOf(classes, 60, 12)).toEqual(haystacksOf(classes, 60, 12));
    expect(haystacksOf(classes, 60, 12)[0]?.planted).not.toEqual(haystacksOf(classes, 600, 12)[0]?.planted);
  });

  test('show each needle once, and absent classes never', () => {
    const haystacks = haystacksOf(classes, 600, 36);
    expect(haystacks.flatMap(({ planted }) => planted)).toHaveLength(36);
    for (const { scenes, planted, needleScenes: at, absent } of haystacks) {
      const shown = scenes.map((scene) => scene.class);
      expect(at.map((place) => shown[place])).toEqual(planted);
      for (const name of planted) expect(shown.filter((other) => other === name)).toHaveLength(1);
      expect(absent.filter((name) => shown.includes(name))).toEqual([]);
    }
  });
});

describe('haystacks of footage', () => {
  const classes = Array.from({ length: 20 }, (_, i) => `class ${i}`);
  const frames = Array.from({ length: 50 }, () => new Float32Array(1));
  const footage = new Map([['street.mp4', frames]]);
  const of = (seconds: number, most = 1_000): Haystack[] => haystacksOfFootage(classes, footage, seconds, 25, most);

  test('have the same needles in the same order at every length, each with the same absent class', () => {
    const asked = (haystacks: Haystack[]): string[] =>
      haystacks.flatMap(({ planted, absent }) => planted.map((name, i) => `${name} ${absent[i]}`));
    expect(asked(of(10))).toHaveLength(25);
    expect(asked(of(3_600))).toEqual(asked(of(10)));
    expect(of(10)).toHaveLength(25);
    expect(of(3_600)).toHaveLength(3);
    expect(asked(of(3_600, 4))).toEqual(asked(of(10)));
    expect(of(3_600, 4).map(({ planted }) => planted.length)).toEqual([4, 4, 2, 4, 4, 2, 4, 1]);
  });

  test('show footage between needles, and each needle by the same pictures at every length', () => {
    const needlesOf = (seconds: number): (Scene | undefined)[] =>
      of(seconds).flatMap(({ scenes, needleScenes: at }) => at.map((place) => scenes[place]));
    expect(needlesOf(3_600)).toEqual(needlesOf(10));
    for (const { scenes, planted, absent } of of(3_600)) {
      const others = scenes.filter((scene) => !planted.includes(scene.class));
      expect(new Set(others.map((scene) => scene.class))).toEqual(new Set(['street.mp4']));
      expect(absent.filter((name) => planted.includes(name))).toEqual([]);
      const shown = scenes.reduce((sum, scene) => sum + scene.frames, 0);
      expect(shown).toBeGreaterThan(3_600 * 2 * 0.99);
    }
  });
});

describe('shapes', () => {
  test('the baseline has the shape of the bundle, and caches its bytes once for each layer', async () => {
    const { config } = await readBundle(DEFAULT_BUNDLE);
    const { transformer } = await readShapes();
    expect(hasBundleShape(transformer, config)).toBe(true);
    expect(transformerBytesPerToken(transformer)).toBe(transformer.layers * yocoBytesPerToken(config));
    expect(hasBundleShape({ ...transformer, layers: transformer.layers + 1 }, config)).toBe(false);
  });

  test('a frame costs a Transformer more with every token before it, but not the self-decoder', async () => {
    const { config } = await readBundle(DEFAULT_BUNDLE);
    const { transformer: s } = await readShapes();
    const more = transformerFlops(s, 10, 2_000) - transformerFlops(s, 10, 1_000);
    expect(more).toBe(s.layers * 10 * 4 * s.heads * s.headDim * 1_000);
    expect(selfDecoderFlops(config, s.ffn, 10)).toBeLessThan(transformerFlops(s, 10, 1_000));
  });
});

describe('The command line', () => {
  test('is parsed into names and options', () => {
    const { names, json, options } = parseCommandLine(['askers', '--json', '--limit-gb', '4', 'streams'], {
      YOCO_BENCH_GGUF: 'model.gguf',
    });
    expect(names).toEqual(['askers', 'streams']);
    expect(json).toBe(true);
    expect(options).toMatchObject({ quick: false, limitGiB: 4, llama: undefined, gguf: 'model.gguf', needles: 12 });
    expect(parseCommandLine(['needle', '--seconds', '10,600'], {}).options.seconds).toEqual([10, 600]);
    expect(parseCommandLine(['needle', '--footage', 'a.mp4,b.mkv'], {}).options.footage).toEqual(['a.mp4', 'b.mkv']);
  });

  test('refuses unknown options and invalid values', () => {
    expect(() => parseCommandLine(['--fast'], {})).toThrow(TypeError);
    expect(() => parseCommandLine(['--limit-gb', 'much'], {})).toThrow('--limit-gb');
    expect(() => parseCommandLine(['--seconds', '10,soon'], {})).toThrow('--seconds');
    expect(() => parseCommandLine(['--needles', '0'], {})).toThrow('--needles');
    expect(() => parseCommandLine(['--planted', 'some'], {})).toThrow('--planted');
  });
});
