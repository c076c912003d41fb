import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { YocoError } from '../../src/errors.ts';
import type { SourceState, SourceStatus } from '../../src/ingest/frame.ts';
import { StandingQuestion, type StandingHost, type StandingOptions } from '../../src/live/standing-question.ts';
import type { Answer, AnswerResult, Conversation, StreamStatus } from '../../src/live/types.ts';

/** A stream with scripted answers, one per asking; the last one repeats. */
class Door {
  lastMs = 0;
  /** How far the engine's newest frame is ahead of the one in the status, ms. */
  aheadMs = 0;
  state: SourceState = 'playing';
  answers: (string | YocoError)[] = ['no'];
  confidences: number[] = [1];
  asked = 0;
  /** Calls of `converse`, whether a question followed or not. */
  looks = 0;
  startedAtMs = 0;
  error: SourceStatus['error'] = null;
  wallTimes: StreamStatus['wallTimes'] = 'live';

  readonly converse = (): Conversation => {
    this.looks++;
    return { streams: [{ name: 'door', status: () => this.#status() }], ask: () => this.#ask() };
  };

  #ask(): Answer {
    if (this.state === 'stopped') throw new YocoError('stream_deleted');
    const confidence = this.confidences[Math.min(this.asked, this.confidences.length - 1)] ?? 1;
    const next = this.answers[Math.min(this.asked++, this.answers.length - 1)];
    const asOfMs = this.lastMs + this.aheadMs;
    const result =
      next instanceof YocoError ? Promise.reject(next) : Promise.resolve(ended(next ?? '', asOfMs, confidence));
    result.catch(() => undefined);
    return { result, [Symbol.asyncIterator]: () => pieces() };
  }

  frame(): void {
    this.lastMs += 500;
  }

  #status(): StreamStatus {
    const { state, error, lastMs, startedAtMs, wallTimes } = this;
    const sourceStatus = { state, frames: 0, dropped: 0, reconnects: 0, error };
    return { name: 'door', lastMs, startedAtMs, wallTimes, sourceStatus } as StreamStatus;
  }
}

const ended = (text: string, asOfMs: number, confidence: number): AnswerResult =>
  ({ text, confidence, streams: [{ name: 'door', asOfMs }] }) as unknown as AnswerResult;

async function* pieces(): AsyncGenerator<string, void> {
  await Promise.resolve();
  yield '';
}

const EVERY_MS = 500;
const open: StandingQuestion[] = [];

afterEach(() => {
  for (const question of open.splice(0)) question.close();
});

function stand(door: Door, options: Partial<StandingOptions> = {}, more: Partial<StandingHost> = {}) {
  const heard: [string | null, string][] = [];
  const errors: (string | null)[] = [];
  const outcomes: string[] = [];
  const question = new StandingQuestion(
    { question: 'is there a person?', everyMs: EVERY_MS, converse: door.converse, ...options },
    {
      changed: ({ previous, answer }) => heard.push([previous, answer]),
      ended: (error) => errors.push(error === null ? null : error.code),
      asked: (outcome) => outcomes.push(outcome),
      ...more,
    },
  );
  open.push(question);
  return { question, heard, errors, outcomes };
}

/** Adds frames until the question was asked `count` times. */
async function askings(door: Door, count: number): Promise<void> {
  while (door.asked < count) {
    door.frame();
    await sleep(50);
  }
  await sleep(20);
}

describe('A standing question', () => {
  it('reports the first answer and then each different one', async () => {
    const door = new Door();
    door.answers = ['no', 'no', ' No', 'yes', 'yes', 'no'];
    const { heard } = stand(door);
    await askings(door, 6);
    expect(heard).toEqual([
      [null, 'no'],
      ['no', 'yes'],
      ['yes', 'no'],
    ]);
  });

  it.each<[SourceState, (string | null)[]]>([
    ['stopped', ['stream_deleted']],
    ['ended', [null]],
  ])('reports without waiting for its next turn that its stream has %s', async (state, errors) => {
    const door = new Door();
    const asked = stand(door, { everyMs: 3_600_000 });
    await expect.poll(() => asked.heard).toEqual([[null, 'no']]);
    door.frame();
    door.answers = ['yes'];
    door.state = state;
    await expect.poll(() => asked.errors, { timeout: 10_000 }).toEqual(errors);
    expect(asked.heard.at(-1)).toEqual(state === 'ended' ? ['no', 'yes'] : [null, 'no']);
  });

  it('does not ask while there is no new frame', async () => {
    const door = new Door();
    const { heard } = stand(door);
    await sleep(3 * EVERY_MS);
    expect(door.asked).toBe(1);
    expect(heard).toEqual([[null, 'no']]);
  });

  it('ignores an answer below the minimum confidence: it is neither reported nor ends a run', async () => {
    const door = new Door();
    door.answers = ['no', 'yes', 'no', 'yes', 'yes'];
    door.confidences = [0.95, 0.6, 0.5, 0.9, 0.97];
    const { heard } = stand(door, { minConfidence: 0.9, holds: 2 });
    await askings(door, 3);
    expect(heard).toEqual([]);
    await askings(door, 5);
    expect(heard).toEqual([[null, 'yes']]);
  });

  it('reports a new answer only once it has held for `holds` askings', async () => {
    const door = new Door();
    door.answers = ['no', 'no', 'yes', 'no', 'yes', 'yes'];
    const { heard } = stand(door, { holds: 2 });
    await askings(door, 6);
    expect(heard).toEqual([
      [null, 'no'],
      ['no', 'yes'],
    ]);
  });

  it('counts an answer about a frame newer than the status once, and does not ask about that frame again', async () => {
    const door = new Door();
    door.answers = ['yes'];
    door.aheadMs = 500;
    const { heard } = stand(door, { holds: 2 });
    await expect.poll(() => door.asked).toBe(1);
    door.aheadMs = 0;
    door.frame();
    const before = door.looks;
    await expect.poll(() => door.looks).toBeGreaterThan(before + 1);
    expect([door.asked, heard]).toEqual([1, []]);
    door.frame();
    await expect.poll(() => heard).toEqual([[null, 'yes']]);
    expect(door.asked).toBe(2);
  });

  it('does not ask about frames older than its last answer when its stream resumes after an engine loss', async () => {
    const door = new Door();
    door.answers = ['no', 'no', new YocoError('engine_restarted'), 'yes'];
    const { heard, outcomes } = stand(door);
    await askings(door, 3);
    await expect.poll(() => outcomes).toContain('missed');
    const newest = door.lastMs;
    door.lastMs = 500;
    const before = door.looks;
    await expect.poll(() => door.looks).toBeGreaterThan(before + 2);
    expect([door.asked, heard]).toEqual([3, [[null, 'no']]]);
    door.lastMs = newest + 500;
    await expect
      .poll(() => heard)
      .toEqual([
        [null, 'no'],
        ['no', 'yes'],
      ]);
  });

  it('reports the last answer before all was lost, even if it has not held for long enough', async () => {
    const door = new Door();
    door.answers = ['yes', new YocoError('engine_restarted'), new YocoError('stream_ended')];
    const { heard, errors } = stand(door, { holds: 3 });
    await expect.poll(() => door.asked).toBe(1);
    door.frame();
    door.state = 'ended';
    await expect.poll(() => errors).toEqual([null]);
    expect([door.asked, heard]).toEqual([3, [[null, 'yes']]]);
  });

  it('takes the last answer about an ended recording as holding: no further frame could confirm it', async () => {
    const door = new Door();
    door.answers = ['yes'];
    door.state = 'ended';
    const { heard, errors } = stand(door, { holds: 3 });
    await expect.poll(() => errors).toEqual([null]);
    expect(door.asked).toBe(1);
    expect(heard).toEqual([[null, 'yes']]);
  });

  it('waits for a part of the day still to come, and reports nothing before', async () => {
    const door = new Door();
    const early = new YocoError('time_out_of_range', { param: 'question' });
    door.answers = [early, early, 'yes'];
    const { heard, errors } = stand(door);
    await expect.poll(() => heard).toEqual([[null, 'yes']]);
    expect([door.asked, errors]).toEqual([3, []]);
    const over = new Door();
    over.answers = [early];
    over.state = 'ended';
    const ended = stand(over);
    await expect.poll(() => ended.errors).toEqual(['time_out_of_range']);
  });

  it.each(['did anyone come this evening?', 'did anyone come after 15:35 UTC?', 'did anyone come at half past nine?'])(
    'ends at once when it names a time of day of an undated recording: %s',
    async (question) => {
      const door = new Door();
      door.wallTimes = 'unknown';
      const { errors } = stand(door, { question });
      await expect.poll(() => errors).toEqual(['time_out_of_range']);
      expect(door.asked).toBe(0);
    },
  );

  it('with `onlyNew` asks only once a newer frame comes', async () => {
    const door = new Door();
    const { heard } = stand(door, { onlyNew: true });
    await sleep(2 * EVERY_MS);
    expect(door.asked).toBe(0);
    door.frame();
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(1);
  });

  it('continues when an answer leaves out one of the streams, whose clock differs', async () => {
    const [near, far] = [new Door(), new Door()];
    far.lastMs = 500_000_000;
    let asked = 0;
    const converse = (): Conversation => ({
      streams: [near, far].map((door, i) => ({
        name: `door-${i}`,
        status: () => ({ ...door.converse().streams[0]?.status(), name: `door-${i}` }) as StreamStatus,
      })),
      ask: () => {
        asked++;
        const streams = [{ name: 'door-1', asOfMs: far.lastMs }];
        const result = Promise.resolve({ text: 'no', confidence: 1, streams } as unknown as AnswerResult);
        return { result, [Symbol.asyncIterator]: () => pieces() };
      },
    });
    stand(near, { converse });
    await expect.poll(() => asked).toBe(1);
    near.frame();
    await expect.poll(() => asked, { timeout: 5_000 }).toBe(2);
  });

  it('retries soon after a transient error, even without a new frame', async () => {
    const door = new Door();
    door.answers = [
      new YocoError('too_many_questions'),
      new YocoError('too_many_streams'),
      new YocoError('stream_empty'),
      new YocoError('stream_deleted', { detail: 'It is another one of those that are asked.' }),
      'yes',
    ];
    const { heard, errors, outcomes } = stand(door);
    await expect.poll(() => heard).toEqual([[null, 'yes']]);
    expect(errors).toEqual([]);
    expect(outcomes).toEqual(['missed', 'missed', 'missed', 'missed', 'answered']);
    const hourly = new Door();
    hourly.answers = [new YocoError('engine_restarted'), 'yes'];
    const late = stand(hourly, { everyMs: 3_600_000 });
    await expect.poll(() => late.heard).toEqual([[null, 'yes']]);
  });

  it('ends with the error of a failed source, without one when all have ended, and not while it may gain streams', async () => {
    const [failed, ended, empty, other] = [new Door(), new Door(), new Door(), new Door()];
    failed.error = { code: 'source_unreachable', message: 'The source cannot be reached. No route.' };
    for (const door of [failed, empty]) door.state = 'failed';
    for (const door of [ended, other]) door.state = 'ended';
    empty.answers = [new YocoError('stream_ended')];
    const all = [stand(failed), stand(ended), stand(empty), stand(other, { mayGrow: true })];
    const over = ['source_unreachable', null, 'source_invalid'];
    await expect.poll(() => all.slice(0, 3).map(({ errors }) => errors)).toEqual(over.map((error) => [error]));
    const before = other.looks;
    await expect.poll(() => other.looks).toBeGreaterThan(before + 1);
    expect(all.map(({ errors }) => errors)).toEqual([...over.map((error) => [error]), []]);
    expect(all.map(({ heard }) => heard.length)).toEqual([1, 1, 0, 1]);
  });

  it('asks again when its stream was recreated with as many frames', async () => {
    const door = new Door();
    door.answers = ['no', 'yes'];
    const { heard } = stand(door);
    await expect.poll(() => heard).toEqual([[null, 'no']]);
    door.startedAtMs += 60_000;
    await expect.poll(() => heard.map(([, answer]) => answer)).toEqual(['no', 'yes']);
  });

  it('ends with any other error, and reports its code', async () => {
    const door = new Door();
    door.answers = ['no', new YocoError('conversation_full')];
    const { heard, errors } = stand(door);
    await askings(door, 2);
    expect(errors).toEqual(['conversation_full']);
    door.frame();
    await sleep(2 * EVERY_MS);
    expect(door.asked).toBe(2);
    expect(heard).toEqual([[null, 'no']]);
  });

  it('survives an unexpected error when its host handles those, and ends otherwise', async () => {
    const answers = ['no', new YocoError('internal', { cause: new Error('inside') }), 'yes'];
    const door = new Door();
    door.answers = [...answers];
    const ended = stand(door);
    await askings(door, 2);
    expect(ended.errors).toEqual(['internal']);
    const other = new Door();
    other.answers = [...answers];
    const unexpected: unknown[] = [];
    const { heard, errors } = stand(other, {}, { unexpected: ({ cause }) => unexpected.push(cause) });
    await askings(other, 3);
    expect(heard).toEqual([
      [null, 'no'],
      ['no', 'yes'],
    ]);
    expect([errors, unexpected]).toEqual([[], [new Error('inside')]]);
  });

  it('reports that its stream was deleted, even without a new frame', async () => {
    const door = new Door();
    const { errors } = stand(door);
    await expect.poll(() => door.asked).toBe(1);
    door.state = 'stopped';
    await expect.poll(() => errors).toEqual(['stream_deleted']);
  });

  it('reports nothing once it is closed, not even the asking in progress', async () => {
    const door = new Door();
    const { question, heard, errors } = stand(door);
    question.close();
    await sleep(2 * EVERY_MS);
    expect([heard, errors]).toEqual([[], []]);
  });

  it('refuses intervals and numbers out of bounds, and names the field', () => {
    const door = new Door();
    const refused = (options: Partial<StandingOptions>): unknown => {
      try {
        return stand(door, options);
      } catch (error) {
        return error instanceof YocoError ? [error.code, error.param] : error;
      }
    };
    expect(refused({ everyMs: 100 })).toEqual(['invalid_request', 'every']);
    expect(refused({ everyMs: NaN })).toEqual(['invalid_request', 'every']);
    expect(refused({ holds: 0 })).toEqual(['invalid_request', 'holds']);
    expect(refused({ holds: 1.5 })).toEqual(['invalid_request', 'holds']);
    expect(refused({ minConfidence: 1.5 })).toEqual(['invalid_request', 'min_confidence']);
    expect(refused({ minConfidence: NaN })).toEqual(['invalid_request', 'min_confidence']);
    expect(door.asked).toBe(0);
  });
});
