/**
 * Rewrites times as people say and type them in a hurry ("half past nine", "@ 9am", "9-10am", "21:00 hrs", "5 minutes
 * in") in the words that `said-time.ts`, `said-day.ts` and `time-of-day.ts` know. Other text stays as it is.
 */
import { clockText } from '../clock-text.ts';
import { DATE, DAY, MONTHS, PART, WEEKDAYS } from './said-day.ts';
import { AM_PM, countOf, LENGTH, lengthMs, MERIDIEM, O_CLOCK, UNCUT } from './said-time.ts';

/** A group that takes no part in the match is undefined. */
type Rewrite = (said: string, ...groups: (string | undefined)[]) => string;

interface Rule {
  /** Matches a word of the phrase, as a cheap first test: V8 takes long to compile the long expressions. */
  readonly word: RegExp;
  readonly said: RegExp;
  /** Matches questions in which the phrase means something else. */
  readonly but?: RegExp;
  readonly as: string | Rewrite;
}

const HOUR_WORD = '(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)';
const HOUR = `(?:\\d{1,2}|${HOUR_WORD})`;
const SOME_MINUTES = '(?:\\d{1,2}|twenty[- ]five|five|ten|twenty)';
const MINUTES_AFTER = '(?:fifteen|thirty|forty[- ]five|forty|twenty|fifty)';
/** Words before a time of day. */
const AT = 'at|around|about|after|before|since|until|till|by';
/** The same, or words of a range of two. */
const AT_OR_TO = `(?:${AT}|past|from|between|and|to)`;
const SAID_OF_A_HALF = `${MERIDIEM}|${O_CLOCK}| ${DAY}\\b`;
const TIMED = `\\d{1,2}(?::[0-5]\\d){0,2}${AM_PM}`;
const A_TIME = `(?:${TIMED}|noon\\b|midnight\\b(?! blue)|\\d{1,2}(?::[0-5]\\d)? ?(?:o['’]?clock|${DAY})\\b)`;
const DASH = ' ?[-–—] ?';
const LONG_UNIT = '(?:sec(?:ond)?s?|min(?:ute)?s?|hours?)';
const AT_OR_PART = `(?:${PART}|at|around|after|before|between)\\b`;
const ENDS = '(?=\\W*$|[,;:] )';

const SHORT_WEEKDAY = '(?:mon|tues?|thu(?:rs?)?|fri)';

/** The hour after "half past". */
const AN_HOUR = `(${HOUR})(?! ?[:\\d]| ${LONG_UNIT}\\b)(?:${O_CLOCK})?`;

/** The most common misspellings of these words. */
const MISTYPED: Readonly<Record<string, string>> = {
  ...{ minuts: 'minutes', minuets: 'minutes', minites: 'minutes', mintues: 'minutes', minuites: 'minutes' },
  ...{ secounds: 'seconds', secons: 'seconds', secods: 'seconds', secnds: 'seconds', agao: 'ago', teh: 'the' },
  ...{ yesteday: 'yesterday', yestrday: 'yesterday', yesterdy: 'yesterday', yersterday: 'yesterday' },
  ...{ yesturday: 'yesterday', yeserday: 'yesterday', yestarday: 'yesterday', todya: 'today', tonite: 'tonight' },
  ...{ mornin: 'morning', monring: 'morning', morining: 'morning', afternon: 'afternoon', afernoon: 'afternoon' },
  ...{ evning: 'evening', eveing: 'evening', evenning: 'evening', betwen: 'between', bewteen: 'between' },
};

/** Questions about a time that the picture shows. */
const ASKS_WHAT_IT_SAYS =
  /\b(?:signs?|says?|said|reads?|written|label|scores?|timer|display|show(?! me\b)|shows|showing|mentions?|lists?|posters?|menus?|tickets?|schedules?|alarm|jersey|ratio|write|(?:is|was|what) the time|(?:does|do)\b.*\b(?:open|close))\b|(?<!o['’ ]?)\bclocks?\b/i;

const twelve = (hour: number): number => hour % 12 || 12;
const two = (minutes: number): string => String(minutes).padStart(2, '0');
/** Also converts "half" and "a quarter", of an hour. */
function minutesOf(text: string): number {
  const count = countOf(text);
  return count < 1 ? count * 60 : count;
}

function onTheClock(_: string, past = '', hour = ''): string {
  const minutes = minutesOf(past.replace(/(?: minutes?)? (?:past|to)$/i, ''));
  return /to$/i.test(past)
    ? `${twelve(countOf(hour) + 11)}:${two(60 - minutes)} o'clock`
    : `${countOf(hour)}:${two(minutes)} o'clock`;
}

/** "Fri" becomes `Friday`. */
function weekdayOf(said: string): string {
  const day = WEEKDAYS.find((name) => name.startsWith(said.slice(0, 3).toLowerCase())) ?? said;
  return `${day.charAt(0).toUpperCase()}${day.slice(1)}`;
}

function monthAndDay(said: string, a = '', b = ''): string {
  const [month, day] = Number(a) > MONTHS.length ? [b, a] : [a, b];
  const name = MONTHS[Number(month) - 1];
  return Number(day) > MONTHS.length && name !== undefined ? `${name} ${day}` : said;
}

/** Applied in this order: later rules work on what earlier ones leave. */
const RULES: readonly Rule[] = [
  { word: /@/, said: /(?<!\S)@ ?(?=\d|noon\b|midnight\b)/gi, as: 'at ' },
  { word: /midday/i, said: /\bmid-?day\b/gi, as: 'noon' },
  { word: /\d\.\d/, said: /(?<![\d.])(\d{1,2})\.([0-5]\d)(?= ?[ap](?:m\b|\.m\.))/gi, as: '$1:$2' },
  // "Half past nine", "ten to nine this morning": with `o'clock`, since the result is no time on the stream's clock.
  {
    word: /\b(?:half|quarter)\b/i,
    said: new RegExp(`(?<=\\b${AT_OR_TO} )(half past|(?:a )?quarter (?:past|to)) ${AN_HOUR}`, 'gi'),
    as: onTheClock,
  },
  {
    word: /\b(?:past|to)\b/i,
    said: new RegExp(
      `(?<=\\b(?:${AT}) )(${SOME_MINUTES} minutes? (?:past|to)|${SOME_MINUTES} past|${SOME_MINUTES} to(?= ${HOUR}(?:${SAID_OF_A_HALF}))) ${AN_HOUR}`,
      'gi',
    ),
    as: onTheClock,
  },
  // "Nine thirty this morning", "nine am", "between nine and ten this morning".
  {
    word: /\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b/i,
    said: new RegExp(
      `(?<=\\b${AT_OR_TO} )(${HOUR_WORD})(?: (${MINUTES_AFTER}))?(?=${MERIDIEM}|${O_CLOCK}| (?:this ${PART}|tonight|last night)\\b)`,
      'gi',
    ),
    as: (_, hour = '', minutes) => `${countOf(hour)}${minutes === undefined ? '' : `:${two(minutesOf(minutes))}`}`,
  },
  {
    word: /\b(?:between|from)\b/i,
    said: new RegExp(
      `(?<=\\b(?:between|from) )(${HOUR_WORD})(?= (?:and|to|until|till) ${HOUR}(?:${MERIDIEM}| (?:this ${PART}|tonight|last night)\\b))`,
      'gi',
    ),
    as: (_, hour = '') => String(countOf(hour)),
  },
  // "Half past nine am": the half of the day is known, so `o'clock` goes.
  {
    word: /clock/i,
    said: new RegExp(`(:[0-5]\\d) o['’]?clock(?=${MERIDIEM}| (?:this ${PART}|tonight|last night)\\b)`, 'gi'),
    as: '$1',
  },
  // "21:00 hrs", "1730 hours".
  {
    word: /\dh|\d h/i,
    said: new RegExp(
      `(?<=\\b${AT_OR_TO} )([01]?\\d|2[0-3])(?::([0-5]\\d)|(?<=\\d\\d)([0-5]\\d)) ?(?:hrs?|hours?|h)\\b(?<!\\b(?:for|to|about|around|and) \\d+ ?h\\w*)(?! ago| (?:before|after)\\b)`,
      'gi',
    ),
    as: (_, hour = '', minutes, digits) =>
      `${twelve(Number(hour))}:${minutes ?? digits ?? '00'} ${Number(hour) < 12 ? 'am' : 'pm'}`,
  },
  // "9ish", "5 pm or so", "roughly at 5 pm", "at exactly 5 pm".
  {
    word: /ish\b/i,
    said: new RegExp(`\\b(?:at |around |about )*(\\d{1,2}(?::[0-5]\\d)?)(${AM_PM}?)[- ]?ish\\b`, 'gi'),
    as: 'around $1$2',
  },
  {
    word: /or so|sharp/i,
    said: new RegExp(`\\b(?:at|around|about) (${A_TIME}) (or so|sharp|on the dot)\\b`, 'gi'),
    as: (_, time = '', how) => `${how === 'or so' ? 'around' : 'at'} ${time}`,
  },
  {
    word: /approx|rough|circa|near|close|toward/i,
    said: new RegExp(
      `\\b(?:at )?(?:approximately|approx\\.?|roughly|circa|near|close to|towards?)(?: at)? (?=${A_TIME})`,
      'gi',
    ),
    as: 'around ',
  },
  {
    word: /exact|precise/i,
    said: new RegExp(`\\b(?:at (?:exactly|precisely)|(?:exactly|precisely) at) (?=${A_TIME})`, 'gi'),
    as: 'at ',
  },
  {
    word: /time|point/i,
    said: new RegExp(
      `(?<!\\b(?:there|the|this|is|was|what) )\\b(?:some ?time|any ?time|at (?:any|some) (?:point|time))(?: (?=(?:after|before|between|since|until|till|in|within|during|over) (?:the (?:last|past|first)\\b|${A_TIME}|\\d)))`,
      'gi',
    ),
    as: '',
  },
  // "9-10am", "0:10-0:20", "9 am to 10 am".
  {
    word: /\d ?(?:[ap]\.?m\.?)? ?[-–—]/i,
    said: new RegExp(
      `\\b(?:(?:at|in|between|from|around) )?(?<![\\d.,:/-])(\\d{1,2}(?::[0-5]\\d)?${AM_PM}?)${DASH}(\\d{1,2}(?::[0-5]\\d)?${AM_PM})`,
      'gi',
    ),
    as: 'between $1 and $2',
  },
  {
    word: /:\d\d ?[-–—]/,
    said: new RegExp(
      `\\b(?:(?:at|in|between|from) )?(?<![\\d.,:/-])(\\d{1,2}:[0-5]\\d(?::[0-5]\\d)?)${DASH}(\\d{1,2}:[0-5]\\d(?::[0-5]\\d)?)(?![\\d:])`,
      'gi',
    ),
    as: 'between $1 and $2',
  },
  {
    word: /m\.? (?:to|till|until) \d/i,
    said: new RegExp(`(?<!\\b${AT_OR_TO} )(?<![\\d:.])(${TIMED}) (?:to|till|until) (${TIMED})`, 'gi'),
    as: 'from $1 to $2',
  },
  // "Door open 9pm?", "9 am: was there a dog?", "yesterday 5 pm".
  {
    word: /\d ?[ap]\.?m/i,
    said: new RegExp(
      `(?<=\\w )(?<!\\b(?:${AT_OR_TO}|than|of|for|the|a|an|next|each|every|not|only|just|it|is|was|[ap]m) )(?<![\\d:.])(${TIMED}(?: ${DAY})?)${ENDS}`,
      'gi',
    ),
    as: 'at $1',
  },
  { word: /^\W*\d/, said: new RegExp(`^\\W*(${TIMED}(?: ${DAY})?)[,:;]? (?=\\w)`, 'gi'), as: 'at $1, ' },
  {
    word: /\bby\b/i,
    said: new RegExp(`\\bby (?=${TIMED}|noon\\b|midnight\\b|\\d{1,2} (?:this|yesterday)\\b)`, 'gi'),
    but: /\b(?:will|won['’]t|going to|up by|down by)\b|['’]ll\b/i,
    as: 'until ',
  },
  {
    word: /\bpast\b/i,
    said: new RegExp(`(?<!\\b(?:half|quarter|minutes?|it|\\d) )\\bpast (?=${TIMED}|noon\\b|midnight\\b)`, 'gi'),
    as: 'after ',
  },
  // "3h20m", "the last half-hour", "the last 5 or so minutes", "the last hour or two", "the last 5-10 minutes".
  { word: /\d[hm]/i, said: /(?<=\d(?:h|hrs?|m|min))(?=\d+ ?(?:m|s)[a-z]*\b)/gi, as: ' ' },
  { word: /half-|quarter-/i, said: /\b(half|quarter)-(?=(?:an )?hours?\b)/gi, as: '$1 ' },
  { word: /or so/i, said: new RegExp(` or so (?=${LONG_UNIT}\\b)`, 'gi'), as: ' ' },
  { word: /or two/i, said: /\b(?<=\b(?:last|past|previous) )(second|minute|hour|day) or two\b/gi, as: '2 $1s' },
  {
    word: /\b(?:last|past)\b/i,
    said: /(?<=\b(?:last|past) )(?:\d{1,3}|one|two|three|four|five|ten) ?(?:to|or|-|–) ?(?=(?:\d{1,3}|two|three|four|five|six|ten|fifteen|twenty) (?:or so )?(?:sec(?:ond)?s?|min(?:ute)?s?|hours?|hrs?|days?|weeks?)\b)/gi,
    as: '',
  },
  { word: /ago or so/i, said: new RegExp(`\\b(${LENGTH}) ago or so\\b`, 'gi'), as: 'about $1 ago' },
  { word: /back/i, said: new RegExp(`\\b(${LENGTH}) back(?<!\\d ?[smd] back)(?=\\W*$)`, 'gi'), as: '$1 ago' },
  // "At minute 5", "5 minutes in", "at 90 seconds", "between minutes 5 and 10".
  {
    word: /minute/i,
    said: /\b(at|around|after|before|since|until) (?:the )?minute (\d{1,3})\b(?!:)/gi,
    as: '$1 $2:00',
  },
  {
    word: /minute/i,
    said: /\b(between|from) minutes? (\d{1,3}) (and|to|until) (?:minute )?(\d{1,3})\b(?!:)(?! \w*(?:sec|min|hour))/gi,
    as: '$1 $2:00 $3 $4:00',
  },
  {
    word: /sec|min|hour/i,
    said: new RegExp(
      `\\b(?:at )?(?:the )?${UNCUT}(${LENGTH}) (?:in|into (?:the|this) (?:video|stream|recording|clip|film))${ENDS}`,
      'gi',
    ),
    as: (_, length = '') => `at ${clockText(lengthMs(length))}`,
  },
  {
    word: /sec|min|hour/i,
    said: new RegExp(`\\bat (?:the )?(\\d{1,4}[- ]?${LONG_UNIT})(?:[- ]mark)?${ENDS}`, 'gi'),
    as: (_, length = '') => `at ${clockText(lengthMs(length.replace('-', ' ')))}`,
  },
  // "In the evening yesterday", "on the morning of the 29th".
  {
    word: /morning|afternoon|evening|night/i,
    said: new RegExp(
      `(?<!\\b(?:this|last|every|each|\\d) )(?<!\\d(?::\\d\\d)? )(?:\\b(?:in|during) the |\\bat )(${PART}),? (yesterday|the day before yesterday|(?:on |last )\\w+day)\\b`,
      'gi',
    ),
    as: '$2 $1',
  },
  {
    word: /morning|afternoon|evening|night/i,
    said: new RegExp(`\\b(?:on |in |during )?the (${PART}) of (${DATE})`, 'gi'),
    as: 'on $2 $1',
  },
  // "Since I left at 9 am", "what about 5 minutes ago, was there a dog?".
  {
    word: /\b(?:since|after|before|until)\b/i,
    said: new RegExp(
      `\\b(?:(since|after|before|until) (?:i|we|you|he|she|they) (?:\\w+ ){1,4}?(?:at|around) (?=${A_TIME})|(since) (?:i|we|you|he|she|they) (?:\\w+ ){1,4}?(?=${UNCUT}(?:${LENGTH}) ago\\b))`,
      'gi',
    ),
    as: (_, timed, ago = '') => `${timed ?? ago} `,
  },
  {
    word: /\b(?:what|how) about\b/i,
    said: new RegExp(
      `^\\W*(?:(?:and|so) )?(?:what|how) about (?=(?:(?:at|on|in) )?(?:${A_TIME}|${DAY}|(?:${LENGTH}) ago|the last (?:${LENGTH}))(?: ${DAY})?,? (?:was|were|did|is|are|has|have|how|what|which|who|where)\\b)`,
      'gi',
    ),
    as: '',
  },
  // "On 11/29": only a number above 12 tells which of the two is the month.
  {
    word: /\d\/\d/,
    said: new RegExp(`(?<=\\bon )(?!24/7\\b|16/9\\b)(\\d{1,2})/(\\d{1,2})(?=\\W*$|, | ${AT_OR_PART})(?!/)`, 'gi'),
    as: monthAndDay,
  },
  // "On Fri", "Fri at 9 am".
  {
    word: /\b(?:mon|tue|wed|thu|fri|sat|sun)/i,
    said: new RegExp(
      `(?<=\\b(?:on|last) )(?:${SHORT_WEEKDAY}|weds?|(?<!last )sat|sun|sat(?= ${PART}))\\b\\.?(?=\\W*$|,| ${AT_OR_PART})|\\b${SHORT_WEEKDAY}\\b\\.?(?= ${AT_OR_PART})`,
      'gi',
    ),
    as: (said) => weekdayOf(said),
  },
];

const IS_MISTYPED = new RegExp(`\\b(?:${Object.keys(MISTYPED).join('|')})\\b`, 'gi');

/** The question with its spelling corrected and its times in these words. */
export function plainTimes(question: string): string {
  const spelt = question.replace(IS_MISTYPED, (said) => MISTYPED[said.toLowerCase()] ?? said);
  if (ASKS_WHAT_IT_SAYS.test(spelt)) return spelt;
  return RULES.reduce(
    (text, { word, said, but, as }) =>
      word.test(text) && but?.test(text) !== true ? text.replace(said, as as Rewrite) : text,
    spelt,
  );
}
