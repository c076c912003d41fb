/** Pictures that are made or chosen for one question each: where, how many, what happens, how often, which colour. */
import type { Exercise, LabelledPicture, Scene } from './labels.ts';
import { type Colour, COLOURS, DARK, PALE, pickColour } from './paint.ts';
import { BORDER_MS, type Playlist, type Span } from './playlist.ts';
import { Asker, plural } from './questions.ts';
import { pick, type Random, shuffle } from './random.ts';

/** What boards are made of; a task whose pictures are not there is not asked. */
export interface BoardPictures {
  readonly cutOuts: readonly LabelledPicture[];
  readonly scenes: readonly Scene[];
  readonly exercises: readonly Exercise[];
}

/** Row by row, as the recipe names the cells of a picture. */
export const PLACES = [
  ...['top left', 'top', 'top right'],
  ...['left', 'middle', 'right'],
  ...['bottom left', 'bottom', 'bottom right'],
];

const BOARD_MS = 3_000;
/** How long the start or the end of an exercise is shown: two frames. */
const POSE_MS = 1_000;
const MOST_COPIES = 5;
const REPETITIONS = [2, 6] as const;
/** Of each task in one stream. */
const EACH = 2;
const BACKGROUNDS = ['#ffffff', '#ececec', '#d8d8d8', '#cfd8dc', '#d7ccc8'];

/** A stream of boards, each asked about while it is shown. `stream`: its number. Empty where there is no picture. */
export function makeBoards(pictures: BoardPictures, random: Random, stream = 0): Playlist {
  const { cutOuts, scenes, exercises } = pictures;
  const spans: Span[] = [];
  const asker = new Asker(stream, random);
  const end = (): number => spans.at(-1)?.endMs ?? 0;
  const show = (picture: LabelledPicture, lengthMs: number, board?: Span['board']): void => {
    spans.push({ picture, startMs: end(), endMs: end() + lengthMs, ...(board === undefined ? {} : { board }) });
  };
  const now = (
    set: string,
    startMs: number,
  ): { asOfMs: number; moment: { set: string; startMs: number; endMs: number } } => {
    const asOfMs = end() - BORDER_MS;
    return { asOfMs, moment: { set, startMs, endMs: asOfMs } };
  };

  for (let i = 0; i < EACH && cutOuts.length > 0; i++) {
    const cell = Math.floor(random() * PLACES.length);
    const picture = pick(cutOuts, random);
    const startMs = end();
    show(picture, BOARD_MS, board([cell], random));
    const expected = PLACES[cell] ?? '';
    asker.ask(
      'where',
      { x: `the ${picture.label}` },
      { expected, chance: 1 / PLACES.length, ...now(picture.set, startMs) },
    );
  }
  for (let i = 0; i < EACH && cutOuts.length > 0; i++) {
    const count = 1 + Math.floor(random() * MOST_COPIES);
    const cells = shuffle([...PLACES.keys()], random).slice(0, count);
    const picture = pick(cutOuts, random);
    const startMs = end();
    show(picture, BOARD_MS, board(cells, random));
    const xs = plural(picture.label);
    asker.ask('howmany', { xs }, { expected: String(count), chance: 1 / MOST_COPIES, ...now(picture.set, startMs) });
  }
  for (let i = 0; i < EACH && scenes.length > 0; i++) {
    const { set, file, captions } = pick(scenes, random);
    const startMs = end();
    const expected = captions[0] ?? '';
    show({ set, file, label: expected }, BOARD_MS);
    asker.ask('describe', {}, { expected, captions, chance: 0, ...now(set, startMs) });
  }
  if (exercises.length > 0) {
    const { start, end: reached } = pick(exercises, random);
    const [least, most] = REPETITIONS;
    const count = least + Math.floor(random() * (most - least + 1));
    const startMs = end();
    for (let i = 0; i < count; i++) {
      show(start, POSE_MS);
      show(reached, POSE_MS);
    }
    // Within one is right: of the five numbers two or three are.
    const chance = (count === least || count === most ? 2 : 3) / (most - least + 1);
    asker.ask(
      'repetitions',
      { x: `the ${start.label}` },
      { expected: String(count), chance, ...now(start.set, startMs) },
    );
  }
  for (let i = 0; i < EACH && cutOuts.length > 0; i++) {
    const picture = pick(cutOuts, random);
    const paint = pickColour(random);
    const startMs = end();
    show(picture, BOARD_MS, large(paint, random));
    const chance = 1 / Object.keys(COLOURS).length;
    asker.ask('colour', { x: `the ${picture.label}` }, { expected: paint, chance, ...now(picture.set, startMs) });
  }
  return { spans, durationMs: end(), questions: asker.questions };
}

/** One cut-out that fills more than half of the picture, in a colour that can be told from the background. */
function large(paint: Colour, random: Random): Span['board'] {
  const background = PALE.has(paint) ? DARK : pick(BACKGROUNDS, random);
  return { background, things: [{ x: 0.5, y: 0.5, size: 0.6 + random() * 0.3 }], paint };
}

/** Copies of a cut-out in these cells of a 3 x 3 grid: about as large as the recipe pastes them, and never touching. */
function board(cells: readonly number[], random: Random): Span['board'] {
  const jitter = (): number => (random() - 0.5) * 0.04;
  const things = cells.map((cell) => ({
    x: ((cell % 3) + 0.5) / 3 + jitter(),
    y: (Math.floor(cell / 3) + 0.5) / 3 + jitter(),
    size: 0.25 + random() * 0.04,
  }));
  return { background: pick(BACKGROUNDS, random), things };
}
