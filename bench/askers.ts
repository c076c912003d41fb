/**
 * Concurrent askers on one stream of ten minutes, while four live streams run: total tokens a second over all answers,
 * and time to first token. Baseline: a single asker with the same questions, in the same run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import type { Streams } from '../src/live/live-service.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { QuestionSegment, segmentTokens } from '../src/model/question.ts';
import { FrameWatch, totals } from './frame-watch.ts';
import { median, quantiles, repeat, round } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { clipPictures, engineTimes, FPS, startLiveStreams, startStreams } from './service.ts';

const ASKERS = 32;
const LIVE_STREAMS = 4;
const MINUTES = 10;
/** All answers have this length, whatever the clip shows: longer than a name, like a sentence about a scene. */
const ANSWER_TOKENS = 8;
const QUESTIONS = [
  'Describe the scene.',
  'What is happening?',
  'Describe what you see.',
  'What is going on?',
  'What is going on in the picture?',
  'Give me a description.',
  'Can you describe this?',
  'What is happening now?',
  'Describe the image.',
  'Tell me what is happening.',
  'What happens here?',
  'Summarise the scene.',
  'Please describe the picture.',
  'What is happening right now?',
  'Explain what you see here.',
  'What happened?',
];
const STREAM = 'askers';

interface AskResult {
  readonly outputTokens: number;
  readonly firstTokenMs: number;
}

/** Answers to questions asked at once, and how long all of them took. */
interface Round {
  readonly answers: readonly AskResult[];
  readonly ms: number;
}

const TARGETS = { tokensRatio: 8, firstTokenRatio: 3, lostOrLateShare: 0.01 };

export async function askers(options: BenchOptions): Promise<Record<string, unknown>> {
  const frames = options.quick ? 120 : MINUTES * 60 * FPS;
  const rounds = options.quick ? 6 : 40;
  const live = await startStreams();
  let figures;
  try {
    await fillStream(live, frames);
    const streams = await startLiveStreams(live, LIVE_STREAMS, 'askers-live');
    const watches = streams.map((stream) => new FrameWatch(stream));
    await sleep(options.quick ? 3_000 : 10_000);
    watches.forEach((watch) => {
      watch.begin();
    });
    await ask(live, ASKERS, 2); // warm-up
    // Alternating, so that other load on the machine affects both.
    const lone = new Phase();
    const many = new Phase();
    for (let i = 0; i < 2; i++) {
      await lone.measure(live, 1, rounds);
      await many.measure(live, ASKERS, Math.ceil(rounds / 4));
    }
    figures = { lone: lone.figures(), many: many.figures(), live: totals(watches) };
    watches.forEach((watch) => {
      watch.close();
    });
  } finally {
    await live.close();
  }
  const { lone, many } = figures;
  const ratios = {
    tokensASecond: round(many.tokensASecond / lone.tokensASecond, 2),
    worstFirstToken: round(many.firstTokenMs.worst / lone.firstTokenMs.median, 2),
    medianFirstToken: round(many.firstTokenMs.median / lone.firstTokenMs.median, 2),
    worstFirstTokenOfBoth: round(many.firstTokenMs.worst / lone.firstTokenMs.worst, 2),
  };
  return {
    askers: ASKERS,
    frames,
    ...many,
    liveStreams: LIVE_STREAMS,
    live: figures.live,
    baselines: { oneAsker: { ...lone, ratios } },
    targets: {
      tokensASecond: `at least ${TARGETS.tokensRatio} x: ${verdict(ratios.tokensASecond >= TARGETS.tokensRatio)}`,
      worstFirstToken: `at most ${TARGETS.firstTokenRatio} x the lone median: ${verdict(ratios.worstFirstToken <= TARGETS.firstTokenRatio)}`,
      lostOrLate: `at most 1%: ${verdict(figures.live.lostOrLateShare <= TARGETS.lostOrLateShare)}`,
    },
    parts: await parts(frames, options.quick ? 0.5 : 2),
  };
}

function verdict(met: boolean): string {
  return met ? 'met' : 'missed';
}

/** Appends frames of the clip, in a loop, directly to the engine. */
async function fillStream(live: Streams, frames: number): Promise<void> {
  const { engine } = live;
  const pictures = await clipPictures(engine.bundle.imageSize, 128);
  engine.open(STREAM, { limitBytes: 512 * 2 ** 20, mergeBelow: 0 });
  const inFlight: Promise<unknown>[] = [];
  for (let i = 0; i < frames; i++) {
    inFlight.push(engine.append(STREAM, (i * 1000) / FPS, pictures[i % pictures.length] ?? new Uint8Array(0)));
    if (inFlight.length >= 4) await inFlight.shift();
  }
  await Promise.all(inFlight);
}

/** Asks the engine one question of a new conversation, as the service does. */
function askOnce(live: Streams, question: string): Promise<AskResult> {
  const begin = performance.now();
  let firstTokenMs: number | undefined;
  return new Promise((resolve, reject) => {
    live.engine.ask(
      {
        streams: [{ name: STREAM, asOfMs: null, sinceMs: null }],
        question,
        turns: [],
        maxTokens: ANSWER_TOKENS,
        temperature: 0,
        topP: 1,
        seed: 1,
        ignoreEndToken: true,
      },
      {
        delta: () => {
          firstTokenMs ??= performance.now() - begin;
        },
        done: ({ outputTokens }) => {
          resolve({ outputTokens, firstTokenMs: firstTokenMs ?? performance.now() - begin });
        },
        failed: reject,
      },
    );
  });
}

/** Asks `count` questions at once, `rounds` times. Returns the answers of each round and how long it took. */
async function ask(live: Streams, count: number, rounds: number): Promise<Round[]> {
  const done: Round[] = [];
  for (let r = 0; r < rounds; r++) {
    const begin = performance.now();
    const answers = await Promise.all(
      Array.from({ length: count }, (_, i) => {
        return askOnce(live, QUESTIONS[(i + r) % QUESTIONS.length] ?? '');
      }),
    );
    done.push({ answers, ms: performance.now() - begin });
    // A varying pause, so that rounds do not fall into step with the frames of the live streams.
    await sleep(30 + ((r * 97) % 210));
  }
  return done;
}

/**
 * Tokens a second of all answers together, without the first token of each. A round's time counts from its very first
 * token on: as soon as one asker has that, further tokens of the answer come while others still wait for theirs.
 */
export function tokensASecondAfterFirst(rounds: readonly Round[]): number {
  let [tokens, ms] = [0, 0];
  for (const { answers, ms: roundMs } of rounds) {
    tokens += answers.reduce((sum, { outputTokens }) => sum + outputTokens - 1, 0);
    ms += roundMs - Math.min(...answers.map(({ firstTokenMs }) => firstTokenMs));
  }
  return tokens / (ms / 1000);
}

class Phase {
  readonly #rounds: Round[] = [];
  #engineMs = { vision: 0, selfDecoder: 0, crossDecoder: 0 };

  async measure(live: Streams, count: number, rounds: number): Promise<void> {
    const before = await engineTimes(live);
    this.#rounds.push(...(await ask(live, count, rounds)));
    const after = await engineTimes(live);
    this.#engineMs = {
      vision: this.#engineMs.vision + after.vision - before.vision,
      selfDecoder: this.#engineMs.selfDecoder + after.selfDecoder - before.selfDecoder,
      crossDecoder: this.#engineMs.crossDecoder + after.crossDecoder - before.crossDecoder,
    };
  }

  figures() {
    const answers = this.#rounds.flatMap((r) => r.answers);
    const tokens = answers.reduce((sum, { outputTokens }) => sum + outputTokens, 0);
    const first = answers.map(({ firstTokenMs }) => firstTokenMs);
    const busyMs = this.#rounds.reduce((sum, { ms }) => sum + ms, 0);
    return {
      answers: answers.length,
      tokensAnAnswer: round(tokens / answers.length, 2),
      tokensASecond: round(tokens / (busyMs / 1000)),
      firstTokenMs: { ...quantiles(first), worst: round(Math.max(...first)) },
      tokensASecondAfterFirst: round(tokensASecondAfterFirst(this.#rounds)),
      /** Engine time in each part for each round, ms; includes the frames of the live streams. */
      engineMsARound: Object.fromEntries(
        Object.entries(this.#engineMs).map(([part, ms]) => [part, round(ms / this.#rounds.length)]),
      ),
      roundMs: quantiles(this.#rounds.map(({ ms }) => ms)),
    };
  }
}

/** Cost of each model run in isolation at that cache length, by number of askers; nothing else runs meanwhile. */
async function parts(frames: number, seconds: number): Promise<Record<string, unknown>> {
  const model = await loadModel(DEFAULT_BUNDLE);
  const { config, crossDecoder, embeddings, selfDecoder, tokenizer } = model;
  const cache = syntheticCache(model, frames);
  const question = segmentTokens(tokenizer, config, [], QUESTIONS[0] ?? '', frames * 500);
  const open = (): Promise<QuestionSegment> => QuestionSegment.open(selfDecoder, embeddings, config, question);
  // A window grows with each timed step, as during an answer: self-decoder steps are capped near an answer's length.
  const time = async (run: () => Promise<unknown>, maxRuns = 200): Promise<number> =>
    round(median(await repeat(run, { seconds, maxRuns })), 2);
  const view = cache.view({ first: 0, count: frames });
  if (view === null) throw new Error('The cache holds more frames than it keeps in full precision.');
  const byAskers: Record<string, unknown> = {};
  for (const count of [1, 4, 8, 16, ASKERS]) {
    const some: QuestionSegment[] = [];
    for (let i = 0; i < count; i++) some.push(await open());
    const asking = some.map((s) => ({ ...s.readerInput, visibleTokens: view.tokens, contextTokens: view.tokens }));
    byAskers[String(count)] = {
      crossDecoderMs: await time(() => crossDecoder.step(view, asking)),
      selfDecoderMs: await time(
        () =>
          selfDecoder.step(
            some.map(({ window }) => ({ window, tokens: embeddings.lookup([config.endToken]), timesMs: [-1] })),
          ),
        2 * ANSWER_TOKENS,
      ),
      openOneByOneMs: await time(async () => {
        for (let i = 0; i < count; i++) await open();
      }),
      // One run for all questions, as the service opens a group; here all have the same length.
      openTogetherMs: await time(() =>
        selfDecoder.step(
          some.map(() => ({
            window: selfDecoder.newWindow(question.ids.length),
            tokens: embeddings.lookup(question.ids),
            timesMs: question.timesMs,
          })),
        ),
      ),
    };
  }
  const picture = new Uint8Array(model.vision.pictureBytes).fill(90);
  const answer = tokenizer.encode('a man in a brown coat walks');
  const result = {
    cacheTokens: view.tokens,
    byAskers,
    tokenizeQuestionMs: await time(() => Promise.resolve(tokenizer.encode(QUESTIONS[0] ?? ''))),
    decodeTextMs: await time(() => Promise.resolve(tokenizer.decode(answer))),
    visionMs: await time(() => model.vision.encode(picture)),
  };
  await model.release();
  return result;
}

/** A cache of arbitrary values: only their number matters. */
export function syntheticCache(model: Model, frames: number): ReturnType<Model['newCache']> {
  const { config } = model;
  const cache = model.newCache(2 ** 31);
  const size = config.tokensPerFrame * config.kvHeads * config.headDim;
  const noise = Float32Array.from({ length: size + 1_009 }, (_, i) => Math.SQRT2 * Math.sin(i * 12.9898));
  for (let f = 0; f < frames; f++) {
    const from = (f * 31) % 1_009;
    cache.append((f * 1000) / FPS, noise.subarray(from, from + size), noise.subarray(from, from + size));
  }
  return cache;
}
