import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CiderD, NearestCaption, tokenF1, typicalCaption, wordsOf } from '../../src/evaluation/captions.ts';

describe('A sentence', () => {
  test('is split into words without case and punctuation', () => {
    expect(wordsOf(' A tri-colored dog , playing .')).toEqual(['a', 'tri-colored', 'dog', 'playing']);
    expect(wordsOf('...')).toEqual([]);
  });

  test.each([
    ['a dog runs', ['A dog runs .'], 1],
    ['a dog', ['a dog runs fast'], 2 / 3],
    ['a dog', ['a cat sits here', 'a dog'], 1],
    ['a a a a', ['a dog'], 1 / 3],
    ['', ['a dog'], 0],
    ['a cat', [], 0],
  ])('%j against %j has a token F1 of %d', (sentence, captions, f1) => {
    expect(tokenF1(sentence, captions)).toBeCloseTo(f1);
  });
});

describe('CIDEr-D', () => {
  const corpus = [
    ['a black dog runs over the grass', 'a dog on the grass'],
    ['a man rides a red bicycle', 'a man on a bike'],
    ['two children play in the water', 'children in a pool'],
  ];
  const cider = new CiderD(corpus);

  test('is 10 for a verbatim caption, and 0 without a common word', () => {
    expect(cider.score('a black dog runs over the grass', ['a black dog runs over the grass'])).toBeCloseTo(10);
    expect(cider.score('green tables', ['a black dog runs over the grass'])).toBe(0);
    expect(cider.score('', ['a dog'])).toBe(0);
  });

  test('gives no credit for words that occur in every picture', () => {
    const same = new CiderD([['a dog'], ['a cat'], ['a cow']]);
    expect(same.score('a', ['a dog'])).toBe(0);
    expect(same.score('dog', ['a dog'])).toBeGreaterThan(0);
  });

  test('penalises a different length and repetition', () => {
    const caption = ['a black dog runs over the grass'];
    const whole = cider.score('black dog runs over the grass', caption);
    expect(cider.score('black dog', caption)).toBeLessThan(whole);
    expect(cider.score('black dog runs over the grass the grass the grass', caption)).toBeLessThan(whole);
  });

  test('is the mean over the captions, as computed by hand', () => {
    // "dog" and "runs" each occur in one of two pictures, so both weigh log 2. The sentence lacks "runs": the cosine of
    // single words is 1 / sqrt(2), and no longer n-gram is shared. The lengths differ by one word.
    const small = new CiderD([['dog runs'], ['cat']]);
    const expected = ((10 / 4) * Math.exp(-1 / 72)) / Math.SQRT2;
    expect(small.score('dog', ['dog runs'])).toBeCloseTo(expected);
    expect(small.score('dog', ['dog runs', 'cat'])).toBeCloseTo(expected / 2);
  });
});

describe('The baselines without a model', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'yoco-captions-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function scene(name: string, background: string, caption: string) {
    const file = path.join(folder, `${name}.png`);
    await sharp({ create: { width: 16, height: 16, channels: 3, background } })
      .png()
      .toFile(file);
    return { set: 'flickr', file, captions: [caption, 'another'] };
  }

  test('give a picture the caption of the most similar other picture', async () => {
    const known = [await scene('red', '#f00', 'a red wall'), await scene('blue', '#00f', 'the sea')];
    const nearest = await NearestCaption.build(known);
    expect(await nearest.captionFor((await scene('dark', '#a00', '')).file)).toBe('a red wall');
    expect(await nearest.captionFor(known[0]?.file ?? '')).toBe('the sea');
    expect(await (await NearestCaption.build([])).captionFor(known[0]?.file ?? '')).toBeNull();
  });

  test('give every picture the caption that shares most words with the others', () => {
    const of = (caption: string) => ({ set: 'flickr', file: '', captions: [caption] });
    expect(typicalCaption([of('two men ski'), of('a dog runs on grass'), of('a dog on a beach'), of('a dog')])).toMatch(
      /^a dog/,
    );
    expect(typicalCaption([])).toBeNull();
  });
});
