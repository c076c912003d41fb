/**
 * Which part of a stream a question asks about: "in the last five minutes", "between 1:00 and 2:00". The model has not
 * learned to tell "within a time" from "ever", so only what was shown in that part is read.
 *
 * A phrase that does not surely name a part stays in the question, which is then about everything kept: reading the
 * wrong part gives a wrong answer without any sign of it. So no words next to the phrase may change its meaning
 * ("except in the last minute", "just before 1:42"), it must be the only such phrase, and what is left without it must
 * still be a question.
 */
import { type AgoPhrase, findOnlyAgo, CLOCK_DAY_MS } from './relative-time.ts';
import {
  BARE_NUMBER,
  CLOCK,
  parseClockMs,
  DURATION,
  parseDurationMs,
  BARE_UNIT,
  NUMBER_START,
  withNumber,
  to12Hour,
} from './time-phrases.ts';
import { DATE, DAY, STANDALONE_DAY, WEEK_OR_MONTH } from './day-phrases.ts';
import {
  ASKS_FOR_NOW,
  ASKS_FOR_NOW_OUTSIDE_RANGE,
  asksForNow,
  isCloseTo,
  isIncomplete,
  changesMeaning,
  LAST_AS_VERB,
  identifiesThing,
} from './changed-meaning.ts';
import {
  normaliseTimesOfDay,
  dayRangeOfTime,
  isDayPhrase,
  isTimeOfDay,
  dayRange,
  TIME_OF_DAY,
  timeOfDay,
  timeOfDayRange,
} from './time-of-day.ts';

/** A part of a stream, ms on its clock. null: from the stream's beginning, or up to the question's moment. */
export interface QuestionSpan {
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** The question without the phrase, since the reading is limited to the part: "was there a dog?" */
  readonly question: string;
}

/**
 * When a question is asked, ms: its moment on the stream's clock, the wall time of that clock's zero, and the current
 * wall time. If a camera has been away, the moment may be long past.
 */
export interface TimeContext {
  readonly momentMs: number;
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** Time zone of the times of day (see `time-zone.ts`); default: the process's. */
  readonly timeZone?: string | undefined;
}

type SpanBounds = Omit<QuestionSpan, 'question'>;

interface PhraseRule {
  /**
   * Matches a word of the phrase, as a cheap first test: V8 takes a second to compile all the long expressions, and
   * again after a time without use.
   */
  readonly prefilter: RegExp;
  readonly pattern: RegExp;
  /** Matches questions in which the phrase means something else. */
  readonly exclude?: RegExp;
  /** `groups`: the groups of the match. Returns null if they make no time together. */
  readonly resolve: (groups: readonly string[], context: TimeContext) => SpanBounds | null;
}

const PREPOSITION = '(?:in|within|during|over|for|throughout)(?: about)?(?: the| these| those)?';
/** A time on the stream's clock, or relative to the question. */
const STREAM_TIME = `${CLOCK}(?! ${DAY}\\b)|(?:${DURATION}) ago\\b`;
const TIME = `${TIME_OF_DAY}|${STREAM_TIME}`;
/** Ignored: nobody means it to the minute. */
const ABOUT = '(?:(?:about|around) )?';
/**
 * "What was there before 1:00?" asks for what came next to that time; "which camera showed a dog before 9 pm" does not.
 * "How long after" asks for a length of time.
 */
const ASKS_FOR_A_THING = /\b(?:what|which(?! (?:cameras?|streams?|videos?|recordings?|feeds?)\b)|who|name)\b/i;
const ASKS_HOW_LONG = /\bhow (?:long|soon|much later)\b|\bbeen (?:since|after)\b/i;
/** Questions about a change keep their time, as in training (`haschanged` of the recipe). */
const ASKS_FOR_A_CHANGE = /\b(?:chang(?:e|es|ed)|anything new|something new|something else)\b/i;

/** "Is it usually empty in the evening?" */
const ASKS_FOR_A_HABIT =
  '\\b(?:do|does|is|are|will|can|usually|always|often|ever|never)\\b.*\\b(?:in|during) the (?:morning|afternoon|evening)\\b';

/** Adds nothing to the day that follows. */
const DAY_FILLER =
  '(?:earlier|later|early|late|some ?time|at (?:some|any) (?:point|time)|any ?time|first thing|so far|yet|during|within|throughout' +
  '|(?:over|during) the course of|(?:for )?all of|all (?:day|night)(?: long)?|(?:the )?(?:whole|entire) (?:day|night))';

const resolveLookBack = ([length = '']: readonly string[], { momentMs }: TimeContext): SpanBounds => ({
  sinceMs: momentMs - parseDurationMs(length),
  untilMs: null,
});

const LAST = /\b(?:last|past|previous)\b/i;
const FIRST = /\bfirst\b/i;
const AGO = /\bago\b/i;
const BETWEEN = /\b(?:between|from)\b/i;
const SINCE = /\bsince\b/i;
const AFTER = /\bafter\b/i;
const BEFORE = /\b(?:before|until|till|up to)\b/i;
const DAY_WORD = /day|week|month|night|morning|afternoon|evening|\bon\b/i;

const PHRASES: readonly PhraseRule[] = [
  {
    prefilter: LAST,
    // "During last week" is the week before this one.
    pattern: phrasePattern(
      `${PREPOSITION}(?!(?<=during|throughout) last week\\b) (?:last|past|previous) (${DURATION}|${BARE_UNIT})(?: or so)?`,
    ),
    resolve: resolveLookBack,
  },
  {
    prefilter: AGO,
    pattern: phrasePattern(`(?:less than|no(?:t)? more than|within|under) (${DURATION}) ago`),
    resolve: resolveLookBack,
  },
  {
    prefilter: AGO,
    pattern: phrasePattern(`(?:more than|at least|over) ((?:${DURATION}) ago)`),
    resolve: ([ago = ''], context) => ({ sinceMs: null, untilMs: parseTimeMs(ago, context) }),
  },
  // At the start or end, where nothing else can be meant: "any dog last 20 seconds?"
  {
    prefilter: LAST,
    pattern: new RegExp(`^\\W*(?:the )?(?:last|past) (${DURATION})(?: or so)?,?`, 'gi'),
    resolve: resolveLookBack,
  },
  {
    prefilter: LAST,
    pattern: new RegExp(`,? ?\\b(?:the |these |those )?(?:last|past) (${DURATION})(?: or so)?(?=\\W*$)`, 'gi'),
    exclude: LAST_AS_VERB,
    resolve: resolveLookBack,
  },
  {
    prefilter: LAST,
    pattern: new RegExp(
      `(?<!\\b(?:on|at|in|of|was|were|is|about|for)),? \\b(?:the past|the last(?= (?:hour|day|week)\\b)|last(?= (?:hour|hr)\\b)) (${BARE_UNIT})(?: or so)?(?=\\W*$)`,
      'gi',
    ),
    exclude: LAST_AS_VERB,
    resolve: resolveLookBack,
  },
  {
    prefilter: FIRST,
    pattern: phrasePattern(`${PREPOSITION} (?:very )?first (${DURATION}|${BARE_UNIT})`),
    exclude: ASKS_FOR_NOW,
    resolve: ([length = '']) => ({ sinceMs: null, untilMs: parseDurationMs(length) }),
  },
  {
    prefilter: BETWEEN,
    pattern: phrasePattern(
      `(?:between|from) ${ABOUT}(${TIME}|${BARE_NUMBER}) (?:and|to|until|till) ${ABOUT}(${TIME}|now\\b)`,
    ),
    exclude: ASKS_FOR_NOW_OUTSIDE_RANGE,
    resolve: ([from = '', to = ''], context) => spanBetween(from, to, context),
  },
  {
    prefilter: BETWEEN,
    pattern: phrasePattern(
      `(?:between|from) ${ABOUT}(${TIME_OF_DAY}) (?:and|to|until|till) ${ABOUT}(\\d{1,2})(?=\\W*$|, )`,
    ),
    exclude: ASKS_FOR_NOW_OUTSIDE_RANGE,
    resolve: ([from = '', to = ''], context) => spanBetween(from, `${to}:00`, context),
  },
  {
    prefilter: AGO,
    pattern: new RegExp(
      `,? ?(?:\\babout )?${NUMBER_START}(${BARE_NUMBER}) ?(?:to|or|-|–) ?((?:${DURATION}) ago\\b),?`,
      'gi',
    ),
    exclude: ASKS_FOR_NOW_OUTSIDE_RANGE,
    resolve: ([from = '', to = ''], context) => spanBetween(from, to, context),
  },
  {
    prefilter: SINCE,
    pattern: phrasePattern(`(?:ever )?since ${ABOUT}(${TIME})`),
    exclude: ASKS_HOW_LONG,
    resolve: ([time = ''], context) => ({ sinceMs: parseTimeMs(time, context), untilMs: null }),
  },
  {
    prefilter: AFTER,
    pattern: phrasePattern(`after ${ABOUT}(${STREAM_TIME})`),
    exclude: new RegExp(`${ASKS_FOR_A_THING.source}|${ASKS_HOW_LONG.source}`, 'i'),
    resolve: ([time = ''], context) => ({ sinceMs: parseTimeMs(time, context), untilMs: null }),
  },
  {
    prefilter: AFTER,
    pattern: phrasePattern(`after ${ABOUT}(${TIME_OF_DAY})`),
    exclude: ASKS_HOW_LONG,
    resolve: ([time = ''], context) => ({ sinceMs: parseTimeMs(time, context), untilMs: dayOf(time, context).untilMs }),
  },
  {
    prefilter: BEFORE,
    pattern: phrasePattern(`(?:before|until|till|up to) ${ABOUT}(${STREAM_TIME})`),
    exclude: new RegExp(`${ASKS_FOR_A_THING.source}|${ASKS_HOW_LONG.source}|${ASKS_FOR_NOW.source}`, 'i'),
    resolve: ([time = ''], context) => ({ sinceMs: null, untilMs: parseTimeMs(time, context) }),
  },
  {
    prefilter: BEFORE,
    pattern: phrasePattern(`(?:before|until|till|up to) ${ABOUT}(${TIME_OF_DAY})`),
    exclude: new RegExp(`${ASKS_HOW_LONG.source}|${ASKS_FOR_NOW.source}`, 'i'),
    resolve: ([time = ''], context) => ({ sinceMs: dayOf(time, context).sinceMs, untilMs: parseTimeMs(time, context) }),
  },
  {
    prefilter: SINCE,
    pattern: phrasePattern(`(?:ever )?since (${DAY}|${WEEK_OR_MONTH})`),
    exclude: ASKS_HOW_LONG,
    resolve: ([day = ''], context) => ({ sinceMs: dayBounds(day, context).sinceMs, untilMs: null }),
  },
  {
    prefilter: BEFORE,
    pattern: phrasePattern(`(?<!\\bday )before (${DAY}|${WEEK_OR_MONTH})`),
    exclude: new RegExp(`${ASKS_HOW_LONG.source}|${ASKS_FOR_NOW.source}`, 'i'),
    resolve: ([day = ''], context) => ({ sinceMs: null, untilMs: dayBounds(day, context).sinceMs }),
  },
  {
    prefilter: BETWEEN,
    pattern: phrasePattern(`(?:between|from) (${DAY}) (?:and|to|until|till) (${DAY})`),
    exclude: ASKS_FOR_NOW_OUTSIDE_RANGE,
    resolve: ([from = '', to = ''], context) => ({
      ...dayBounds(from, context),
      untilMs: dayBounds(to, context).untilMs,
    }),
  },
  {
    prefilter: DAY_WORD,
    pattern: phrasePattern(`(?:${DAY_FILLER} )?(${STANDALONE_DAY})`),
    // "At 7:30 this morning" is a moment, not a part; "does he come in the morning?" asks about all mornings.
    exclude: new RegExp(`${ASKS_FOR_NOW.source}|${TIME_OF_DAY}|${CLOCK}|${ASKS_FOR_A_HABIT}`, 'i'),
    resolve: ([day = ''], context) => dayBounds(day, context),
  },
];

function phrasePattern(words: string): RegExp {
  return new RegExp(`,? ?\\b${words},?`, 'gi');
}

interface PhraseMatch {
  readonly phrase: PhraseRule;
  /** The matched text, its groups, and the text before and after it. */
  readonly text: string;
  readonly groups: readonly string[];
  readonly textBefore: string;
  readonly textAfter: string;
  /** The question without the phrase, or unchanged if it asks about a change. */
  readonly question: string;
}

/** Days outside the phrase. The question is then about those, so the phrase is not surely its part. */
const NAMES_A_DAY = new RegExp(
  '\\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|yesterday|today|tonight|(?:this|last) (?:morning|afternoon|evening|night|week|month|year)|(?:this|last|the) weekend)\\b' +
    `|\\b(?:${DURATION}) ago\\b|\\b${DATE}|\\bon \\d{1,2}[/.]\\d{1,2}\\b`,
  'i',
);

/** The phrase that surely names a part, its match, and the question without it; null if there is none. */
function findPhrase(asked: string): PhraseMatch | null {
  const question = normaliseTimesOfDay(asked);
  const found = PHRASES.filter(({ prefilter }) => prefilter.test(question)).flatMap((phrase) => {
    const matches = [...question.matchAll(phrase.pattern)];
    return matches.length > 0 && phrase.exclude?.test(question) === true
      ? []
      : matches.map((match) => ({ match, phrase }));
  });
  const [first] = found;
  // "7:30 this morning" is one time; the "this morning" in it is not another part.
  if (first === undefined || found.some(({ match }) => !liesWithin(match, first.match))) return null;
  const [textBefore, textAfter] = textAround(question, first.match);
  if (
    changesMeaning(textBefore, textAfter) ||
    isCloseTo(textBefore, first.match[0]) ||
    identifiesThing(textBefore, textAfter)
  )
    return null;
  const rest = `${textBefore}${textAfter}`.replace(/^[\s:;–—-]+/, '').trim();
  if (isIncomplete(rest) || NAMES_A_DAY.test(rest)) return null;
  const { phrase, match } = first;
  return {
    ...{ phrase, text: match[0], groups: match.slice(1), textBefore, textAfter },
    question: asksForAChange(question) ? question : rest,
  };
}

/** The part that a question is about; null if it names none, or none for sure. */
export function findSpan(question: string, context: TimeContext): QuestionSpan | null {
  const named = findPhrase(question);
  const times = named?.phrase.resolve(named.groups, context);
  if (named === null || times == null) return null;
  const { sinceMs, untilMs } = times;
  // A date that does not exist is no time.
  if (Number.isNaN(sinceMs) || Number.isNaN(untilMs)) return null;
  if (sinceMs !== null && untilMs !== null && untilMs < sinceMs) return null;
  const spanMs = sinceMs === null ? Infinity : (untilMs ?? context.momentMs) - sinceMs;
  return { sinceMs, untilMs, question: asksForAChange(question) ? rephraseChange(named, spanMs) : named.question };
}

/** How far back, ms, the model can tell whether something changed. It is asked as "in the last 20 seconds". */
const CHANGE_WITHIN_MS = 60_000;

/** Puts "has anything changed since 0:05?" in the words that the model knows, if they reach that far back. */
function rephraseChange({ text, textBefore, textAfter, question }: PhraseMatch, spanMs: number): string {
  if (LAST.test(text) || spanMs > CHANGE_WITHIN_MS) return question;
  const seconds = Math.max(1, Math.round(spanMs / 1_000));
  return `${textBefore} in the last ${seconds === 1 ? 'second' : `${seconds} seconds`}${textAfter}`.trim();
}

export function asksForAChange(question: string): boolean {
  return ASKS_FOR_A_CHANGE.test(question);
}

/**
 * How far back from its moment a question says that it looks, ms, and the question without that phrase; null if it does
 * not say.
 */
export function findLookBack(question: string): { readonly backMs: number; readonly question: string } | null {
  const named = findPhrase(question);
  if (named?.phrase.resolve !== resolveLookBack) return null;
  return { backMs: parseDurationMs(named.groups[0] ?? ''), question: named.question };
}

/** Instants other than times of day. The first of "between 10 and 5 minutes ago" is a bare number. */
const INSTANT = new RegExp(`ago$|^now$|^${BARE_NUMBER}$`, 'i');
const BARE = new RegExp(`^${BARE_NUMBER}$`, 'i');

/** A moment that a question names, and the text around it. */
export interface QuestionMoment {
  /** On the stream's clock, ms, and how much before and after it is meant as well. */
  readonly ms: number;
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly textBefore: string;
  readonly textAfter: string;
}

const AT = '(at|around|about|at around|at about|at time)';
/** Tested before the expressions below, which take long to compile. */
const SAYS_AT = /\b(?:at|around|about|time) \d/i;
const AT_TIME_OF_DAY = new RegExp(`\\b${AT} (${TIME_OF_DAY})`, 'i');
const ANY_TIME = new RegExp(`${TIME_OF_DAY}|${CLOCK}`, 'i');
/** "Around 9 am" covers this much before and after it, ms. */
const AROUND_MS = 300_000;
/** "At 9 am" lasts as long as clocks show it, ms. */
const MINUTE_MS = 60_000;

/** "Has anyone come since the dog left ": the time that follows is not the one asked about. */
const BESIDE_A_CLAUSE =
  /\b(?:since|after|until|till|(?<!\bday )before) (?:i|we|you|he|she|it|they|(?:the|a|an|my|his|her|our|their) \w+) (?:\w+ed|was|were|had|left|came|went|got|began|stopped|started|fell|ran) (?:\w+ )*(?:at )?$/i;

/**
 * The time that `pattern` finds after a word of AT, and the text around it; null unless it is surely what is asked
 * about.
 */
function findTime(
  question: string,
  pattern: RegExp,
): { readonly at: string; readonly said: string; readonly textBefore: string; readonly textAfter: string } | null {
  const match = SAYS_AT.test(question) ? pattern.exec(question) : null;
  if (match === null) return null;
  const [, at = '', said = ''] = match;
  const [textBefore, textAfter] = textAround(question, match);
  const rest = `${textBefore}${textAfter}`;
  const isUnsure =
    BESIDE_A_CLAUSE.test(textBefore) ||
    NAMES_A_DAY.test(rest) ||
    ANY_TIME.test(rest) ||
    changesMeaning(textBefore, textAfter) ||
    asksForNow(question, textBefore, textAfter);
  return isUnsure ? null : { at, said, textBefore, textAfter };
}

/**
 * The moment of "at 7:30 this morning", on the stream's clock; null if the question names none, or another time too.
 */
export function findMoment(asked: string, { startedAtMs, nowMs, timeZone }: TimeContext): QuestionMoment | null {
  const found = findTime(normaliseTimesOfDay(asked), AT_TIME_OF_DAY);
  if (found === null) return null;
  const { at, said, textBefore, textAfter } = found;
  const ms = timeOfDay(said, nowMs, timeZone) - startedAtMs;
  if (Number.isNaN(ms)) return null;
  if (/around|about/i.test(at)) return { ms, beforeMs: AROUND_MS, afterMs: AROUND_MS, textBefore, textAfter };
  const hasSeconds = /:\d\d:\d\d/.test(said);
  return { ms, beforeMs: 0, afterMs: hasSeconds ? 0 : MINUTE_MS - 1, textBefore, textAfter };
}

const AT_CLOCK = new RegExp(`\\b${AT} (${CLOCK})(?! ?[ap]\\b| ${DAY}\\b)`, 'i');

/**
 * The moment of "at 1:42", on the stream's clock; null if the question names none, or another time too. Clocks show a
 * time once a day: the last one up to `momentMs` is meant.
 */
export function findClockTime(question: string, momentMs: number): QuestionMoment | null {
  const found = findTime(question, AT_CLOCK);
  if (found === null) return null;
  const { textBefore, textAfter } = found;
  const said = parseClockMs(found.said);
  const ms = said + Math.max(0, Math.floor((momentMs - said) / CLOCK_DAY_MS)) * CLOCK_DAY_MS;
  return { ms, beforeMs: 0, afterMs: 0, textBefore, textAfter };
}

/**
 * The only "10 minutes ago" of a question, as from `findOnlyAgo`; null also unless it is surely the moment asked about.
 */
export function findAgo(question: string): AgoPhrase | null {
  const ago = findOnlyAgo(question);
  if (ago === null) return null;
  const isUnsure =
    BESIDE_A_CLAUSE.test(ago.textBefore) ||
    changesMeaning(ago.textBefore, ago.textAfter) ||
    asksForNow(question, ago.textBefore, ago.textAfter);
  return isUnsure ? null : ago;
}

const ZONE =
  '(?:UTC|GMT|Z|[ECMP][SD]T|CES?T|EES?T|WES?T|BST|IST|MSK|JST|KST|AE[SD]T)(?: ?[+-]\\d{1,2}(?::?\\d\\d)?)?(?![\\w-])';
const O_CLOCK = "\\d o['’]?clock";
const AT_O_CLOCK = new RegExp(
  `\\b(?:at|around|about|after|before|since|until|till) [\\d:]*${O_CLOCK}\\b(?! (?:from|of|position|direction|side|hand)\\b)`,
  'i',
);
const IN_A_ZONE = new RegExp(`(?:${TIME_OF_DAY}|${CLOCK}|${O_CLOCK}) ?(${ZONE})`, 'gi');

/** Tested before the expression above, which takes long to compile. */
const SAYS_A_ZONE = /\d(?: ?[AaPp]\.?[Mm]\.?| o['’]?clock)?(?: ?[A-Z]{1,4})\b/;

/** The upper-case time zones that follow times of day: "3:46 pm CET". */
export function namedZones(question: string): string[] {
  if (!SAYS_A_ZONE.test(question)) return [];
  const zones = [...normaliseTimesOfDay(question).matchAll(IN_A_ZONE)].map(([, zone = '']) => zone);
  return zones.filter((zone) => zone === zone.toUpperCase());
}

/** The question without these zones. `15:35 UTC` becomes "3:35 pm": `15:35` would be on the stream's clock. */
export function withoutZones(question: string, zones: readonly string[]): string {
  if (zones.length === 0) return question;
  const zone = [...new Set(zones)].map((one) => one.replace('+', '\\+')).join('|');
  const timed = new RegExp(`(\\d{1,2})((?::[0-5]\\d){0,2})( ?[ap](?:m\\b|\\.m\\.))? ?(?:${zone})(?![\\w-])`, 'gi');
  return question.replace(timed, (_, hour: string, minutes: string, half: string | undefined) =>
    half === undefined
      ? `${to12Hour(Number(hour))}${minutes} ${Number(hour) % 24 < 12 ? 'am' : 'pm'}`
      : `${hour}${minutes}${half}`,
  );
}

const PROBE_QUESTION = 'was it there';
/** Questions that only name a time: "and yesterday?", "what about at noon?", "same for this morning". */
const FOLLOW_UP =
  /^\W*(?:(?:and|so|ok|okay|then|now)\b\W*)*(?:(?:what|how) about |the same (?:for )?|same (?:question )?(?:for )?)?(.*?)[?.!\s]*$/i;

const SAYS_NOW = / (?:right now|just now|now|at the moment|currently)(?=[?.!,\s]*$)|(?<=\b(?:is|are) )currently /gi;

/**
 * The question that `previous` asks, about the time in `question`: "was there a dog today?", then "and yesterday?".
 * Returns `question` itself if it says more than a time, or no time.
 */
export function resolveFollowUp(question: string, previous: string): string {
  const [, time = ''] = FOLLOW_UP.exec(question) ?? [];
  if (time === '' || stripTime(`${PROBE_QUESTION} ${time}`) !== PROBE_QUESTION) return question;
  const asked = stripTime(withoutZones(previous, namedZones(previous))).replace(SAYS_NOW, '');
  // "Are there more people than yesterday?" still names a day.
  return NAMES_A_DAY.test(asked) ? question : `${asked.replace(/[?.!\s]*$/, '')} ${time}?`;
}

/** A question without the part or moment that it surely names; unchanged if it names none. */
function stripTime(question: string): string {
  const found =
    findPhrase(question) ??
    findTime(normaliseTimesOfDay(question), AT_TIME_OF_DAY) ??
    findTime(question, AT_CLOCK) ??
    findAgo(question);
  return found === null ? question : `${found.textBefore.trimEnd()}${found.textAfter}`.replace(/^[,:\s]+/, '').trim();
}

/**
 * Whether a question names a moment or a part by times of day, which mean nothing for a stream of unknown wall times.
 */
export function namesTimeOfDay(question: string): boolean {
  const parts = findPhrase(question)?.groups ?? [];
  const timed = normaliseTimesOfDay(question);
  return (
    (SAYS_AT.test(timed) && AT_TIME_OF_DAY.test(timed)) ||
    AT_O_CLOCK.test(question) ||
    parts.some((part) => isTimeOfDay(part) || isDayPhrase(part))
  );
}

/**
 * The part that a question is about, if only instants that several streams share bound it: times of day, and "10
 * minutes ago". Null if it depends on a stream's own clock.
 */
export function findSharedSpan(question: string, context: TimeContext): QuestionSpan | null {
  const parts = findPhrase(question)?.groups ?? [];
  // The second time of "between 8 am and 9:30" is a time of day like the first.
  const hasTimeOfDay = parts.some(isTimeOfDay);
  return parts.every(
    (part) => isTimeOfDay(part) || isDayPhrase(part) || INSTANT.test(part) || (hasTimeOfDay && isHour(part)),
  )
    ? findSpan(question, context)
    : null;
}

/** `9:30`: a time of day only when paired with one. */
const isHour = (text: string): boolean => /^\d{1,2}(?::\d\d){1,2}$/.test(text);

function liesWithin(inner: RegExpMatchArray, outer: RegExpMatchArray): boolean {
  const [begin = 0, within = 0] = [inner.index, outer.index];
  return begin >= within && begin + inner[0].length <= within + outer[0].length;
}

function textAround(question: string, { index = 0, 0: all }: RegExpMatchArray): [start: string, end: string] {
  return [question.slice(0, index), question.slice(index + all.length)];
}

function spanBetween(from: string, to: string, context: TimeContext): SpanBounds | null {
  if (/^now$/i.test(to)) return { sinceMs: parseTimeMs(from, context), untilMs: null };
  if ((isTimeOfDay(to) && !/ago$/i.test(from)) || (isTimeOfDay(from) && isHour(to))) {
    const [fromMs, toMs] = timeOfDayRange(from, to, context.nowMs, context.timeZone);
    return { sinceMs: fromMs - context.startedAtMs, untilMs: toMs - context.startedAtMs };
  }
  // "Between 10 and 5 minutes ago", in either order. Before anything but "ago", a bare number is no time.
  const bare = BARE.test(from);
  if (bare && !/ago$/i.test(to)) return null;
  const first = bare ? withNumber(to, from) : from;
  const [sinceMs, untilMs] = [parseTimeMs(first, context), parseTimeMs(to, context)];
  return first === from
    ? { sinceMs, untilMs }
    : { sinceMs: Math.min(sinceMs, untilMs), untilMs: Math.max(sinceMs, untilMs) };
}

function dayBounds(day: string, context: TimeContext): SpanBounds {
  return toStreamBounds(dayRange(day, context.nowMs, context.timeZone), context);
}

/** A day that is not over yet has no end. */
function toStreamBounds(
  [fromMs, toMs]: readonly [fromMs: number, toMs: number],
  { momentMs, startedAtMs }: TimeContext,
): SpanBounds {
  const untilMs = toMs - startedAtMs;
  return { sinceMs: fromMs - startedAtMs, untilMs: untilMs < momentMs ? untilMs : null };
}

/** The day that a match of TIME names, if any: "after 5 pm yesterday" is about yesterday. */
function dayOf(text: string, context: TimeContext): SpanBounds {
  const day = isTimeOfDay(text) ? dayRangeOfTime(text, context.nowMs, context.timeZone) : null;
  return day === null ? { sinceMs: null, untilMs: null } : toStreamBounds(day, context);
}

/** The time of a match of TIME on the stream's clock, ms. */
function parseTimeMs(text: string, { momentMs, startedAtMs, nowMs, timeZone }: TimeContext): number {
  if (isTimeOfDay(text)) return timeOfDay(text, nowMs, timeZone) - startedAtMs;
  return /ago$/i.test(text) ? momentMs - parseDurationMs(text.slice(0, -'ago'.length).trim()) : parseClockMs(text);
}
