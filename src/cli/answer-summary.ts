/** The line below an answer for a person: what it is about, what its evidence is, and how long it took. */
import { clockText } from '../clock-text.ts';
import type { OldFrame } from './newest-frame.ts';
import type { AnswerExtra } from './realtime-client.ts';
import { spansText } from './terminal.ts';
import { ageText, wallText } from './wall-text.ts';

/**
 * The line for the answer `text`, such as `as of 14:02:03 (1:42), from 14:01:33 (1:12); newest frame 3 h old; evidence
 * 1:20-1:26, 1:40; precision int8; confidence 0.97; first word after 80 ms`.
 */
export function summary(text: string, yoco: AnswerExtra, old: readonly OldFrame[], now = new Date()): string {
  const { evidence, streams, precision, confidence, latency_ms: latency } = yoco;
  const several = streams.length > 1;
  const evidenceText = (one: (typeof evidence)[number]): string =>
    several ? `${one.stream} ${spansText([one])}` : spansText([one]);
  const oldFrameText = ({ stream, ageMs }: OldFrame): string =>
    `newest frame ${several ? `of ${stream} ` : ''}${ageText(ageMs)} old`;
  return [
    asOfText(yoco, now),
    ...old.map(oldFrameText),
    ...(evidence.length > 0 ? [`evidence ${evidence.map(evidenceText).join(', ')}`] : []),
    ...(precision === 'full' ? [] : [`precision ${precision}`]),
    confidenceText(confidence, text),
    `first word after ${Math.round(latency.first_token)} ms`,
  ].join('; ');
}

/**
 * Many answers below this confidence are wrong, and most of those about things that the training data does not hold
 * (docs/model.md, How sure). A person should not have to know that, so they are called guesses.
 */
const GUESS_BELOW = 0.5;
/** A longer answer is a sentence, which can be phrased in many ways and so has low confidence, right or wrong. */
const MAX_GUESS_WORDS = 5;

/** `confidence 0.97`, or `confidence 0.19, a guess`, for the answer `text`. */
export function confidenceText(confidence: number, text: string): string {
  const words = text.split(' ').length;
  const isGuess = confidence < GUESS_BELOW && text !== '' && words <= MAX_GUESS_WORDS;
  return `confidence ${confidence.toFixed(2)}${isGuess ? ', a guess' : ''}`;
}

/**
 * For one stream the moment is also given on the stream's own clock, which its evidence uses; several streams share no
 * such clock.
 */
function asOfText({ as_of: asOf, as_of_time: asOfTime, since, streams }: AnswerExtra, now: Date): string {
  const moment = (time: string, seconds: number | null): string =>
    seconds === null ? wallText(time, now) : `${wallText(time, now)} (${clockText(seconds * 1000)})`;
  const [begin] = streams
    .map(({ since_time: time }) => time)
    .filter((time) => time !== null)
    .sort();
  return `as of ${moment(asOfTime, asOf)}${begin === undefined ? '' : `, from ${moment(begin, since)}`}`;
}
