/**
 * Words for many of ImageNet's classes: "a dog" of a German shepherd. A stream of its own shows a picture of each of a few kinds, and is
 * asked for kinds that it showed and that it did not. Each class has one picture, which the recipe trains on: what is new is the stream.
 */
import type { ClassPicture } from './labels.ts';
import { BORDER_MS, type Playlist, type Span } from './playlist.ts';
import { Asker, withArticle } from './questions.ts';
import { pick, type Random, shuffle } from './random.ts';

/** Kinds as ranges of the ids of WordNet 3.0, in whose order ImageNet's classes stand (models/training/kinds.py), both ends included. */
const KINDS: Readonly<Record<string, readonly (readonly [from: number, to: number])[]>> = {
  fish: [
    [1_440_764, 1_498_041],
    [2_514_041, 2_655_020],
  ],
  bird: [
    [1_514_668, 1_622_779],
    [1_795_545, 1_860_187],
    [2_002_556, 2_058_221],
  ],
  frog: [[1_641_577, 1_644_900]],
  turtle: [[1_664_065, 1_669_191]],
  lizard: [[1_675_722, 1_695_060]],
  snake: [[1_728_572, 1_756_291]],
  dog: [[2_085_620, 2_113_978]],
  cat: [[2_123_045, 2_124_075]],
  bear: [[2_132_136, 2_134_418]],
  insect: [[2_165_105, 2_281_787]],
  monkey: [[2_486_261, 2_494_079]],
  vehicle: only(2_930_766, 3_100_240, 3_345_487, 3_417_042, 3_594_945, 3_770_679, 3_796_401, 3_930_630, 4_285_008),
  guitar: only(2_676_566, 3_272_010),
  hat: only(2_869_837, 3_124_170, 4_259_630),
  shoe: only(3_047_690, 3_680_355, 4_120_489, 4_133_789),
  telephone: only(2_992_529, 3_187_595, 3_902_125),
  bottle: only(2_823_428, 3_937_543, 3_983_396, 4_557_648, 4_591_713),
  clock: only(2_708_093, 3_196_217, 4_548_280),
  fruit: [[7_742_313, 7_768_694]],
  vegetable: [
    [7_714_571, 7_716_358],
    [7_718_472, 7_730_033],
  ],
};
/** How many kinds a stream shows, and for how long each, ms. */
const SHOWN = 6;
const LENGTHS_MS = [2_000, 3_000, 4_000];
/** Of each answer, how many are asked at the end of a stream; of what is shown at the time one each is. */
const ASKED_AT_END = 2;

function only(...numbers: number[]): [number, number][] {
  return numbers.map((number) => [number, number]);
}

/** The kind that a class is of; undefined for what is of none of them. */
export function kindOf(wordNet: number): string | undefined {
  return Object.keys(KINDS).find((kind) => KINDS[kind]?.some(([from, to]) => from <= wordNet && wordNet <= to));
}

/** Asks for kinds of what was shown, and of what is shown at a time. None where the data has too few kinds. `stream`: its number. */
export function makeClasses(
  pictures: readonly ClassPicture[],
  random: Random,
  stream = 0,
): Pick<Playlist, 'spans' | 'questions'> {
  const drawn = shuffle(Object.keys(KINDS), random).flatMap((kind) => {
    const mine = pictures.filter(({ wordNet }) => kindOf(wordNet) === kind);
    return mine.length > 0 ? [{ kind, picture: pick(mine, random) }] : [];
  });
  const absent = drawn.slice(SHOWN, SHOWN + ASKED_AT_END);
  if (absent.length < ASKED_AT_END) return { spans: [], questions: [] };
  let endMs = 0;
  const shown = drawn.slice(0, SHOWN).map(({ kind, picture }) => {
    const startMs = endMs;
    endMs += pick(LENGTHS_MS, random);
    return { kind, picture, startMs, endMs };
  });
  const asker = new Asker(stream, random);
  const ask = (task: 'seenclass' | 'seennowclass', kind: string, atMs: number, of?: Span): void => {
    const asOfMs = atMs - BORDER_MS;
    const moment =
      of === undefined ? null : { set: of.picture.set, startMs: of.startMs, endMs: Math.min(of.endMs, asOfMs) };
    const expected = of === undefined ? 'no' : 'yes';
    asker.ask(task, { x: withArticle(kind) }, { expected, chance: 0.5, asOfMs, moment });
  };
  for (const span of shuffle(shown, random).slice(0, ASKED_AT_END)) ask('seenclass', span.kind, endMs, span);
  for (const { kind } of absent) ask('seenclass', kind, endMs);
  const [now, gone] = [pick(shown.slice(SHOWN / 2), random), pick(shown.slice(0, SHOWN / 2), random)];
  ask('seennowclass', now.kind, now.endMs, now);
  ask('seennowclass', gone.kind, now.endMs);
  return { spans: shown, questions: asker.questions };
}
