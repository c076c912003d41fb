/**
 * Checks end to end that the bundled model knows the kind of thing in photographs outside its training data: "is this a
 * dog?" of a German shepherd.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { withArticle } from '../../src/evaluation/questions.ts';
import { ShownPictures } from './shown-pictures.ts';

const MINUTE = 60_000;
/** A few answers less than the bundle reaches; a constant yes or no gets half. */
const RIGHT_SHARE = 0.75;

interface Photo {
  readonly file: string;
  /** General words for what it shows, the narrowest first, and words that it might also be called. */
  readonly kinds: readonly string[];
  readonly maybe?: readonly string[];
}

const folder = new URL('photos/', import.meta.url);
const all = JSON.parse(readFileSync(new URL('photos.json', folder), 'utf8')) as Photo[];
const photos = all.filter(({ kinds }) => kinds.length > 0);

/** The narrowest kind of the next photograph that this one neither is nor might be called. */
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

describe('The bundled model', () => {
  test(
    'confirms the kind of a photograph and denies another',
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
