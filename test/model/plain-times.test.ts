import { describe, expect, test } from 'vitest';
import { plainTimes } from '../../src/model/plain-times.ts';

describe('A time that is said or typed in a hurry', () => {
  test.each([
    ['was there a dog @ 9am?', 'was there a dog at 9am?'],
    ['was there a dog at nine am', 'was there a dog at 9 am'],
    ['was there a dog at one thirty pm?', 'was there a dog at 1:30 pm?'],
    ['was there a dog between nine and ten this morning?', 'was there a dog between 9 and 10 this morning?'],
    ['was there a dog yesterday evening around eight?', 'was there a dog yesterday evening around 8?'],
    ['was there a dog yesterday between five and six?', 'was there a dog yesterday between 5 and 6?'],
    ['was there a dog at half past nine this morning?', 'was there a dog at 9:30 this morning?'],
    ['was there a dog between half past nine and 10 am?', "was there a dog between 9:30 o'clock and 10 am?"],
    ['was there a dog at a quarter to 10 yesterday?', "was there a dog at 9:45 o'clock yesterday?"],
    ['was there a dog at ten to one this afternoon?', 'was there a dog at 12:50 this afternoon?'],
    ['was there a dog at midday?', 'was there a dog at noon?'],
    ['was there a dog at 9.30 am?', 'was there a dog at 9:30 am?'],
    ['was there a dog at 09:00 hrs?', 'was there a dog at 9:00 am?'],
    ['was there a dog after 2130 hours yesterday?', 'was there a dog after 9:30 pm yesterday?'],
    ['was there a dog at 9ish this morning?', 'was there a dog around 9 this morning?'],
    ['was there a dog at 5 pm or so?', 'was there a dog around 5 pm?'],
    ['did anyone come roughly at 5pm?', 'did anyone come around 5pm?'],
    ['did anyone come at exactly 5 pm?', 'did anyone come at 5 pm?'],
    ['did anyone come some time after 5 pm?', 'did anyone come after 5 pm?'],
    ['was the mail there by 9 am?', 'was the mail there until 9 am?'],
    ['was there a dog 9-10am today?', 'was there a dog between 9 and 10am today?'],
    ['was there a dog 0:10-0:20?', 'was there a dog between 0:10 and 0:20?'],
    ['was there a dog 9 am to 10 am?', 'was there a dog from 9 am to 10 am?'],
    ['door open 9pm yesterday?', 'door open at 9pm yesterday?'],
    ['9 am: was there a dog?', 'at 9 am, was there a dog?'],
    ['did anyone come 3h20m ago?', 'did anyone come 3h 20m ago?'],
    ['did anyone come in the last half-hour?', 'did anyone come in the last half hour?'],
    ['did anyone come in the last hour or two?', 'did anyone come in the last 2 hours?'],
    ['did anyone come in the last five to ten minutes?', 'did anyone come in the last ten minutes?'],
    ['did anyone come in the last several minuts?', 'did anyone come in the last few minutes?'],
    ['did anyone come yesteday?', 'did anyone come yesterday?'],
    ['what was there 5 minutes in?', 'what was there at 5:00?'],
    ['what was there at 90 seconds?', 'what was there at 1:30?'],
    ['what was there at minute 5?', 'what was there at 5:00?'],
    ['was there a dog between minutes 5 and 10?', 'was there a dog between 5:00 and 10:00?'],
    ['how many came in the evening yesterday?', 'how many came yesterday evening?'],
    ['was there a dog on the morning of the 29th?', 'was there a dog on the 29th morning?'],
    ['was there a dog on Fri at 9am?', 'was there a dog on Friday at 9am?'],
    ['was there a dog on 11/29 at 9am?', 'was there a dog on nov 29 at 9am?'],
    ['did anyone come since I left at 9 am?', 'did anyone come since 9 am?'],
    ['did anyone come after we went out 2 hours ago?', 'did anyone come after 2 hours ago?'],
    ['did anyone come yesterday or today?', 'did anyone come between yesterday and today?'],
    ['what about 5 minutes ago, was there a dog?', '5 minutes ago, was there a dog?'],
  ])('is said in plain words: %s', (said, plain) => {
    expect(plainTimes(said)).toBe(plain);
    expect(plainTimes(plain)).toBe(plain);
  });

  test.each([
    'what is shown at 9?',
    'does the sign say 9 am?',
    'what does the sign say, 9am to 5pm?',
    'is it 9 am?',
    'is it past 9 pm?',
    'were there about five to ten people?',
    'were there between five to ten dogs?',
    'was there one or two yesterday?',
    'did he run at 5 minutes pace?',
    'did the man wed at 5pm?',
    'did the cat last sat here?',
    'is the car close to midnight blue?',
    'was there a dog on 5/6 at 9 am?',
    'what about the cat?',
    'is the timer at 5 minutes?',
    'is it on 16/9 screens?',
    'did anyone come after the dog?',
  ])('is none where something else may be meant: %s', (question) => {
    expect(plainTimes(question)).toBe(question);
  });
});
