/** Which part of each stream a question is about. */
import { describe, expect, test } from 'vitest';
import { YocoError } from '../../src/errors.ts';
import { streamsReaching } from '../../src/live/common-times.ts';
import { askedParts } from '../../src/live/question-times.ts';
import type { AskOptions, QuestionTimes, StreamStatus } from '../../src/live/types.ts';

const BEGAN_MS = Date.parse('2026-01-01T00:00:00Z');

/** A stream that keeps `firstMs` to `lastMs` of its own time, and began `laterMs` after BEGAN_MS. */
const clock = (name: string, firstMs: number | null, lastMs: number | null, laterMs = 0): StreamStatus =>
  ({
    name,
    firstMs,
    lastMs,
    startedAtMs: BEGAN_MS + laterMs,
    frames: 240,
    lateFrames: 0,
    sourceStatus: { state: 'running', error: null },
  }) as unknown as StreamStatus;

function questionTimes(
  question: string,
  options: AskOptions,
  clocks: readonly StreamStatus[],
  nowMs = Date.now(),
  timeZone?: string,
): QuestionTimes {
  const streams = clocks.map((status) => ({ status: () => status }));
  const { moments, starts, question: asked } = askedParts(question, options, streams, { nowMs, timeZone });
  return { moments, starts, question: asked };
}

const DOOR = clock('door', 5_000, 120_000);
const ask = (question: string, options: AskOptions = {}, clocks: readonly StreamStatus[] = [DOOR]) =>
  questionTimes(question, options, clocks);

describe('A question about one stream', () => {
  test('covers all that is kept, up to the newest frame', () => {
    expect(ask('is there a dog?')).toEqual({ moments: null, starts: null, question: 'is there a dog?' });
  });

  test('covers the times of its options', () => {
    expect(ask('a dog?', { asOfMs: 60_000, sinceMs: 20_000 })).toMatchObject({ moments: [60_000], starts: [20_000] });
    const wall = { asOfWallMs: BEGAN_MS + 60_000, sinceWallMs: BEGAN_MS + 20_000 };
    expect(ask('a dog?', wall)).toMatchObject({ moments: [60_000], starts: [20_000] });
  });

  test('may name its part, counted back from its moment or on the clock of the stream', () => {
    expect(ask('a dog in the last minute?')).toMatchObject({ moments: null, starts: [60_000] });
    expect(ask('a dog in the last minute?', { asOfMs: 100_000 })).toMatchObject({
      moments: [100_000],
      starts: [40_000],
    });
    expect(ask('was there a dog between 0:10 and 1:00?')).toEqual({
      moments: [60_000],
      starts: [10_000],
      question: 'was there a dog?',
    });
    expect(ask('was there a dog before 1:00?')).toMatchObject({ moments: [60_000], starts: null });
  });

  test('covers what its words and its options both allow', () => {
    const words = 'was there a dog between 0:10 and 1:00?';
    expect(ask(words, { sinceMs: 30_000 })).toMatchObject({ moments: [60_000], starts: [30_000] });
    expect(ask(words, { asOfMs: 50_000 })).toMatchObject({ moments: [50_000], starts: [10_000] });
  });

  test.each([
    ['was there a dog before 0:04?', {}],
    ['was there a dog after 3:00?', {}],
    ['was there a dog between 3:00 and 4:00?', {}],
    ['was there a dog before 0:20?', { sinceMs: 30_000 }],
    ['was there a dog after 1:30?', { asOfMs: 60_000 }],
    ['was there a dog yesterday?', {}],
  ])('is refused when nothing is kept of the part it names: %s %j', (question, options) => {
    const wrong = { code: 'time_out_of_range', param: 'question' };
    expect(() => ask(question, options)).toThrow(expect.objectContaining(wrong) as Error);
  });

  /** The detail of a refusal by a service in Berlin, where the stream began at 01:00. */
  const told = (question: string, options: AskOptions = {}, wallTimes: StreamStatus['wallTimes'] = 'live'): string => {
    try {
      questionTimes(question, options, [{ ...DOOR, wallTimes }], BEGAN_MS + 120_000, 'Europe/Berlin');
    } catch (error) {
      return YocoError.from(error).detail;
    }
    throw new Error('It was not refused.');
  };

  test.each([
    ['after 3:00', 'from 3:00 (2026-01-01 01:03:00) on'],
    ['before 0:04', 'up to 0:04 (2026-01-01 01:00:04)'],
    ['between 3:00 and 4:00', 'from 3:00 (2026-01-01 01:03:00) to 4:00 (01:04:00)'],
    ['yesterday', 'from 2025-12-31 00:00:00 to 2026-01-01 00:00:00'],
    ['between 10 pm and 11 pm yesterday', 'from 2025-12-31 22:00:00 to 23:00:00'],
  ])('is refused with the part it names and what the stream keeps: %s', (part, said) => {
    const kept = '0:05 (2026-01-01 01:00:05) to 2:00 (01:02:00)';
    expect(told(`was there a dog ${part}?`)).toBe(
      `The question is about what was shown ${said}; the stream keeps ${kept}.`,
    );
  });

  test('is refused with a single time when it names a moment', () => {
    expect(told('what was shown at 9 pm?')).toMatch(/^The question is about what was shown at 2025-12-31 21:00:00; /);
  });

  test('is refused with what its options allow', () => {
    expect(told('was there a dog after 1:30?', { asOfMs: 60_000 })).toMatch(
      /; it may look at 0:05 \(2026-01-01 01:00:05\) to 1:00 \(01:01:00\)\.$/,
    );
  });

  test('is refused without wall times when the recording is undated', () => {
    const kept = 'the stream keeps 0:05 to 2:00.';
    expect(told('was there a dog between 3:00 and 4:00?', {}, 'unknown')).toBe(
      `The question is about what was shown from 3:00 to 4:00; ${kept}`,
    );
    expect(told('was there a dog until 5 minutes ago?', {}, 'unknown')).toBe(
      `The question is about what was shown up to 3:00 before its beginning; ${kept}`,
    );
  });

  test('about some time ago reads that moment alone, and is refused when it is not kept', () => {
    const then = { moments: [30_000], starts: [29_500], question: 'what was shown?' };
    expect(ask('what was shown 90 seconds ago?')).toEqual(then);
    expect(ask('90 seconds ago, what did you see?')).toEqual({ ...then, question: 'what did you see?' });
    // The oldest frame counts within 5% of the time back: nobody means it to the second.
    expect(ask('what was shown 2 minutes ago?')).toMatchObject({ moments: [5_000], starts: [5_000] });
    const wrong = expect.objectContaining({ code: 'time_out_of_range', param: 'question' }) as Error;
    for (const ago of ['5 minutes ago', 'an hour ago']) expect(() => ask(`what was shown ${ago}?`)).toThrow(wrong);
    expect(() => ask('what was shown a minute ago?', { sinceMs: 100_000 })).toThrow(wrong);
    // A time alone is no question.
    expect(ask('90 seconds ago?')).toEqual({ moments: null, starts: null, question: 'at 0:30?' });
  });

  test('about some time ago reads a little before that moment, unless it asks for the name of what was shown', () => {
    const then = { moments: [30_000], starts: [27_000] };
    const rest = {
      'was there a dog 90 seconds ago?': 'was there a dog?',
      '90 seconds ago, how many dogs were there?': 'how many dogs were there?',
      'what colour was the car 90 seconds ago?': 'what colour was the car?',
      'where was the dog a minute and a half ago?': 'where was the dog?',
    };
    for (const [question, asked] of Object.entries(rest)) expect(ask(question)).toEqual({ ...then, question: asked });
    expect(ask('was there a dog 90 seconds ago?', { sinceMs: 29_000 })).toMatchObject({ starts: [29_000] });
    // Far enough back to reach a frame when the stream has few.
    const slow = [{ ...clock('door', 0, 3_600_000), frames: 120 }];
    const asked = { moments: [3_540_000], starts: [3_495_000] };
    expect(ask('what was shown a minute ago?', {}, slow)).toMatchObject(asked);
    expect(ask('was there a dog a minute ago?', {}, slow)).toMatchObject(asked);
  });

  test('may name a time on the clock of the stream, and is refused when that is not kept or still to come', () => {
    const dog = 'was there a dog?';
    expect(ask('was there a dog at 0:30?')).toEqual({ moments: [30_000], starts: [27_000], question: dog });
    expect(ask('was there a dog (at 0:30)?')).toMatchObject({ question: dog });
    const wrong = expect.objectContaining({ code: 'time_out_of_range', param: 'question' }) as Error;
    for (const time of ['0:02', '3:00']) expect(() => ask(`was there a dog at ${time}?`)).toThrow(wrong);
    const asked = ['was there a dog at 0:30 and at 0:40?', 'is the dog that was there at 0:30 there?'];
    for (const question of asked) expect(ask(question)).toEqual({ moments: null, starts: null, question });
  });

  test('may consist of a thing and a time', () => {
    expect(ask('dog 90 seconds ago?')).toEqual({ moments: [30_000], starts: [27_000], question: 'dog?' });
    // It refers to an earlier question, which is not known here.
    expect(ask('how about 90 seconds ago?')).toMatchObject({ question: 'how about 90 seconds ago?' });
  });

  test('about an approximate moment reads around it', () => {
    const hour = [{ ...clock('door', 0, 3_600_000), frames: 7_200 }];
    const asked = (question: string): unknown => ask(question, {}, hour);
    expect(asked('was there a dog about ten minutes ago?')).toMatchObject({
      moments: [3_060_000],
      starts: [2_940_000],
    });
    expect(asked('was there a dog a minute or two ago?')).toMatchObject({ moments: [3_546_000], starts: [3_474_000] });
  });

  test('about a change is put in the words that the model knows, as far back as it can tell a change', () => {
    const since = (words: string): unknown => ask(`Has anything changed ${words}?`);
    const asked = { starts: [100_000], question: 'Has anything changed in the last 20 seconds?' };
    for (const words of ['since 1:40', 'since 20 seconds ago', 'after 1:40']) expect(since(words)).toMatchObject(asked);
    expect(since('between 0:10 and 0:50')).toEqual({
      moments: [50_000],
      starts: [10_000],
      question: 'Has anything changed in the last 40 seconds?',
    });
    expect(since('in the last 10 seconds')).toMatchObject({ question: 'Has anything changed in the last 10 seconds?' });
    expect(since('since 0:10')).toMatchObject({ starts: [10_000], question: 'Has anything changed since 0:10?' });
  });

  test.each(['at 3:46 pm CET', 'at half past nine EST', 'after 9 am EST', 'between 9:00 and 10:00 UTC+2'])(
    'is refused with the time zone of the service when it names another: %s',
    (part) => {
      const refusal = { code: 'invalid_request', param: 'question' };
      const refused = (): unknown => questionTimes(`was there a dog ${part}?`, {}, [DOOR], BEGAN_MS, 'Asia/Tokyo');
      expect(refused).toThrow(expect.objectContaining(refusal) as Error);
      expect(refused).toThrow(/Asia\/Tokyo/);
    },
  );

  test('may name UTC when that is the time zone of the service', () => {
    const asked = (question: string): unknown => questionTimes(question, {}, [DOOR], BEGAN_MS + 120_000, 'Etc/UTC');
    for (const time of ['0:01 UTC', '00:01:00 UTC', '12:01 am UTC']) {
      expect(asked(`was there a dog between ${time} and 0:02 UTC?`)).toMatchObject({
        moments: [120_000],
        starts: [60_000],
      });
    }
    expect(asked('12:01 am UTC: was there a dog?')).toMatchObject({ starts: [57_000], question: 'was there a dog?' });
    expect(asked('was there a dog after 12:01 am UTC?')).toMatchObject({
      starts: [60_000],
      question: 'was there a dog?',
    });
  });

  test.each([
    ['yesterday after 5 pm', 41, 48],
    ['yesterday since 5 pm', 41, null],
    ['yesterday between 8 am and 9 am', 32, 33],
    ['today between 8:00 and 9:00', 56, 57],
    ['yesterday before 9 am', 24, 33],
    ['yesterday morning between 8 am and 9 am', 32, 33],
    ['two days ago after 9 am', 9, 24],
    // The 3rd of January 2026 is a Saturday.
    ['on Friday after 9 am', 33, 48],
    ['Thursday evening', 18, 24],
    ['on the 2nd after 9 am', 33, 48],
    // A day said in another way stays in the question, which is then about all that is kept.
    ['last week after 9 am', null, null],
    ['on Monday and Tuesday after 9 am', null, null],
  ])('combines a day with the time after it: %s', (part, from, to) => {
    const hour = 3_600_000;
    const days = clock('door', 0, 68 * hour);
    const times = questionTimes(`was there a dog ${part}?`, {}, [days], BEGAN_MS + 68 * hour, 'UTC');
    expect([times.starts, times.moments]).toEqual([
      from === null ? null : [from * hour],
      to === null ? null : [to * hour],
    ]);
    if (times.starts !== null || times.moments !== null) expect(times.question).toBe('was there a dog?');
  });

  describe('with an hour that may be am or pm', () => {
    const hour = 3_600_000;
    /** Asked on a Saturday at 20:00 of a stream that began on Thursday at 6:00. */
    const days = { ...clock('door', 6 * hour, 68 * hour), frames: 489_600 };
    const asked = (part: string, nowMs = 68 * hour) =>
      questionTimes(`was there a dog ${part}?`, {}, [{ ...days, lastMs: nowMs }], BEGAN_MS + nowMs, 'UTC');

    test.each([
      // Only one of the two is within the stream on that day.
      ['today around 9', 57 * hour - 300_000, 57 * hour + 300_000],
      ['at 9 today', 57 * hour - 3_000, 57 * hour + 59_999],
      ['on Thursday before 5', 0, 17 * hour],
      ['yesterday after 17', 41 * hour, 48 * hour],
      // The more recent of the two.
      ["at 9 o'clock", 57 * hour - 3_000, 57 * hour + 59_999],
      ['at 9', 57 * hour - 3_000, 57 * hour + 59_999],
      ['around 9', 57 * hour - 300_000, 57 * hour + 300_000],
      ['since 7', 67 * hour, null],
      ['at 17', 65 * hour - 3_000, 65 * hour + 59_999],
      ["after 7 o'clock", 67 * hour, null],
      ["between 5 and 6 o'clock", 65 * hour, 66 * hour],
      ['at half past seven', 67.5 * hour - 3_000, 67.5 * hour + 59_999],
      ['since half past nine this morning', 57.5 * hour, null],
    ])('takes the only possible one, or the last: %s', (part, from, to) => {
      const times = asked(part);
      const begins = from < 6 * hour ? [6 * hour] : [from];
      expect(times.starts?.map((ms) => Math.max(ms, 6 * hour))).toEqual(begins);
      expect(times.moments).toEqual(to === null ? null : [to]);
      expect(times.question).toBe('was there a dog?');
    });

    test.each(['yesterday around 5', 'at 5 yesterday', 'yesterday between 5 and 6', 'after 5 on Friday'])(
      'is refused when both are possible: %s',
      (part) => {
        const refusal = { code: 'invalid_request', param: 'question' };
        expect(() => asked(part)).toThrow(expect.objectContaining(refusal) as Error);
        expect(() => asked(part)).toThrow(/may be \d am or \d pm: say which/);
      },
    );

    test.each([
      'yesterday around 5 people came',
      'are there more than 5 today',
      'is there a house at 9?',
      'what was at 9?',
      'what was shown before 9?',
      'did he look at 9?',
      'were there around 9?',
      'was there a dog at 95?',
    ])('does not take other numbers for an hour: %s', (part) => {
      expect(questionTimes(part, {}, [days], BEGAN_MS + 68 * hour, 'UTC').question).toMatch(/[59]/);
    });

    test('reads up to the last 9 by "by 9"', () => {
      expect(asked('by 9')).toEqual({ starts: null, moments: [57 * hour], question: 'was there a dog?' });
    });

    test.each(['tomorrow at 9 am', 'at 9 tomorrow'])('is still to come: %s', (part) => {
      const refusal = { code: 'time_out_of_range', param: 'question' };
      expect(() => asked(part)).toThrow(expect.objectContaining(refusal) as Error);
    });

    test('does not take "at 9" for an hour that is not kept', () => {
      const times = questionTimes('was there a dog at 5?', {}, [clock('door', 6 * hour, 16 * hour)], BEGAN_MS, 'UTC');
      expect(times).toMatchObject({ starts: null, moments: null, question: 'was there a dog at 5?' });
    });
  });

  test('is refused when its start is after its moment, or given twice', () => {
    const thrown = (options: AskOptions): unknown => {
      try {
        return ask('a dog?', options);
      } catch (error) {
        return error instanceof YocoError ? [error.code, error.param] : error;
      }
    };
    expect(thrown({ sinceMs: 61_000, asOfMs: 60_000 })).toEqual(['time_out_of_range', 'since']);
    expect(thrown({ sinceMs: 121_000 })).toEqual(['time_out_of_range', 'since']);
    expect(thrown({ sinceMs: 1, sinceWallMs: 1 })).toEqual(['invalid_request', 'sinceMs']);
  });
});

describe('A question that names a time of day', () => {
  const noon = new Date(2026, 0, 1, 12).getTime();
  const clocks = [{ ...DOOR, startedAtMs: noon - 60_000 }];

  test('is about what was shown then', () => {
    const asked = (question: string): unknown => questionTimes(question, {}, clocks, noon + 60_000);
    const shown = { starts: [59_500], question: 'what was shown?' };
    expect(asked('what was shown at 12 pm?')).toEqual({ ...shown, moments: [119_999] });
    const then = { starts: [57_000], question: 'was there a dog?' };
    expect(asked('was there a dog at 12 pm?')).toEqual({ ...then, moments: [119_999] });
    expect(asked('was there a dog at 12:00:00 pm today?')).toEqual({ ...then, moments: [60_000] });
  });

  test('is refused when nothing is kept of it', () => {
    const wrong = { code: 'time_out_of_range', param: 'question' };
    expect(() => questionTimes('what was shown at 9 am?', {}, clocks, noon + 60_000)).toThrow(
      expect.objectContaining(wrong) as Error,
    );
  });
});

describe('A question that names a time of day of a recording', () => {
  const recorded = Date.parse('2026-01-05T19:30:00Z');
  /** Two hours, from half past eight in the evening, Berlin time. */
  const tape = { ...clock('tape', 0, 7_200_000), startedAtMs: recorded };
  const months = recorded + 1e10;
  const asked = (question: string, wallTimes: StreamStatus['wallTimes'], clocks = [tape]) => {
    const dated = clocks.map((one) => ({ ...one, wallTimes }));
    return questionTimes(question, {}, dated, months, 'Europe/Berlin');
  };

  test('means the last such time before the end of the recording, however long ago', () => {
    expect(asked('was there a dog after 9 pm?', 'recorded')).toMatchObject({ starts: [1_800_000] });
    expect(asked('what was shown at 9 pm?', 'recorded')).toMatchObject({ moments: [1_859_999] });
    const live = (): unknown => asked('was there a dog after 9 pm?', 'live');
    expect(live).toThrow(expect.objectContaining({ code: 'time_out_of_range' }) as Error);
  });

  test.each(['was there a dog after 9 pm?', 'what was shown at 9 pm?', 'any dog yesterday?'])(
    'is refused when the recording is undated, with how to date it: %s',
    (question) => {
      const refusal = { code: 'time_out_of_range', param: 'question' };
      expect(() => asked(question, 'unknown')).toThrow(expect.objectContaining(refusal) as Error);
      expect(() => asked(question, 'unknown')).toThrow(/source\.recorded_at/);
    },
  );

  test('differs from one with a time on the clock of the recording, which needs no date', () => {
    expect(asked('was there a dog after 1:42?', 'unknown')).toMatchObject({ starts: [102_000] });
  });

  test('follows the same rules over several recordings', () => {
    const two = [tape, { ...tape, name: 'other' }];
    const question = 'which recording showed a dog after 9 pm?';
    expect(asked(question, 'recorded', two)).toMatchObject({ starts: [1_800_000, 1_800_000], moments: null });
    expect(() => asked(question, 'unknown', two)).toThrow(/the recording "tape".*source\.recorded_at/);
  });
});

describe('A question about several streams', () => {
  /** Began a minute after the door, and has stalled for half a minute. */
  const YARD = clock('yard', 0, 30_000, 60_000);
  const both = [DOOR, YARD];

  test('looks back from the same instant in all of them', () => {
    // The door's newest frame is the newest; the yard's is half a minute older.
    expect(ask('which camera showed a dog in the last 40 seconds?', {}, both).starts).toEqual([80_000, 20_000]);
    const asOfWallMs = BEGAN_MS + 80_000;
    expect(ask('a dog in the last 40 seconds?', { asOfWallMs }, both)).toMatchObject({
      moments: [80_000, 20_000],
      starts: [40_000, -20_000],
    });
    const sinceWallMs = BEGAN_MS + 100_000;
    expect(ask('a dog in the last 40 seconds?', { sinceWallMs }, both).starts).toEqual([100_000, 40_000]);
  });

  test('is refused when its start is after its moment, or after what its words name', () => {
    const thrown = (question: string, options: AskOptions): unknown => {
      try {
        return ask(question, options, both);
      } catch (error) {
        return error instanceof YocoError ? [error.code, error.param] : error;
      }
    };
    const sinceWallMs = BEGAN_MS + 81_000;
    expect(thrown('a dog?', { sinceWallMs, asOfWallMs: BEGAN_MS + 80_000 })).toEqual(['time_out_of_range', 'since']);
    expect(thrown('a dog?', { sinceWallMs: BEGAN_MS + 121_000 })).toEqual(['time_out_of_range', 'since']);
    expect(thrown('what did yard show 50 seconds ago?', { sinceWallMs })).toEqual(['time_out_of_range', 'question']);
    expect(thrown('which camera showed a dog before 50 seconds ago?', { sinceWallMs })).toEqual([
      'time_out_of_range',
      'question',
    ]);
    expect(thrown('what did yard show 30 seconds ago?', { sinceWallMs })).toMatchObject({
      moments: [90_000, 30_000],
      starts: [87_000, 27_000],
    });
    const tooEarly = 'what did yard show 50 seconds ago?';
    expect(() => questionTimes(tooEarly, { sinceWallMs }, both, BEGAN_MS + 120_000, 'UTC')).toThrow(
      'The question is about what was shown at 2026-01-01 00:01:10; it may look at 2026-01-01 00:01:21 to 2026-01-01 00:02:00.',
    );
  });

  test('about some time ago reads the same instant on every clock', () => {
    expect(ask('what did yard show 50 seconds ago?', {}, both)).toEqual({
      moments: [70_000, 10_000],
      starts: [67_000, 7_000],
      question: 'what did yard show?',
    });
    // A time alone is no question.
    expect(ask('20 seconds ago?', {}, both)).toMatchObject({ moments: null, starts: null });
    const wrong = expect.objectContaining({ code: 'time_out_of_range', param: 'question' }) as Error;
    expect(() => ask('what did yard show 90 seconds ago?', {}, both)).toThrow(wrong);
  });

  test('may name days and times of day, which are the same for all', () => {
    const [hour, day] = [3_600_000, 86_400_000];
    const since = { ...clock('since', 0, 3 * day + 12 * hour), frames: 600_000 };
    const later = { ...clock('later', 0, 2 * day, 12 * hour), frames: 340_000 };
    const several = (question: string, options: AskOptions = {}) =>
      questionTimes(question, options, [since, later], BEGAN_MS + 3 * day + 12 * hour, 'UTC');
    expect(several('which camera showed a dog the day before yesterday?')).toEqual({
      moments: [2 * day, day + 12 * hour],
      starts: [day, 12 * hour],
      question: 'which camera showed a dog?',
    });
    expect(several('which camera showed a dog since 7:30 this morning?')).toEqual({
      moments: null,
      starts: [3 * day + 7.5 * hour, 2 * day + 19.5 * hour],
      question: 'which camera showed a dog?',
    });
    expect(several('which camera showed a dog between 3 hours ago and 2 hours ago?')).toMatchObject({
      moments: [3 * day + 10 * hour, 2 * day],
    });
    expect(several('what did later show at 5 pm yesterday?')).toEqual({
      // The newest frame of "later" is before that.
      moments: [2 * day + 17 * hour + 59_999, 2 * day],
      starts: [2 * day + 17 * hour - 3_000, day + 29 * hour - 3_000],
      question: 'what did later show?',
    });
    const wrong = expect.objectContaining({ code: 'time_out_of_range', param: 'question' }) as Error;
    // "later" had not begun then, and this evening is still to come.
    expect(() => several('which camera showed a dog before 9 am on Thursday?')).toThrow(wrong);
    expect(() => several('which camera showed a dog this evening?')).toThrow(wrong);
    expect(() => several('which camera showed a dog before 9 am on Thursday?')).toThrow(
      'The question is about what was shown from 2026-01-01 00:00:00 to 2026-01-01 09:00:00; "later" keeps 2026-01-01 12:00:00 to 2026-01-03 12:00:00. Ask without those that began later: of "since".',
    );
    expect(() => several('which camera showed a dog this evening?')).toThrow(
      'The question is about what was shown from 2026-01-04 18:00:00 on; these streams keep 2026-01-01 00:00:00 to 2026-01-04 12:00:00.',
    );
    // A moment that is still to come is refused, too.
    expect(() => several('what did later show at 3 pm today?')).toThrow(
      'The question is about what was shown at 2026-01-04 15:00:00; these streams keep 2026-01-01 00:00:00 to 2026-01-04 12:00:00.',
    );
    const asOfWallMs = BEGAN_MS + 2.5 * day;
    expect(() => several('what did later show at 1 pm today?', { asOfWallMs })).toThrow(
      'The question is about what was shown at 2026-01-03 13:00:00; it may look at 2026-01-01 00:00:00 to 2026-01-03 12:00:00.',
    );
    expect(several('which camera showed a dog yesterday?', { asOfWallMs }).moments).toEqual([2 * day, day + 12 * hour]);
  });

  test('asked of all streams reads those that had begun by the end of the part it names', () => {
    const hour = 3_600_000;
    const [old, other, young] = [
      clock('old', 0, 30 * hour),
      clock('other', 0, 24 * hour, 6 * hour),
      clock('young', 0, 2 * hour, 28 * hour),
    ];
    const reached = (question: string, clocks = [old, other, young], asOfWallMs?: number) => {
      const now = { nowMs: BEGAN_MS + 30 * hour, timeZone: 'UTC' };
      return streamsReaching(question, asOfWallMs, clocks, now).map(({ name }) => name);
    };
    const all = ['old', 'other', 'young'];
    expect(reached('which camera showed a dog yesterday?')).toEqual(['old', 'other']);
    expect(reached('which camera showed a dog between 5 hours ago and 3 hours ago?')).toEqual(['old', 'other']);
    for (const question of [
      'a dog today?',
      'a dog since yesterday?',
      'a dog in the last hour?',
      'a dog before 1:00?',
      'a dog?',
    ]) {
      expect(reached(question)).toEqual(all);
    }
    for (const part of ['5 hours ago', 'at 11 pm yesterday']) {
      expect(reached(`was there a dog ${part}?`)).toEqual(['old', 'other']);
    }
    expect(reached('was there a dog before 3 am yesterday?')).toEqual(['old']);
    // "Which camera" needs more than one stream: none is left out, and the error says which had not begun.
    expect(reached('which camera showed a dog before 3 am yesterday?')).toEqual(all);
    expect(reached('which camera showed a dog yesterday?', [old, clock('new', null, null)])).toEqual(['old', 'new']);
  });

  test.each([
    'is the car that was in the yard 10 minutes ago still there?',
    'is the car that came at 9 am still there?',
    'which camera showed a dog at 9 am or at 10 am?',
    'which camera showed a dog on 2026-13-01?',
  ])('is about all that is kept when a time in it may not be its moment: %s', (question) => {
    expect(ask(question, {}, both)).toEqual({ moments: null, starts: null, question });
  });

  test('may name no time on the clock of a stream: each counts from its own start', () => {
    const question = 'was there a dog between 0:10 and 1:00?';
    expect(ask(question, {}, both)).toEqual({ moments: null, starts: null, question });
    expect(() => ask('a dog?', { sinceMs: 10_000 }, both)).toThrow(/sinceWallMs/);
  });

  test('is left to the engine when a stream has no frame yet', () => {
    const question = 'a dog in the last minute?';
    expect(ask(question, {}, [DOOR, clock('new', null, null)])).toEqual({ moments: null, starts: null, question });
  });
});
