/**
 * Of which part of a stream a question says that it is about: "in the last five minutes", "between 1:00 and 2:00". To tell within a
 * time from ever the model has not learned; here only what was shown then is read.
 *
 * What is not surely meant so is left in the question, which is then about all that is kept: a part that is read in vain answers
 * wrongly and does not show it. So what stands beside it must not turn its meaning ("except in the last minute", "just before
 * 1:42"), there is one such phrase, and without it there is still a question.
 */
import { CLOCK, clockMs, LENGTH, lengthMs, ONE } from './said-time.ts';
import { PART_OF_DAY, partOfDay, TIME_OF_DAY, timeOfDay, withEndOf } from './time-of-day.ts';

/** A part of a stream, ms of its clock; null: from its beginning, up to the question's moment. */
export interface AskedSpan {
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** The question without that, which the reading holds then: "was there a dog?" */
  readonly question: string;
}

/** When a question is asked: on the stream's clock, and the wall time of that clock's zero, ms. */
export interface Asking {
  readonly momentMs: number;
  readonly startedAtMs: number;
}

type Times = Omit<AskedSpan, 'question'>;

interface Phrase {
  readonly said: RegExp;
  /** Questions in which these words mean something else. */
  readonly but?: RegExp;
  /** `parts`: the groups of the match. */
  readonly times: (parts: readonly string[], asking: Asking) => Times;
}

const PREPOSITION = '(?:in|within|during|over|for|throughout)(?: about)?(?: the| these| those)?';
const TIME = `${TIME_OF_DAY}|${CLOCK}|(?:${LENGTH}) ago\\b`;
/** "What was there before 1:00?" asks for what came next to that time, "how long after" for a time. */
const ASKS_FOR_A_THING = /\b(?:what|which|who|name)\b/i;
const ASKS_HOW_LONG = /\bhow (?:long|soon|much later)\b|\bbeen (?:since|after)\b/i;
const ASKS_FOR_NOW = /\b(?:now|still|again)\b/i;
/** In the words of `haschanged` of the recipe, which asks with the time: it stays. */
const ASKS_FOR_A_CHANGE = /\b(?:chang(?:e|es|ed)|anything new|something new|something else)\b/i;

/** What turns the meaning of a part that stands after it, or before it. */
const TURNED_BEFORE = new RegExp(
  `\\b(?:before|after|until|till|since|than|except|besides|other than|apart from|not|and|or|just|right|shortly|immediately|soon|long|exactly|${LENGTH}|${ONE})\\W*$`,
  'i',
);
const TURNED_AFTER = /^\W*(?:of|before|after|until|than|and|or|ago)\b/i;
/** No question of its own. */
const CUT_OFF = /^\W*(?:and|or|of|then)?\W*$|\b(?:the|a|an|of|or|and|than|before|after|until|since|except)\W*$/i;

const back = ([length = '']: readonly string[], { momentMs }: Asking): Times => ({
  sinceMs: momentMs - lengthMs(length),
  untilMs: null,
});

const PHRASES: readonly Phrase[] = [
  { said: phrase(`${PREPOSITION} (?:last|past|previous) (${LENGTH}|${ONE})(?: or so)?`), times: back },
  // Where nothing else can be meant: "any dog last 20 seconds?"
  { said: new RegExp(`^\\W*(?:the )?(?:last|past) (${LENGTH})(?: or so)?,?`, 'i'), times: back },
  { said: new RegExp(`,? ?\\b(?:the )?(?:last|past) (${LENGTH})(?: or so)?(?=\\W*$)`, 'i'), times: back },
  {
    said: phrase(`${PREPOSITION} (?:very )?first (${LENGTH}|${ONE})`),
    but: ASKS_FOR_NOW,
    times: ([length = '']) => ({ sinceMs: null, untilMs: lengthMs(length) }),
  },
  {
    said: phrase(`(?:between|from) (${TIME}|\\d{1,2}) (?:and|to|until|till) (${TIME}|now\\b)`),
    times: ([from = '', to = ''], asking) => between(from, to, asking),
  },
  {
    said: phrase(`(?:ever )?since (${TIME})`),
    but: ASKS_HOW_LONG,
    times: ([time = ''], asking) => ({ sinceMs: timeMs(time, asking), untilMs: null }),
  },
  {
    said: phrase(`after (${TIME})`),
    but: new RegExp(`${ASKS_FOR_A_THING.source}|${ASKS_HOW_LONG.source}`, 'i'),
    times: ([time = ''], asking) => ({ sinceMs: timeMs(time, asking), untilMs: null }),
  },
  {
    said: phrase(`(?:before|until|till|up to) (${TIME})`),
    but: new RegExp(`${ASKS_FOR_A_THING.source}|${ASKS_HOW_LONG.source}`, 'i'),
    times: ([time = ''], asking) => ({ sinceMs: null, untilMs: timeMs(time, asking) }),
  },
  {
    said: phrase(`(${PART_OF_DAY})\\b`),
    times: ([day = ''], { momentMs, startedAtMs }) => {
      const [fromMs, toMs] = partOfDay(day, startedAtMs + momentMs).map((wall) => wall - startedAtMs);
      return { sinceMs: fromMs ?? null, untilMs: toMs !== undefined && toMs < momentMs ? toMs : null };
    },
  },
];

function phrase(words: string): RegExp {
  return new RegExp(`,? ?\\b${words},?`, 'i');
}

/** The part that a question is about; null: it does not say, or not surely. */
export function askedSpan(question: string, asking: Asking): AskedSpan | null {
  const found = PHRASES.flatMap(({ said, but, times }) => {
    const match = said.exec(question);
    return match === null || but?.test(question) === true ? [] : [{ match, times }];
  });
  const [first] = found;
  // "7:30 this morning" is one time, and its "this morning" no other part.
  if (first === undefined || found.some(({ match }) => !lies(match, first.match))) return null;
  const [start, end] = around(question, first.match);
  if (TURNED_BEFORE.test(start) || TURNED_AFTER.test(end)) return null;
  const rest = `${start}${end}`.trim();
  if (CUT_OFF.test(rest)) return null;
  return { ...first.times(first.match.slice(1), asking), question: ASKS_FOR_A_CHANGE.test(question) ? question : rest };
}

/** How far back from its moment a question says that it looks, ms, and the question without that; null where it does not say. */
export function lookBack(question: string): { readonly backMs: number; readonly question: string } | null {
  const span = askedSpan(question, { momentMs: 0, startedAtMs: 0 });
  if (span === null || !PHRASES.some(({ said, times }) => times === back && said.test(question))) return null;
  return { backMs: -(span.sinceMs ?? 0), question: span.question };
}

function lies(inner: RegExpExecArray, outer: RegExpExecArray): boolean {
  return inner.index >= outer.index && inner.index + inner[0].length <= outer.index + outer[0].length;
}

function around(question: string, match: RegExpExecArray): [start: string, end: string] {
  return [question.slice(0, match.index), question.slice(match.index + match[0].length)];
}

function between(from: string, to: string, asking: Asking): Times {
  const { momentMs, startedAtMs } = asking;
  const ofDay = new RegExp(`^(?:${TIME_OF_DAY})$`, 'i');
  const first = ofDay.test(to) && !/ago$/i.test(from) && !ofDay.test(from) ? withEndOf(from, to) : from;
  const sinceMs = timeMs(first, asking);
  if (/^now$/i.test(to)) return { sinceMs, untilMs: null };
  // "Between 10 pm and 2 am": the second time is the next one after the first.
  const untilMs = ofDay.test(to)
    ? timeOfDay(to, startedAtMs + momentMs, startedAtMs + sinceMs) - startedAtMs
    : timeMs(to, asking);
  return { sinceMs, untilMs };
}

/** What TIME matches, on the stream's clock. */
function timeMs(text: string, { momentMs, startedAtMs }: Asking): number {
  if (/ago$/i.test(text)) return momentMs - lengthMs(text.slice(0, -'ago'.length).trim());
  if (new RegExp(`^${CLOCK}$`).test(text)) return clockMs(text);
  return timeOfDay(text, startedAtMs + momentMs) - startedAtMs;
}
