/**
 * Checks the recorded tests themselves: every question has a counter-video, and no constant answer passes.
 */
import { describe, expect, test } from 'vitest';
import {
  isRight,
  makeVideos,
  names,
  type Photo,
  readPhotos,
  type RecordedQuestion,
  shownAt,
  TASKS,
} from './photo-videos.ts';
import { PASS_SHARE } from './thresholds.ts';

const videos = makeVideos();
const questions = videos.flatMap((video) => video.questions);

const answerTo = ({ expected }: RecordedQuestion): string =>
  typeof expected === 'object'
    ? expected.class
    : typeof expected === 'number'
      ? `0:${String(expected).padStart(2, '0')}`
      : expected;

describe('The recorded videos', () => {
  test('show 36 classes, each once in a video', () => {
    expect(new Set(readPhotos().map((photo) => photo.class)).size).toBe(36);
    for (const { photos } of videos) expect(new Set(photos.map((photo) => photo.class)).size).toBe(6);
  });

  test('ask each task about enough classes', () => {
    for (const task of TASKS.filter((name) => name !== 'first' && name !== 'seen' && name !== 'when')) {
      const asked = questions.filter((question) => question.task === task).map(answerTo);
      expect(new Set(asked).size, task).toBeGreaterThanOrEqual(20);
    }
    for (const task of ['seen', 'when'] as const) {
      expect(new Set(questions.filter((question) => question.task === task).map(({ text }) => text)).size).toBe(36);
    }
  });

  test('have for each question a counter-video with a different right answer', () => {
    for (const question of questions) {
      const same = questions.filter(
        (other) => other.task === question.task && other.text === question.text && other.asOfMs === question.asOfMs,
      );
      expect(
        same.some((other) => answerTo(other) !== answerTo(question) && !isRight(other, answerTo(question))),
        `${question.task}: ${question.text}`,
      ).toBe(true);
    }
  });

  test('never ask "have you seen" about something whose name matches what was shown', () => {
    for (const { photos, questions: asked } of videos) {
      const no = asked.filter(({ expected }) => expected === 'no');
      expect(no).toHaveLength(6);
      for (const { text } of no) {
        for (const photo of photos) {
          const last = photo.class.toLowerCase().split(' ').at(-1) ?? '';
          expect(text.slice(0, -1).split(' ').includes(last), `${text} while ${photo.class} is shown`).toBe(false);
        }
      }
    }
  });

  test('ask at least half a second away from every cut', () => {
    for (const video of videos) {
      for (const question of video.questions) expect(shownAt(video, question.asOfMs)).toBeDefined();
      expect([shownAt(video, 3700), shownAt(video, 4300)]).toEqual([undefined, undefined]);
      expect(shownAt(video, 4500)).toBe(video.photos[1]);
    }
  });
});

describe('An answerer', () => {
  const share = (task: keyof typeof PASS_SHARE, answer: (question: RecordedQuestion) => string): number => {
    const asked = questions.filter((question) => question.task === task);
    return asked.filter((question) => isRight(question, answer(question))).length / asked.length;
  };

  test.each(TASKS)('that knows the truth passes %s', (task) => {
    expect(share(task, answerTo)).toBe(1);
  });

  test.each(TASKS)('that always gives the same answer is far from passing %s', (task) => {
    const constants = new Set(questions.map(answerTo).concat('yes', 'no', 'it was not shown', ''));
    const best = Math.max(...[...constants].map((constant) => share(task, () => constant)));
    expect(best).toBeLessThanOrEqual(PASS_SHARE[task] - 0.25);
  });

  test.each(TASKS)('that remembers the counter-video instead fails %s', (task) => {
    const other = (question: RecordedQuestion): string => {
      const same = questions.filter(
        (q) => q.task === question.task && q.text === question.text && q.asOfMs === question.asOfMs,
      );
      return answerTo(same.find((q) => !isRight(q, answerTo(question))) ?? question);
    };
    expect(share(task, other)).toBe(0);
  });
});

describe('An answer about a photograph', () => {
  const photo = (name: string): Photo => {
    const found = readPhotos().find((one) => one.class === name);
    if (found === undefined) throw new Error(name);
    return found;
  };

  test.each([
    ['lesser panda', 'red panda', true],
    ['lesser panda', 'lesser panda', true],
    ['lesser panda', 'a Red Panda.', true],
    ['lesser panda', 'giant panda', false],
    ['German shepherd', 'dog', true],
    ['espresso', 'a cup of espresso', true],
    ['espresso', 'coffee mug', false],
    ['macaw', 'the macaw', true],
    ['macaw', '', false],
    ['macaw', 'of', false],
    ['Egyptian cat', 'cat', true],
    ['Egyptian cat', 'yes', false],
  ])('of a %s: %j is right: %s', (name, answer, right) => {
    expect(names(photo(name), answer)).toBe(right);
  });

  test.each([
    ['0:08', true],
    ['it appeared at 0:09', true],
    ['7 s', true],
    ['0:10', false],
    ['', false],
    ['never', false],
  ])('that appeared after 8 s: %j is right: %s', (answer, right) => {
    expect(isRight({ task: 'when', expected: 8 }, answer)).toBe(right);
  });
});
