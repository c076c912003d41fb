import { describe, expect, test } from 'vitest';
import { camerasToNames, namesToCameras, stablePrefix } from '../../src/engine/camera-names.ts';

describe('Camera names in a question become numbers', () => {
  test.each<[string, readonly string[], string]>([
    ['what does front show?', ['front', 'yard'], 'what does camera 1 show?'],
    ['Front or YARD?', ['front', 'yard'], 'camera 1 or camera 2?'],
    ['what does camera yard show?', ['front', 'yard'], 'what does camera 2 show?'],
    ['what does camera 2 show?', ['front', 'yard'], 'what does camera 2 show?'],
    ['the yards are not frontal', ['front', 'yard'], 'the yards are not frontal'],
    ['what is shown now?', ['front', 'yard'], 'what is shown now?'],
    ['', ['front', 'yard'], ''],
  ])('%j with %j', (question, names, expected) => {
    expect(namesToCameras(question, names)).toBe(expected);
  });

  test.each<[string, readonly string[], string]>([
    ['front-door, door and back-door', ['door', 'front-door'], 'camera 2, camera 1 and back-door'],
    ['door-2 or door?', ['door', 'door-2'], 'camera 2 or camera 1?'],
    ['front.door. door.', ['door', 'front.door'], 'camera 2. camera 1.'],
    ['front.door and door.old', ['door'], 'front.door and door.old'],
    ['door_2 and door', ['door', 'door_2'], 'camera 2 and camera 1'],
  ])('a name that contains another one counts as a whole: %j with %j', (question, names, expected) => {
    expect(namesToCameras(question, names)).toBe(expected);
  });

  test.each<[string, readonly string[], string]>([
    ['is a.b the same as axb?', ['a.b', 'c'], 'is camera 1 the same as axb?'],
    ['and ...?', ['_.-', 'c'], 'and ...?'],
    ['what of _.- here', ['_.-', 'c'], 'what of camera 1 here'],
    ['$& or a+b', ['a+b', '$&'], 'camera 2 or camera 1'],
  ])('names with special characters: %j with %j', (question, names, expected) => {
    expect(namesToCameras(question, names)).toBe(expected);
  });

  test('a replacement is not taken for another name', () => {
    expect(namesToCameras('front, camera 2, camera 1', ['2', 'front', '1'])).toBe('camera 2, camera 1, camera 3');
  });

  test.each<[string, readonly string[], string]>([
    ['is a car in front of the house?', ['front', 'yard'], 'is a car in front of the house?'],
    ['who was in the back of the van?', ['back', 'yard'], 'who was in the back of the van?'],
    ['is someone at the front door?', ['front', 'yard'], 'is someone at the front door?'],
    ['does the yard show a dog?', ['front', 'yard'], 'does the camera 2 show a dog?'],
    ['what does the yard look like?', ['front', 'yard'], 'what does the camera 2 look like?'],
    ['is the yard clear?', ['front', 'yard'], 'is the camera 2 clear?'],
    ['was anyone in the yard 10 minutes ago?', ['front', 'yard'], 'was anyone in the camera 2 10 minutes ago?'],
    [
      'more dogs in the yard than in the street?',
      ['yard', 'street'],
      'more dogs in the camera 1 than in the camera 2?',
    ],
    ['did you see the gate 2 times?', ['gate2', 'yard'], 'did you see the gate 2 times?'],
    ['who is in the yard now?', ['front', 'yard'], 'who is in the camera 2 now?'],
    ['what about the front?', ['front', 'yard'], 'what about the camera 1?'],
    ['is a dog in a or camera b?', ['a', 'b'], 'is a dog in a or camera 2?'],
  ])('everyday words that happen to be names stay: %j with %j', (question, names, expected) => {
    expect(namesToCameras(question, names)).toBe(expected);
  });

  test.each<[string, readonly string[], string]>([
    ['who is at the front door?', ['yard', 'front-door'], 'who is at the camera 2?'],
    ['front door or front_door?', ['front_door', 'yard'], 'camera 1 or camera 1?'],
    ['front-door and front_door', ['front_door', 'front-door'], 'camera 2 and camera 1'],
    ['what does cam 1 show?', ['yard', 'cam1'], 'what does camera 2 show?'],
    ['what does camera 2 show?', ['camera2', 'camera1'], 'what does camera 1 show?'],
  ])('the parts of a name may stand apart: %j with %j', (question, names, expected) => {
    expect(namesToCameras(question, names)).toBe(expected);
  });

  test('names that are a number or the word "camera" count only after the word "camera"', () => {
    expect(namesToCameras('which camera shows 2 dogs?', ['2', 'camera'])).toBe('which camera shows 2 dogs?');
    expect(namesToCameras('what does camera camera show?', ['2', 'camera'])).toBe('what does camera 2 show?');
  });
});

describe('Camera numbers in an answer become names', () => {
  test.each([
    ['camera 1 and camera 2', 'front and yard'],
    ['camera 12', 'camera 12'],
    ['camera 0', 'camera 0'],
    ['camera 3', 'camera 3'],
    ['(camera 2)', '(yard)'],
    ['camera2, cameras 1, webcamera 1', 'camera2, cameras 1, webcamera 1'],
    ['2 dogs', '2 dogs'],
  ])('%j', (answer, expected) => {
    expect(camerasToNames(answer, ['front', 'yard'])).toBe(expected);
  });

  test('a name with replacement patterns is inserted literally', () => {
    expect(camerasToNames('camera 1', ['$&$1'])).toBe('$&$1');
  });
});

describe('An answer in progress', () => {
  test.each([
    ['a dog', 'a dog'],
    ['a c', 'a '],
    ['a cam', 'a '],
    ['camera', ''],
    ['camera ', ''],
    ['on camera 1', 'on '],
    ['on camera 1 ', 'on camera 1 '],
    ['on camera 1.', 'on camera 1.'],
    ['(camera 1', '('],
    ['a cat', 'a cat'],
    ['a music', 'a music'],
  ])('holds back an ending that may become a name: %j', (answer, expected) => {
    expect(stablePrefix(answer)).toBe(expected);
  });

  test.each([
    'a dog on camera 1 and a cat on camera 12, camera 2',
    '(camera 1) a cup, a c, camera',
    'camera 2 camera 2',
    'c ca cam came camer camera camera 1',
  ])('only ever grows, wherever it is cut: %j', (answer) => {
    const names = ['a-much-longer-name', 'y'];
    let said = '';
    for (let end = 0; end <= answer.length; end++) {
      const now = camerasToNames(stablePrefix(answer.slice(0, end)), names);
      expect(now.startsWith(said), `${said} | ${now}`).toBe(true);
      said = now;
    }
    expect(camerasToNames(answer, names).startsWith(said)).toBe(true);
  });
});
