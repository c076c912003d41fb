/**
 * Real clips, and what a person who watched them would answer: ten questions each. The clips are not in the repository;
 * they are sample videos of intel-iot-devkit (CC-BY-4.0) and imageio.
 */

/** Form of the right answer: "yes" or "no", a number, the name of a thing, a sentence that names it, or a time. */
export type ClipKind = 'yesno' | 'number' | 'name' | 'sentence' | 'time';

export interface ClipQuestion {
  readonly kind: ClipKind;
  readonly text: string;
  /** Asked as of this moment, s; default: the end of the clip. */
  readonly asOfS?: number;
  /** What a person would say who saw the clip and knows only everyday names; empty for a time. */
  readonly accept: readonly string[];
  /** The answer to a question about a time, s; right within two seconds, since things come and go slowly. */
  readonly seconds?: number;
}

type AskMoment = Pick<ClipQuestion, 'asOfS'>;

const yesNo = (text: string, answer: 'yes' | 'no', asked: AskMoment = {}): ClipQuestion => {
  return { kind: 'yesno', text, accept: [answer], ...asked };
};
const howMany = (text: string, accept: readonly string[], asked: AskMoment = {}): ClipQuestion => {
  return { kind: 'number', text, accept, ...asked };
};
const name = (text: string, accept: readonly string[], asked: AskMoment = {}): ClipQuestion => {
  return { kind: 'name', text, accept, ...asked };
};
const sentence = (text: string, accept: readonly string[]): ClipQuestion => ({ kind: 'sentence', text, accept });
const time = (text: string, seconds: number, asked: AskMoment = {}): ClipQuestion => {
  return { kind: 'time', text, accept: [], seconds, ...asked };
};

const BIRD = ['cockatoo', 'parrot', 'bird'];
const WOMAN = ['woman', 'girl', 'person', 'lady'];
const CLOTHED = [...WOMAN, 'sweatshirt', 'hoodie'];
const PLANT = ['pot', 'flowerpot', 'plant', 'houseplant', 'tree'];

export const CLIP_QUESTIONS: Readonly<Record<string, readonly ClipQuestion[]>> = {
  // A car park from above. A white car from 4.5 to 8 s, a light blue one from 14.5 to 18 and a red one from 15 to 18.5,
  // another white one from 25.5 to 27.5.
  'car-detection.mp4': [
    name('What is shown now?', ['car', 'vehicle'], { asOfS: 6 }),
    yesNo('Have you seen a car?', 'yes'),
    yesNo('Do you see a car?', 'yes', { asOfS: 16.5 }),
    yesNo('Do you see a car?', 'no', { asOfS: 22 }),
    yesNo('Have you seen a dog?', 'no'),
    yesNo('Have you seen an apple?', 'no'),
    howMany('How many cars are there?', ['2', 'two', '2 cars', 'two cars'], { asOfS: 16.5 }),
    howMany('How many cars are there?', ['1', 'one', '1 car', 'one car'], { asOfS: 6 }),
    time('When did the car appear?', 4.5, { asOfS: 10 }),
    time('When did the car disappear?', 8, { asOfS: 12 }),
  ],
  // A white cockatoo comes to the camera, bites it, and looks around.
  'cockatoo.mp4': [
    name('What is shown now?', BIRD),
    name('What is this?', BIRD, { asOfS: 1 }),
    name('What was shown first?', BIRD),
    yesNo('Have you seen a cockatoo?', 'yes'),
    yesNo('Is this a bird?', 'yes'),
    yesNo('Have you seen a car?', 'no'),
    yesNo('Do you see a banana?', 'no'),
    time('When did the cockatoo appear?', 0),
    name('What was shown at 0:10?', BIRD),
    sentence('Describe the scene.', BIRD),
  ],
  // A conveyor belt: a green apple to 2.3 s, broccoli from 1 to 3.3, cauliflower from 3.5 to 5.5, an orange from 5.
  'fruit-and-vegetable.gif': [
    name('What is shown now?', ['apple', 'granny smith'], { asOfS: 0.8 }),
    name('What is shown now?', ['broccoli'], { asOfS: 2.8 }),
    name('What is shown now?', ['cauliflower'], { asOfS: 4.5 }),
    name('What is shown now?', ['orange', 'mandarin', 'satsuma']),
    name('What was shown first?', ['apple', 'granny smith']),
    yesNo('Have you seen an apple?', 'yes'),
    yesNo('Have you seen a banana?', 'no'),
    name('What came before the orange?', ['cauliflower']),
    name('What came after the apple?', ['broccoli']),
    howMany('How many different things were shown?', ['4', 'four', '4 things', 'four things']),
  ],
  // A woman in a yellow hooded sweatshirt makes a sign with her hands, in an office.
  'asl-book.mkv': [
    name('What is shown now?', CLOTHED),
    sentence('What is happening?', WOMAN),
    sentence('Describe the scene.', WOMAN),
    yesNo('Have you seen a dog?', 'no'),
    yesNo('Have you seen a woman?', 'yes'),
    yesNo('Is this an apple?', 'no'),
    yesNo('Do you see a person?', 'yes'),
    yesNo('Was there a car?', 'no'),
    name('What was shown first?', CLOTHED),
    howMany('How many people are there?', ['1', 'one', '1 person', 'one person']),
  ],
  // A tree in a pot at a window, smaller plants, a watering can, paper on a table.
  'realshort.mp4': [
    name('What is shown now?', PLANT),
    name('What is this?', PLANT),
    sentence('Describe the scene.', ['plant', 'plants', 'tree', 'window', 'pot']),
    yesNo('Have you seen a pot?', 'yes'),
    yesNo('Have you seen a plant?', 'yes'),
    yesNo('Is there a window?', 'yes'),
    yesNo('Have you seen a horse?', 'no'),
    yesNo('Do you see a banana?', 'no'),
    yesNo('Was there a car?', 'no'),
    name('What was shown first?', PLANT),
  ],
};
