/**
 * Words next to a time in a question that change its meaning: "except in the last hour", "just before 1:42", "is the
 * car that came at 9 am still there?". With such words, the time is not the part that the question is about.
 */
import { DAY } from './day-phrases.ts';
import { DURATION, BARE_UNIT } from './time-phrases.ts';

const anyOf = (...words: readonly string[]): string => `(?:${words.join('|')})`;
const DETERMINER = anyOf(
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
const DEFINITE_WORD = anyOf('the', 'my', 'your', 'our', 'his', 'her', 'their', 'that', 'this', 'those', 'these', 'it');

/** Ends of text before a time. */
const MODIFIER_BEFORE = new RegExp(
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
      DURATION,
      BARE_UNIT,
    ],
  )}\\W*$`,
  'i',
);
/** Beginnings of text after a time. */
const MODIFIER_AFTER = new RegExp(
  `^\\W*(?:${anyOf('of', 'before', 'after', 'until', 'than', 'and', 'or', 'but', 'ago')}\\b` +
    `|(?:to|till|through|thru) (?:the |on )?(?:\\d|${DAY}\\b)|[-–] ?\\d)`,
  'i',
);

/** Whether the text before or after a time changes its meaning: "since", "or at 10 am". */
export function changesMeaning(textBefore: string, textAfter: string): boolean {
  return MODIFIER_BEFORE.test(textBefore) || MODIFIER_AFTER.test(textAfter);
}

const BESIDE = /^\W*(?:after|before)\b/i;
const CLOSE_TO = /\b(?:directly|straight|a (?:bit|little|moment|while))\W*$/i;

/** "A bit before 9 am" does not mean all the time before it. */
export function isCloseTo(textBefore: string, said: string): boolean {
  return BESIDE.test(said) && CLOSE_TO.test(textBefore);
}

const PRESENT_WORDS = [
  'still',
  'again',
  'currently',
  'at the moment',
  'at present',
  'gone(?=\\W*$)',
  'any ?more',
  'any longer',
];
export const ASKS_FOR_NOW = new RegExp(`\\b${anyOf('now', ...PRESENT_WORDS)}\\b`, 'i');
/** Matches "now" unless it ends the part: "from 0:10 until now". */
export const ASKS_FOR_NOW_OUTSIDE_RANGE = new RegExp(
  `\\b(?<!(?:to|until|till|and) )now\\b|\\b${anyOf(...PRESENT_WORDS)}\\b`,
  'i',
);
/** "Is the car that came ", "where is the box which was there ": the time identifies the thing. */
const IDENTIFIES_THING = new RegExp(
  "^\\W*(?:(?:so|and|but) )?(?:(?:is|are)(?:n['’]t)?|has|have|does|do|(?:how long )?did|(?:what|where)(?:['’]s| is| are)|can you see) " +
    `${DEFINITE_WORD} .*\\b(?:that|which|who|whom|i|you|we)\\b`,
  'i',
);
const ASKS_WHETHER = /^\W*(?:(?:so|and|but) )?(?:has|have|does|do|did)\b/i;
/** "More cars than there were ", "the same as it did ". */
const COMPARES = new RegExp(
  '\\b(?:than|as) (?:(?:\\w+ ){0,3}' +
    `${anyOf('was', 'were', 'did', 'had', 'is', 'are', 'do', 'does', 'before', 'earlier')})?\\W*(?:at |on |in )?$`,
  'i',
);

/**
 * Whether the time between `textBefore` and `textAfter` identifies a thing, or is one that something is compared with.
 */
export function identifiesThing(textBefore: string, textAfter: string): boolean {
  // "Has the dog that lives here come ": the time is when it may have come.
  const isWhen = ASKS_WHETHER.test(textBefore) && !/\w/.test(textAfter);
  return (IDENTIFIES_THING.test(textBefore) && !isWhen) || COMPARES.test(textBefore);
}

/**
 * Whether a question asks about the present although it names a time, which stands between `textBefore` and
 * `textAfter`.
 */
export function asksForNow(question: string, textBefore: string, textAfter: string): boolean {
  return ASKS_FOR_NOW.test(question) || identifiesThing(textBefore, textAfter);
}

/** "Did the meeting last 2 hours?" */
export const LAST_AS_VERB = new RegExp(
  `\\b(?:do|does|did|will|would|can|could) (?:${DETERMINER} \\w+|it|they) last\\b|\\bhow (?:many|long) (?:\\w+ ){1,2}last\\b`,
  'i',
);

/** Text that is no question without its time: "and", "what was there except". */
const INCOMPLETE = new RegExp(
  `^\\W*(?:and|or|of|then)?\\W*$|^\\W*(?:and )?(?:the )?same (?:for|on|in|at)?\\W*$|\\b${anyOf(
    ...['the', 'a', 'an', 'of', 'or', 'and', 'than', 'before', 'after', 'until', 'since'],
    ...['except', 'excluding', 'unlike', 'without', 'counting', 'within', 'each', 'every'],
  )}\\W*$`,
  'i',
);

export function isIncomplete(rest: string): boolean {
  return INCOMPLETE.test(rest);
}
