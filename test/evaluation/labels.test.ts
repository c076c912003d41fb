import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isHeldOut, normaliseLabel, readLabels, readBoardPictures } from '../../src/evaluation/labels.ts';

describe('A label', () => {
  // The expected values are what `normalise` in models/training/labels.py returns.
  test.each([
    ['Arla-Natural-Yoghurt', 'arla natural yoghurt'],
    ['Granny-Smith', 'granny smith'],
    ['African_chameleon', 'african chameleon'],
    ['T-Shirt', 't-shirt'],
    ['long-sleeve t-shirt', 'long-sleeve t-shirt'],
    ['a dog', 'dog'],
    ['An  Apple', 'apple'],
    ['the Eiffel Tower', 'eiffel tower'],
    ['some grapes', 'grapes'],
    ['the a-team', 'a team'],
    ['another dog', 'another dog'],
    ['theatre', 'theatre'],
    ['cat (a tabby)', 'cat'],
    ['(left) shoe (old)', 'shoe'],
    ['dog (German shepherd) in grass', 'dog in grass'],
    ['A dog runs.', 'dog runs'],
    ['Look!!', 'look'],
    ['...what?', 'what?'],
    ['No. 5 perfume', 'no. 5 perfume'],
    ['  many \t spaces\n', 'many spaces'],
    ['Äpfel', 'äpfel'],
    ['犬', '犬'],
    ['a', 'a'],
    ['.', ''],
    ['', ''],
    ['(only this)', ''],
  ])('%j is normalised to %j', (label, normal) => {
    expect(normaliseLabel(label)).toBe(normal);
  });
});

describe('Pictures held out of training', () => {
  test('are about a tenth of a set, fixed by the set and the file name', () => {
    const files = Array.from({ length: 3000 }, (_, i) => `/anywhere/images/${i}.jpg`);
    const held = files.filter((file) => isHeldOut('grocery', file));
    expect(held.length / files.length).toBeCloseTo(0.1, 1);
    expect(held.every((file) => isHeldOut('grocery', path.join('elsewhere', path.basename(file))))).toBe(true);
    expect(files.filter((file) => isHeldOut('clothing', file))).not.toEqual(held);
  });

  test('are chosen as in the recipe: by the first four bytes of the SHA-256, little-endian', () => {
    for (let i = 0; i < 200; i++) {
      const [a = 0, b = 0, c = 0, d = 0] = createHash('sha256').update(`grocery/${i}.jpg`).digest();
      expect(isHeldOut('grocery', `${i}.jpg`)).toBe((a + b * 256 + c * 65_536 + d * 16_777_216) % 100 < 10);
    }
  });

  test.each(['emoji', 'stamps', 'imagenet-samples', 'exercises'])(
    'include none of %s, which the recipe does not split',
    (set) => {
      expect(Array.from({ length: 200 }, (_, i) => isHeldOut(set, `${i}.png`))).not.toContain(true);
    },
  );
});

describe('A folder of data', () => {
  let data: string;
  beforeEach(async () => {
    data = await mkdtemp(path.join(tmpdir(), 'yoco-data-'));
  });
  afterEach(() => rm(data, { recursive: true, force: true }));

  async function set(name: string, lines: readonly (object | string)[], pictures = ['1.jpg', '2.jpg']): Promise<void> {
    await mkdir(path.join(data, name), { recursive: true });
    for (const picture of pictures) await writeFile(path.join(data, name, picture), 'picture');
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
    await writeFile(path.join(data, name, 'labels.jsonl'), text);
  }

  test('is read set by set with normalised labels of any kind, skipping scenes without a label', async () => {
    await set('b', [
      { image: '1.jpg', class: 'Granny-Smith', name: 'other' },
      '',
      { image: '2.jpg', name: 'the Tower' },
      { image: '1.jpg', captions: ['a dog runs'] },
    ]);
    await set('a', [{ image: '1.jpg', exercise: 'Push-Up' }]);
    await mkdir(path.join(data, 'no-labels'));
    expect((await readLabels(data)).map(({ set: name, label }) => [name, label])).toEqual([
      ['a', 'push up'],
      ['b', 'granny smith'],
      ['b', 'tower'],
    ]);
    expect((await readLabels(data, ['b'])).map(({ file }) => path.relative(data, file))).toEqual([
      'b/1.jpg',
      'b/2.jpg',
    ]);
  });

  test.each([
    ['a line that is not JSON', ['{"image": '], 'line 1: not JSON'],
    ['no image', [{ class: 'dog' }], 'line 1: image is missing'],
    [
      'a picture that is not there',
      [
        { image: '1.jpg', class: 'x' },
        { image: '3.jpg', class: 'x' },
      ],
      'line 2: 3.jpg is missing',
    ],
    ['an empty label', [{ image: '1.jpg', class: ' (x) ' }], 'line 1: the label is empty'],
    ['an empty caption', [{ image: '1.jpg', captions: ['a dog', ' '] }], 'line 1: the label is empty'],
    ['no label at all', [{ image: '1.jpg', captions: [] }], 'line 1: the label is missing'],
    ['captions that are none', [{ image: '1.jpg', captions: 'a dog' }], 'line 1: captions is wrong'],
  ])('with %s is rejected, naming the file and the line', async (_name, lines, detail) => {
    await set('a', lines);
    await expect(readLabels(data)).rejects.toMatchObject({
      code: 'data_invalid',
      detail: expect.stringContaining(`${path.join(data, 'a', 'labels.jsonl')} ${detail}`) as string,
    });
  });

  test('that does not exist or is empty is rejected', async () => {
    await expect(readLabels(path.join(data, 'nowhere'))).rejects.toMatchObject({ code: 'data_invalid', param: 'data' });
    await expect(readLabels(data)).rejects.toMatchObject({ code: 'data_invalid', param: 'data' });
  });

  test('without a requested set is rejected, naming that set and the existing ones', async () => {
    await set('a', [{ image: '1.jpg', class: 'dog' }]);
    await expect(readLabels(data, ['a', 'grocery'])).rejects.toMatchObject({
      code: 'data_invalid',
      param: 'sets',
      detail: expect.stringMatching(/"grocery" is unknown; .* holds a\.$/) as string,
    });
  });

  test('yields scenes, cut-outs with a plain name, and exercises that have both poses', async () => {
    await set('flickr', [{ image: '1.jpg', captions: ['a dog runs', 'a dog'] }]);
    await set('emoji', [
      { image: '1.jpg', name: 'clown face' },
      { image: '2.jpg', name: 'squared cjk unified ideograph-6709' },
    ]);
    await set('exercises', [
      { image: '1.jpg', exercise: 'Push-Up', pose: 'start' },
      { image: '2.jpg', exercise: 'Push-Up', pose: 'end' },
      { image: '2.jpg', exercise: 'Sit-Up', pose: 'end' },
    ]);
    const { scenes, cutOuts, exercises } = await readBoardPictures(data);
    expect(scenes.map(({ captions }) => captions)).toEqual([['a dog runs', 'a dog']]);
    expect(cutOuts.map(({ label }) => label)).toEqual(['clown face']);
    expect(exercises.map(({ start, end }) => [start, end].map(({ file }) => path.basename(file)))).toEqual([
      ['1.jpg', '2.jpg'],
    ]);
  });
});
