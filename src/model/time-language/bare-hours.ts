/**
 * Hours without their half of the day: "yesterday around 5", "at 9 o'clock". The half is the one within the kept time.
 * If both are, only the asker knows which is meant.
 */
import { DAY, DAY_HOURS, DAY_WITH_PERIOD, NOON_HOUR } from './day-phrases.ts';
import { MERIDIEM, O_CLOCK, to12Hour } from './time-phrases.ts';
import { timeOfDay } from './time-of-day.ts';

export interface KeptRange {
  /** When the question is asked, and when the kept time begins; wall times in ms. */
  readonly nowMs: number;
  readonly fromMs: number;
  /** Default: the process's. */
  readonly timeZone?: string | undefined;
}

const BARE = `(?:\\d{1,2}(?:${O_CLOCK})?|\\d{1,2}:[0-5]\\d${O_CLOCK})(?![:\\d]|${MERIDIEM})`;
const AT = '(?:at|around|about|at around|at about|after|before|since|until|till)';
const FROM_TO = `(?:between|from) (?:${BARE}) (?:and|to|until|till)`;
/** Rules out numbers of things: "yesterday around 5 people". */
const ENDS = `(?=\\W*$|[,;:] | (?:did|was|were|is|are|has|have|had|do|does|could|can|what|who|which|how|when)\\b)`;

/** "Around 5 yesterday", "between 5 and 6 on Friday". */
const BEFORE_DAY = new RegExp(`\\b(${AT}|${FROM_TO}) (${BARE})(?= (${DAY})\\b)`, 'gi');
/** "Yesterday around 5", "on Friday between 5 and 6". */
const AFTER_DAY = new RegExp(`\\b(${DAY}),? (${AT}|${FROM_TO}) (${BARE})(?! ${DAY}\\b)${ENDS}`, 'gi');
/** "At 9 o'clock". */
const ALONE = new RegExp(
  `\\b(${AT}|${FROM_TO}) (\\d{1,2}(?::[0-5]\\d)?${O_CLOCK})(?! (?:in the|at night|from|of|position|direction|side|hand|${DAY})\\b)`,
  'gi',
);

/**
 * "Who came at 9?" Not "after 9", where 9 may be what a sign shows. Nor "what was at 9?", a place.
 */
const AT_END =
  /(?<!\b(?:is|are|was|were|be|been|look(?:s|ed|ing)?|point(?:s|ed|ing)?|stop(?:s|ped)?|start(?:s|ed)?|stand(?:s|ing)?|stood)) (at|around|at around|at about|since|by) (\d{1,2})(?=\W*$)/i;
const IS_PAST = /\b(?:was|were|did|has|have|had|came|left|arrived|happened|passed|appeared|seen|saw|showed|shown)\b/i;

/** Tested before the expressions above, which take long to compile. */
const SAYS_A_NUMBER = /\b(?:at|around|about|after|before|since|until|till|and|to|by) \d/i;

/** Numbers that are no hours: "were there about five yesterday?", "has it gone from 2 to 5 today?" */
const NOT_AN_HOUR =
  /\b(?:was|were|is|are) there (?:about|around|at) \d|\bhow (?:many|much)\b[^?]*, (?:about|around) \d|\b(?:go(?:es|ne|ing)?|went|r[io]se|risen|f[ae]ll(?:en)?|dropp?(?:ed)?|scale|rate|count|number|temperature|thermometer|level|score|price)\b|\bclock\b(?<!o['’ ]?clock)/i;

const LAST_O_CLOCK = new RegExp(`${O_CLOCK}(?=\\W*$| (?:and|to|until|till)$)`, 'i');
/** The hour in "between 5 and". */
const FIRST_HOUR = /\d{1,2}(?::\d\d)?/;
const HAS_DAY_PERIOD = new RegExp(`^${DAY_WITH_PERIOD}$`, 'i');

/**
 * The question with `am` or `pm` after each of these hours. `ambiguousHour`: the first hour that may be in either half
 * of its day ("5"), or null. Without a day, the latest hour is meant; "at 9" alone is an hour only if it is kept.
 */
export function withMeridiem(
  question: string,
  keptRange: KeptRange,
): { readonly question: string; readonly ambiguousHour: string | null } {
  if (!SAYS_A_NUMBER.test(question) || NOT_AN_HOUR.test(question)) return { question, ambiguousHour: null };
  let ambiguousHour: string | null = null;
  // `whenUnkept`: the text if the hour lies outside the kept time.
  const addMeridiem = (before: string, said: string, day = '', whenUnkept?: string): string => {
    const from = before.replace(LAST_O_CLOCK, '');
    const time = said.replace(LAST_O_CLOCK, '');
    // "9 this morning" already tells the half, and so does "9:30 this evening".
    if (HAS_DAY_PERIOD.test(day)) return `${from} ${time.includes(':') ? time : said}`;
    const [hours = '', minutes] = time.split(':');
    const hour = Number(hours);
    if (hour > DAY_HOURS) return `${before} ${said}`;
    const on12 = `${to12Hour(hour)}${minutes === undefined ? '' : `:${minutes}`}`;
    const halves = hour % DAY_HOURS === 0 ? ['am'] : hour > NOON_HOUR ? ['pm'] : ['am', 'pm'];
    // The first hour decides: "between 5 and 6 yesterday" begins at 5.
    const first = FIRST_HOUR.exec(from)?.[0] ?? on12;
    const [kept, another] = halves
      .map((half) => ({ half, ms: timeOfDay(`${first} ${half} ${day}`.trim(), keptRange.nowMs, keptRange.timeZone) }))
      .filter(({ ms }) => ms >= keptRange.fromMs && ms <= keptRange.nowMs)
      .sort((a, b) => b.ms - a.ms);
    if (kept === undefined && whenUnkept !== undefined) return whenUnkept;
    if (another !== undefined && day !== '') ambiguousHour ??= first;
    const half = kept?.half ?? halves[0] ?? '';
    // "Between 11 and 1": the half that was found is that of 11, and 1 is in the other half.
    const over = halves.length > 1 && parseInt(first, 10) % NOON_HOUR > Number(hours) % NOON_HOUR;
    return `${from} ${on12} ${over ? (half === 'am' ? 'pm' : 'am') : half}`;
  };
  const told = question
    .replace(AFTER_DAY, (_, day: string, before: string, said: string) => `${day} ${addMeridiem(before, said, day)}`)
    .replace(BEFORE_DAY, (_, before: string, said: string, day: string) => addMeridiem(before, said, day))
    .replace(ALONE, (_, before: string, said: string) => addMeridiem(before, said))
    .replace(AT_END, (all, before: string, said: string) =>
      // Only "before 9 am" is known by now.
      IS_PAST.test(question) ? ` ${addMeridiem(before.replace(/^by$/i, 'before'), said, '', all.trimStart())}` : all,
    );
  return { question: told, ambiguousHour };
}
