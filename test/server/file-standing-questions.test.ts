/** Standing questions of stream files, and the webhooks that receive their answers. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { YocoError } from '../../src/errors.ts';
import type { StandingQuestionDefinition } from '../../src/ingest/definition.ts';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FileStandingQuestions } from '../../src/server/file-standing-questions.ts';
import { MAX_REPORTED_ANSWERS, StandingRecord } from '../../src/server/standing-record.ts';
import { sourceStatusEvent, standingAnswered, standingDeleted, standingList } from '../../src/server/wire-schemas.ts';
import { signingKeyOf, MAX_QUEUED_EVENTS, MAX_QUEUED_PICTURE_BYTES, Webhook } from '../../src/server/webhook.ts';
import { collectGarbage } from '../support/garbage.ts';
import { FakeLiveService, type FakeStream } from './fake-live-service.ts';

const SECRET = `whsec_${Buffer.from('a-secret-of-the-tests-0123').toString('base64')}`;

interface Event {
  readonly id: string;
  readonly type: string;
  readonly answer?: string;
  readonly state?: string;
  readonly error?: { readonly code: string } | null;
  readonly n?: number;
  readonly last_change_time?: string | null;
  readonly picture?: {
    readonly stream: string;
    readonly t: number;
    readonly time: string;
    readonly jpeg: string;
  } | null;
}

interface Heard {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly event: Event;
}

/** The requests that the webhook received, and the statuses that it answers with, in order; after those, 204. */
let heard: Heard[];
let answers: number[];
let receiver: Server;
let url: string;

const logged: [string, object, string][] = [];
const log = {
  info: (fields: object, message: string) => logged.push(['info', fields, message]),
  warn: (fields: object, message: string) => logged.push(['warn', fields, message]),
  error: (fields: object, message: string) => logged.push(['error', fields, message]),
};

beforeEach(async () => {
  heard = [];
  answers = [];
  logged.length = 0;
  receiver = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      heard.push({ path: request.url ?? '', headers: request.headers, body, event: JSON.parse(body) as Event });
      const status = answers.shift() ?? 204;
      // 0: it never answers.
      if (status !== 0) response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook/hidden-part`;
});

afterEach(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
});

describe('A standing question of a stream’s file', () => {
  let live: FakeLiveService;
  let kitchen: FakeStream;
  let server: RunningServer | null;

  beforeEach(() => {
    live = new FakeLiveService();
    kitchen = live.stream('kitchen');
    server = null;
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    await server?.close();
  });

  async function ask(more: Partial<StandingQuestionDefinition> = {}): Promise<void> {
    kitchen.standingQuestions = [{ question: 'is there a dog? ', every: 0.5, holds: 1, min_confidence: 0, ...more }];
    server = await startServer(live, { port: 0, drainMs: 1_000, log });
  }

  it('sends its first answer and each change to the webhook, signed so that the official client verifies it', async () => {
    vi.stubEnv('DOOR_SECRET', SECRET);
    kitchen.says = 'no';
    await ask({ webhook: { url, secret_env: 'DOOR_SECRET' } });
    await expect.poll(() => heard.length).toBe(1);
    kitchen.tick(61_000);
    await expect.poll(() => kitchen.asked.length).toBe(2);
    kitchen.says = 'yes';
    kitchen.tick(62_000);
    await expect.poll(() => heard.length).toBe(2);

    for (const { event } of heard) expect(standingAnswered.strict().parse(event)).toEqual(event);
    const client = new OpenAI({ apiKey: 'none' });
    const events = await Promise.all(
      heard.map(({ body, headers }) => client.webhooks.unwrap(body, headers as Record<string, string>, SECRET)),
    );
    expect(events).toMatchObject([
      { type: 'yoco.standing_question.answered', stream: 'kitchen', answer: 'no', previous: null, status: 'completed' },
      { question: 'is there a dog? ', answer: 'yes', previous: 'no', yoco: { stream: 'kitchen', as_of: 62 } },
    ]);
    const wrong = client.webhooks.unwrap(heard[0]?.body ?? '', heard[1]?.headers, SECRET);
    await expect(wrong).rejects.toThrow();
    expect(heard.map(({ headers, event }) => headers['webhook-id'] === event.id)).toEqual([true, true]);
    expect(kitchen.asked[0]).toMatchObject({ question: 'is there a dog?', options: { unattended: true } });
    const figures = async (): Promise<string> => (await fetch(`${server?.address}/metrics`)).text();
    expect(await figures()).toContain('yoco_standing_askings_total{outcome="answered"} 3');
    await expect.poll(figures, { timeout: 10_000 }).toContain('yoco_webhook_events_total{outcome="delivered"} 2');
  });

  it('has its answers logged even without a webhook', async () => {
    kitchen.says = 'no';
    await ask();
    await expect.poll(() => logged.length).toBe(1);
    expect(logged).toMatchObject([
      ['info', { stream: 'kitchen', answer: 'no', previous: null, confidence: 0.75 }, /new answer/],
    ]);
    expect(heard).toEqual([]);
  });

  it('tells the webhook when it is no longer asked, and why', async () => {
    await ask({ webhook: { url } });
    await expect.poll(() => heard.length).toBe(1);
    kitchen.deleted = true;
    kitchen.tick(61_000);
    await expect.poll(() => heard.length).toBe(2);
    expect(heard[1]?.event).toMatchObject({
      type: 'yoco.standing_question.deleted',
      error: { code: 'stream_deleted' },
    });
    expect(standingDeleted.strict().parse(heard[1]?.event)).toEqual(heard[1]?.event);
    expect(heard[1]?.headers['webhook-signature']).toBeUndefined();
    expect(logged.at(-1)).toMatchObject(['warn', { code: 'stream_deleted' }, /was stopped/]);
  });

  it('names the stream in the log when its webhook fails', async () => {
    answers = [400];
    await ask({ webhook: { url } });
    const warned = () => logged.filter(([, , message]) => message.startsWith('The webhook at 127.0.0.1'));
    await expect.poll(warned).toMatchObject([['warn', { stream: 'kitchen' }, /400/]]);
  });

  it('needs the secret that its file names, else the service does not start', async () => {
    vi.stubEnv('DOOR_SECRET', 'short');
    await expect(ask({ webhook: { url, secret_env: 'DOOR_SECRET' } })).rejects.toMatchObject({
      code: 'definition_invalid',
      detail:
        'kitchen: standing_questions.0.webhook.secret_env: expected DOOR_SECRET to hold "whsec_" and the base64 of at least 16 bytes, or as many of plain text.',
    });
    expect(kitchen.asked).toEqual([]);
  });

  it('survives an unexpected error, which is logged', async () => {
    kitchen.says = 'no';
    await ask();
    await expect.poll(() => logged.length).toBe(1);
    kitchen.failNext = new TypeError('inside');
    kitchen.tick(61_000);
    await expect.poll(() => logged.length).toBe(2);
    expect(logged[1]).toMatchObject([
      'error',
      { question: 'is there a dog? ', err: new TypeError('inside') },
      /not answered/,
    ]);
    kitchen.says = 'yes';
    await expect.poll(() => logged.length).toBe(3);
    expect(logged[2]).toMatchObject(['info', { answer: 'yes', previous: 'no' }, /new answer/]);
  });

  describe('after a change of the file', () => {
    const of = (question: string, variable?: string): StandingQuestionDefinition => {
      const webhook = variable === undefined ? { url } : { url, secret_env: variable };
      return { question, every: 0.5, holds: 1, min_confidence: 0, webhook };
    };
    const told = () => heard.map(({ body }) => JSON.parse(body) as Event & { question: string });

    it('goes on if the file still contains it, else ends, while new ones begin', async () => {
      kitchen.says = 'no';
      kitchen.standingQuestions = [of('a dog?'), of('a cat?')];
      server = await startServer(live, { port: 0, drainMs: 1_000, log });
      await expect.poll(() => heard.length).toBe(2);
      kitchen.standingQuestions = [of('a bird?'), of('a dog?')];
      server.syncStandingQuestions(kitchen);
      await expect.poll(() => heard.length).toBe(4);
      const later = told().slice(2);
      expect(later.find(({ question }) => question === 'a cat?')).toMatchObject({
        type: 'yoco.standing_question.deleted',
        error: null,
      });
      expect(later.find(({ question }) => question === 'a bird?')).toMatchObject({ answer: 'no' });
      expect(kitchen.listeners).toBe(1);

      kitchen.says = 'yes';
      kitchen.tick(62_000);
      await expect.poll(() => heard.length).toBe(6);
      const answers = told().slice(4);
      expect(answers.map(({ question }) => question).sort()).toEqual(['a bird?', 'a dog?']);
      expect(answers).toMatchObject([
        { answer: 'yes', previous: 'no' },
        { answer: 'yes', previous: 'no' },
      ]);

      kitchen.standingQuestions = [];
      server.syncStandingQuestions(kitchen);
      await expect.poll(() => heard.length).toBe(8);
      expect(kitchen.listeners).toBe(0);
    });

    it('goes on as before if a new one lacks its secret', async () => {
      kitchen.says = 'no';
      kitchen.standingQuestions = [of('a dog?')];
      server = await startServer(live, { port: 0, drainMs: 1_000, log });
      await expect.poll(() => heard.length).toBe(1);
      kitchen.standingQuestions = [of('a cat?', 'NOBODY_HAS_SET_THIS')];
      expect(() => server?.syncStandingQuestions(kitchen)).toThrow(
        expect.objectContaining({ code: 'definition_invalid' }),
      );
      kitchen.says = 'yes';
      kitchen.tick(62_000);
      await expect.poll(() => heard.length).toBe(2);
      expect(told()[1]).toMatchObject({ question: 'a dog?', answer: 'yes', previous: 'no' });
    });

    it('is asked again after its source had ended, once there is a new source', async () => {
      kitchen.says = 'no';
      kitchen.standingQuestions = [of('a dog?')];
      kitchen.state = 'ended';
      server = await startServer(live, { port: 0, drainMs: 1_000, log });
      const types = () => told().map(({ type }) => type.replace(/^yoco\./, ''));
      const once = ['stream.status', 'standing_question.answered', 'standing_question.deleted'];
      await expect.poll(types).toEqual(once);
      server.syncStandingQuestions(kitchen);
      kitchen.state = 'playing';
      kitchen.tick(62_000);
      server.syncStandingQuestions(kitchen);
      await expect.poll(types).toEqual([...once, 'standing_question.answered']);
      expect(kitchen.listeners).toBe(1);
    });
  });

  it('can be asked of a stream that is created later, until the service shuts down', async () => {
    server = await startServer(live, { port: 0, drainMs: 1_000, log });
    kitchen.says = 'no';
    kitchen.standingQuestions = [{ question: 'is there a dog?', every: 0.5, holds: 1, min_confidence: 0 }];
    server.syncStandingQuestions(kitchen);
    await expect.poll(() => logged.length).toBe(1);
    await server.close();
    expect(() => {
      server?.syncStandingQuestions(kitchen);
    }).toThrow(expect.objectContaining({ code: 'shutting_down' }));
  });
});

describe('The picture of a new answer', () => {
  let kitchen: FakeStream;
  let questions: FileStandingQuestions;

  beforeEach(() => {
    kitchen = new FakeLiveService().stream('kitchen');
    kitchen.says = 'no';
    questions = new FileStandingQuestions(
      { log, maxOutputTokens: 32 },
      { countAsking: () => undefined, countWebhookEvents: () => undefined },
    );
  });

  afterEach(() => questions.close(1_000));

  async function pictureTold(picture?: boolean): Promise<Event['picture']> {
    const webhook = { url, ...(picture === undefined ? {} : { picture }) };
    kitchen.standingQuestions = [{ question: 'is there a dog?', every: 0.5, holds: 1, min_confidence: 0, webhook }];
    questions.sync(kitchen);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(1);
    expect(standingAnswered.strict().parse(heard[0]?.event)).toEqual(heard[0]?.event);
    return heard[0]?.event.picture;
  }

  it('is what the model saw at the peak of the strongest evidence', async () => {
    const { jpeg } = await kitchen.thumbnail(51_000);
    expect(await pictureTold(true)).toEqual({
      stream: 'kitchen',
      t: 51,
      time: '2030-01-01T00:00:51.000Z',
      jpeg: jpeg.toString('base64'),
    });
  });

  it('is sent only on request', async () => {
    expect(await pictureTold()).toBeUndefined();
  });

  it('falls back to the newest frame if that of the evidence is no longer kept, then to null', async () => {
    const thumbnail = kitchen.thumbnail.bind(kitchen);
    kitchen.thumbnail = (timeMs) =>
      timeMs === undefined ? thumbnail() : Promise.reject(new YocoError('time_out_of_range'));
    expect(await pictureTold(true)).toMatchObject({ t: 60 });

    kitchen.thumbnail = () => Promise.reject(new YocoError('stream_empty'));
    kitchen.says = 'yes';
    kitchen.tick(61_000);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(2);
    expect(heard[1]?.event).toMatchObject({ answer: 'yes', picture: null });
  });

  it('is waited for, as the engine may answer about a frame before its picture is there', async () => {
    // The evidence's peak is at 51 s.
    kitchen.pictures = () => ({ firstMs: 0, lastMs: 50_500 });
    const told = pictureTold(true);
    await expect.poll(() => kitchen.listeners, { timeout: 10_000 }).toBe(2);
    expect(heard).toEqual([]);
    kitchen.pictures = () => ({ firstMs: 0, lastMs: 51_000 });
    kitchen.changed();
    expect(await told).toMatchObject({ t: 51 });
  });
});

/** A change as it is told; only the answer matters here. */
function changeTo(answer: string) {
  const latency_ms = { first_token: 10, total: 20 };
  const of = { stream: 'kitchen', as_of: 60, as_of_time: '2030-01-01T00:01:00.000Z', since: null, streams: [] };
  const yoco = { ...of, precision: 'full' as const, confidence: 0.9, evidence: [], latency_ms };
  return { answer, previous: null, status: 'completed' as const, yoco };
}

describe('The list of standing questions', () => {
  const KEY = 'a-key-for-the-tests-0123';
  let live: FakeLiveService;
  let kitchen: FakeStream;
  let server: RunningServer;

  beforeEach(() => {
    live = new FakeLiveService();
    kitchen = live.stream('kitchen');
    kitchen.says = 'no';
  });

  afterEach(() => server.close());

  async function stood(name = 'kitchen') {
    const response = await fetch(`${server.address}/v1/streams/${name}/standing_questions`, {
      headers: { authorization: `Bearer ${KEY}` },
    });
    expect(response.status).toBe(200);
    return standingList.parse(await response.json()).data;
  }

  async function ask(...asked: Partial<StandingQuestionDefinition>[]): Promise<void> {
    kitchen.standingQuestions = asked.map((more) => ({
      question: 'is there a dog?',
      every: 0.5,
      holds: 1,
      min_confidence: 0,
      ...more,
    }));
    server = await startServer(live, { port: 0, drainMs: 1_000, log, apiKeys: [KEY] });
  }

  it('shows each answer, its time and the answers before it, but not the path of the webhook', async () => {
    await ask({ webhook: { url } }, { question: 'who is there?', every: 3_600 });
    await expect.poll(async () => (await stood())[0]?.told.length, { timeout: 10_000 }).toBe(1);
    kitchen.says = 'yes';
    kitchen.tick(62_000);
    await expect.poll(async () => (await stood())[0]?.told.length, { timeout: 10_000 }).toBe(2);
    const [dog, who] = await stood();
    expect(dog).toMatchObject({
      object: 'yoco.standing_question',
      question: 'is there a dog?',
      every: 0.5,
      holds: 1,
      min_confidence: 0,
      webhook: new URL(url).host,
      state: 'answered',
      error: null,
      answer: 'yes',
      since_time: '2030-01-01T00:01:02.000Z',
      told: [
        { answer: 'yes', previous: 'no', status: 'completed', as_of: 62, evidence: [{ peak: 53 }, {}] },
        { answer: 'no', previous: null, as_of_time: '2030-01-01T00:01:00.000Z' },
      ],
    });
    expect(who).toMatchObject({ question: 'who is there?', webhook: null, answer: 'no' });
    expect(JSON.stringify([dog, who])).not.toContain('hidden-part');
    expect(await stood('door')).toEqual([]);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(2);
    expect(heard.map(({ body }) => (JSON.parse(body) as Record<string, unknown>)['standing_question_id'])).toEqual([
      dog?.id,
      dog?.id,
    ]);
  });

  it('shows why an asking was missed, and why a question has ended', async () => {
    kitchen.lastMs = null;
    await ask({});
    await expect.poll(async () => (await stood())[0]?.state, { timeout: 10_000 }).toBe('missed');
    expect(await stood()).toMatchObject([{ error: { code: 'stream_empty' }, answer: null, told: [] }]);
    kitchen.tick(61_000);
    await expect.poll(async () => (await stood())[0]?.answer, { timeout: 10_000 }).toBe('no');
    await server.close();

    kitchen.failNext = new YocoError('question_too_long');
    await ask({});
    await expect.poll(async () => (await stood())[0]?.state, { timeout: 10_000 }).toBe('ended');
    expect(await stood()).toMatchObject([{ error: { code: 'question_too_long' } }]);
  });

  it('can be read with a token bound to its stream, not with that of another', async () => {
    await ask({});
    const read = async (bound: string): Promise<number> => {
      const minted = await fetch(`${server.address}/v1/token`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ stream: bound }),
      });
      const { token } = (await minted.json()) as { token: string };
      const address = `${server.address}/v1/streams/kitchen/standing_questions`;
      return (await fetch(address, { headers: { authorization: `Bearer ${token}` } })).status;
    };
    expect(await read('kitchen')).toBe(200);
    expect(await read('door')).toBe(403);
    expect((await fetch(`${server.address}/v1/streams/kitchen/standing_questions`)).status).toBe(401);
  });

  it('keeps only the last answers', () => {
    const record = new StandingRecord('standing_1', { question: 'how many?', every: 2, holds: 1, min_confidence: 0 });
    for (let n = 0; n < MAX_REPORTED_ANSWERS + 5; n++) record.recordChange(changeTo(String(n)));
    const { answer, told } = record.json();
    expect([answer, told.length, told[0]?.answer, told.at(-1)?.answer]).toEqual([
      '54',
      MAX_REPORTED_ANSWERS,
      '54',
      '5',
    ]);
  });
});

describe('The source of a stream with standing questions', () => {
  const question = { question: 'is there a dog?', every: 3_600, holds: 1, min_confidence: 0 };
  let kitchen: FakeStream;
  let questions: FileStandingQuestions;

  beforeEach(() => {
    kitchen = new FakeLiveService().stream('kitchen');
    questions = new FileStandingQuestions(
      { log, maxOutputTokens: 32 },
      { countAsking: () => undefined, countWebhookEvents: () => undefined },
      { awayAfterMs: 100, backAfterMs: 50 },
    );
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    await questions.close(1_000);
  });

  const told = (): Event[] => heard.map(({ event }) => event).filter(({ type }) => type === 'yoco.stream.status');
  const ofSource = (): [string, object, string][] => logged.filter(([, , message]) => message.startsWith('The source'));
  const becomes = (state: FakeStream['state'], code: string | null): void => {
    kitchen.state = state;
    kitchen.error = code === null ? null : { code, message: 'The source cannot be reached.' };
    kitchen.changed();
  };

  it('is reported to the webhook, signed, and logged, when it goes away and when it is back', async () => {
    vi.stubEnv('DOOR_SECRET', SECRET);
    kitchen.standingQuestions = [{ ...question, webhook: { url, secret_env: 'DOOR_SECRET' } }];
    questions.sync(kitchen);
    becomes('reconnecting', 'source_unreachable');
    await expect.poll(() => told().length, { timeout: 10_000 }).toBe(1);
    for (let tries = 0; tries < 3; tries++) becomes('reconnecting', 'source_unreachable');
    // A source that is back still has its last error.
    becomes('playing', 'source_unreachable');
    const cameBack = (): number => {
      kitchen.tick(60_000);
      return told().length;
    };
    await expect.poll(cameBack, { timeout: 10_000 }).toBe(2);

    expect(told()).toMatchObject([
      {
        type: 'yoco.stream.status',
        stream: 'kitchen',
        state: 'reconnecting',
        error: { code: 'source_unreachable', message: 'The source cannot be reached.' },
        last_time: '2030-01-01T00:01:00.000Z',
      },
      { stream: 'kitchen', state: 'playing', error: null },
    ]);
    for (const event of told()) expect(sourceStatusEvent.strict().parse(event)).toEqual(event);
    const { body, headers } = heard.find(({ event }) => event === told()[0]) ?? {};
    const client = new OpenAI({ apiKey: 'none' });
    const event = await client.webhooks.unwrap(body ?? '', headers, SECRET);
    expect(event).toMatchObject({ type: 'yoco.stream.status', id: headers?.['webhook-id'] });
    expect(ofSource()).toEqual([
      [
        'warn',
        { stream: 'kitchen', state: 'reconnecting', code: 'source_unreachable' },
        'The source of a stream with standing questions is away: The source cannot be reached.',
      ],
      ['info', { stream: 'kitchen', state: 'playing' }, 'The source of a stream with standing questions is back.'],
    ]);
  });

  it('is reported once per address, however many questions use it', async () => {
    const webhooks = [url, `${url}/other`, url].map((address) => ({ ...question, webhook: { url: address } }));
    kitchen.standingQuestions = [question, ...webhooks];
    questions.sync(kitchen);
    becomes('failed', 'source_invalid');
    await questions.close(10_000);
    const paths = heard.filter(({ event }) => event.type === 'yoco.stream.status').map(({ path }) => path);
    expect(paths.sort()).toEqual(['/hook/hidden-part', '/hook/hidden-part/other']);
    expect(told()).toMatchObject([{ state: 'failed' }, { state: 'failed' }]);
    expect(ofSource()).toHaveLength(1);
  });

  it('is reported before the end of a question that ends with it', async () => {
    kitchen.says = 'no';
    kitchen.standingQuestions = [{ ...question, every: 0.5, webhook: { url } }];
    questions.sync(kitchen);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(1);
    becomes('ended', null);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(3);
    expect(heard.map(({ event }) => event.type)).toEqual([
      'yoco.standing_question.answered',
      'yoco.stream.status',
      'yoco.standing_question.deleted',
    ]);
    expect(told()).toMatchObject([{ state: 'ended', error: null }]);
  });

  it('is reported to be frozen, and since when, where the stream says after how long', async () => {
    kitchen.frozenAfterMs = 300_000;
    // What an earlier outage left behind is not the reason.
    kitchen.error = { code: 'source_silent', message: 'The source sent no frame for too long.' };
    kitchen.standingQuestions = [{ ...question, webhook: { url } }];
    questions.sync(kitchen);
    kitchen.unchangedMs = 300_000;
    kitchen.tick(360_000);
    await expect.poll(() => told().length, { timeout: 10_000 }).toBe(1);
    kitchen.unchangedMs = 0;
    kitchen.tick(360_500);
    await expect.poll(() => told().length, { timeout: 10_000 }).toBe(2);
    expect(told()).toMatchObject([
      {
        state: 'frozen',
        error: null,
        last_time: '2030-01-01T00:06:00.000Z',
        last_change_time: '2030-01-01T00:01:00.000Z',
      },
      { state: 'playing', error: null, last_change_time: '2030-01-01T00:06:00.500Z' },
    ]);
    for (const event of told()) expect(sourceStatusEvent.strict().parse(event)).toEqual(event);
    expect(ofSource()[0]).toEqual([
      'warn',
      { stream: 'kitchen', state: 'frozen', code: null },
      'The source of a stream with standing questions has frozen: its picture no longer changes.',
    ]);
  });

  it('is logged even if no question has a webhook', async () => {
    kitchen.standingQuestions = [question];
    questions.sync(kitchen);
    becomes('reconnecting', 'source_silent');
    await expect.poll(() => ofSource().length, { timeout: 10_000 }).toBe(1);
    expect(heard).toEqual([]);
  });

  it('is not reported before a question is asked, or after the last has ended', async () => {
    questions.sync(kitchen);
    expect(kitchen.listeners).toBe(0);
    kitchen.failNext = new YocoError('question_too_long');
    kitchen.standingQuestions = [{ ...question, webhook: { url } }];
    questions.sync(kitchen);
    expect(kitchen.listeners).toBe(1);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(1);
    expect(kitchen.listeners).toBe(0);
    becomes('failed', 'source_invalid');
    await questions.close(1_000);
    expect(heard.map(({ event }) => event.type)).toEqual(['yoco.standing_question.deleted']);
    expect(ofSource()).toEqual([]);
  });
});

test.each([
  ['a-secret-of-16-c', 16],
  ['a-secret-of-15-', null],
  [SECRET, 26],
  ['whsec_MTIzNDU2Nzg5MDEyMzQ1Ng==', 16],
  ['whsec_MTIzNDU2Nzg5MDEyMzQ1', null],
  ['whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!', null],
  ['', null],
])('The secret %j is a key of %j bytes', (secret, bytes) => {
  expect(signingKeyOf(secret)?.length ?? null).toBe(bytes);
});

describe('A webhook', () => {
  const warnings: string[] = [];
  const outcomes: [string, number][] = [];
  const open = (more: { retryDelaysMs?: number[]; timeoutMs?: number } = {}): Webhook =>
    new Webhook({
      url,
      retryDelaysMs: [20, 40],
      onWarning: (message) => warnings.push(message),
      onOutcome: (outcome, events) => outcomes.push([outcome, events]),
      ...more,
    });

  beforeEach(() => {
    warnings.length = 0;
    outcomes.length = 0;
  });

  it('is retried with the same id after a transient failure, and later events keep their place', async () => {
    answers = [503, 429];
    const webhook = open();
    for (const n of [1, 2]) webhook.send({ type: 'test', n });
    await webhook.close(5_000);
    expect(heard.map(({ event }) => event.n)).toEqual([1, 1, 1, 2]);
    expect(new Set(heard.map(({ event }) => event.id)).size).toBe(2);
    expect(new Set(heard.map(({ body }) => body)).size).toBe(2);
    expect(warnings).toEqual([]);
    expect(outcomes).toEqual([
      ['delivered', 1],
      ['delivered', 1],
    ]);
  });

  const picture = (t: number, bytes: number) => {
    return { stream: 'kitchen', t, time: '2030-01-01T00:00:00.000Z', jpeg: Buffer.alloc(bytes, t) };
  };

  it('holds back later events until the picture of an earlier one is there', async () => {
    const webhook = open();
    let arrive: (found: ReturnType<typeof picture>) => void = () => undefined;
    webhook.send({ type: 'test', n: 1 }, new Promise((resolve) => (arrive = resolve)));
    webhook.send({ type: 'test', n: 2 }, Promise.resolve(null));
    webhook.send({ type: 'test', n: 3 });
    arrive(picture(1, 3));
    await webhook.close(5_000);
    const jpeg = Buffer.alloc(3, 1).toString('base64');
    expect(heard.map(({ event }) => [event.n, event.picture])).toMatchObject([
      [1, { stream: 'kitchen', t: 1, jpeg }],
      [2, null],
      [3, undefined],
    ]);
  });

  it('queues up to 1 MiB of pictures, then drops the oldest, but not their events', async () => {
    const webhook = open();
    let goOn: (found: null) => void = () => undefined;
    webhook.send({ type: 'test', n: 0 }, new Promise((resolve) => (goOn = resolve)));
    const quarter = MAX_QUEUED_PICTURE_BYTES / 4;
    for (let n = 1; n <= 6; n++) webhook.send({ type: 'test', n }, Promise.resolve(picture(n, quarter)));
    await expect.poll(() => warnings.length).toBe(2);
    goOn(null);
    await webhook.close(5_000);
    expect(heard.map(({ event }) => [event.n, event.picture?.t])).toEqual([
      ...[0, 1, 2].map((n) => [n, undefined]),
      ...[3, 4, 5, 6].map((n) => [n, n]),
    ]);
    expect(warnings[0]).toMatch(/1 MiB of pictures are queued; the oldest was dropped, but not its event\.$/);
  });

  it.each([
    ['refuses', [404], /it answers 404/, 1],
    ['leads elsewhere, which is not followed', [302], /it answers 302/, 1],
    ['fails each time', [500, 500, 500], /it answers 500/, 3],
  ] as const)(
    'that %s is given up for that event only, with a warning that hides its path',
    async (_, all, why, tries) => {
      answers = [...all];
      const webhook = open();
      for (const n of [1, 2]) webhook.send({ type: 'test', n });
      await webhook.close(5_000);
      expect(heard.map(({ event }) => event.n)).toEqual([...Array.from({ length: tries }, () => 1), 2]);
      expect(heard.every(({ path }) => path === '/hook/hidden-part')).toBe(true);
      expect(warnings).toEqual([expect.stringMatching(why)]);
      expect(warnings[0]).not.toContain('hidden-part');
      expect(outcomes).toEqual([
        ['failed', 1],
        ['delivered', 1],
      ]);
    },
  );

  it('that does not answer is given up after the timeout', async () => {
    answers = [0, 0];
    const webhook = open({ retryDelaysMs: [10], timeoutMs: 100 });
    webhook.send({ type: 'test' });
    await webhook.close(5_000);
    expect(warnings).toEqual([expect.stringMatching(/no answer within 0\.1 s/)]);
  });

  it('is given up after the timeout even if garbage is collected meanwhile', async () => {
    answers = [0];
    const webhook = open({ retryDelaysMs: [], timeoutMs: 500 });
    webhook.send({ type: 'test' });
    await expect.poll(() => heard.length).toBe(1);
    collectGarbage();
    await expect.poll(() => warnings, { timeout: 5_000 }).toEqual([expect.stringMatching(/no answer within 0\.5 s/)]);
    await webhook.close(0);
  });

  it('that cannot be reached is reported with the reason', async () => {
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
    const webhook = open({ retryDelaysMs: [] });
    webhook.send({ type: 'test' });
    await webhook.close(5_000);
    expect(warnings).toEqual([expect.stringMatching(/it cannot be reached \(ECONNREFUSED\)\.$/)]);
  });

  it('queues a hundred events, and delays shutdown by no more than the grace period', async () => {
    answers = [0];
    const webhook = open({ timeoutMs: 60_000 });
    for (let n = 0; n < MAX_QUEUED_EVENTS + 3; n++) webhook.send({ type: 'test', n });
    await expect.poll(() => heard.length).toBe(1);
    // One is being sent, a hundred wait, two were dropped.
    expect(warnings).toHaveLength(2);
    const began = performance.now();
    await webhook.close(100);
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(warnings.slice(2)).toEqual([
      expect.stringMatching(/an event was given up: the service is shutting down, and it did not answer\.$/),
      expect.stringMatching(/100 more queued events were dropped/),
    ]);
    webhook.send({ type: 'test' });
    expect(heard).toHaveLength(1);
    expect(outcomes).toEqual([
      ['dropped', 1],
      ['dropped', 1],
      ['failed', 1],
      ['dropped', MAX_QUEUED_EVENTS],
    ]);
  });
});
