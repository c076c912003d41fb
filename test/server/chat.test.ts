import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService } from './fake-live-service.ts';

const KEY = 'a-key-for-the-tests-0123';

let live: FakeLiveService;
let server: RunningServer;

beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, maxOutputTokens: 64 });
});

afterEach(async () => {
  await server.close();
});

interface Wire {
  error: { code: string; param: string | null; message: string };
  id: string;
  data: { id: string }[];
  choices: { message: { content: string }; finish_reason: string }[];
  usage: object;
  yoco: { stream: string; as_of: number; since: number | null; evidence: object[]; streams: object[] };
}

async function post(body: unknown, headers: Record<string, string> = {}, address = server.address) {
  const response = await fetch(`${address}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Wire };
}

const ask = (content: unknown, more: object = {}) => ({
  model: 'tiny@kitchen',
  messages: [{ role: 'user', content }],
  ...more,
});

describe('chat completions', () => {
  it('answer a question about a stream, with evidence', async () => {
    const { status, body } = await post(ask('What is shown?'));
    expect([status, body]).toEqual([
      200,
      {
        id: expect.stringMatching(/^chatcmpl_/) as string,
        object: 'chat.completion',
        created: expect.any(Number) as number,
        model: 'tiny@kitchen',
        choices: [
          {
            index: 0,
            message: { role: 'assistant', content: 'You asked: What is shown? (turn 1)', refusal: null },
            logprobs: null,
            finish_reason: 'stop',
          },
        ],
        usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
        yoco: expect.objectContaining({ stream: 'kitchen', as_of: 60, precision: 'full' }) as object,
      },
    ]);
    expect(body.yoco.evidence).toHaveLength(2);
  });

  it('pass earlier messages on as turns, and ignore system messages', async () => {
    await post({
      model: 'tiny@kitchen',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'assistant', content: 'Hello!' },
        { role: 'user', content: 'What is it?' },
        { role: 'assistant', content: [{ type: 'text', text: 'a kiwi' }] },
        { role: 'user', content: 'And' },
        { role: 'user', content: [{ type: 'text', text: 'before?' }] },
      ],
    });
    const [asked] = live.stream('kitchen').asked;
    expect(asked?.question).toBe('And\nbefore?');
    expect(asked?.options.turns).toEqual([{ question: 'What is it?', answer: 'a kiwi' }]);
  });

  it('read a past moment, a recent part, several streams, or all of them', async () => {
    expect((await post(ask('Then?', { yoco: { as_of: '-10s' } }))).body.yoco).toMatchObject({ as_of: 50, since: null });
    expect((await post(ask('Lately?', { yoco: { since: '-10s' } }))).body.yoco).toMatchObject({ as_of: 60, since: 50 });
    expect((await post(ask('Which?', { yoco: { streams: ['door', 'kitchen'] } }))).body.yoco.streams).toHaveLength(2);
    expect((await post(ask('Which?', { yoco: { streams: 'all', as_of: '-1s' } }))).body.yoco).toMatchObject({
      stream: null,
      streams: [{ name: 'door' }, { name: 'kitchen' }],
    });
  });

  it('pass sampling options on, and clamp max tokens to the limit', async () => {
    await post(ask('Now?', { temperature: 0.5, top_p: 0.9, seed: 7, max_tokens: 5 }));
    await post(ask('Now?', { max_completion_tokens: 100_000, temperature: null }));
    const [first, second] = live.stream('kitchen').asked.map(({ options }) => options);
    expect(first).toMatchObject({ temperature: 0.5, topP: 0.9, seed: 7, maxTokens: 5 });
    expect(second?.maxTokens).toBe(64);
    expect(second).not.toHaveProperty('temperature');
  });

  it('are rejected with the field that is wrong', async () => {
    const wrong: [unknown, number, string, string | null][] = [
      ['{', 400, 'invalid_json', null],
      [{ messages: [] }, 400, 'invalid_request', 'model'],
      [ask('Now?', { model: 'gpt-4o' }), 400, 'invalid_request', 'model'],
      [ask('Now?', { model: 'tiny@attic' }), 404, 'stream_not_found', 'model'],
      [ask('Now?', { messages: [] }), 400, 'invalid_request', 'messages'],
      [ask('Now?', { messages: [{ role: 'assistant', content: 'Hi' }] }), 400, 'invalid_request', 'messages'],
      [ask('Now?', { messages: [{ role: 'tool', content: 'Hi' }] }), 400, 'invalid_request', 'messages.0.role'],
      [ask(' '), 400, 'question_empty', 'messages'],
      [ask('x'.repeat(2_001)), 400, 'question_too_long', 'messages'],
      [
        ask([{ type: 'image_url', image_url: { url: 'http://10.0.0.7/' } }]),
        400,
        'invalid_request',
        'messages.0.content',
      ],
      [ask('Now?', { n: 2 }), 400, 'invalid_request', 'n'],
      [ask('Now?', { tools: [{}] }), 400, 'invalid_request', 'tools'],
      [ask('Now?', { temperature: 3 }), 400, 'invalid_request', 'temperature'],
      [ask('Now?', { strem: true }), 400, 'invalid_request', 'strem'],
      [ask('Now?', { yoco: { as_of: 'yesterday' } }), 400, 'invalid_request', 'yoco.as_of'],
      [ask('Now?', { yoco: { as_of: 99_999_999 } }), 400, 'time_out_of_range', 'yoco.as_of'],
      [ask('Now?', { yoco: { since: 'lately' } }), 400, 'invalid_request', 'yoco.since'],
      [ask('Now?', { yoco: { since: 61 } }), 400, 'time_out_of_range', 'yoco.since'],
      [ask('Now?', { yoco: { streams: ['attic'] } }), 404, 'stream_not_found', 'yoco.streams'],
    ];
    for (const [body, status, code, param] of wrong) {
      const refused = await post(body);
      expect([refused.status, refused.body.error.code, refused.body.error.param]).toEqual([status, code, param]);
    }
    expect(live.stream('kitchen').asked).toEqual([]);
    for (const asOf of [true, {}]) {
      const { message } = (await post(ask('Now?', { yoco: { as_of: asOf } }))).body.error;
      expect(message).toContain('yoco.as_of: must be seconds since the stream began');
    }
    const typed = await post(ask('Now?'), { 'content-type': 'application/x-www-form-urlencoded' });
    expect([typed.status, typed.body.error.message]).toEqual([415, expect.stringContaining('Send application/json.')]);
  });

  it('report the error as HTTP status when the answer fails before its first piece', async () => {
    live.stream('kitchen').lastMs = null;
    for (const stream of [false, true]) {
      const { status, body } = await post(ask('Now?', { stream }));
      expect([status, body.error.code, body.error.param]).toEqual([409, 'stream_empty', 'model']);
      const yoco = { streams: ['kitchen', 'door'] };
      const several = (await post(ask('Now?', { stream, yoco }))).body.error;
      expect([several.code, several.param]).toEqual(['stream_empty', 'yoco.streams']);
    }
  });

  it('require a key where keys are configured, and limit a bound token to its stream', async () => {
    const secured = await startServer(live, { port: 0, apiKeys: [KEY] });
    const { address } = secured;
    const key = { authorization: `Bearer ${KEY}` };
    expect((await post(ask('Now?'), {}, address)).status).toBe(401);
    expect((await post(ask('Now?'), key, address)).status).toBe(200);
    const json = { ...key, 'content-type': 'application/json' };
    const made = await fetch(`${address}/v1/token`, { method: 'POST', headers: json, body: '{"stream": "kitchen"}' });
    const token = { authorization: `Bearer ${((await made.json()) as { token: string }).token}` };
    expect((await post(ask('Now?'), token, address)).status).toBe(200);
    const model = async (name: string): Promise<number> =>
      (await fetch(`${address}/v1/models/${name}`, { headers: token })).status;
    expect([await model('tiny@kitchen'), await model('tiny@door'), await model('tiny@none')]).toEqual([200, 403, 403]);
    for (const body of [
      ask('Now?', { model: 'tiny@door' }),
      ask('Now?', { model: 'tiny@attic' }),
      ask('Now?', { yoco: { streams: 'all' } }),
      ask('Now?', { yoco: { streams: ['door'] } }),
    ]) {
      const refused = await post(body, token, address);
      expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden']);
    }
    await secured.close();
  });

  it('are cancelled when the client disconnects', async () => {
    const leave = new AbortController();
    const response = await fetch(`${server.address}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ask('endless', { stream: true })),
      signal: leave.signal,
    });
    await response.body?.getReader().read();
    leave.abort();
    await expect.poll(() => live.stream('kitchen').aborted).toBe(1);
  });
});

describe('the official client', () => {
  const client = () => new OpenAI({ apiKey: 'none', baseURL: `${server.address}/v1`, maxRetries: 0 });

  it('lists the streams as models, and retrieves one', async () => {
    const ids: string[] = [];
    for await (const model of client().models.list()) ids.push(model.id);
    expect(ids).toEqual(['tiny@kitchen', 'tiny@door']);
    expect((await client().models.retrieve('tiny@door')).owned_by).toBe('yoco-live');
    await expect(client().models.retrieve('tiny@attic')).rejects.toMatchObject({
      status: 404,
      code: 'stream_not_found',
    });
  });

  it('reads an answer whole, and as a stream with usage', async () => {
    const messages = [{ role: 'user' as const, content: 'What is shown?' }];
    const whole = await client().chat.completions.create({ model: 'tiny@kitchen', messages });
    expect(whole.choices[0]?.message.content).toBe('You asked: What is shown? (turn 1)');

    const pieces = await client().chat.completions.create({
      model: 'tiny@kitchen',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    const finishes: unknown[] = [];
    let usage: unknown;
    for await (const chunk of pieces) {
      text += chunk.choices[0]?.delta.content ?? '';
      finishes.push(chunk.choices[0]?.finish_reason);
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe('You asked: What is shown? (turn 1)');
    expect(finishes.slice(-2)).toEqual(['stop', undefined]);
    expect(usage).toEqual({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 });
  });

  it('gets only `internal` for an unexpected error mid-answer; the log has the error', async () => {
    const logged: unknown[] = [];
    const log = { warn: () => undefined, error: (about: object) => logged.push(about) };
    const own = await startServer(live, { port: 0, log });
    const pieces = await new OpenAI({ apiKey: KEY, baseURL: `${own.address}/v1` }).chat.completions.create({
      model: 'tiny@kitchen',
      messages: [{ role: 'user', content: 'fail internal' }],
      stream: true,
    });
    const read = async (): Promise<void> => {
      for await (const chunk of pieces) expect(chunk.object).toBe('chat.completion.chunk');
    };
    await expect(read()).rejects.toMatchObject({ code: 'internal' });
    expect(logged).toMatchObject([{ model: 'tiny@kitchen' }]);
    await own.close();
  });

  it('gets finish_reason `length` for an answer cut at the token limit', async () => {
    const pieces = await client().chat.completions.create({
      model: 'tiny@kitchen',
      messages: [{ role: 'user', content: 'long answer' }],
      max_completion_tokens: 3,
      stream: true,
    });
    const finishes: unknown[] = [];
    for await (const chunk of pieces) finishes.push(chunk.choices[0]?.finish_reason);
    expect(finishes.at(-1)).toBe('length');
  });

  it('gets the error that ends an answer midway', async () => {
    const pieces = await client().chat.completions.create({
      model: 'tiny@kitchen',
      messages: [{ role: 'user', content: 'fail engine_restarted' }],
      stream: true,
    });
    const read = async (): Promise<void> => {
      for await (const chunk of pieces) expect(chunk.object).toBe('chat.completion.chunk');
    };
    await expect(read()).rejects.toMatchObject({ code: 'engine_restarted' });
  });
});
