/**
 * Real clips, and what a person who looked at them would answer: ten questions each. The clips are not in the repository;
 * they are sample videos of intel-iot-devkit (CC-BY-4.0) and imageio.
 */

export interface ClipQuestion {
  readonly text: string;
  /** Asked as of this moment, s; default: the end of the clip. */
  readonly asOfS?: number;
  /** Words of which a right answer has one. */
  readonly accept?: readonly string[];
  /** Of a question for a time, s; right within two seconds, since things come and go slowly. */
  readonly seconds?: number;
}

export const CLIP_QUESTIONS: Readonly<Record<string, readonly ClipQuestion[]>> = {
  // A parking place from above. A white car from 4.5 to 8 s, a light blue one from 14.5 to 18 and a red one from 15 to 18.5, another white one from 25.5 to 27.5.
  'car-detection.mp4': [
    {
      text: 'What is shown now?',
      asOfS: 6,
      accept: ['car', 'minivan', 'wagon', 'cab', 'limousine', 'convertible', 'jeep'],
    },
    { text: 'Have you seen a car?', accept: ['yes'] },
    { text: 'Do you see a car?', asOfS: 16.5, accept: ['yes'] },
    { text: 'Do you see a car?', asOfS: 22, accept: ['no'] },
    { text: 'Have you seen a dog?', accept: ['no'] },
    { text: 'Have you seen an apple?', accept: ['no'] },
    { text: 'How many cars are there?', asOfS: 16.5, accept: ['2', 'two'] },
    { text: 'How many cars are there?', asOfS: 6, accept: ['1', 'one'] },
    { text: 'When did the car appear?', asOfS: 10, seconds: 4.5 },
    { text: 'When did the car disappear?', asOfS: 12, seconds: 8 },
  ],
  // A white cockatoo comes to the camera, bites it, and looks around.
  'cockatoo.mp4': [
    { text: 'What is shown now?', accept: ['cockatoo', 'parrot', 'bird', 'macaw'] },
    { text: 'What is this?', asOfS: 1, accept: ['cockatoo', 'parrot', 'bird', 'macaw'] },
    { text: 'What was shown first?', accept: ['cockatoo', 'parrot', 'bird', 'macaw'] },
    { text: 'Have you seen a cockatoo?', accept: ['yes'] },
    { text: 'Is this a bird?', accept: ['yes'] },
    { text: 'Have you seen a car?', accept: ['no'] },
    { text: 'Do you see a banana?', accept: ['no'] },
    { text: 'When did the cockatoo appear?', seconds: 0 },
    { text: 'What was shown at 0:10?', accept: ['cockatoo', 'parrot', 'bird', 'macaw'] },
    { text: 'Describe the scene.', accept: ['bird', 'cockatoo', 'parrot'] },
  ],
  // A conveyor belt: a green apple to 2.3 s, broccoli from 1 to 3.3, cauliflower from 3.5 to 5.5, an orange from 5.
  'fruit-and-vegetable.gif': [
    { text: 'What is shown now?', asOfS: 0.8, accept: ['apple', 'granny'] },
    { text: 'What is shown now?', asOfS: 2.8, accept: ['broccoli'] },
    { text: 'What is shown now?', asOfS: 4.5, accept: ['cauliflower'] },
    { text: 'What is shown now?', accept: ['orange', 'satsuma', 'grapefruit'] },
    { text: 'What was shown first?', accept: ['apple', 'granny'] },
    { text: 'Have you seen an apple?', accept: ['yes'] },
    { text: 'Have you seen a banana?', accept: ['no'] },
    { text: 'What came before the orange?', accept: ['cauliflower'] },
    { text: 'What came after the apple?', accept: ['broccoli'] },
    { text: 'How many different things were shown?', accept: ['4', 'four'] },
  ],
  // A woman in a yellow hooded sweatshirt makes a sign with her hands, in an office.
  'asl-book.mkv': [
    {
      text: 'What is shown now?',
      accept: ['sweatshirt', 'hoodie', 'woman', 'person', 'longsleeve', 'outwear', 'jersey'],
    },
    { text: 'What is happening?', accept: ['woman', 'girl', 'person', 'lady'] },
    { text: 'Describe the scene.', accept: ['woman', 'girl', 'person', 'lady'] },
    { text: 'Have you seen a dog?', accept: ['no'] },
    { text: 'Have you seen a woman?', accept: ['yes'] },
    { text: 'Is this an apple?', accept: ['no'] },
    { text: 'Do you see a person?', accept: ['yes'] },
    { text: 'Was there a car?', accept: ['no'] },
    {
      text: 'What was shown first?',
      accept: ['sweatshirt', 'hoodie', 'woman', 'person', 'longsleeve', 'outwear', 'jersey'],
    },
    { text: 'How many people are there?', accept: ['1', 'one'] },
  ],
  // A tree in a pot at a window, smaller plants, a watering can, paper on a table.
  'realshort.mp4': [
    { text: 'What is shown now?', accept: ['pot', 'plant', 'tree', 'flowerpot'] },
    { text: 'What is this?', accept: ['pot', 'plant', 'tree', 'flowerpot'] },
    { text: 'Describe the scene.', accept: ['plant', 'plants', 'tree', 'window', 'pot'] },
    { text: 'Have you seen a pot?', accept: ['yes'] },
    { text: 'Have you seen a plant?', accept: ['yes'] },
    { text: 'Is there a window?', accept: ['yes'] },
    { text: 'Have you seen a horse?', accept: ['no'] },
    { text: 'Do you see a banana?', accept: ['no'] },
    { text: 'Was there a car?', accept: ['no'] },
    { text: 'What was shown first?', accept: ['pot', 'plant', 'tree', 'flowerpot'] },
  ],
};
