/** Pictures made or chosen for one question each: where, how many, what happens, how often, which colour. */
import type { Exercise, LabelledPicture, Scene } from './labels.ts';
import { type Colour, COLOURS, DARK, PALE, pickColour } from './paint.ts';
import { BORDER_MS, type Playlist, type Span } from './playlist.ts';
import { Asker, type EvaluationQuestion, plural, type Task, type Words } from './questions.ts';
import { pick, type Random, shuffle } from './random.ts';

/** What boards are made of; a task without pictures is not asked. */
export interface BoardPictures {
  readonly cutOuts: readonly LabelledPicture[];
  readonly scenes: readonly Scene[];
  readonly exercises: readonly Exercise[];
}

/** The recipe's names for the cells of a picture, row by row. */
export const PLACES = [
  ...['top left', 'top', 'top right'],
  ...['left', 'middle', 'right'],
  ...['bottom left', 'bottom', 'bottom right'],
];

const BOARD_MS = 3_000;
/** How long the start or end of an exercise is shown, ms: two frames. */
const POSE_MS = 1_000;
const MAX_COPIES = 5;
const REPETITIONS = [2, 6] as const;
/** Questions of each task in one stream. */
const QUESTIONS_PER_TASK = 2;
const BACKGROUNDS = ['#ffffff', '#ececec', '#d8d8d8', '#cfd8dc', '#d7ccc8'];

/** A stream of boards, each asked about while it is shown; empty when there are no pictures. `stream`: its number. */
export function makeBoards({ cutOuts, scenes, exercises }: BoardPictures, random: Random, stream = 0): Playlist {
  const boards = new BoardBuilder(stream, random);
  const each = (pictures: readonly unknown[]): number => (pictures.length > 0 ? QUESTIONS_PER_TASK : 0);
  for (let i = 0; i < each(cutOuts); i++) boards.addWhere(cutOuts);
  for (let i = 0; i < each(cutOuts); i++) boards.addHowMany(cutOuts);
  for (let i = 0; i < each(scenes); i++) boards.addDescribe(scenes);
  if (exercises.length > 0) boards.addRepetitions(exercises);
  for (let i = 0; i < each(cutOuts); i++) boards.addColour(cutOuts);
  return boards.playlist;
}

/** Shows and asks, task by task. Random draws follow the order of the calls. */
class BoardBuilder {
  readonly #spans: Span[] = [];
  readonly #asker: Asker;
  readonly #random: Random;

  constructor(stream: number, random: Random) {
    this.#asker = new Asker(stream, random);
    this.#random = random;
  }

  get playlist(): Playlist {
    return { spans: this.#spans, durationMs: this.#endMs, questions: this.#asker.questions };
  }

  addWhere(cutOuts: readonly LabelledPicture[]): void {
    const cell = Math.floor(this.#random() * PLACES.length);
    const picture = pick(cutOuts, this.#random);
    const startMs = this.#show(picture, BOARD_MS, gridBoard([cell], this.#random));
    const expected = PLACES[cell] ?? '';
    this.#ask('where', definiteWords(picture), { expected, chance: 1 / PLACES.length }, picture.set, startMs);
  }

  addHowMany(cutOuts: readonly LabelledPicture[]): void {
    const count = 1 + Math.floor(this.#random() * MAX_COPIES);
    const cells = shuffle([...PLACES.keys()], this.#random).slice(0, count);
    const picture = pick(cutOuts, this.#random);
    const startMs = this.#show(picture, BOARD_MS, gridBoard(cells, this.#random));
    const xs = plural(picture.label);
    this.#ask('howmany', { xs }, { expected: String(count), chance: 1 / MAX_COPIES }, picture.set, startMs);
  }

  addDescribe(scenes: readonly Scene[]): void {
    const { set, file, captions } = pick(scenes, this.#random);
    const expected = captions[0] ?? '';
    const startMs = this.#show({ set, file, label: expected }, BOARD_MS);
    this.#ask('describe', {}, { expected, captions, chance: 0 }, set, startMs);
  }

  addRepetitions(exercises: readonly Exercise[]): void {
    const { start, end } = pick(exercises, this.#random);
    const [least, most] = REPETITIONS;
    const count = least + Math.floor(this.#random() * (most - least + 1));
    const startMs = this.#endMs;
    for (let i = 0; i < count; i++) {
      this.#show(start, POSE_MS);
      this.#show(end, POSE_MS);
    }
    // A count that is off by one is right, too: two or three of the five counts are.
    const chance = (count === least || count === most ? 2 : 3) / (most - least + 1);
    this.#ask('repetitions', definiteWords(start), { expected: String(count), chance }, start.set, startMs);
  }

  addColour(cutOuts: readonly LabelledPicture[]): void {
    const picture = pick(cutOuts, this.#random);
    const paint = pickColour(this.#random);
    const startMs = this.#show(picture, BOARD_MS, largeBoard(paint, this.#random));
    const chance = 1 / Object.keys(COLOURS).length;
    this.#ask('colour', definiteWords(picture), { expected: paint, chance }, picture.set, startMs);
  }

  get #endMs(): number {
    return this.#spans.at(-1)?.endMs ?? 0;
  }

  /** Returns the start time of the span. */
  #show(picture: LabelledPicture, lengthMs: number, board?: Span['board']): number {
    const startMs = this.#endMs;
    this.#spans.push({ picture, startMs, endMs: startMs + lengthMs, ...(board === undefined ? {} : { board }) });
    return startMs;
  }

  /** Asks about what has been shown since `startMs`, while it is still shown. */
  #ask(
    task: Task,
    words: Words,
    draft: Pick<EvaluationQuestion, 'expected' | 'chance' | 'captions'>,
    set: string,
    startMs: number,
  ): void {
    const asOfMs = this.#endMs - BORDER_MS;
    this.#asker.ask(task, words, { ...draft, asOfMs, moment: { set, startMs, endMs: asOfMs } });
  }
}

function definiteWords({ label }: LabelledPicture): Words {
  return { x: `the ${label}` };
}

/**
 * One large cut-out, more than half as long as the picture's shorter side, in a colour that stands out from the
 * background.
 */
function largeBoard(paint: Colour, random: Random): Span['board'] {
  const background = PALE.has(paint) ? DARK : pick(BACKGROUNDS, random);
  return { background, things: [{ x: 0.5, y: 0.5, size: 0.6 + random() * 0.3 }], paint };
}

/** Copies of a cut-out in these cells of a 3 x 3 grid, about as large as the recipe pastes them, and never touching. */
function gridBoard(cells: readonly number[], random: Random): Span['board'] {
  const jitter = (): number => (random() - 0.5) * 0.04;
  const things = cells.map((cell) => ({
    x: ((cell % 3) + 0.5) / 3 + jitter(),
    y: (Math.floor(cell / 3) + 0.5) / 3 + jitter(),
    size: 0.25 + random() * 0.04,
  }));
  return { background: pick(BACKGROUNDS, random), things };
}
