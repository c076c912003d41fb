import { describe, expect, test } from 'vitest';
import {
  resolveFollowUp,
  findClockTime,
  findMoment,
  findSpan,
  findLookBack,
  namesTimeOfDay,
} from '../../../src/model/time-language/question-span.ts';

const HOUR_MS = 3_600_000;
/** The stream began at 06:00 and the question comes at 16:00:01, both in the time zone of this machine. */
const BEGAN = new Date(2026, 10, 29, 6).getTime();
const NOW_MS = 10 * HOUR_MS + 1_000;
const ASKING = { momentMs: NOW_MS, startedAtMs: BEGAN, nowMs: BEGAN + NOW_MS };
const at = (day: number, hour: number, minute = 0): number => new Date(2026, 10, day, hour, minute).getTime() - BEGAN;

describe('A question that says how far back it looks', () => {
  test.each([
    ['have you seen a dog in the last 10 seconds?', 10_000, 'have you seen a dog?'],
    ['was there a car within the last minute', 60_000, 'was there a car'],
    ['Did anyone come by in the past half an hour?', HOUR_MS / 2, 'Did anyone come by?'],
    ['what was shown first over the last couple of minutes?', 120_000, 'what was shown first?'],
    ['in the last 5 min, was there a cup?', 300_000, 'was there a cup?'],
    ['in about the last 5 minutes was there a cup?', 300_000, 'was there a cup?'],
    ['was there a dog in the last hour and a half?', 1.5 * HOUR_MS, 'was there a dog?'],
    ['was there a dog in the last 2 hours and 30 minutes', 2.5 * HOUR_MS, 'was there a dog'],
    ['was there a dog in the last 1h 30m?', 1.5 * HOUR_MS, 'was there a dog?'],
    ['was there a dog in the last minute or so?', 60_000, 'was there a dog?'],
    ['has anyone come in within the last twelve hours?', 12 * HOUR_MS, 'has anyone come in?'],
    ['any dog in the last day?', 24 * HOUR_MS, 'any dog?'],
    [
      'how many different things were there in the last two hours?',
      2 * HOUR_MS,
      'how many different things were there?',
    ],
    ['which camera showed a dog less than 10 minutes ago?', 600_000, 'which camera showed a dog?'],
    ['was there a dog not more than 2 days ago?', 48 * HOUR_MS, 'was there a dog?'],
    ['was there a dog in the last two and a half hours?', 2.5 * HOUR_MS, 'was there a dog?'],
    ['was there a dog in the last 1,000 seconds?', 1_000_000, 'was there a dog?'],
    ['was there a dog in the last week?', 7 * 24 * HOUR_MS, 'was there a dog?'],
    ['any dog the past hour?', HOUR_MS, 'any dog?'],
    ['anyone here the last hour?', HOUR_MS, 'anyone here?'],
    ['has the dog that lives here come in the last hour?', HOUR_MS, 'has the dog that lives here come?'],
    ['how many cars have gone by in the last hour?', HOUR_MS, 'how many cars have gone by?'],
    ['were there more than 3 people in the last hour?', HOUR_MS, 'were there more than 3 people?'],
    ['is there anything that I missed in the last hour?', HOUR_MS, 'is there anything that I missed?'],
    ['any dog last 20 seconds?', 20_000, 'any dog?'],
    ['any dog the last 20 seconds', 20_000, 'any dog'],
    ['last 2 hours, any dog?', 2 * HOUR_MS, 'any dog?'],
    ['dogs last hour?', HOUR_MS, 'dogs?'],
    ['did anyone come these last 2 hours?', 2 * HOUR_MS, 'did anyone come?'],
    ['in the last hour: any dog?', HOUR_MS, 'any dog?'],
    ['has anything changed in the last few minutes?', 300_000, 'has anything changed in the last few minutes?'],
    ['in the past minute, anything new?', 60_000, 'in the past minute, anything new?'],
  ])('%s is about the last %i ms: %s', (asked, backMs, question) => {
    expect(findSpan(asked, ASKING)).toEqual({ sinceMs: NOW_MS - backMs, untilMs: null, question });
    expect(findLookBack(asked)).toEqual({ backMs, question });
  });
});

describe('A question about the beginning', () => {
  test.each([
    ['was there a dog in the first minute?', 60_000, 'was there a dog?'],
    ['how many different things were there in the first 20 seconds', 20_000, 'how many different things were there'],
  ])('%s is about the first %i ms: %s', (asked, ms, question) => {
    expect(findSpan(asked, ASKING)).toEqual({ sinceMs: null, untilMs: ms, question });
    expect(findLookBack(asked)).toBeNull();
  });
});

describe('A question that names times on the stream’s clock', () => {
  test.each([
    ['was there a dog between 1:00 and 2:30?', 60_000, 150_000, 'was there a dog?'],
    ['Between 0:05 and 1:02:03, did you see a cat?', 5_000, 3_723_000, 'did you see a cat?'],
    ['did you see a cat from 0:10 to 0:20', 10_000, 20_000, 'did you see a cat'],
    ['did you see a cat from 0:10 until now?', 10_000, null, 'did you see a cat?'],
    ['have you seen a dog since 1:42?', 102_000, null, 'have you seen a dog?'],
    ['did anyone come more than 10 minutes ago?', null, NOW_MS - 600_000, 'did anyone come?'],
    ['ever since 1:42, was there a dog?', 102_000, null, 'was there a dog?'],
    ['has anyone been there since 10 minutes ago?', NOW_MS - 600_000, null, 'has anyone been there?'],
    ['was there a car between 2 minutes ago and 1 minute ago?', NOW_MS - 120_000, NOW_MS - 60_000, 'was there a car?'],
    ['was there a dog between ten and five minutes ago?', NOW_MS - 600_000, NOW_MS - 300_000, 'was there a dog?'],
    ['was there a dog 5 to 10 minutes ago?', NOW_MS - 600_000, NOW_MS - 300_000, 'was there a dog?'],
    ['10-15 minutes ago, was there a dog?', NOW_MS - 900_000, NOW_MS - 600_000, 'was there a dog?'],
    ['what was shown two or three minutes ago?', NOW_MS - 180_000, NOW_MS - 120_000, 'what was shown?'],
    ['was there a dog after forty-five minutes ago?', NOW_MS - 45 * 60_000, null, 'was there a dog?'],
    ['was there a dog since twenty-four minutes ago?', NOW_MS - 24 * 60_000, null, 'was there a dog?'],
    ['was there a dog after 1:42?', 102_000, null, 'was there a dog?'],
    ['was there a dog before 1:42?', null, 102_000, 'was there a dog?'],
    ['Tell me whether there was a dog before 1:42', null, 102_000, 'Tell me whether there was a dog'],
    ['how many different things were there until 0:30?', null, 30_000, 'how many different things were there?'],
  ])('%s is about %s ms to %s ms: %s', (asked, sinceMs, untilMs, question) => {
    expect(findSpan(asked, ASKING)).toEqual({ sinceMs, untilMs, question });
    expect(findLookBack(asked)).toBeNull();
  });
});

describe('A question that names times of day, on the 29th at 16:00', () => {
  test.each([
    ['was anyone here after 9 am?', at(29, 9), null, 'was anyone here?'],
    ['Was anyone at the door after 9:00 pm?', at(28, 21), null, 'Was anyone at the door?'],
    ['Was there a car between 8:00 and 9:00 am?', at(29, 8), at(29, 9), 'Was there a car?'],
    ['was there a car between 2 and 3 p.m.?', at(29, 14), at(29, 15), 'was there a car?'],
    ['between 10 pm and 2 am, was there a fox?', at(28, 22), at(29, 2), 'was there a fox?'],
    ['was there a car between 3 pm and 5 pm?', at(29, 15), at(29, 17), 'was there a car?'],
    ['Has anyone come in since 7:30 this morning?', at(29, 7, 30), null, 'Has anyone come in?'],
    ['was there a dog after 3:10 this afternoon?', at(29, 15, 10), null, 'was there a dog?'],
    ['was anyone here after 22:00 last night?', at(28, 22), at(29, 6), 'was anyone here?'],
    ['was anyone here after 2:00 last night?', at(29, 2), at(29, 6), 'was anyone here?'],
    ['Was the gate open before 6:00 yesterday?', at(28, 0), at(28, 6), 'Was the gate open?'],
    ['was there a dog today?', at(29, 0), null, 'was there a dog?'],
    ['was there a dog yesterday?', at(28, 0), at(29, 0), 'was there a dog?'],
    ['did anyone come last night?', at(28, 18), at(29, 6), 'did anyone come?'],
    ['did a car pass this morning?', at(29, 0), at(29, 12), 'did a car pass?'],
    ['between 8 am and 10 am yesterday, any dog?', at(28, 8), at(28, 10), 'any dog?'],
    ['between 10 pm yesterday and 2 am, any fox?', at(28, 22), at(29, 2), 'any fox?'],
    ['any dog after 9:30 last night?', at(28, 21, 30), at(29, 6), 'any dog?'],
    ['any dog after 12:30 last night?', at(29, 0, 30), at(29, 6), 'any dog?'],
    ['any dog between 9:30 and 10:30 last night?', at(28, 21, 30), at(28, 22, 30), 'any dog?'],
    ['any dog between 11 and 1 pm?', at(29, 11), at(29, 13), 'any dog?'],
    ['any dog between 9:00 and 5 pm?', at(29, 9), at(29, 17), 'any dog?'],
    ['any dog from 8 am until now?', at(29, 8), null, 'any dog?'],
    ['was anyone here after 5 pm yesterday?', at(28, 17), at(29, 0), 'was anyone here?'],
    ['has anyone come since 5 pm yesterday?', at(28, 17), null, 'has anyone come?'],
    ['was anyone here before 9:30 last night?', at(28, 18), at(28, 21, 30), 'was anyone here?'],
    ['since 12:30 this morning, any fox?', at(29, 0, 30), null, 'any fox?'],
    ['what happened after 9 am?', at(29, 9), null, 'what happened?'],
    ['which dogs came after 9 am today?', at(29, 9), null, 'which dogs came?'],
    ['what came yesterday before noon?', at(28, 0), at(28, 12), 'what came?'],
    ['was there a dog between 9 am and 10?', at(29, 9), at(29, 10), 'was there a dog?'],
    ['was there a dog after 9:30:00 am?', at(29, 9, 30), null, 'was there a dog?'],
    ['was there a dog since 2026-11-28 14:30:00?', at(28, 14, 30), null, 'was there a dog?'],
  ])('%s', (asked, sinceMs, untilMs, question) => {
    expect(findSpan(asked, ASKING)).toEqual({ sinceMs, untilMs, question });
  });
});

describe('A question that names another day, on a Sunday the 29th', () => {
  test.each([
    ['was there a dog yesterday evening?', at(28, 18), at(29, 0)],
    ['was there a dog yesterday night?', at(28, 18), at(29, 6)],
    ['yesterday morning, was there a dog?', at(28, 0), at(28, 12)],
    ['was there a dog the day before yesterday?', at(27, 0), at(28, 0)],
    ['was there a dog the day before yesterday, between 8 and 9 am?', at(27, 8), at(27, 9)],
    ['was there a dog two days ago?', at(27, 0), at(28, 0)],
    ['was there a dog between 5 and 6 pm 3 days ago?', at(26, 17), at(26, 18)],
    ['two days ago after 9 am, was there a dog?', at(27, 9), at(28, 0)],
    ['was there a dog on Friday?', at(27, 0), at(28, 0)],
    ['was there a dog last Saturday night?', at(28, 18), at(29, 6)],
    ['was there a dog on Wednesday between 9:30 and 10:30 in the evening?', at(25, 21, 30), at(25, 22, 30)],
    ['was there a dog after 5 in the afternoon on Wednesday?', at(25, 17), at(26, 0)],
    ['was there a dog between 7 and 8 in the morning two days ago?', at(27, 7), at(27, 8)],
    ['was there a dog on Thursday afternoon between 2:30 and 3:30?', at(26, 14, 30), at(26, 15, 30)],
    ['was there a dog on Monday after 9 am?', at(23, 9), at(24, 0)],
    ['was there a dog Friday before 9 am?', at(27, 0), at(27, 9)],
    ['was there a dog three days ago in the evening?', at(26, 18), at(27, 0)],
    ['was there a dog overnight?', at(28, 18), at(29, 6)],
    ['was there a dog earlier today?', at(29, 0), null],
    ['was there a dog all day yesterday?', at(28, 0), at(29, 0)],
    ['was there a dog during last night?', at(28, 18), at(29, 6)],
    ['was there a dog throughout the night?', at(28, 18), at(29, 6)],
    ['was there a dog at any point yesterday?', at(28, 0), at(29, 0)],
    ['was there a dog so far today?', at(29, 0), null],
    ['yesterday: was there a dog?', at(28, 0), at(29, 0)],
    ['was there a dog since Friday?', at(27, 0), null],
    ['was there a dog since yesterday at 5 pm?', at(28, 17), null],
    ['was there a dog before yesterday?', null, at(28, 0)],
    ['was there a dog the day before yesterday before 5 pm?', at(27, 0), at(27, 17)],
    ['was there a dog between Monday and Wednesday?', at(23, 0), at(26, 0)],
    ['was there a dog between yesterday 5 pm and today 8 am?', at(28, 17), at(29, 8)],
    ['was there a dog after midnight?', at(29, 0), null],
    ["was there a dog after 9 o'clock yesterday?", at(28, 9), at(29, 0)],
    ['was there a dog on 2026-11-27?', at(27, 0), at(28, 0)],
    ['was there a dog on November 27 between 8 and 9 am?', at(27, 8), at(27, 9)],
    ['was there a dog on the 27th of November after 9 pm?', at(27, 21), at(28, 0)],
    ['was there a dog after 9 pm on 27 Nov?', at(27, 21), at(28, 0)],
    ['was there a dog on the 27th?', at(27, 0), at(28, 0)],
    ['was there a dog on the 27th in the morning?', at(27, 0), at(27, 12)],
    // The 29th is a Sunday, and the week began on Monday the 23rd.
    ['was there a dog this week?', at(23, 0), null],
    ['was there a dog last week?', at(16, 0), at(23, 0)],
    ['was there a dog during last week?', at(16, 0), at(23, 0)],
    ['was there a dog at some point last week?', at(16, 0), at(23, 0)],
    ['was there a dog since last week?', at(16, 0), null],
    ['was there a dog before last week?', null, at(16, 0)],
    ['was there a dog over the weekend?', at(28, 0), null],
    ['was there a dog this weekend?', at(28, 0), null],
    ['was there a dog since the weekend?', at(28, 0), null],
    ['was there a dog last weekend?', at(21, 0), at(23, 0)],
    ['was there a dog before the weekend?', null, at(28, 0)],
    ['was there a dog this month?', at(1, 0), null],
    ['was there a dog last month?', at(-30, 0), at(1, 0)],
    ['was there a dog since last month?', at(-30, 0), null],
    ['was there a dog before this month?', null, at(1, 0)],
    // It is 15:30: the evening is yesterday's.
    ['was there a dog in the morning?', at(29, 0), at(29, 12)],
    ['was there a dog in the afternoon?', at(29, 12), null],
    ['in the evening, was there a dog?', at(28, 18), at(29, 0)],
    ['on the 30th, was there a dog?', at(-1, 0), at(0, 0)],
    // Not every month has a 31st: the last one was in October.
    ['was there a dog on the 31st?', at(0, 0), at(1, 0)],
    ['was there a dog on Friday, November 20?', at(20, 0), at(21, 0)],
    ['was there a dog on Friday the 20th?', at(20, 0), at(21, 0)],
    ['was there a dog on November 29, 2025?', at(29 - 365, 0), at(30 - 365, 0)],
    ['was there a dog on 29 November 2025?', at(29 - 365, 0), at(30 - 365, 0)],
    ['was there a dog after 9 yesterday morning?', at(28, 9), at(28, 12)],
    ['was there a dog between 9 and 10 yesterday evening?', at(28, 21), at(28, 22)],
    ['was there a dog yesterday evening after 8?', at(28, 20), at(29, 0)],
    ['was there a dog since 9 this morning?', at(29, 9), null],
    ['was there a dog between 22:00 yesterday and 6:00?', at(28, 22), at(29, 6)],
    ['was there a dog between 8 am and 9:30?', at(29, 8), at(29, 9, 30)],
    ['was there a dog between 8 am and 17:30?', at(29, 8), at(29, 17, 30)],
    ['was there a dog between 5 pm and 6:30?', at(28, 17), at(28, 18, 30)],
    ['was there a dog since about 9 am?', at(29, 9), null],
    ['was there a dog between about 9 am and around 10 am?', at(29, 9), at(29, 10)],
    // Today is a Sunday, which one would call "today": the previous Sunday is meant.
    ['was there a dog on Sunday?', at(22, 0), at(23, 0)],
  ])('%s', (asked, sinceMs, untilMs) => {
    expect(findSpan(asked, ASKING)).toEqual({ sinceMs, untilMs, question: 'was there a dog?' });
  });

  test('names an instant instead by "2 days and 3 hours ago" or "about two days ago"', () => {
    expect(findSpan('was there a dog 2 days and 3 hours ago?', ASKING)).toBeNull();
    expect(findSpan('was there a dog about two days ago?', ASKING)).toBeNull();
  });
});

describe('A question about the current day', () => {
  const asked = (question: string, nowMs: number): object | null => findSpan(question, { ...ASKING, nowMs });

  test('means the previous evening by "tonight" soon after midnight', () => {
    const nowMs = BEGAN + at(30, 0, 30);
    expect(asked('any dog tonight?', nowMs)).toMatchObject({ sinceMs: at(29, 18) });
    expect(asked('any dog after 11 pm tonight?', nowMs)).toMatchObject({ sinceMs: at(29, 23) });
    expect(asked('any dog after 0:10 tonight?', nowMs)).toMatchObject({ sinceMs: at(30, 0, 10) });
    expect(asked('any dog after 12:10 tonight?', nowMs)).toMatchObject({ sinceMs: at(30, 0, 10) });
  });

  test('means the last weekend that has begun by "the weekend", and one that is over by "last weekend"', () => {
    const wednesday = BEGAN + at(25, 12);
    for (const weekend of ['over the weekend', 'last weekend', 'this weekend'])
      expect(asked(`any dog ${weekend}?`, wednesday)).toMatchObject({ sinceMs: at(21, 0), untilMs: at(23, 0) });
    const monday = BEGAN + at(23, 0);
    expect(asked('any dog last weekend?', monday)).toMatchObject({ sinceMs: at(21, 0), untilMs: at(23, 0) });
    expect(asked('any dog this week?', monday)).toMatchObject({ sinceMs: at(23, 0) });
    expect(asked('any dog last week?', monday)).toMatchObject({ sinceMs: at(16, 0), untilMs: at(23, 0) });
    const saturday = BEGAN + at(28, 9);
    expect(asked('any dog last weekend?', saturday)).toMatchObject({ sinceMs: at(21, 0), untilMs: at(23, 0) });
    expect(asked('any dog on the weekend?', saturday)).toMatchObject({ sinceMs: at(28, 0) });
  });

  test('resolves days and times of day against now, but lengths of time against its moment on the stream', () => {
    const nowMs = BEGAN + at(30, 20);
    expect(asked('any dog today?', nowMs)).toMatchObject({ sinceMs: at(30, 0) });
    expect(asked('any dog after 9 am?', nowMs)).toMatchObject({ sinceMs: at(30, 9) });
    expect(asked('any dog in the last minute?', nowMs)).toMatchObject({ sinceMs: NOW_MS - 60_000 });
  });
});

test.each([
  ['What was at the door at 7:30 this morning?', at(29, 7, 30), 'What was at the door ', '?'],
  ['what was shown at 3 pm?', at(29, 15), 'what was shown ', '?'],
  ['on Friday at 5 pm, what was shown?', at(27, 17), '', ', what was shown?'],
  ['what was shown at 5 pm two days ago?', at(27, 17), 'what was shown ', '?'],
  ['what was shown at 2:00 last night?', at(29, 2), 'what was shown ', '?'],
  ['was anyone there around 5 pm yesterday?', at(28, 17), 'was anyone there ', '?'],
  ['was anyone there yesterday at noon?', at(28, 12), 'was anyone there ', '?'],
  ["at 9 o'clock yesterday, what was shown?", at(28, 9), '', ', what was shown?'],
  ['what was shown at 1:42?', null, '', ''],
  ["what was shown at 9 o'clock?", null, '', ''],
])('A time of day in a question names a moment, an ambiguous time does not: %s', (question, ms, start, end) => {
  const moment = findMoment(question, ASKING);
  if (ms === null) expect(moment).toBeNull();
  else expect(moment).toMatchObject({ ms, textBefore: start, textAfter: end });
});

test('A moment lasts as long as clocks show its time, and extends both ways when it is approximate', () => {
  const meant = (time: string) => findMoment(`was there a dog ${time}?`, ASKING);
  expect(meant('at 9 am')).toMatchObject({ ms: at(29, 9), beforeMs: 0, afterMs: 59_999 });
  expect(meant('at 9:00:30 am')).toMatchObject({ beforeMs: 0, afterMs: 0 });
  expect(meant('around 9 am')).toMatchObject({ ms: at(29, 9), beforeMs: 300_000, afterMs: 300_000 });
});

test('A time on the stream’s clock is the last moment at which the clock showed it', () => {
  const days = 2.6 * 24 * HOUR_MS;
  expect(findClockTime('what was shown at 1:42?', days)).toMatchObject({ ms: 2 * 24 * HOUR_MS + 102_000 });
  expect(findClockTime('what was shown at 20:00:00?', days)).toMatchObject({ ms: (24 + 20) * HOUR_MS });
  expect(findClockTime('what was shown at 1:42?', 60_000)).toMatchObject({ ms: 102_000 });
});

describe('In an explicit time zone, a question', () => {
  const began = Date.parse('2026-01-01T00:00:00Z');
  const ms = (time: string): number => Date.parse(time) - began;
  const inZone = (nowText: string, timeZone: string) => {
    const nowMs = Date.parse(nowText);
    return { momentMs: nowMs - began, startedAtMs: began, nowMs, timeZone };
  };

  test.each([
    ['Europe/Berlin', '2026-01-15T08:00:00Z'],
    ['America/New_York', '2026-01-15T14:00:00Z'],
    ['Asia/Tokyo', '2026-01-15T00:00:00Z'],
  ])('about 9 am means 9 am in %s, %s', (timeZone, nine) => {
    const asking = inZone('2026-01-15T14:30:00Z', timeZone);
    expect(findSpan('was anyone here after 9 am?', asking)).toMatchObject({ sinceMs: ms(nine) });
    expect(findMoment('what was shown at 9 am?', asking)).toMatchObject({ ms: ms(nine) });
  });

  test.each([
    // The day on which clocks go forward has 23 hours, the day on which they go back has 25.
    ['any dog yesterday?', '2026-03-30T10:00:00Z', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
    ['any dog yesterday?', '2026-10-26T10:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
    ['any dog between 1 am and 4 am?', '2026-03-29T10:00:00Z', '2026-03-29T00:00:00Z', '2026-03-29T02:00:00Z'],
    ['any dog between 1 am and 4 am?', '2026-10-25T10:00:00Z', '2026-10-24T23:00:00Z', '2026-10-25T03:00:00Z'],
    ['did anyone come last night?', '2026-10-25T10:00:00Z', '2026-10-24T16:00:00Z', '2026-10-25T05:00:00Z'],
    ['any dog after 9 pm yesterday?', '2026-03-29T10:00:00Z', '2026-03-28T20:00:00Z', '2026-03-28T23:00:00Z'],
    // It is 5:30 local time, six and a half hours after midnight.
    ['any dog tonight?', '2026-10-25T04:30:00Z', '2026-10-24T16:00:00Z', null],
  ])('around a clock change means what local clocks show: %s at %s', (question, now, since, until) => {
    expect(findSpan(question, inZone(now, 'Europe/Berlin'))).toMatchObject({
      sinceMs: ms(since),
      untilMs: until === null ? null : ms(until),
    });
  });

  test.each(['between 11 am and 1 pm on 2026-02-30', 'from 11 am February 30 to 1 pm', 'after 9 am on 2026-13-01'])(
    'about a date that does not exist names no part: %s',
    (part) => {
      expect(findSpan(`was there a dog ${part}?`, inZone('2026-03-30T10:00:00Z', 'Europe/Berlin'))).toBeNull();
    },
  );
});

describe('A time of day', () => {
  test.each([
    'was there a dog after 9 pm?',
    'any dog between 8 and 9 am',
    'did anyone come last night?',
    'Was there a dog Today?',
    'what was shown at 7:30 this morning?',
    'any dog from 8 am until now?',
    'any dog since Monday?',
    'any dog between Monday and Tuesday?',
  ])('is found in: %s', (question) => {
    expect(namesTimeOfDay(question)).toBe(true);
  });

  test.each([
    'was there a dog after 1:42?',
    'was there a dog in the last 10 minutes?',
    'what was shown at 1:42?',
    'is there a dog?',
    'Is it the same as yesterday?',
  ])('is not found, or not as the part asked about, in: %s', (question) => {
    expect(namesTimeOfDay(question)).toBe(false);
  });
});

describe('A question is about everything shown when', () => {
  test.each([
    'what was shown 10 seconds ago?',
    'what was the last thing you saw?',
    'is this the last one?',
    'what was in the last frame?',
    'when was the dog last there?',
    'what was shown at 1:42?',
    'is it a last-minute change?',
    'in the last minute?',
  ])('it names no part: %s', (question) => {
    expect(findSpan(question, ASKING)).toBeNull();
  });

  test.each([
    'what was shown before 1:42?',
    'And what came after 0:10?',
    'Can you tell me who was there before 1:00?',
    'How long after 1:00 did the dog appear?',
    'How long has it been since 1:42?',
  ])('it asks for a thing or a time relative to the named one: %s', (question) => {
    expect(findSpan(question, ASKING)).toBeNull();
  });

  test.each([
    'Did anyone come after the first 10 minutes?',
    'Was there a dog before the last 5 minutes?',
    'Was it empty except in the last hour?',
    'Was there a dog, but not in the last hour?',
    'Has the box been there since the first minute?',
    'Is the car from the first hour still there?',
    'was there a dog just before 1:42?',
    'was there a dog one minute before 2:00?',
    'was there a dog in the last 5 minutes before 30:00?',
    'was there a dog before and after 1:42?',
    'was there a dog in the first minute of the last hour?',
    'was there a dog in the last minute or two?',
    'was there a dog before the cat?',
    'Was the dog there yesterday but not today?',
    'Is today different from yesterday?',
    'any dog in the last hour but not in the last minute?',
    'any dog between 1:00 and 2:00, between 3:00 and 4:00',
    'any dog between 1 and 2:30?',
    'was there a dog between 0:20 and 0:10?',
    'Is the car from last night still there?',
    "Is yesterday's package still there?",
    'Is it the same as yesterday?',
    'What about yesterday?',
    'Same for yesterday?',
    'as of yesterday, was there a dog?',
    'was there a dog prior to the last 5 minutes?',
    'was it empty up to the last 5 minutes?',
    'how many dogs came, excluding today?',
    'not counting today, how many dogs came?',
    'is the door open, unlike yesterday?',
    'does he come every Monday morning?',
    'was the door open directly after 3 am?',
    'was the door open a bit before 9 am?',
    'did the meeting last 2 hours?',
    'did it last 10 minutes?',
    'how many meetings last 30 minutes?',
    'was there a dog on November 20-22?',
    'was there a dog on November 20 to 22?',
    // These dates do not exist.
    'was there a dog on 2026-13-01?',
    'was there a dog on 2026-02-30?',
    'was there a dog since 2026-00-10?',
    'was there a dog at 17:00 on 2026-13-01?',
    'Is it Friday?',
    'was there a dog on Saturday and Sunday?',
    'is it the weekend?',
    'was there a dog last week on Monday?',
    'was there a dog last year?',
    'was there a dog last month on the 3rd?',
    'is it this month’s menu?',
    'are there more people than last month?',
    'is it this week’s menu?',
    'does a dog come in the morning?',
    'is it usually empty in the evening?',
    'was there a dog in the morning and in the evening?',
    'are there more people than last week?',
    'Is it the same as on Friday?',
    'was there a dog on the 2nd floor?',
    'was there a man on the 3rd of them?',
    // These ask about the present.
    'is the dog that was here before 1:00 here currently?',
    'is the car that was parked here last night gone?',
    'has the package that arrived this morning been taken?',
    'where is the box that was on the table in the first minute?',
    'is the dog there any more that came in the last hour?',
    'does it look the same as it did yesterday?',
    'are there more cars than there were yesterday?',
    'did he come at the last minute?',
    'how was the last hour?',
    'was there a dog at the last hour?',
    'did the man who came in the first minute leave?',
    'what is the man doing who came in the first minute?',
    'was there a dog at 25:00 yesterday?',
    'was there a dog after 30 pm?',
    'Is the cup that was there before 1:00 still there?',
    'Is the cup there now that was there between 1:00 and 2:00?',
  ])('words beside the part change its meaning: %s', (question) => {
    expect(findSpan(question, ASKING)).toBeNull();
  });
});

describe('A question names no moment when', () => {
  test.each([
    'has anyone come since around 9 am?',
    'was there a dog at 9 am or at 10 am?',
    'at 9 am there was a dog; was it there at 10 am?',
    'was a dog there at 9 am, 10 am and 11 am?',
    'did the man who came at 9 am leave?',
    'is the car that came at 9 am still there?',
    'did anyone come between about 9 am and 10 am?',
    'what was shown after the dog came at 9 am?',
    'was there a dog on 5/6 at 9 am?',
    'was there a dog at 17:00 on 2026-13-01?',
  ])('other words change the meaning of its time, or the time is invalid: %s', (question) => {
    expect(findMoment(question, ASKING)).toBeNull();
    expect(findMoment(question, { ...ASKING, timeZone: 'Europe/Berlin' })).toBeNull();
  });
});

describe('A follow-up that is only a time', () => {
  test.each([
    ['and yesterday?', 'was there a dog today?', 'was there a dog yesterday?'],
    ['What about at noon?', 'was there a dog?', 'was there a dog at noon?'],
    ['10 minutes ago?', 'was there a dog at 1:42?', 'was there a dog 10 minutes ago?'],
    ['and in the last hour', 'in the last minute, was there a dog?', 'was there a dog in the last hour?'],
    ['how about between 9 and 10 am?', 'how many dogs came?', 'how many dogs came between 9 and 10 am?'],
    ['and since 9 am?', 'has anything changed in the last minute?', 'has anything changed since 9 am?'],
    ['same for last night', 'what was shown 20 seconds ago?', 'what was shown last night?'],
    ['and at 1:42?', 'what was shown at 7:30 this morning?', 'what was shown at 1:42?'],
    ['and 5 minutes ago?', 'What is shown right now?', 'What is shown 5 minutes ago?'],
    ['and at noon?', 'Is there a NOW HIRING sign?', 'Is there a NOW HIRING sign at noon?'],
    ['and at 10 am?', 'was there a dog at 3 pm UTC?', 'was there a dog at 10 am?'],
    ['and yesterday?', 'are there more people than yesterday?', 'and yesterday?'],
  ])('repeats the previous question for that time: %s', (question, before, asked) => {
    expect(resolveFollowUp(question, before)).toBe(asked);
  });

  test.each([
    'and the cat?',
    'and after that?',
    'and the cat yesterday?',
    'was it there at noon?',
    'and when?',
    'now?',
  ])('is left as it is when it says more, or no time: %s', (question) => {
    expect(resolveFollowUp(question, 'was there a dog today?')).toBe(question);
  });
});
