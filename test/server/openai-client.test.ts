/** The official OpenAI client against the server, over TLS with a self-signed certificate. */
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { FakeLiveService } from './fake-live-service.ts';

const KEY = 'a-key-for-the-tests-0123';
const live = new FakeLiveService();
let cert: string;
let server: RunningServer;

beforeAll(async () => {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  cert = made.cert;
  server = await startServer(live, { port: 0, apiKeys: [KEY], tls: { key: made.private, cert } });
});

afterAll(async () => {
  await server.close();
});

function connect(model: string, apiKey = KEY): OpenAIRealtimeWS {
  const client = new OpenAI({ apiKey, baseURL: `https://localhost:${server.port}/v1` });
  return new OpenAIRealtimeWS({ model, options: { ca: cert } }, client);
}

describe('the openai package', () => {
  it('asks in a conversation and reads the answer as it streams', async () => {
    const realtime = connect('tiny@kitchen');
    const deltas: string[] = [];
    realtime.on('session.created', () => {
      realtime.send({
        type: 'session.update',
        session: { type: 'realtime', output_modalities: ['text'], instructions: 'Answer shortly.' },
      });
    });
    realtime.on('session.updated', () => {
      realtime.send({
        type: 'conversation.item.create',
        item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'What is shown now?' }] },
      });
      realtime.send({ type: 'response.create' });
    });
    realtime.on('response.output_text.delta', ({ delta }) => deltas.push(delta));
    const done = await new Promise<OpenAI.Realtime.RealtimeResponse>((resolve, reject) => {
      realtime.on('response.done', ({ response }) => {
        resolve(response);
      });
      realtime.on('error', reject);
    });
    expect(done.status).toBe('completed');
    expect(deltas.join('')).toBe('You asked: What is shown now? (turn 1)');
    expect(done).toHaveProperty('yoco.evidence.0.start', 50);
    const closed = new Promise((resolve) => realtime.socket.once('close', resolve));
    realtime.close();
    await closed;
  });

  it('asks outside the conversation, and receives errors with their code and event_id', async () => {
    const realtime = connect('tiny@door');
    await new Promise((resolve) => realtime.on('session.created', resolve));
    const failed = new Promise<unknown>((resolve) => realtime.on('error', resolve));
    realtime.send({ type: 'response.cancel', event_id: 'e1' });
    expect(await failed).toMatchObject({ error: { code: 'response_not_found', event_id: 'e1' } });
    const done = new Promise<OpenAI.Realtime.RealtimeResponse>((resolve) =>
      realtime.on('response.done', ({ response }) => {
        resolve(response);
      }),
    );
    realtime.send({
      type: 'response.create',
      response: {
        conversation: 'none',
        metadata: { topic: 'a' },
        input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Who came?' }] }],
      },
    });
    expect(await done).toMatchObject({ status: 'completed', metadata: { topic: 'a' }, conversation_id: null });
    realtime.close();
  });

  it('is refused with a wrong key or model', async () => {
    for (const [model, key, status] of [
      ['tiny@kitchen', 'wrong', '401'],
      ['gpt-realtime', KEY, '400'],
      ['tiny@attic', KEY, '404'],
    ] as const) {
      const realtime = connect(model, key);
      const error = await new Promise<Error>((resolve) => realtime.on('error', resolve));
      expect(error.message).toContain(status);
    }
  });
});
