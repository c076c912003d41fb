/**
 * Words next to a time in a question that change its meaning: "except in the last hour", "just before 1:42", "is the
 * car that came at 9 am still there?". With such words, the time is not the part that the question is about.
 */
import { DAY } from './said-day.ts';
import { LENGTH, ONE } from './said-time.ts';

const anyOf = (...words: readonly string[]): string => `(?:${words.join('|')})`;
const THE = anyOf(
  'the',
  'a',
  'an',
  'this',
  'that',
  'these',
  'those',
  'any',
  'each',
  'every',
  'my',
  'your',
  'his',
  'her',
  'its',
  'our',
  'their',
);
const IT = anyOf('the', 'my', 'your', 'our', 'his', 'her', 'their', 'that', 'this', 'those', 'these', 'it');

/** Ends of text before a time. */
const TURNED_BEFORE = new RegExp(
  `\\b${anyOf(
    // A part other than the named one.
    ...['before', 'after', 'until', 'till', 'since', 'between', 'from', 'within'],
    ...['except', 'excluding', 'besides', 'other than', 'apart from', 'without', 'counting', 'not'],
    // A comparison.
    ...['than', 'as', 'like', 'unlike', 'as of', '(?:compared|up|prior|previous) to', 'compared with'],
    // More than one time.
    ...['and', 'or', 'each', 'every'],
    // A moment near the named one.
    ...[
      'about',
      'at (?:least|most)',
      'just',
      'right',
      'shortly',
      'immediately',
      'soon',
      'long',
      'exactly',
      LENGTH,
      ONE,
    ],
  )}\\W*$`,
  'i',
);
/** Beginnings of text after a time. */
const TURNED_AFTER = new RegExp(
  `^\\W*(?:${anyOf('of', 'before', 'after', 'until', 'than', 'and', 'or', 'but', 'ago')}\\b` +
    `|(?:to|till|through|thru) (?:the |on )?(?:\\d|${DAY}\\b)|[-–] ?\\d)`,
  'i',
);

/** Whether the text before or after a time changes its meaning: "since", "or at 10 am". */
export function changesMeaning(start: string, end: string): boolean {
  return TURNED_BEFORE.test(start) || TURNED_AFTER.test(end);
}

const BESIDE = /^\W*(?:after|before)\b/i;
const CLOSE_TO = /\b(?:directly|straight|a (?:bit|little|moment|while))\W*$/i;

/** "A bit before 9 am" does not mean all the time before it. */
export function isCloseTo(start: string, said: string): boolean {
  return BESIDE.test(said) && CLOSE_TO.test(start);
}

const NOW_BESIDES = [
  'still',
  'again',
  'currently',
  'at the moment',
  'at present',
  'gone(?=\\W*$)',
  'any ?more',
  'any longer',
];
export const ASKS_FOR_NOW = new RegExp(`\\b${anyOf('now', ...NOW_BESIDES)}\\b`, 'i');
/** Matches "now" unless it ends the part: "from 0:10 until now". */
export const ASKS_FOR_NOW_TOO = new RegExp(`\\b(?<!(?:to|until|till|and) )now\\b|\\b${anyOf(...NOW_BESIDES)}\\b`, 'i');
/** "Is the car that came ", "where is the box which was there ": the time identifies the thing. */
const SAYS_WHICH = new RegExp(
  "^\\W*(?:(?:so|and|but) )?(?:(?:is|are)(?:n['’]t)?|has|have|does|do|(?:how long )?did|(?:what|where)(?:['’]s| is| are)|can you see) " +
    `${IT} .*\\b(?:that|which|who|whom|i|you|we)\\b`,
  'i',
);
const ASKS_WHETHER = /^\W*(?:(?:so|and|but) )?(?:has|have|does|do|did)\b/i;
/** "More cars than there were ", "the same as it did ". */
const COMPARES = new RegExp(
  '\\b(?:than|as) (?:(?:\\w+ ){0,3}' +
    `${anyOf('was', 'were', 'did', 'had', 'is', 'are', 'do', 'does', 'before', 'earlier')})?\\W*(?:at |on |in )?$`,
  'i',
);

/** Whether the time between `start` and `end` identifies a thing, or is one that something is compared with. */
export function saysWhich(start: string, end: string): boolean {
  // "Has the dog that lives here come ": the time is when it may have come.
  const isWhen = ASKS_WHETHER.test(start) && !/\w/.test(end);
  return (SAYS_WHICH.test(start) && !isWhen) || COMPARES.test(start);
}

/** Whether a question asks about the present although it names a time, which stands between `start` and `end`. */
export function asksForNow(question: string, start: string, end: string): boolean {
  return ASKS_FOR_NOW.test(question) || saysWhich(start, end);
}

/** "Did the meeting last 2 hours?" */
export const LASTS = new RegExp(
  `\\b(?:do|does|did|will|would|can|could) (?:${THE} \\w+|it|they) last\\b|\\bhow (?:many|long) (?:\\w+ ){1,2}last\\b`,
  'i',
);

/** Text that is no question without its time: "and", "what was there except". */
const CUT_OFF = new RegExp(
  `^\\W*(?:and|or|of|then)?\\W*$|^\\W*(?:and )?(?:the )?same (?:for|on|in|at)?\\W*$|\\b${anyOf(
    ...['the', 'a', 'an', 'of', 'or', 'and', 'than', 'before', 'after', 'until', 'since'],
    ...['except', 'excluding', 'unlike', 'without', 'counting', 'within', 'each', 'every'],
  )}\\W*$`,
  'i',
);

export function isCutOff(rest: string): boolean {
  return CUT_OFF.test(rest);
}
