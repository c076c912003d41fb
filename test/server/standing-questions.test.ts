import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService } from './fake-live-service.ts';
import { type Event, RealtimeClient } from './realtime-client.ts';

let live: FakeLiveService;
let server: RunningServer;
let client: RealtimeClient;

beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, maxStandingQuestionsPerConnection: 2 });
  client = await RealtimeClient.open(server.address);
});

afterEach(async () => {
  client.close();
  await server.close();
});

function stand(question: string, more: object = {}): void {
  const standing = { question, every: 0.5, ...more };
  client.send({ type: 'yoco.standing_question.create', event_id: 'mine', standing_question: standing });
}

const error = async (): Promise<[string, string | null, string | null]> => {
  const { error: told } = await client.next('error');
  return [told.code, told.param, told.event_id];
};

describe('standing questions over the WebSocket', () => {
  it('are confirmed, answered with evidence, and answered again when new frames change the answer', async () => {
    stand('  what time is it?  ', { id: 'clock' });
    expect((await client.next('yoco.standing_question.created')).standing_question).toEqual({
      id: 'clock',
      object: 'yoco.standing_question',
      question: 'what time is it?',
      streams: null,
      every: 0.5,
      holds: 1,
      min_confidence: 0,
    });
    const first = await client.next('yoco.standing_question.answered');
    expect(first).toMatchObject({
      standing_question_id: 'clock',
      answer: 'You asked: what time is it? (turn 1)',
      previous: null,
      yoco: { stream: 'kitchen', as_of: 60, precision: 'full', confidence: 0.75, evidence: [{ start: 50 }, {}] },
    });
    live.stream('kitchen').tick(61_000);
    live.stream('kitchen').says = 'noon';
    const second = await client.next('yoco.standing_question.answered');
    expect(second).toMatchObject({ answer: 'noon', previous: first.answer, yoco: { as_of: 61 } });
  });

  it('that fail at once are confirmed before they end, and then free their place', async () => {
    live.stream('kitchen').wallTimes = 'unknown';
    for (const id of ['one', 'two', 'three']) {
      stand('did a dog come after 9 pm?', { id });
      expect((await client.next('yoco.standing_question.created')).standing_question.id).toBe(id);
      const ended = await client.next('yoco.standing_question.deleted');
      expect(ended).toMatchObject({ standing_question_id: id, error: { code: 'time_out_of_range' } });
    }
    client.send({ type: 'yoco.standing_question.delete', event_id: 'mine', standing_question_id: 'one' });
    expect((await error())[0]).toBe('standing_question_not_found');
  });

  it('carry no turns, and stay out of the conversation', async () => {
    stand('who is there?');
    await client.next('yoco.standing_question.answered');
    for (const [i, at] of [61_000, 62_000].entries()) {
      live.stream('kitchen').tick(at);
      await expect.poll(() => live.stream('kitchen').asked.length).toBe(i + 2);
    }
    client.send({ type: 'yoco.ping' });
    await client.next('yoco.pong');
    const types = client.events.map(({ type }) => type);
    expect(types.filter((type) => type === 'yoco.standing_question.answered')).toHaveLength(1);
    expect(types.filter((type) => type.startsWith('response.') || type.startsWith('conversation.'))).toEqual([]);
  });

  it('about all streams look them up anew each time', async () => {
    stand('which camera?', { streams: 'all' });
    const first = await client.next('yoco.standing_question.answered');
    expect(first.yoco.streams.map(({ name }) => name)).toEqual(['door', 'kitchen']);
    await live.delete('door');
    live.stream('kitchen').says = 'kitchen';
    const second = await client.next('yoco.standing_question.answered');
    expect(second.yoco.streams.map(({ name }) => name)).toEqual(['kitchen']);
  });

  it('are no longer asked once they are deleted or the connection is closed', async () => {
    stand('one?', { id: 'one' });
    stand('two?', { id: 'two' });
    await client.next((event) => isAnswered(event, 'one'));
    client.send({ type: 'yoco.standing_question.delete', standing_question_id: 'one' });
    expect(await client.next('yoco.standing_question.deleted')).toMatchObject({
      standing_question_id: 'one',
      error: null,
    });
    live.stream('kitchen').tick(61_000);
    await sleep(700);
    const asked = live.stream('kitchen').asked.map(({ question }) => question);
    expect(asked.filter((question) => question === 'one?')).toHaveLength(1);
    client.close();
    const figures = async (): Promise<string> => (await fetch(`${server.address}/metrics`)).text();
    await expect.poll(figures).toMatch(/^yoco_connections 0$/m);
    const before = live.stream('kitchen').asked.length;
    live.stream('kitchen').tick(62_000);
    await sleep(700);
    expect(live.stream('kitchen').asked).toHaveLength(before);
  });

  it('end with `stream_deleted` when their stream is deleted', async () => {
    stand('still there?', { id: 'there' });
    await client.next('yoco.standing_question.answered');
    await live.delete('kitchen');
    expect(await client.next('yoco.standing_question.deleted')).toMatchObject({
      standing_question_id: 'there',
      error: { code: 'stream_deleted' },
    });
  });

  it('end with the error of a source that has failed, and without one when it has ended', async () => {
    for (const [state, error] of [
      ['ended', null],
      ['failed', { code: 'source_invalid' }],
    ] as const) {
      live.stream('kitchen').state = state;
      stand('still there?', { id: state });
      await client.next('yoco.standing_question.answered');
      const { error: told } = await client.next('yoco.standing_question.deleted');
      if (error === null) expect(told).toBeNull();
      else expect(told).toMatchObject(error);
    }
  });

  it('report an answer cut at the token limit as incomplete', async () => {
    live.stream('kitchen').finish = 'length';
    stand('a long story?');
    expect((await client.next('yoco.standing_question.answered')).status).toBe('incomplete');
  });

  it('are no longer asked while the service drains', async () => {
    stand('anything new?');
    await client.next('yoco.standing_question.answered');
    client.ask('slow');
    await client.next('response.output_text.delta');
    const closing = server.close();
    await client.next('yoco.go_away');
    const count = (): number =>
      live.stream('kitchen').asked.filter(({ question }) => question === 'anything new?').length;
    const before = count();
    live.stream('kitchen').tick(61_000);
    await sleep(1_200);
    expect(count()).toBe(before);
    client.close();
    await closing;
  });

  it('wait for the first frame of a stream', async () => {
    live.stream('kitchen').lastMs = null;
    stand('anything?');
    await client.next('yoco.standing_question.created');
    await sleep(600);
    live.stream('kitchen').tick(500);
    expect((await client.next('yoco.standing_question.answered')).yoco.as_of).toBe(0.5);
  });

  it('are rejected with the field that is wrong', async () => {
    stand('  ');
    expect(await error()).toEqual(['question_empty', 'standing_question.question', 'mine']);
    stand('x'.repeat(2_001));
    expect(await error()).toEqual(['question_too_long', 'standing_question.question', 'mine']);
    stand('now?', { every: 0.1 });
    expect(await error()).toEqual(['invalid_request', 'standing_question.every', 'mine']);
    stand('now?', { holds: 0 });
    expect(await error()).toEqual(['invalid_request', 'standing_question.holds', 'mine']);
    stand('now?', { min_confidence: 2 });
    expect(await error()).toEqual(['invalid_request', 'standing_question.min_confidence', 'mine']);
    stand('now?', { as_of: 3 });
    expect(await error()).toEqual(['invalid_request', 'standing_question.as_of', 'mine']);
    stand('now?', { streams: ['attic'] });
    expect(await error()).toEqual(['stream_not_found', 'standing_question.streams', 'mine']);
    client.send({ type: 'yoco.standing_question.delete', event_id: 'mine', standing_question_id: 'nobody' });
    expect(await error()).toEqual(['standing_question_not_found', 'standing_question_id', 'mine']);
    expect(live.stream('kitchen').asked).toEqual([]);
  });

  it('need unique ids, and are limited in number per connection', async () => {
    stand('one?', { id: 'one' });
    stand('one again?', { id: 'one' });
    expect(await error()).toEqual(['invalid_request', 'standing_question.id', 'mine']);
    stand('two?');
    stand('three?');
    expect(await error()).toEqual(['too_many_questions', null, 'mine']);
    client.send({ type: 'yoco.standing_question.delete', standing_question_id: 'one' });
    stand('three?', { id: 'three' });
    await client.next((event) => isAnswered(event, 'three'));
  });

  it('with a bound token may ask its stream only', async () => {
    const secured = await startServer(live, { port: 0, apiKeys: ['a-key-for-the-tests-0123'] });
    const headers = { authorization: 'Bearer a-key-for-the-tests-0123', 'content-type': 'application/json' };
    const made = await fetch(`${secured.address}/v1/token`, { method: 'POST', headers, body: '{"stream": "kitchen"}' });
    const { token } = (await made.json()) as { token: string };
    const bound = await RealtimeClient.open(secured.address, 'stream=kitchen', ['realtime', `yoco-token.${token}`]);
    for (const streams of ['all', ['door']]) {
      bound.send({ type: 'yoco.standing_question.create', standing_question: { question: 'who?', streams } });
      expect((await bound.next('error')).error.code).toBe('forbidden');
    }
    bound.close();
    await secured.close();
  });
});

function isAnswered(event: Event, id: string): boolean {
  return event.type === 'yoco.standing_question.answered' && event.standing_question_id === id;
}
