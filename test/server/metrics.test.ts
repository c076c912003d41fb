import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../../src/config.ts';
import { startServer, type RunningServer } from '../../src/server/index.ts';
import { VERSION } from '../../src/version.ts';
import { FakeLiveService } from './fake-live-service.ts';
import { RealtimeClient } from './realtime-client.ts';

const KEY = 'a-key-for-the-tests-0123';

let live: FakeLiveService;
let server: RunningServer;

beforeEach(async () => {
  live = new FakeLiveService();
  server = await startServer(live, { port: 0, drainMs: 0 });
});

afterEach(async () => {
  await server.close();
});

/** The metrics by name and labels, such as `yoco_streams` or `yoco_stream_frames_total{stream="door"}`. */
async function figures(): Promise<Map<string, number>> {
  const response = await fetch(`${server.address}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

describe('GET /metrics', () => {
  it('reports the state of the engine and of each stream', async () => {
    const told = await figures();
    const { lastMs, startedAtMs } = live.stream('kitchen').status();
    expect(Object.fromEntries(told)).toMatchObject({
      yoco_ready: 1,
      yoco_streams: 2,
      yoco_connections: 0,
      yoco_engine_losses_total: 2,
      yoco_engine_resident_bytes: 3e8,
      yoco_engine_frames_total: 120,
      yoco_engine_answer_tokens_total: 30,
      'yoco_engine_run_seconds_total{part="crossDecoder"}': 4,
      'yoco_stream_playing{stream="kitchen"}': 1,
      'yoco_stream_newest_frame_timestamp_seconds{stream="kitchen"}': (startedAtMs + (lastMs ?? 0)) / 1_000,
      'yoco_stream_picture_changed_timestamp_seconds{stream="kitchen"}': (startedAtMs + (lastMs ?? 0) - 500) / 1_000,
    });
  });

  it('reports the version, the start time and the resources of the server process', async () => {
    const told = await figures();
    expect(told.get(`yoco_info{version="${VERSION}",bundle="tiny"}`)).toBe(1);
    expect(told.get('process_start_time_seconds')).toBeCloseTo(Date.now() / 1_000 - process.uptime(), 0);
    expect(told.get('process_resident_memory_bytes')).toBeGreaterThan(2 ** 20);
    expect(told.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  it('exports every counter from zero, so that a monitor sees the first increase', async () => {
    const counts = [...(await figures())].filter(([name]) => /^yoco_(responses|standing|webhook)/.test(name));
    const of = (name: string, label: string, values: string[]): [string, number][] =>
      values.map((value) => [`yoco_${name}_total{${label}="${value}"}`, 0]);
    expect(counts).toEqual([
      ...of('responses', 'status', ['completed', 'incomplete', 'cancelled', 'failed']),
      ...of('standing_askings', 'outcome', ['answered', 'missed']),
      ...of('webhook_events', 'outcome', ['delivered', 'failed', 'dropped']),
    ]);
  });

  it('reports whether a kept stream cannot be saved, and nothing for other streams', async () => {
    const told = [...(await figures())].filter(([name]) => name.startsWith('yoco_stream_keep_failing'));
    expect(told).toEqual([['yoco_stream_keep_failing{stream="door"}', 1]]);
  });

  it('repeats the same figures when scraped again, and drops deleted streams', async () => {
    const first = await figures();
    const again = await figures();
    for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total']) {
      first.delete(name);
      again.delete(name);
    }
    expect(again).toEqual(first);
    await live.delete('door');
    const names = [...(await figures()).keys()];
    expect(names.some((name) => name.includes('kitchen'))).toBe(true);
    expect(names.some((name) => name.includes('door'))).toBe(false);
  });

  it('counts the askings of standing questions', async () => {
    const client = await RealtimeClient.open(server.address);
    client.send({ type: 'yoco.standing_question.create', standing_question: { question: 'who is there?' } });
    await client.next('yoco.standing_question.answered');
    expect((await figures()).get('yoco_standing_askings_total{outcome="answered"}')).toBe(1);
    client.close();
  });

  it('counts connections, responses by outcome, and times to the first token', async () => {
    const client = await RealtimeClient.open(server.address);
    for (const question of ['hello', 'fail engine_restarted', 'again']) {
      client.ask(question);
      await client.next('response.done');
    }
    const told = await figures();
    expect(told.get('yoco_connections')).toBe(1);
    expect(told.get('yoco_responses_total{status="completed"}')).toBe(2);
    expect(told.get('yoco_responses_total{status="failed"}')).toBe(1);
    expect(told.get('yoco_first_token_seconds_count')).toBe(2);
    client.close();
  });

  it('counts an HTTP answer abandoned before its first piece as cancelled', async () => {
    const leave = new AbortController();
    const asked = fetch(`${server.address}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny@kitchen', messages: [{ role: 'user', content: 'silent' }], stream: true }),
      signal: leave.signal,
    });
    const left = expect(asked).rejects.toThrow('aborted');
    await expect.poll(() => live.stream('kitchen').asked.length).toBe(1);
    leave.abort();
    await left;
    await expect.poll(async () => (await figures()).get('yoco_responses_total{status="cancelled"}')).toBe(1);
  });

  it('is documented in docs/operations.md, metric by metric', async () => {
    const text = await (await fetch(`${server.address}/metrics`)).text();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);
    const docs = await readFile(path.join(PACKAGE_ROOT, 'docs', 'operations.md'), 'utf8');
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
  });

  it('requires a key where keys are configured, and refuses a token bound to a stream', async () => {
    const locked = await startServer(live, { port: 0, apiKeys: [KEY] });
    const bearer = { authorization: `Bearer ${KEY}` };
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${locked.address}/metrics`, { headers })).status;
    const minted = await fetch(`${locked.address}/v1/token`, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/json' },
      body: JSON.stringify({ stream: 'door' }),
    });
    const { token } = (await minted.json()) as { token: string };
    expect(await status({})).toBe(401);
    expect(await status({ authorization: `Bearer ${token}` })).toBe(403);
    expect(await status(bearer)).toBe(200);
    await locked.close();
  });
});
