/**
 * Rewrites times as people say and type them in a hurry ("half past nine", "@ 9am", "9-10am", "21:00 hrs", "5 minutes
 * in") in the words that `time-phrases.ts`, `day-phrases.ts` and `time-of-day.ts` know. Other text stays as it is.
 */
import { clockText } from '../../clock-text.ts';
import { DATE, DAY, MONTHS, DAY_PERIOD, WEEKDAYS } from './day-phrases.ts';
import {
  AM_PM,
  parseNumberWords,
  DURATION,
  parseDurationMs,
  MERIDIEM,
  O_CLOCK,
  NUMBER_START,
  to12Hour,
} from './time-phrases.ts';

/** A group that takes no part in the match is undefined. */
type Rewrite = (said: string, ...groups: (string | undefined)[]) => string;

interface Rule {
  /** Matches a word of the phrase, as a cheap first test: V8 takes long to compile the long expressions. */
  readonly prefilter: RegExp;
  readonly pattern: RegExp;
  /** Matches questions in which the phrase means something else. */
  readonly exclude?: RegExp;
  readonly replacement: string | Rewrite;
}

const HOUR_WORD = '(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)';
const HOUR = `(?:\\d{1,2}|${HOUR_WORD})`;
const SOME_MINUTES = '(?:\\d{1,2}|twenty[- ]five|five|ten|twenty)';
const MINUTES_AFTER = '(?:fifteen|thirty|forty[- ]five|forty|twenty|fifty)';
/** Words before a time of day. */
const AT = 'at|around|about|after|before|since|until|till|by';
/** The same, or words of a range of two. */
const AT_OR_TO = `(?:${AT}|past|from|between|and|to)`;
const TIME_OF_DAY_MARKER = `${MERIDIEM}|${O_CLOCK}| ${DAY}\\b`;
const TIMED = `\\d{1,2}(?::[0-5]\\d){0,2}${AM_PM}`;
const A_TIME = `(?:${TIMED}|noon\\b|midnight\\b(?! blue)|\\d{1,2}(?::[0-5]\\d)? ?(?:o['’]?clock|${DAY})\\b)`;
const DASH = ' ?[-–—] ?';
const LONG_UNIT = '(?:sec(?:ond)?s?|min(?:ute)?s?|hours?)';
const AT_OR_DAY_PERIOD = `(?:${DAY_PERIOD}|at|around|after|before|between)\\b`;
const ENDS = '(?=\\W*$|[,;:] )';

const SHORT_WEEKDAY = '(?:mon|tues?|thu(?:rs?)?|fri)';

/** The hour after "half past". */
const AN_HOUR = `(${HOUR})(?! ?[:\\d]| ${LONG_UNIT}\\b)(?:${O_CLOCK})?`;

/** The most common misspellings of these words. */
const MISSPELLINGS: Readonly<Record<string, string>> = {
  ...{ minuts: 'minutes', minuets: 'minutes', minites: 'minutes', mintues: 'minutes', minuites: 'minutes' },
  ...{ secounds: 'seconds', secons: 'seconds', secods: 'seconds', secnds: 'seconds', agao: 'ago', teh: 'the' },
  ...{ yesteday: 'yesterday', yestrday: 'yesterday', yesterdy: 'yesterday', yersterday: 'yesterday' },
  ...{ yesturday: 'yesterday', yeserday: 'yesterday', yestarday: 'yesterday', todya: 'today', tonite: 'tonight' },
  ...{ mornin: 'morning', monring: 'morning', morining: 'morning', afternon: 'afternoon', afernoon: 'afternoon' },
  ...{ evning: 'evening', eveing: 'evening', evenning: 'evening', betwen: 'between', bewteen: 'between' },
};

/** Questions about a time that the picture shows. */
const ASKS_FOR_SHOWN_TIME =
  /\b(?:signs?|says?|said|reads?|written|label|scores?|timer|display|show(?! me\b)|shows|showing|mentions?|lists?|posters?|menus?|tickets?|schedules?|alarm|jersey|ratio|write|(?:is|was|what) the time|(?:does|do)\b.*\b(?:open|close))\b|(?<!o['’ ]?)\bclocks?\b/i;

const pad2 = (minutes: number): string => String(minutes).padStart(2, '0');
/** Also converts "half" and "a quarter", of an hour. */
function minutesOf(text: string): number {
  const count = parseNumberWords(text);
  return count < 1 ? count * 60 : count;
}

function toOClock(_: string, past = '', hour = ''): string {
  const minutes = minutesOf(past.replace(/(?: minutes?)? (?:past|to)$/i, ''));
  return /to$/i.test(past)
    ? `${to12Hour(parseNumberWords(hour) + 11)}:${pad2(60 - minutes)} o'clock`
    : `${parseNumberWords(hour)}:${pad2(minutes)} o'clock`;
}

/** "Fri" becomes `Friday`. */
function weekdayOf(said: string): string {
  const day = WEEKDAYS.find((name) => name.startsWith(said.slice(0, 3).toLowerCase())) ?? said;
  return `${day.charAt(0).toUpperCase()}${day.slice(1)}`;
}

/** "29.11" becomes `nov 29`; a date with dots has its day first. */
function dayAndMonth(said: string, day = '', month = '', year = ''): string {
  const name = MONTHS[Number(month) - 1];
  return name === undefined || Number(day) < 1 || Number(day) > 31
    ? said
    : `${name} ${Number(day)}${year === '' ? '' : `, ${year}`}`;
}

function monthAndDay(said: string, a = '', b = ''): string {
  const [month, day] = Number(a) > MONTHS.length ? [b, a] : [a, b];
  const name = MONTHS[Number(month) - 1];
  return Number(day) > MONTHS.length && name !== undefined ? `${name} ${day}` : said;
}

/** Applied in this order: later rules work on what earlier ones leave. */
const RULES: readonly Rule[] = [
  { prefilter: /@/, pattern: /(?<!\S)@ ?(?=\d|noon\b|midnight\b)/gi, replacement: 'at ' },
  { prefilter: /midday/i, pattern: /\bmid-?day\b/gi, replacement: 'noon' },
  { prefilter: /\d\.\d/, pattern: /(?<![\d.])(\d{1,2})\.([0-5]\d)(?= ?[ap](?:m\b|\.m\.))/gi, replacement: '$1:$2' },
  // "Half past nine", "ten to nine this morning": with `o'clock`, since the result is no time on the stream's clock.
  {
    prefilter: /\b(?:half|quarter)\b/i,
    pattern: new RegExp(`(?<=\\b${AT_OR_TO} )(half past|(?:a )?quarter (?:past|to)) ${AN_HOUR}`, 'gi'),
    replacement: toOClock,
  },
  {
    prefilter: /\b(?:past|to)\b/i,
    pattern: new RegExp(
      `(?<=\\b(?:${AT}) )(${SOME_MINUTES} minutes? (?:past|to)|${SOME_MINUTES} past|${SOME_MINUTES} to(?= ${HOUR}(?:${TIME_OF_DAY_MARKER}))) ${AN_HOUR}`,
      'gi',
    ),
    replacement: toOClock,
  },
  // "Nine thirty this morning", "nine am", "between nine and ten this morning".
  {
    prefilter: /\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b/i,
    pattern: new RegExp(
      `(?<=\\b${AT_OR_TO} )(${HOUR_WORD})(?: (${MINUTES_AFTER}))?(?=${MERIDIEM}|${O_CLOCK}| (?:this ${DAY_PERIOD}|tonight|last night)\\b)`,
      'gi',
    ),
    replacement: (_, hour = '', minutes) =>
      `${parseNumberWords(hour)}${minutes === undefined ? '' : `:${pad2(minutesOf(minutes))}`}`,
  },
  {
    prefilter: /\b(?:between|from)\b/i,
    pattern: new RegExp(
      `(?<=\\b(?:between|from) )(${HOUR_WORD})(?= (?:and|to|until|till) ${HOUR}(?:${MERIDIEM}| (?:this ${DAY_PERIOD}|tonight|last night)\\b))`,
      'gi',
    ),
    replacement: (_, hour = '') => String(parseNumberWords(hour)),
  },
  // "Half past nine am": the half of the day is known, so `o'clock` goes.
  {
    prefilter: /clock/i,
    pattern: new RegExp(`(:[0-5]\\d) o['’]?clock(?=${MERIDIEM}| (?:this ${DAY_PERIOD}|tonight|last night)\\b)`, 'gi'),
    replacement: '$1',
  },
  // "21:00 hrs", "1730 hours".
  {
    prefilter: /\dh|\d h/i,
    pattern: new RegExp(
      `(?<=\\b${AT_OR_TO} )([01]?\\d|2[0-3])(?::([0-5]\\d)|(?<=\\d\\d)([0-5]\\d)) ?(?:hrs?|hours?|h)\\b(?<!\\b(?:for|to|about|around|and) \\d+ ?h\\w*)(?! ago| (?:before|after)\\b)`,
      'gi',
    ),
    replacement: (_, hour = '', minutes, digits) =>
      `${to12Hour(Number(hour))}:${minutes ?? digits ?? '00'} ${Number(hour) < 12 ? 'am' : 'pm'}`,
  },
  // "9ish", "5 pm or so", "roughly at 5 pm", "at exactly 5 pm".
  {
    prefilter: /ish\b/i,
    pattern: new RegExp(`\\b(?:at |around |about )*(\\d{1,2}(?::[0-5]\\d)?)(${AM_PM}?)[- ]?ish\\b`, 'gi'),
    replacement: 'around $1$2',
  },
  {
    prefilter: /or so|sharp/i,
    pattern: new RegExp(`\\b(?:at|around|about) (${A_TIME}) (or so|sharp|on the dot)\\b`, 'gi'),
    replacement: (_, time = '', how) => `${how === 'or so' ? 'around' : 'at'} ${time}`,
  },
  {
    prefilter: /approx|rough|circa|near|close|toward/i,
    pattern: new RegExp(
      `\\b(?:at )?(?:approximately|approx\\.?|roughly|circa|near|close to|towards?)(?: at)? (?=${A_TIME})`,
      'gi',
    ),
    replacement: 'around ',
  },
  {
    prefilter: /exact|precise/i,
    pattern: new RegExp(`\\b(?:at (?:exactly|precisely)|(?:exactly|precisely) at) (?=${A_TIME})`, 'gi'),
    replacement: 'at ',
  },
  {
    prefilter: /time|point/i,
    pattern: new RegExp(
      `(?<!\\b(?:there|the|this|is|was|what) )\\b(?:some ?time|any ?time|at (?:any|some) (?:point|time))(?: (?=(?:after|before|between|since|until|till|in|within|during|over) (?:the (?:last|past|first)\\b|${A_TIME}|\\d)))`,
      'gi',
    ),
    replacement: '',
  },
  // "9-10am", "0:10-0:20", "9 am to 10 am".
  {
    prefilter: /\d ?(?:[ap]\.?m\.?)? ?[-–—]/i,
    pattern: new RegExp(
      `\\b(?:(?:at|in|between|from|around) )?(?<![\\d.,:/-])(\\d{1,2}(?::[0-5]\\d)?${AM_PM}?)${DASH}(\\d{1,2}(?::[0-5]\\d)?${AM_PM})`,
      'gi',
    ),
    replacement: 'between $1 and $2',
  },
  {
    prefilter: /:\d\d ?[-–—]/,
    pattern: new RegExp(
      `\\b(?:(?:at|in|between|from) )?(?<![\\d.,:/-])(\\d{1,2}:[0-5]\\d(?::[0-5]\\d)?)${DASH}(\\d{1,2}:[0-5]\\d(?::[0-5]\\d)?)(?![\\d:])`,
      'gi',
    ),
    replacement: 'between $1 and $2',
  },
  {
    prefilter: /m\.? (?:to|till|until) \d/i,
    pattern: new RegExp(`(?<!\\b${AT_OR_TO} )(?<![\\d:.])(${TIMED}) (?:to|till|until) (${TIMED})`, 'gi'),
    replacement: 'from $1 to $2',
  },
  // "Door open 9pm?", "9 am: was there a dog?", "yesterday 5 pm".
  {
    prefilter: /\d ?[ap]\.?m/i,
    pattern: new RegExp(
      `(?<=\\w )(?<!\\b(?:${AT_OR_TO}|than|of|for|the|a|an|next|each|every|not|only|just|it|is|was|[ap]m) )(?<![\\d:.])(${TIMED}(?: ${DAY})?)${ENDS}`,
      'gi',
    ),
    replacement: 'at $1',
  },
  {
    prefilter: /^\W*\d/,
    pattern: new RegExp(`^\\W*(${TIMED}(?: ${DAY})?)[,:;]? (?=\\w)`, 'gi'),
    replacement: 'at $1, ',
  },
  {
    prefilter: /\bby\b/i,
    pattern: new RegExp(`\\bby (?=${TIMED}|noon\\b|midnight\\b|\\d{1,2} (?:this|yesterday)\\b)`, 'gi'),
    exclude: /\b(?:will|won['’]t|going to|up by|down by)\b|['’]ll\b/i,
    replacement: 'until ',
  },
  {
    prefilter: /\bpast\b/i,
    pattern: new RegExp(`(?<!\\b(?:half|quarter|minutes?|it|\\d) )\\bpast (?=${TIMED}|noon\\b|midnight\\b)`, 'gi'),
    replacement: 'after ',
  },
  // "3h20m", "the last half-hour", "the last 5 or so minutes", "the last hour or two", "the last 5-10 minutes".
  { prefilter: /\d[hm]/i, pattern: /(?<=\d(?:h|hrs?|m|min))(?=\d+ ?(?:m|s)[a-z]*\b)/gi, replacement: ' ' },
  { prefilter: /half-|quarter-/i, pattern: /\b(half|quarter)-(?=(?:an )?hours?\b)/gi, replacement: '$1 ' },
  { prefilter: /or so/i, pattern: new RegExp(` or so (?=${LONG_UNIT}\\b)`, 'gi'), replacement: ' ' },
  {
    prefilter: /or two/i,
    pattern: /\b(?<=\b(?:last|past|previous) )(second|minute|hour|day) or two\b/gi,
    replacement: '2 $1s',
  },
  {
    prefilter: /\b(?:last|past)\b/i,
    pattern:
      /(?<=\b(?:last|past) )(?:\d{1,3}|one|two|three|four|five|ten) ?(?:to|or|-|–) ?(?=(?:\d{1,3}|two|three|four|five|six|ten|fifteen|twenty) (?:or so )?(?:sec(?:ond)?s?|min(?:ute)?s?|hours?|hrs?|days?|weeks?)\b)/gi,
    replacement: '',
  },
  { prefilter: /ago or so/i, pattern: new RegExp(`\\b(${DURATION}) ago or so\\b`, 'gi'), replacement: 'about $1 ago' },
  {
    prefilter: /back/i,
    pattern: new RegExp(`\\b(${DURATION}) back(?<!\\d ?[smd] back)(?=\\W*$)`, 'gi'),
    replacement: '$1 ago',
  },
  // "At minute 5", "5 minutes in", "at 90 seconds", "between minutes 5 and 10".
  {
    prefilter: /minute/i,
    pattern: /\b(at|around|after|before|since|until) (?:the )?minute (\d{1,3})\b(?!:)/gi,
    replacement: '$1 $2:00',
  },
  {
    prefilter: /minute/i,
    pattern:
      /\b(between|from) minutes? (\d{1,3}) (and|to|until) (?:minute )?(\d{1,3})\b(?!:)(?! \w*(?:sec|min|hour))/gi,
    replacement: '$1 $2:00 $3 $4:00',
  },
  {
    prefilter: /sec|min|hour/i,
    pattern: new RegExp(
      `\\b(?:at )?(?:the )?${NUMBER_START}(${DURATION}) (?:in|into (?:the|this) (?:video|stream|recording|clip|film))${ENDS}`,
      'gi',
    ),
    replacement: (_, length = '') => `at ${clockText(parseDurationMs(length))}`,
  },
  {
    prefilter: /sec|min|hour/i,
    pattern: new RegExp(`\\bat (?:the )?(\\d{1,4}[- ]?${LONG_UNIT})(?:[- ]mark)?${ENDS}`, 'gi'),
    replacement: (_, length = '') => `at ${clockText(parseDurationMs(length.replace('-', ' ')))}`,
  },
  // "In the evening yesterday", "on the morning of the 29th".
  {
    prefilter: /morning|afternoon|evening|night/i,
    pattern: new RegExp(
      `(?<!\\b(?:this|last|every|each|\\d) )(?<!\\d(?::\\d\\d)? )(?:\\b(?:in|during) the |\\bat )(${DAY_PERIOD}),? (yesterday|the day before yesterday|(?:on |last )\\w+day)\\b`,
      'gi',
    ),
    replacement: '$2 $1',
  },
  {
    prefilter: /morning|afternoon|evening|night/i,
    pattern: new RegExp(`\\b(?:on |in |during )?the (${DAY_PERIOD}) of (${DATE})`, 'gi'),
    replacement: 'on $2 $1',
  },
  // "Since I left at 9 am", "what about 5 minutes ago, was there a dog?".
  {
    prefilter: /\b(?:since|after|before|until)\b/i,
    pattern: new RegExp(
      `\\b(?:(since|after|before|until) (?:i|we|you|he|she|they) (?:\\w+ ){1,4}?(?:at|around) (?=${A_TIME})|(since) (?:i|we|you|he|she|they) (?:\\w+ ){1,4}?(?=${NUMBER_START}(?:${DURATION}) ago\\b))`,
      'gi',
    ),
    replacement: (_, timed, ago = '') => `${timed ?? ago} `,
  },
  {
    prefilter: /\b(?:what|how) about\b/i,
    pattern: new RegExp(
      `^\\W*(?:(?:and|so) )?(?:what|how) about (?=(?:(?:at|on|in) )?(?:${A_TIME}|${DAY}|(?:${DURATION}) ago|the last (?:${DURATION}))(?: ${DAY})?,? (?:was|were|did|is|are|has|have|how|what|which|who|where)\\b)`,
      'gi',
    ),
    replacement: '',
  },
  // "On 11/29": only a number above 12 tells which of the two is the month.
  {
    prefilter: /\d\/\d/,
    pattern: new RegExp(
      `(?<=\\bon )(?!24/7\\b|16/9\\b)(\\d{1,2})/(\\d{1,2})(?=\\W*$|, | ${AT_OR_DAY_PERIOD})(?!/)`,
      'gi',
    ),
    replacement: monthAndDay,
  },
  // "On 29.11", "on 29.11.2026".
  {
    prefilter: /\d\.\d/,
    pattern: new RegExp(
      `(?<=\\bon )(\\d{1,2})\\.(\\d{1,2})(?:\\.((?:19|20)\\d\\d)\\b|\\.?)(?=\\W*$|, | ${AT_OR_DAY_PERIOD})(?!\\d)`,
      'gi',
    ),
    replacement: dayAndMonth,
  },
  // "On Fri", "Fri at 9 am".
  {
    prefilter: /\b(?:mon|tue|wed|thu|fri|sat|sun)/i,
    pattern: new RegExp(
      `(?<=\\b(?:on|last) )(?:${SHORT_WEEKDAY}|weds?|(?<!last )sat|sun|sat(?= ${DAY_PERIOD}))\\b\\.?(?=\\W*$|,| ${AT_OR_DAY_PERIOD})|\\b${SHORT_WEEKDAY}\\b\\.?(?= ${AT_OR_DAY_PERIOD})`,
      'gi',
    ),
    replacement: (said) => weekdayOf(said),
  },
];

const MISSPELLED = new RegExp(`\\b(?:${Object.keys(MISSPELLINGS).join('|')})\\b`, 'gi');

/** The question with its spelling corrected and its times in these words. */
export function normaliseTimes(question: string): string {
  const spelt = question.replace(MISSPELLED, (said) => MISSPELLINGS[said.toLowerCase()] ?? said);
  if (ASKS_FOR_SHOWN_TIME.test(spelt)) return spelt;
  return RULES.reduce(
    (text, { prefilter, pattern, exclude, replacement }) =>
      prefilter.test(text) && exclude?.test(text) !== true ? text.replace(pattern, replacement as Rewrite) : text,
    spelt,
  );
}
