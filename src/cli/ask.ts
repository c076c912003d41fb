import type { Command } from 'commander';
import { type ErrorCode, YocoError } from '../errors.ts';
import { parseNumber } from '../parse-number.ts';
import { checkTime } from '../server/times.ts';
import { summary } from './answer-summary.ts';
import { errorText } from './error-text.ts';
import { streamNames } from './http-client.ts';
import { oldFrames } from './newest-frame.ts';
import { type AnswerExtra, RealtimeClient, type StandingAnswer } from './realtime-client.ts';
import { serverOf, serverOption } from './service-address.ts';
import { stopSignal, stopExitStatus } from './terminal.ts';
import { wallText } from './wall-text.ts';

interface AskFlags {
  readonly server?: string;
  readonly streams?: string;
  readonly all?: true;
  readonly asOf?: string;
  readonly since?: string;
  readonly standing?: true;
  readonly every?: string;
  readonly holds?: string;
  readonly minConfidence?: string;
  readonly followUp?: true;
  readonly json?: true;
}

/** What to ask: one stream, several by name, or all that have frames. */
type StreamSelection = readonly string[] | 'all';

export function addAsk(program: Command): void {
  const command = program
    .command('ask')
    .description('ask a running service about its streams; the key, if one is needed, is read from YOCO_API_KEY')
    .argument('<words...>', 'name of the stream (several: a,b), then one or more questions, each in quotation marks')
    .option('--streams <names>', 'the streams (a,b); then all words are questions')
    .option('--all', 'all streams that have frames; then all words are questions');
  serverOption(command)
    .option(
      '--as-of <time>',
      'seconds or 1:42 since the stream began (one stream only), -30s before now, or a wall time (RFC 3339)',
    )
    .option('--since <time>', 'read only what was shown from then on: a time as above, or -5m before the question')
    .option('--standing', 'ask again as new frames come, and print the first answer and every change, until Ctrl-C')
    .option('--every <seconds>', 'with --standing: time between two askings (default: 2)')
    .option(
      '--holds <number>',
      'with --standing: print a new answer once it came this many times in a row (default: 1)',
    )
    .option(
      '--min-confidence <number>',
      'with --standing: ignore answers with less confidence, from 0 to 1 (default: 0)',
    )
    .option('--follow-up', 'ask the questions as one conversation (default: each by itself)')
    .option('--json', 'print one JSON object for each answer')
    .action(async (words: string[], flags: AskFlags) => {
      if (flags.asOf !== undefined) checkTime(flags.asOf, '--as-of');
      if (flags.since !== undefined) checkTime(flags.since, '--since');
      const { target, questions } = parseWords(words, flags);
      const standing = standingOf(questions, flags);
      const key = process.env['YOCO_API_KEY'];
      const service = { server: serverOf(flags), ...(key ? { key } : {}) };
      // A session is bound to one stream; which one does not matter to a question that names its streams.
      const [stream] = target === 'all' ? await streamNames(service.server) : target;
      if (stream === undefined) throw new YocoError('stream_not_found', { detail: 'The service has none.' });
      const client = await RealtimeClient.connect({ ...service, stream });
      try {
        if (standing !== null) await askStanding(client, target, standing, flags);
        else await askAll(client, target, questions, flags);
      } finally {
        client.close();
      }
    });
}

/** Throws `invalid_request` when a stream or a question is missing, or streams are chosen in two ways. */
function parseWords(
  words: readonly string[],
  flags: AskFlags,
): { target: StreamSelection; questions: readonly string[] } {
  if (flags.all === true && flags.streams !== undefined) {
    throw new YocoError('invalid_request', { param: 'streams', detail: 'Give --streams or --all, not both.' });
  }
  if (flags.all === true) return { target: 'all', questions: toQuestions(words) };
  if (flags.streams !== undefined) return { target: namesOf(flags.streams), questions: toQuestions(words) };
  const [streams = '', ...questions] = words;
  if (questions.length === 0) {
    const detail = 'Give the name of the stream, and then the question in quotation marks.';
    throw new YocoError('invalid_request', { param: 'question', detail });
  }
  return { target: namesOf(streams), questions: toQuestions(questions) };
}

/** If no question contains a blank, the quotation marks were forgotten: the words are one question. */
function toQuestions(words: readonly string[]): readonly string[] {
  return words.some((word) => /\s/.test(word)) ? words : [words.join(' ')];
}

/** Names contain no commas or spaces. */
function namesOf(list: string): string[] {
  return list.split(',').map((name) => name.trim());
}

interface StandingFlags {
  readonly question: string;
  readonly every: number | undefined;
  readonly holds: number | undefined;
  readonly minConfidence: number | undefined;
}

/** Flags that require --standing: property name and flag name. */
const STANDING_FLAGS = [
  ['every', 'every'],
  ['holds', 'holds'],
  ['minConfidence', 'min-confidence'],
] as const;

/**
 * Null when the questions are asked once. Throws `invalid_request`, naming the flag. The service checks the ranges of
 * the numbers.
 */
function standingOf(questions: readonly string[], flags: AskFlags): StandingFlags | null {
  const invalid = (param: string, detail: string): YocoError => new YocoError('invalid_request', { param, detail });
  if (flags.standing !== true) {
    const alone = STANDING_FLAGS.find(([name]) => flags[name] !== undefined);
    if (alone !== undefined) throw invalid(alone[1], `--${alone[1]} needs --standing.`);
    return null;
  }
  const [question = '', ...more] = questions;
  if (more.length > 0) throw invalid('question', '--standing takes one question; run one command for each.');
  if (flags.asOf !== undefined) throw invalid('as_of', '--as-of: a standing question is about the newest frame.');
  if (flags.since !== undefined) {
    throw invalid(
      'since',
      '--since: a standing question says in its words how far back it looks ("in the last minute").',
    );
  }
  const [every, holds, minConfidence] = STANDING_FLAGS.map(([name, flag]) => {
    const text = flags[name];
    if (text === undefined) return undefined;
    const number = parseNumber(text);
    if (Number.isNaN(number)) throw invalid(flag, `--${flag}: expected a number; got "${text.slice(0, 40)}".`);
    return number;
  });
  return { question, every, holds, minConfidence };
}

/** Prints answers until Ctrl-C. Throws the error that ends the question. */
async function askStanding(
  client: RealtimeClient,
  target: StreamSelection,
  standing: StandingFlags,
  flags: AskFlags,
): Promise<void> {
  const { question, every, holds, minConfidence } = standing;
  const stop = stopSignal();
  const status = stopExitStatus();
  stop.addEventListener('abort', () => {
    client.close();
  });
  try {
    for await (const answer of client.askStanding(question, {
      every,
      holds,
      minConfidence,
      streams: streamsOf(target),
    })) {
      await printStanding(question, answer, flags);
    }
  } catch (error) {
    if (!stop.aborted) throw error;
    process.exitCode = status();
  }
}

async function printStanding(question: string, event: StandingAnswer, flags: AskFlags): Promise<void> {
  const { answer, previous, status, yoco } = event;
  if (flags.json === true) {
    const { as_of: asOf, as_of_time: asOfTime, since, evidence, streams, precision, confidence } = yoco;
    const line = {
      question,
      answer,
      previous,
      status,
      as_of: asOf,
      as_of_time: asOfTime,
      since,
      evidence,
      streams,
      precision,
      confidence,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  process.stdout.write(`${wallText(yoco.as_of_time)} ${answer}\n`);
  await printSummary(answer, yoco, flags);
}

/**
 * Prints what the answer `text` is about below it. The age of the newest frame matters only when nobody chose the
 * moment.
 */
async function printSummary(text: string, yoco: AnswerExtra, flags: AskFlags): Promise<void> {
  const names = flags.asOf === undefined ? yoco.streams.map(({ name }) => name) : [];
  process.stderr.write(`  ${summary(text, yoco, await oldFrames(serverOf(flags), names))}\n`);
}

/** A single stream is not named: it is the session's own. */
function streamsOf(target: StreamSelection): StreamSelection | undefined {
  return target === 'all' || target.length > 1 ? target : undefined;
}

/** Errors of the service, the streams or the flags, which therefore affect all questions. */
const FATAL_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'service_unreachable',
  'connection_closed',
  'shutting_down',
  'unauthorized',
  'stream_not_found',
  'stream_deleted',
  'stream_empty',
  'stream_ended',
  'too_many_streams',
  'invalid_request',
]);

/**
 * Asks one question after the other. A question that fails is reported without ending the others, and the exit status
 * becomes 1. Throws an error that affects all questions; in a conversation that is every error, since the next question
 * builds on the failed one.
 */
async function askAll(
  client: RealtimeClient,
  target: StreamSelection,
  questions: readonly string[],
  flags: AskFlags,
): Promise<void> {
  for (const question of questions) {
    try {
      await askOne(client, target, question, flags);
    } catch (error) {
      const endsAll = questions.length === 1 || flags.followUp === true;
      if (endsAll || !(error instanceof YocoError) || FATAL_CODES.has(error.code)) throw error;
      process.stderr.write(errorText(error, question));
      process.exitCode = 1;
    }
  }
}

async function askOne(
  client: RealtimeClient,
  target: StreamSelection,
  question: string,
  flags: AskFlags,
): Promise<void> {
  let text = '';
  const onDelta = (piece: string): void => {
    text += piece;
    if (flags.json !== true) process.stdout.write(piece);
  };
  const params = {
    asOf: wireTime(flags.asOf),
    since: wireTime(flags.since),
    streams: streamsOf(target),
    followUp: flags.followUp,
  };
  const outcome = await client.ask(question, onDelta, params).catch((error: unknown) => {
    // After a partial answer, the error gets its own line.
    if (text !== '' && flags.json !== true) process.stdout.write('\n');
    throw error;
  });
  const extra = outcome.yoco;
  if (flags.json === true) {
    const answer = { question, answer: text, status: outcome.status };
    const seen = {
      as_of: extra?.as_of,
      as_of_time: extra?.as_of_time,
      since: extra?.since,
      evidence: extra?.evidence,
      streams: extra?.streams,
      precision: extra?.precision,
      confidence: extra?.confidence,
      latency_ms: extra?.latency_ms,
    };
    process.stdout.write(`${JSON.stringify({ ...answer, ...seen })}\n`);
    return;
  }
  process.stdout.write('\n');
  if (extra != null) await printSummary(text, extra, flags);
}

function wireTime(text: string | undefined): number | string | undefined {
  return text === undefined || Number.isNaN(parseNumber(text)) ? text : parseNumber(text);
}
