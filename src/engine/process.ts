/** Entry point of the engine process, the only process that runs the model. It serves one parent and ends with it. */
import type { Model } from '../model/model.ts';
import { loadModel } from '../model/model.ts';
import { toEngineError } from './engine-error.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';
import { Outbox } from './outbox.ts';
import { type EngineLoad, type FromEngine, NO_TIMES, type ToEngine } from './protocol.ts';
import { Scheduler } from './scheduler.ts';
import { Snapshots } from './snapshots.ts';

let model: Model | undefined;
let scheduler: Scheduler | undefined;
let snapshots: Snapshots | undefined;

const outbox = new Outbox<FromEngine>((messages) => {
  if (process.connected) process.send?.(messages);
});

function send(message: FromEngine): void {
  outbox.add(message);
}

function reply<T>(id: number, result: Promise<T> | undefined, message: (value: T) => FromEngine): void {
  result?.then(
    (value) => {
      send(message(value));
    },
    (error: unknown) => {
      send({ type: 'failed', id, error: toEngineError(error) });
    },
  );
}

async function load(message: EngineLoad): Promise<void> {
  try {
    model = await loadModel(message.bundle, {
      ...(message.threads === null ? {} : { threads: message.threads }),
      device: message.device,
      ...(message.deviceBytes === null ? {} : { deviceBytes: message.deviceBytes }),
      onProgress: (share) => {
        send({ type: 'progress', share });
      },
    });
    scheduler = new Scheduler(model, { maxAnswers: message.maxAnswers });
    snapshots = new Snapshots(model, scheduler);
    const { name, parameters, licence, imageSize, maxAnswerTokens, streamTags } = model.config;
    send({ type: 'loaded', bundle: { name, parameters, licence, imageSize, maxAnswerTokens, streamTags } });
  } catch (error) {
    send({ type: 'load_failed', error: toEngineError(error) });
  }
}

async function shutDown(): Promise<void> {
  await snapshots?.stop();
  await scheduler?.stop();
  await model?.release();
  // Lets the last messages go out first.
  await yieldToEventLoop();
  process.exit(0);
}

function handle(message: ToEngine): void {
  switch (message.type) {
    case 'load':
      void load(message);
      return;
    case 'ping': {
      const times = scheduler?.times ?? NO_TIMES;
      send({ type: 'pong', rssBytes: process.memoryUsage.rss(), times });
      return;
    }
    case 'stop':
      void shutDown();
      return;
    case 'open':
      scheduler?.open(message.stream, message);
      return;
    case 'close':
      snapshots?.abortRestore(message.stream);
      scheduler?.close(message.stream);
      return;
    case 'frame': {
      const { id, stream, timeMs, rgb } = message;
      reply(id, scheduler?.append(stream, timeMs, rgb), (result) => ({ type: 'appended', id, result }));
      return;
    }
    case 'snapshot': {
      const { id, stream, file, fps, startedAtMs, wallTimes } = message;
      const written = snapshots?.write(stream, file, { fps, startedAtMs, wallTimes });
      reply(id, written, (summary) => ({ type: 'snapshot_done', id, summary }));
      return;
    }
    case 'restore': {
      const { id, stream, file, limitBytes, mergeBelow } = message;
      const read = snapshots?.restore(stream, file, { limitBytes, mergeBelow });
      reply(id, read, (result) => ({ type: 'restored', id, result }));
      return;
    }
    case 'ask': {
      const { id, request } = message;
      scheduler?.ask(id, request, {
        delta: (text) => {
          send({ type: 'delta', id, text });
        },
        done: (result) => {
          send({ type: 'done', id, end: result });
        },
        failed: (error) => {
          send({ type: 'failed', id, error: toEngineError(error) });
        },
      });
      return;
    }
    case 'cancel':
      scheduler?.cancel(message.id);
  }
}

process.on('message', (messages) => {
  (messages as readonly ToEngine[]).forEach(handle);
});
// The parent is gone, for whatever reason: nobody is left to ask.
process.on('disconnect', () => void shutDown());
// The parent decides when to stop: a Ctrl-C in the terminal signals the whole process group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('SIGHUP', () => undefined);
