import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService, FakeStream } from './fake-live-service.ts';
import { RealtimeClient, refusedUpgrade, userMessage } from './realtime-client.ts';

let live: FakeLiveService;
let server: RunningServer;
let client: RealtimeClient;

beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, drainMs: 300, closeGraceMs: 5_000 });
  client = await RealtimeClient.open(server.address);
});

afterEach(async () => {
  client.close();
  await server.close();
});

describe('a session', () => {
  it('begins with session.created, which names the model and the stream', async () => {
    const { session, event_id } = await client.next('session.created');
    expect(event_id).toMatch(/^event_/);
    expect(session).toMatchObject({
      type: 'realtime',
      model: 'tiny@kitchen',
      output_modalities: ['text'],
      max_output_tokens: 256,
      yoco: { status: false, stream: { name: 'kitchen', first: 0, last: 60, state: 'playing' } },
    });
  });

  it.each([
    ['stream=kitchen&stream=door', 'stream'],
    ['model=tiny@kitchen&model=tiny@door', 'model'],
    ['stream=kitchen&model=tiny@door', 'model'],
  ])('is refused when the query names two streams: %s', async (query, param) => {
    const { status, body } = await refusedUpgrade(server.address, query);
    expect([status, body.error]).toEqual([400, expect.objectContaining({ code: 'invalid_request', param })]);
  });

  it.each(['stream=kitchen&model=tiny@kitchen', 'stream=kitchen&model=gpt-realtime', 'stream=kitchen&other=1'])(
    'accepts ?stream= beside other parameters that clients send: %s',
    async (query) => {
      const other = await RealtimeClient.open(server.address, query);
      expect((await other.next('session.created')).session.model).toContain('kitchen');
      other.close();
    },
  );

  it('opens by ?model=BUNDLE@NAME, and is refused for another bundle, no stream or an unknown one', async () => {
    const other = await RealtimeClient.open(server.address, 'model=tiny%40door');
    expect((await other.next('session.created')).session.model).toBe('tiny@door');
    other.close();
    const refusals = await Promise.all(
      ['model=gpt-realtime', 'model=huge%40door', '', 'stream=attic'].map((query) =>
        refusedUpgrade(server.address, query),
      ),
    );
    expect(refusals.map(({ status, body }) => [status, body.error['code'], body.error['param']])).toEqual([
      [400, 'invalid_request', 'model'],
      [400, 'invalid_request', 'model'],
      [400, 'invalid_request', 'stream'],
      [404, 'stream_not_found', null],
    ]);
  });

  it('takes the subprotocol realtime', async () => {
    const other = await RealtimeClient.open(server.address, 'stream=door', ['realtime']);
    expect(other.socket.protocol).toBe('realtime');
    other.close();
  });

  it('is updated, and accepts OpenAI fields that have no effect here', async () => {
    client.send({
      type: 'session.update',
      session: { type: 'realtime', instructions: 'Be kind.', max_output_tokens: 12, audio: {}, tools: [] },
    });
    expect((await client.next('session.updated')).session.max_output_tokens).toBe(12);
    client.ask('hello');
    await client.next('response.done');
    expect(live.stream('kitchen').asked[0]?.options.maxTokens).toBe(12);
  });

  it('answers yoco.ping', async () => {
    client.send({ type: 'yoco.ping', event_id: 'p1' });
    expect((await client.next('yoco.pong')).ping_event_id).toBe('p1');
  });
});

describe('a conversation', () => {
  it('sends the events of the GA API in order, and keeps its turns', async () => {
    client.send({ type: 'conversation.item.create', item: { id: 'q1', ...userMessage('What is shown?') } });
    client.send({ type: 'response.create' });
    const done = await client.next('response.done');
    expect(client.events.map(({ type }) => type)).toEqual([
      'session.created',
      'conversation.item.added',
      'conversation.item.done',
      'response.created',
      'response.output_item.added',
      'conversation.item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'conversation.item.done',
      'response.done',
    ]);
    expect(done.response).toMatchObject({
      object: 'realtime.response',
      status: 'completed',
      usage: { total_tokens: 10, input_tokens: 7, output_tokens: 3 },
      output: [
        {
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'You asked: What is shown? (turn 1)' }],
        },
      ],
      yoco: {
        stream: 'kitchen',
        as_of: 60,
        as_of_time: '2030-01-01T00:01:00.000Z',
        since: null,
        streams: [
          { name: 'kitchen', as_of: 60, as_of_time: '2030-01-01T00:01:00.000Z', since: null, since_time: null },
        ],
        precision: 'full',
        evidence: [
          { stream: 'kitchen', start: 50, end: 52, peak: 51, weight: 0.6123, start_time: '2030-01-01T00:00:50.000Z' },
          { stream: 'kitchen', start: 59, end: 60, weight: 0.2 },
        ],
        latency_ms: { first_token: 12, total: 35 },
      },
    });
    expect(done.response.conversation_id).toMatch(/^conv_/);
    const answerItem = client.events[13];
    expect(answerItem?.previous_item_id).toBe('q1');

    client.send({ type: 'conversation.item.create', item: userMessage('And before?') });
    client.send({ type: 'response.create' });
    expect((await client.next('response.output_text.done')).text).toBe('You asked: And before? (turn 2)');
    expect(new Set(client.events.map(({ event_id }) => event_id)).size).toBe(client.events.length);
  });

  it('retrieves and deletes items, but not turns that were answered', async () => {
    client.send({ type: 'conversation.item.create', item: { id: 'q1', ...userMessage('one') } });
    client.send({ type: 'conversation.item.create', item: { id: 'q2', ...userMessage('two') } });
    client.send({ type: 'conversation.item.delete', item_id: 'q1' });
    expect((await client.next('conversation.item.deleted')).item_id).toBe('q1');
    client.send({ type: 'conversation.item.retrieve', item_id: 'q2' });
    expect((await client.next('conversation.item.retrieved')).item.content[0].text).toBe('two');
    client.send({ type: 'conversation.item.retrieve', item_id: 'q1' });
    expect((await client.next('error')).error.code).toBe('item_not_found');
    client.send({ type: 'response.create' });
    await client.next('response.done');
    expect(live.stream('kitchen').asked[0]?.question).toBe('two');
    client.send({ type: 'conversation.item.delete', item_id: 'q2' });
    expect((await client.next('error')).error).toMatchObject({ code: 'invalid_request', param: 'item_id' });
  });

  it('keeps the question of a failed response, to be asked again or deleted', async () => {
    client.send({ type: 'conversation.item.create', item: { id: 'q1', ...userMessage('fail engine_restarted') } });
    client.send({ type: 'response.create' });
    expect((await client.next('response.done')).response.status).toBe('failed');
    client.send({ type: 'response.create' });
    expect((await client.next('response.done')).response.status).toBe('failed');
    client.send({ type: 'conversation.item.delete', item_id: 'q1' });
    expect((await client.next('conversation.item.deleted')).item_id).toBe('q1');
    client.send({ type: 'conversation.item.create', item: userMessage('fresh') });
    client.send({ type: 'response.create' });
    await client.next('response.done');
    expect(live.stream('kitchen').asked.map(({ question }) => question)).toEqual([
      'fail engine_restarted',
      'fail engine_restarted',
      'fresh',
    ]);
  });

  it('does not ask a cancelled question again, and lets it and its partial answer be deleted', async () => {
    client.send({ type: 'conversation.item.create', item: { id: 'q1', ...userMessage('slow') } });
    client.send({ type: 'response.create' });
    const { item } = await client.next(
      (event) => event.type === 'conversation.item.added' && event.item.role !== 'user',
    );
    client.send({ type: 'conversation.item.delete', item_id: 'q1' });
    expect((await client.next('error')).error).toMatchObject({ code: 'invalid_request', param: 'item_id' });
    client.send({ type: 'response.cancel' });
    await client.next('response.done');
    client.send({ type: 'response.create' });
    expect((await client.next('error')).error.code).toBe('question_empty');
    for (const id of ['q1', item.id]) {
      client.send({ type: 'conversation.item.delete', item_id: id });
      expect((await client.next('conversation.item.deleted')).item_id).toBe(id);
    }
    client.send({ type: 'conversation.item.create', item: { id: 'q1', ...userMessage('fresh') } });
    client.send({ type: 'response.create' });
    expect((await client.next('response.output_text.done')).text).toContain('You asked: fresh');
  });

  it('does not delete completed answers', async () => {
    client.send({ type: 'conversation.item.create', item: userMessage('one') });
    client.send({ type: 'response.create' });
    const { response } = await client.next('response.done');
    client.send({ type: 'conversation.item.delete', item_id: response.output[0].id });
    expect((await client.next('error')).error).toMatchObject({ code: 'invalid_request', param: 'item_id' });
  });

  it('has one response at a time, and starts over after yoco.conversation.reset', async () => {
    client.send({ type: 'conversation.item.create', item: userMessage('slow') });
    client.send({ type: 'response.create' });
    await client.next('response.created');
    client.send({ type: 'response.create', event_id: 'again' });
    expect((await client.next('error')).error).toMatchObject({ code: 'response_in_progress', event_id: 'again' });
    client.send({ type: 'yoco.conversation.reset' });
    expect((await client.next('error')).error.code).toBe('response_in_progress');
    client.send({ type: 'response.cancel' });
    await client.next('response.done');
    client.send({ type: 'yoco.conversation.reset' });
    await client.next('conversation.created');
    client.send({ type: 'conversation.item.create', item: userMessage('fresh') });
    client.send({ type: 'response.create' });
    expect((await client.next('response.output_text.done')).text).toBe('You asked: fresh (turn 1)');
  });

  it('holds no more items than its limit', async () => {
    const small = await startServer(live, { port: 0, maxConversationItems: 2, drainMs: 0 });
    const other = await RealtimeClient.open(small.address);
    for (const text of ['a', 'b', 'c']) other.send({ type: 'conversation.item.create', item: userMessage(text) });
    expect((await other.next('error')).error.code).toBe('conversation_full');
    other.send({ type: 'response.create' });
    expect((await other.next('error')).error.code).toBe('conversation_full');
    other.send({ type: 'yoco.conversation.reset' });
    other.send({ type: 'conversation.item.create', item: userMessage('slow') });
    other.send({ type: 'response.create' });
    other.send({ type: 'conversation.item.create', item: userMessage('early') });
    await other.next((event) => event.type === 'conversation.item.added' && event.item.role === 'assistant');
    other.send({ type: 'response.cancel' });
    expect((await other.next('response.done')).response.status).toBe('cancelled');
    other.close();
    await small.close();
  });
});

describe('responses outside the conversation', () => {
  it('run side by side and carry their metadata', async () => {
    for (const word of ['one', 'two', 'three']) client.ask(`slow ${word}`, { metadata: { word } });
    const ids = new Map<string, string>();
    for (let i = 0; i < 3; i++) {
      const { response } = await client.next('response.created');
      expect(response.conversation_id).toBeNull();
      ids.set(response.metadata['word'] ?? '', response.id);
    }
    expect(ids.size).toBe(3);
    const order: string[] = [];
    for (let i = 0; i < 9; i++) order.push((await client.next('response.output_text.delta')).response_id);
    expect(new Set(order).size).toBe(3);
    client.send({ type: 'response.cancel', response_id: ids.get('two') });
    const done = await client.next('response.done');
    expect(done.response).toMatchObject({
      id: ids.get('two'),
      status: 'cancelled',
      status_details: { type: 'cancelled', reason: 'client_cancelled' },
    });
    expect(done.response.output[0].status).toBe('incomplete');
    await client.next((event) => event.type === 'response.output_text.delta' && event.response_id === ids.get('one'));
  });

  it('are limited in number on one connection', async () => {
    for (let i = 0; i < 9; i++) client.ask('slow');
    const { error } = await client.next('error');
    expect(error).toMatchObject({ code: 'too_many_questions', retryable: true, type: 'rate_limit_error' });
    expect(client.events.filter(({ type }) => type === 'response.created')).toHaveLength(8);
  });

  it('are incomplete at max_output_tokens', async () => {
    client.ask('long', { max_output_tokens: 4 });
    const { response } = await client.next('response.done');
    expect(response).toMatchObject({ status: 'incomplete', status_details: { reason: 'max_output_tokens' } });
    expect(response.usage.output_tokens).toBe(4);
  });

  it('pass sampling options on', async () => {
    client.ask('hello', { yoco: { temperature: 0.7, top_p: 0.9, seed: 3 } });
    await client.next('response.done');
    expect(live.stream('kitchen').asked[0]?.options).toMatchObject({ temperature: 0.7, topP: 0.9, seed: 3 });
  });

  it('fail with the catalogue’s error and keep what was written', async () => {
    client.ask('fail engine_restarted');
    const { response } = await client.next('response.done');
    expect(response).toMatchObject({
      status: 'failed',
      status_details: { type: 'failed', error: { code: 'engine_restarted', type: 'server_error', retryable: true } },
      output: [{ status: 'incomplete', content: [{ text: 'You asked: ' }] }],
    });
    client.ask('throw too_many_questions', {}, 'q9');
    expect((await client.next('error')).error).toMatchObject({ code: 'too_many_questions', event_id: 'q9' });
  });

  it('reveal nothing about an unexpected error', async () => {
    client.ask('crash');
    const { error } = await client.next('error');
    expect(error.code).toBe('internal');
    expect(JSON.stringify(client.events)).not.toContain('secret detail');
  });

  it('are cancelled when the client disconnects', async () => {
    client.ask('slow');
    await client.next('response.output_text.delta');
    client.close();
    await expect.poll(() => live.stream('kitchen').aborted).toBe(1);
  });

  it('answer in text of any script', async () => {
    client.ask('今、何が見えますか？ Что видно? 🦊');
    expect((await client.next('response.output_text.done')).text).toContain('今、何が見えますか？ Что видно? 🦊');
  });
});

describe('as_of', () => {
  it.each([
    [12.5, 12_500],
    ['12.5', 12_500],
    ['0:42', 42_000],
    ['0:00:42.5', 42_500],
    ['-30s', 30_000],
    ['-1500ms', 58_500],
    ['-1m', 0],
    ['2030-01-01T00:00:42Z', 42_000],
    ['2030-01-01T01:00:42.250+01:00', 42_250],
  ])('%s is %i ms', async (asOf, ms) => {
    client.ask('hello', { yoco: { as_of: asOf } });
    expect((await client.next('response.done')).response.yoco.as_of).toBe(ms / 1_000);
    expect(live.stream('kitchen').asked[0]?.options.asOfMs).toBe(ms);
  });

  it('later than the newest frame, and not in the future, is the newest frame', async () => {
    const stream = live.stream('kitchen');
    stream.startedAtMs = Date.now() - 3_600_000;
    client.ask('hello', { yoco: { as_of: 60.5 } });
    expect((await client.next('response.done')).response.yoco.as_of).toBe(60);
    expect(stream.asked[0]?.options.asOfMs).toBe(60_000);
  });

  it.each([
    ['-2m', 'time_out_of_range'],
    [3_600, 'time_out_of_range'],
    ['2029-12-31T00:00:00Z', 'time_out_of_range'],
    ['yesterday', 'invalid_request'],
    [-30, 'invalid_request'],
    ['', 'invalid_request'],
    ['0:60', 'invalid_request'],
    ['0:60:00', 'invalid_request'],
    ['2029-02-29T00:00:00Z', 'invalid_request'],
    ['2029-04-31T00:00:00+01:00', 'invalid_request'],
  ])('%s is refused as %s', async (asOf, code) => {
    client.ask('hello', { yoco: { as_of: asOf } });
    const { error } = await client.next('error');
    expect(error).toMatchObject({ code, param: 'response.yoco.as_of' });
    if (code === 'time_out_of_range') expect(error.message).toContain('0 s to 60 s');
  });

  it.each([
    [{ as_of: '-2m' }, '-60 s is before the first frame;'],
    [{ as_of: '2029-12-31T01:00:00+01:00' }, '2029-12-31T00:00:00.000Z is before the first frame;'],
    [{ as_of: '2999-01-01T00:00:00Z' }, '2999-01-01T00:00:00.000Z is in the future;'],
    [{ since: 61 }, '61 s is after the moment of the question, 60 s.'],
    [
      { since: '2999-01-01T00:00:00Z' },
      '2999-01-01T00:00:00.000Z is after the moment of the question, 2030-01-01T00:01:00.000Z.',
    ],
  ])('%j is refused in the form in which it was given', async (yoco, words) => {
    client.ask('hello', { yoco });
    expect((await client.next('error')).error.message).toContain(words);
  });

  it('is refused while the stream is empty', async () => {
    live.stream('kitchen').lastMs = null;
    client.ask('hello', { yoco: { as_of: 1 } });
    expect((await client.next('error')).error).toMatchObject({ code: 'stream_empty', param: 'stream' });
  });

  it('is refused while one of several streams is empty, naming the field that chose them', async () => {
    live.stream('door').lastMs = null;
    client.ask('hello', { yoco: { streams: ['kitchen', 'door'], as_of: '-1s' } });
    expect((await client.next('error')).error).toMatchObject({ code: 'stream_empty', param: 'response.yoco.streams' });
    client.ask('hello', { yoco: { streams: ['door'], as_of: '-1s' } });
    expect((await client.next('error')).error).toMatchObject({ code: 'stream_empty', param: 'response.yoco.streams' });
    client.send({ type: 'session.update', session: { yoco: { streams: ['kitchen', 'door'] } } });
    await client.next('session.updated');
    client.ask('hello', { yoco: { as_of: '-1s' } });
    expect((await client.next('error')).error).toMatchObject({ code: 'stream_empty', param: 'session.yoco.streams' });
  });
});

describe('since', () => {
  it.each([
    [12.5, 12_500],
    ['0:42', 42_000],
    ['-30s', 30_000],
    ['-5m', 0],
    ['2030-01-01T00:00:42Z', 42_000],
    ['2029-12-31T00:00:00Z', 0],
  ])('%s is %i ms', async (since, ms) => {
    client.ask('hello', { yoco: { since } });
    const { yoco } = (await client.next('response.done')).response;
    expect(yoco).toMatchObject({ since: ms / 1_000, streams: [{ name: 'kitchen', since: ms / 1_000 }] });
    expect(live.stream('kitchen').asked[0]?.options.sinceMs).toBe(ms);
  });

  it('counts back from the moment of the question', async () => {
    client.ask('hello', { yoco: { as_of: 40, since: '-30s' } });
    expect((await client.next('response.done')).response.yoco).toMatchObject({ as_of: 40, since: 10 });
    client.ask('hello', { yoco: { streams: ['kitchen', 'door'], since: '-30s' } });
    expect((await client.next('response.done')).response.yoco).toMatchObject({
      since: null,
      streams: [
        { name: 'kitchen', since: 30, since_time: '2030-01-01T00:00:30.000Z' },
        { name: 'door', since_time: '2030-01-01T00:00:30.000Z' },
      ],
    });
  });

  it.each([
    [{ since: 61 }, 'time_out_of_range'],
    [{ since: 30, as_of: 20 }, 'time_out_of_range'],
    [{ since: '2031-01-01T00:00:00Z', streams: ['kitchen', 'door'] }, 'time_out_of_range'],
    [{ since: 30, streams: ['kitchen', 'door'] }, 'invalid_request'],
    [{ since: 'yesterday' }, 'invalid_request'],
  ])('%j is refused as %s', async (yoco, code) => {
    client.ask('hello', { yoco });
    expect((await client.next('error')).error).toMatchObject({ code, param: 'response.yoco.since' });
    expect(live.stream('kitchen').asked).toEqual([]);
  });

  it('of the session holds for its questions until set to null', async () => {
    client.send({ type: 'session.update', session: { yoco: { since: '-10s' } } });
    expect((await client.next('session.updated')).session.yoco).toMatchObject({ since: '-10s' });
    client.ask('hello');
    expect((await client.next('response.done')).response.yoco.since).toBe(50);
    client.ask('hello', { yoco: { since: null } });
    expect((await client.next('response.done')).response.yoco.since).toBeNull();
    client.send({ type: 'session.update', session: { yoco: { since: 'soon' } } });
    expect((await client.next('error')).error).toMatchObject({ code: 'invalid_request', param: 'session.yoco.since' });
    client.send({ type: 'session.update', session: { yoco: { since: null } } });
    expect((await client.next('session.updated')).session.yoco).toMatchObject({ since: null });
  });
});

describe('a question over several streams', () => {
  /** The door began five seconds before the kitchen. */
  beforeEach(() => {
    live.stream('door').startedAtMs -= 5_000;
  });

  it('names the stream of each piece of evidence, with wall times by that stream’s clock', async () => {
    client.ask('which camera shows the dog?', { yoco: { streams: ['kitchen', 'door'] } });
    const { response } = await client.next('response.done');
    expect(response.yoco).toMatchObject({
      stream: null,
      as_of: null,
      as_of_time: '2030-01-01T00:01:00.000Z',
      streams: [
        { name: 'kitchen', as_of: 60, as_of_time: '2030-01-01T00:01:00.000Z', since: null, since_time: null },
        { name: 'door', as_of: 60, as_of_time: '2030-01-01T00:00:55.000Z', since: null, since_time: null },
      ],
      precision: 'int8',
      evidence: [
        { stream: 'kitchen', start: 50, start_time: '2030-01-01T00:00:50.000Z' },
        { stream: 'kitchen', start: 59, peak_time: '2030-01-01T00:00:59.500Z', end_time: '2030-01-01T00:01:00.000Z' },
        { stream: 'door', start: 50, start_time: '2030-01-01T00:00:45.000Z' },
        { stream: 'door', start: 59, end_time: '2030-01-01T00:00:55.000Z' },
      ],
    });
  });

  it('about "all" reads every stream that has frames, sorted by name', async () => {
    const attic = await live.create({ name: 'attic', source: { push: true } });
    client.ask('which camera?', { yoco: { streams: 'all' } });
    const names = async (): Promise<string[]> =>
      (await client.next('response.done')).response.yoco.streams.map(({ name }) => name);
    expect(await names()).toEqual(['door', 'kitchen']);
    attic.tick(1_000);
    client.ask('which camera?', { yoco: { streams: 'all' } });
    expect(await names()).toEqual(['attic', 'door', 'kitchen']);
    await live.create({ name: 'cellar', source: { url: 'rtsp://10.0.0.8/live' } });
    client.ask('which camera?', { yoco: { streams: 'all' } });
    const { error } = await client.next('error');
    expect(error).toMatchObject({ code: 'too_many_streams', param: 'response.yoco.streams' });
    expect(error.message).toContain('4 have frames, and it may read 3');
  });

  it.each([
    [['kitchen', 'attic'], 'stream_not_found', 'The name was "attic".'],
    [['kitchen', 'door', 'kitchen'], 'invalid_request', 'expected each stream once, but "kitchen" is named twice'],
    [['a', 'b', 'c', 'd'], 'invalid_request', 'expected the names of 1 to 3 streams, or "all"; got 4'],
    [[], 'invalid_request', 'expected the names of 1 to 3 streams, or "all"; got 0'],
    ['everything', 'invalid_request', 'must be a list of names of streams, or "all"'],
    ['kitchen', 'invalid_request', 'must be a list of names of streams, or "all"'],
    [[7], 'invalid_request', 'must be a list of names of streams, or "all"'],
  ])(
    'with the streams %j is refused in a response and in a session, naming the field and what was expected',
    async (streams, code, words) => {
      client.ask('which camera?', { yoco: { streams } });
      const { error } = await client.next('error');
      expect([error.code, error.param]).toEqual([code, 'response.yoco.streams']);
      expect(error.message).toContain(words);
      client.send({ type: 'session.update', session: { yoco: { streams } } });
      const second = (await client.next('error')).error;
      expect([second.code, second.param]).toEqual([code, 'session.yoco.streams']);
      client.ask('still there?');
      expect((await client.next('response.done')).response.status).toBe('completed');
    },
  );

  it.each([
    ['-30s', '2030-01-01T00:00:30.000Z'],
    ['2030-01-01T00:00:30Z', '2030-01-01T00:00:30.000Z'],
    ['2030-01-01T00:00:58Z', '2030-01-01T00:00:58.000Z'],
  ])('as of %s is about one instant in all streams', async (asOf, time) => {
    client.ask('which camera?', { yoco: { streams: 'all', as_of: asOf } });
    const { streams } = (await client.next('response.done')).response.yoco;
    const seconds = (Date.parse(time) - Date.parse('2030-01-01T00:00:00Z')) / 1_000;
    expect(streams).toMatchObject([
      { name: 'door', as_of: Math.min(60, seconds + 5) },
      { name: 'kitchen', as_of: seconds },
    ]);
    expect(live.stream('door').asked[0]?.options.asOfWallMs).toBe(Date.parse(time));
  });

  it('about "all" at a time leaves out streams that began later, and is refused if none is left', async () => {
    // `-62s` counts from the newest frame of all, which is the kitchen's, although the kitchen is left out.
    for (const asOf of ['-62s', '2029-12-31T23:59:58Z']) {
      client.ask('which camera?', { yoco: { streams: 'all', as_of: asOf } });
      const { response } = await client.next('response.done');
      expect(response.yoco.streams).toMatchObject([{ name: 'door', as_of: 3, as_of_time: '2029-12-31T23:59:58.000Z' }]);
    }
    client.ask('which camera?', { yoco: { streams: 'all', as_of: '-1h' } });
    const { error } = await client.next('error');
    expect(error).toMatchObject({ code: 'time_out_of_range', param: 'response.yoco.as_of' });
    expect(error.message).toContain('is before the first frame of "door"');
  });

  it('may not give as_of in seconds, as each stream has its own clock', async () => {
    for (const asOf of [12, '12.5']) {
      client.ask('which camera?', { yoco: { streams: 'all', as_of: asOf } });
      const { error } = await client.next('error');
      expect(error).toMatchObject({ code: 'invalid_request', param: 'response.yoco.as_of' });
      expect(error.message).toContain('seconds are counted from the beginning of one stream, and 2 are asked');
    }
    client.ask('and one?', { yoco: { streams: ['door'], as_of: 12 } });
    expect((await client.next('response.done')).response.yoco).toMatchObject({ stream: 'door', as_of: 12 });
  });

  it.each([
    ['2029-12-31T23:59:58Z', 'is before the first frame of "kitchen". "kitchen" keeps 0 s to 60 s of its own time'],
    ['-62s', 'is before the first frame of "kitchen"'],
    ['2999-01-01T00:00:00Z', 'is in the future. "door" keeps 0 s to 60 s'],
  ])('as of %s is refused: %s', async (asOf, words) => {
    client.ask('which camera?', { yoco: { streams: ['door', 'kitchen'], as_of: asOf } });
    const { error } = await client.next('error');
    expect(error).toMatchObject({ code: 'time_out_of_range', param: 'response.yoco.as_of' });
    expect(error.message).toContain(words);
  });

  it('takes its streams and as_of from the session until they are reset', async () => {
    client.send({ type: 'session.update', session: { yoco: { streams: ['door', 'kitchen'], as_of: '-10s' } } });
    const { session } = await client.next('session.updated');
    expect(session.yoco).toMatchObject({ streams: ['door', 'kitchen'], as_of: '-10s' });
    client.ask('which camera?');
    expect((await client.next('response.done')).response.yoco.streams.map(({ as_of }) => as_of)).toEqual([55, 50]);
    client.ask('which camera?', { yoco: { streams: ['door'], as_of: null } });
    expect((await client.next('response.done')).response.yoco).toMatchObject({ stream: 'door', as_of: 60 });
    client.ask('what is shown?', { yoco: { streams: null } });
    expect((await client.next('response.done')).response.yoco).toMatchObject({ stream: 'kitchen', as_of: 50 });
    client.send({ type: 'session.update', session: { yoco: { as_of: 5 } } });
    await client.next('session.updated');
    client.ask('which camera?');
    expect((await client.next('error')).error).toMatchObject({ code: 'invalid_request', param: 'session.yoco.as_of' });
    client.send({ type: 'session.update', session: { yoco: { streams: null, as_of: null } } });
    await client.next('session.updated');
    client.ask('what is shown?');
    expect((await client.next('response.done')).response.yoco).toMatchObject({ stream: 'kitchen', as_of: 60 });
  });

  it('is not affected by a session.update with one wrong field', async () => {
    const yoco = { streams: ['door'], as_of: 'yesterday' };
    client.send({ type: 'session.update', session: { max_output_tokens: 5, yoco } });
    expect((await client.next('error')).error).toMatchObject({ code: 'invalid_request', param: 'session.yoco.as_of' });
    client.send({ type: 'session.update', session: {} });
    const { session } = await client.next('session.updated');
    expect(session).toMatchObject({ max_output_tokens: 256, yoco: { streams: null, as_of: null } });
  });

  it('has its own turns in the conversation', async () => {
    const inConversation = async (text: string, streams?: string[]): Promise<string> => {
      client.send({ type: 'conversation.item.create', item: userMessage(text) });
      client.send({ type: 'response.create', response: streams === undefined ? {} : { yoco: { streams } } });
      return (await client.next('response.output_text.done')).text;
    };
    expect(await inConversation('a')).toContain('(turn 1)');
    expect(await inConversation('b', ['kitchen', 'door'])).toContain('(turn 1)');
    expect(await inConversation('c', ['kitchen', 'door'])).toContain('(turn 2)');
    expect(await inConversation('d', ['kitchen'])).toContain('(turn 2)'); // the session's own stream
    client.send({ type: 'yoco.conversation.reset' });
    expect(await inConversation('e', ['kitchen', 'door'])).toContain('(turn 1)');
  });

  it('is refused to a token bound to one of them', async () => {
    const key = 'a-key-for-the-tests-0123';
    const locked = await startServer(live, { port: 0, apiKeys: [key], drainMs: 0 });
    const response = await fetch(`${locked.address}/v1/token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ stream: 'door' }),
    });
    const { token } = (await response.json()) as { token: string };
    const bound = await RealtimeClient.open(locked.address, 'stream=door', ['realtime', `yoco-token.${token}`]);
    for (const streams of [['door', 'kitchen'], ['kitchen'], ['attic'], 'all']) {
      bound.ask('which camera?', { yoco: { streams } });
      expect((await bound.next('error')).error).toMatchObject({ code: 'forbidden', param: 'response.yoco.streams' });
    }
    bound.ask('what is shown?', { yoco: { streams: ['door'] } });
    expect((await bound.next('response.done')).response.status).toBe('completed');
    // A new stream of the same name is not the one that the token is for.
    await live.delete('door');
    live.streams.set('door', new FakeStream('door'));
    bound.ask('what is shown?', { yoco: { streams: ['door'] } });
    expect((await bound.next('error')).error).toMatchObject({ code: 'stream_deleted' });
    bound.close();
    await locked.close();
  });

  it('passes on whether streams were named or "all" was, whatever the conversation began with', async () => {
    const options = async (streams: unknown): Promise<unknown> => {
      client.ask('which camera?', { yoco: { streams } });
      await client.next('response.done');
      return live.streams.get('door')?.asked.at(-1)?.options.anyOf;
    };
    const names = live
      .list()
      .map(({ name }) => name)
      .sort();
    expect(names[0]).toBe('door');
    expect([await options('all'), await options(names), await options('all')]).toEqual([true, false, true]);
  });
});

describe('bad input names the field and leaves the connection open', () => {
  const message = userMessage('hi');
  it.each<[object | string, string, string | null]>([
    ['{"type":', 'invalid_json', null],
    ['', 'invalid_json', null],
    ['[]', 'invalid_request', null],
    ['"response.create"', 'invalid_request', null],
    [{}, 'invalid_request', 'type'],
    [{ type: 7 }, 'invalid_request', 'type'],
    [{ type: 'constructor' }, 'unknown_event', 'type'],
    [{ type: 'input_audio_buffer.append', audio: '' }, 'unknown_event', 'type'],
    [{ type: 'response.create', respnse: {} }, 'invalid_request', 'respnse'],
    [{ type: 'response.create', response: { yoco: { asof: 1 } } }, 'invalid_request', 'response.yoco.asof'],
    [{ type: 'response.create', response: { max_output_tokens: 0 } }, 'invalid_request', 'response.max_output_tokens'],
    [
      { type: 'response.create', response: { conversation: 'none', input: [message], max_output_tokens: 9_999 } },
      'invalid_request',
      'response.max_output_tokens',
    ],
    [{ type: 'response.create', response: { conversation: 'none' } }, 'invalid_request', 'response.input'],
    [{ type: 'response.create', response: { input: [message] } }, 'invalid_request', 'response.input'],
    [
      { type: 'response.create', response: { output_modalities: ['audio'] } },
      'invalid_request',
      'response.output_modalities.0',
    ],
    [{ type: 'response.create', response: { metadata: { a: 1 } } }, 'invalid_request', 'response.metadata.a'],
    [{ type: 'response.create' }, 'question_empty', 'conversation.item'],
    [{ type: 'conversation.item.create', item: userMessage('   ') }, 'question_empty', 'item.content'],
    // Blanks are kept in the item, and count towards the limit.
    [
      { type: 'conversation.item.create', item: userMessage(`${' '.repeat(3_000)}hi`) },
      'question_too_long',
      'item.content',
    ],
    [{ type: 'conversation.item.create', item: { ...message, role: 'assistant' } }, 'invalid_request', 'item.role'],
    [
      { type: 'conversation.item.create', item: { ...message, content: [{ type: 'input_audio', text: '' }] } },
      'invalid_request',
      'item.content.0.type',
    ],
    [{ type: 'conversation.item.create', previous_item_id: 'x', item: message }, 'invalid_request', 'previous_item_id'],
    [{ type: 'response.cancel' }, 'response_not_found', 'response_id'],
    [{ type: 'response.cancel', response_id: 'resp_1' }, 'response_not_found', 'response_id'],
    [{ type: 'yoco.frame.append', image: 'not base64!' }, 'invalid_request', 'image'],
    [{ type: 'yoco.frame.append', image: 'AAAA', t: -1 }, 'invalid_request', 't'],
    [{ type: 'yoco.frame.append', image: 'AAAA' }, 'stream_not_pushable', null],
    [{ type: 'session.update', session: { tools: [{}] } }, 'invalid_request', 'session.tools'],
  ])('%j', async (sent, code, param) => {
    client.send(typeof sent === 'string' ? sent : { event_id: 'mine', ...sent });
    const { error, event_id } = await client.next('error');
    expect(error).toMatchObject({ code, param, event_id: typeof sent === 'string' ? null : 'mine' });
    expect(event_id).toMatch(/^event_/);
    client.ask('still there?');
    expect((await client.next('response.done')).response.status).toBe('completed');
  });

  it('a question of 10,000 characters', async () => {
    client.ask('why '.repeat(2_500));
    const { error } = await client.next('error');
    expect(error).toMatchObject({ code: 'question_too_long', param: 'response.input' });
    expect(error.message).toContain('the limit is 2000');
    client.ask('short');
    await client.next('response.done');
  });

  it('more elements or pairs than a field may have, whatever their type', async () => {
    const content = new Array<number>(20_000).fill(0);
    client.ask('', { input: [{ ...message, content }] });
    expect((await client.next('error')).error).toMatchObject({
      code: 'invalid_request',
      param: 'response.input.0.content',
    });
    const metadata = Object.fromEntries(content.slice(0, 4_000).map((_, i) => [`key${i}`, i]));
    client.ask('', { metadata });
    expect((await client.next('error')).error).toMatchObject({
      code: 'invalid_request',
      param: 'response.metadata.key0',
    });
    client.ask('still there?');
    expect((await client.next('response.done')).response.status).toBe('completed');
  });

  it('a message of more than 64 KiB besides its picture, which counts as invalid', async () => {
    const content = new Array<number>(200_000).fill(0);
    const large = { type: 'response.create', response: { conversation: 'none', input: [{ ...message, content }] } };
    client.send({ event_id: 'mine', ...large });
    expect((await client.next('error')).error).toMatchObject({ code: 'message_too_large', event_id: 'mine' });
    client.send({ type: 'yoco.frame.append', image: 'AAAA', note: 'x'.repeat(70_000) });
    expect((await client.next('error')).error.code).toBe('message_too_large');
    // Nested too deeply to be serialised as JSON again.
    const deep = 300_000;
    client.send(`{"type":"yoco.frame.append","image":"AAAA","note":${'['.repeat(deep)}${']'.repeat(deep)}}`);
    expect((await client.next('error')).error.code).toBe('message_too_large');
    client.send({ type: 'yoco.frame.append', image: 'A'.repeat(100_000) });
    expect((await client.next('error')).error.code).toBe('stream_not_pushable');
    // Some JSON encoders escape the "/" or the "+" of base64, and so do quotation marks and backslashes elsewhere.
    for (const escaped of ['A\\/', 'A\\u002b']) {
      const image = escaped.repeat(100_000);
      client.send(`{"type":"yoco.frame.append","event_id":"\\"\\\\","image":"${image}"}`);
      expect((await client.next('error')).error).toMatchObject({ code: 'stream_not_pushable', event_id: '"\\' });
      client.send(`{"type":"yoco.frame.append","note":"${'x'.repeat(70_000)}","image":"${image}"}`);
      expect((await client.next('error')).error.code).toBe('message_too_large');
    }
    for (let i = 0; i < 20; i++) client.send(large);
    expect(await client.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('in a row') as string });
  });

  it('until many invalid messages in a row close it with 4400', async () => {
    for (let i = 0; i < 19; i++) client.send('{');
    client.send({ type: 'yoco.ping' });
    await client.next('yoco.pong');
    for (let i = 0; i < 20; i++) client.send('{');
    expect((await client.closed).code).toBe(4400);
  });
});

describe('pushed frames', () => {
  const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0]);

  it('get one reply each, numbered in order', async () => {
    const door = await RealtimeClient.open(server.address, 'stream=door');
    door.send({ type: 'yoco.frame.append', image: jpeg.toString('base64'), t: 61 });
    door.socket.send(jpeg);
    door.send({ type: 'yoco.frame.append', image: `data:image/jpeg;base64,${jpeg.toString('base64')}`, t: 5 });
    door.send({ type: 'yoco.frame.append', event_id: 'bad', image: 'AAAA' });
    expect(await door.next('yoco.frame.accepted')).toMatchObject({
      number: 1,
      t: 61,
      time: '2030-01-01T00:01:01.000Z',
    });
    expect(await door.next('yoco.frame.accepted')).toMatchObject({ number: 2, t: 61.5 });
    expect(await door.next('yoco.frame.dropped')).toMatchObject({ number: 3, reason: 'out_of_order' });
    expect(await door.next('error')).toMatchObject({
      error: { code: 'image_undecodable', event_id: 'bad' },
      yoco: { frame: 4 },
    });
    door.close();
  });

  it('may carry wall times; impossible ones are rejected without closing the connection', async () => {
    live.stream('door').startedAtMs = Date.parse('2020-01-01T00:00:00Z');
    const door = await RealtimeClient.open(server.address, 'stream=door');
    const append = (t: string): void => {
      door.send({ type: 'yoco.frame.append', image: jpeg.toString('base64'), t });
    };
    const error = { code: 'invalid_request', param: 't' };
    for (let frame = 1; frame <= 25; frame++) {
      append('9999-01-01T00:00:00Z');
      expect(await door.next('error')).toMatchObject({ error, yoco: { frame } });
    }
    append('2020-01-01T01:01:05+01:00');
    const accepted = { number: 26, t: 65, time: '2020-01-01T00:01:05.000Z' };
    expect(await door.next('yoco.frame.accepted')).toMatchObject(accepted);
    append('-5s');
    const malformed = await door.next('error');
    expect(malformed).toMatchObject({ error });
    expect(malformed).not.toHaveProperty('yoco');
    door.close();
  });

  it('keep their arrival times however long earlier frames take', async () => {
    live.stream('door').pushDelayMs = 200;
    const door = await RealtimeClient.open(server.address, 'stream=door');
    for (let i = 0; i < 3; i++) door.socket.send(jpeg);
    for (const number of [1, 2, 3]) expect(await door.next('yoco.frame.accepted')).toMatchObject({ number });
    const [first = NaN, second = NaN, third = NaN] = live.stream('door').waitedMs;
    expect(first).toBeLessThan(190);
    expect(second).toBeGreaterThan(190);
    expect(third).toBeGreaterThan(390);
    door.close();
  });

  it('are dropped as busy beyond the limit', async () => {
    live.stream('door').pushDelayMs = 300;
    const door = await RealtimeClient.open(server.address, 'stream=door');
    for (let i = 0; i < 10; i++) door.socket.send(jpeg);
    const replies = new Map<number, string>();
    for (let i = 0; i < 10; i++) {
      const { number, type } = await door.next((event) => event.type.startsWith('yoco.frame.'));
      replies.set(number, type);
    }
    expect(replies.size).toBe(10);
    expect([9, 10].map((number) => replies.get(number))).toEqual(['yoco.frame.dropped', 'yoco.frame.dropped']);
    door.close();
  });
});

describe('yoco.stream.status', () => {
  it('is sent on subscription and after changes, coalesced, until unsubscribed', async () => {
    const kitchen = live.stream('kitchen');
    client.send({ type: 'session.update', session: { yoco: { status: true } } });
    expect((await client.next('yoco.stream.status')).stream.last).toBe(60);
    for (let i = 1; i <= 50; i++) kitchen.tick(60_000 + i * 10);
    expect((await client.next('yoco.stream.status')).stream.last).toBe(60.5);
    expect(client.events.filter(({ type }) => type === 'yoco.stream.status')).toHaveLength(2);
    client.send({ type: 'session.update', session: { yoco: { status: false } } });
    await client.next('session.updated');
    expect(kitchen.listeners).toBe(0);
  });

  it('reports a deleted stream; questions then fail, but the connection stays open', async () => {
    client.send({ type: 'session.update', session: { yoco: { status: true } } });
    await client.next('yoco.stream.status');
    await live.delete('kitchen');
    expect((await client.next('yoco.stream.status')).stream.state).toBe('stopped');
    client.ask('anybody?');
    expect((await client.next('error')).error.code).toBe('stream_deleted');
    expect((await refusedUpgrade(server.address, 'stream=kitchen')).status).toBe(404);
  });

  it('leaves no listener behind when the client disconnects', async () => {
    client.send({ type: 'session.update', session: { yoco: { status: true } } });
    await client.next('yoco.stream.status');
    client.close();
    await expect.poll(() => live.stream('kitchen').listeners).toBe(0);
  });
});
