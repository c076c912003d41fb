/**
 * That the bundled model knows what kind of thing a photograph shows that is none of its data, through the whole path:
 * "is this a dog?" of a German shepherd.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { withArticle } from '../../src/evaluation/questions.ts';
import { ShownPictures } from './shown-pictures.ts';

const MINUTE = 60_000;
/** A few less than it tells; either answer to all would get half. */
const RIGHT_SHARE = 0.75;

interface Photo {
  readonly file: string;
  /** Words for many things that it is, the narrowest first, and that it might be called. */
  readonly kinds: readonly string[];
  readonly maybe?: readonly string[];
}

const folder = new URL('photos/', import.meta.url);
const all = JSON.parse(readFileSync(new URL('photos.json', folder), 'utf8')) as Photo[];
const photos = all.filter(({ kinds }) => kinds.length > 0);

/** The kind of the next photograph that this one is not. */
function another({ kinds, maybe = [] }: Photo, i: number): string {
  const others = [...photos.slice(i + 1), ...photos].flatMap((photo) => photo.kinds.slice(0, 1));
  return others.find((kind) => ![...kinds, ...maybe].includes(kind)) ?? '';
}

const asked = photos.flatMap((photo, i) => [
  { photo, kind: photo.kinds[0] ?? '', expected: 'yes' },
  { photo, kind: another(photo, i), expected: 'no' },
]);
const FORMS = ['is this {x}?', 'do you see {x}?', 'can you see {x}?'];

let shown: ShownPictures;
beforeAll(async () => {
  shown = await ShownPictures.play(asked.map(({ photo }) => fileURLToPath(new URL(photo.file, folder))));
}, 2 * MINUTE);
afterAll(() => shown.close(), MINUTE);

describe('A photograph', () => {
  test(
    'is of its kind, and of no other',
    () =>
      shown.expectRight(
        asked.map(({ kind, expected }, i) => ({
          question: (FORMS[i % FORMS.length] ?? '').replace('{x}', kind === 'fruit' ? kind : withArticle(kind)),
          expected,
        })),
        RIGHT_SHARE,
      ),
    MINUTE,
  );
});
