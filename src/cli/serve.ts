import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { pino } from 'pino';
import { type Config, type ConfigInput, engineConfig, readConfig, wrongSetting } from '../config.ts';
import { YocoError } from '../errors.ts';
import { readDefinitions, type StreamDefinition } from '../ingest/definition.ts';
import { Streams } from '../live/live-service.ts';
import {
  checkServerOptions,
  type RunningServer,
  type ServerLog,
  type ServerOptions,
  startServer,
} from '../server/index.ts';
import { missingFile } from './missing-file.ts';
import { aborted, comesOfStop, ProgressLine, stopSignal } from './terminal.ts';

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('start the service')
    .option('--config <file>', 'settings in YAML')
    .option('--bundle <dir>', 'model bundle')
    .option('--streams <dir>', 'folder of stream definitions')
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on')
    .option('--device <name>', 'where the caches lie and the decoders run: cpu or webgpu')
    .action(async (options: ConfigInput & { config?: string }) => {
      const stop = stopSignal(); // from here on: what was started by then is to end with it
      const { config: file, ...flags } = options;
      const config = await readConfig(flags, process.env, file);
      const log = pino({ level: config.log_level }, pino.destination(2));
      const service = await startService(config, await readDefinitions(config.streams), log, stop);
      if (service !== null) {
        log.info({ address: service.server.address, streams: service.live.list().length }, 'listening');
        await aborted(stop);
      }
      log.info({}, 'stopping');
      await service?.close();
    });
}

export interface RunningService {
  readonly live: Streams;
  readonly server: RunningServer;
  readonly close: () => Promise<void>;
}

/**
 * Loads the model, starts these streams, and listens. Null when `stop` was aborted before that: then the step in progress
 * is the last one, and what it has started has ended.
 * Throws `config_invalid` that names the setting, what `Streams.start` throws, and of a stream the error with its name.
 */
export async function startService(
  config: Config,
  definitions: readonly StreamDefinition[],
  log: ServerLog,
  stop: AbortSignal,
): Promise<RunningService | null> {
  try {
    return await start(config, definitions, log, stop);
  } catch (error) {
    // An engine that has hardly started ends by a Ctrl-C.
    if (await comesOfStop(stop)) return null;
    throw ofSetting(error, config);
  }
}

async function start(
  config: Config,
  definitions: readonly StreamDefinition[],
  log: ServerLog,
  stop: AbortSignal,
): Promise<RunningService | null> {
  const tls = config.tls === undefined ? undefined : await readCertificate(config.tls);
  const options: ServerOptions = {
    host: config.host,
    port: config.port,
    apiKeys: config.api_keys,
    allowedOrigins: config.allowed_origins,
    allowedHosts: config.allowed_hosts,
    log,
    ...(tls === undefined ? {} : { tls }),
  };
  checkServerOptions(options); // before the seconds that the model takes to load
  const progress = new ProgressLine('Loading the model');
  const live = await Streams.start(
    {
      engine: {
        ...engineConfig(config),
        maxAnswers: config.max_answers,
        memoryLimitBytes: config.engine_memory_mb * 2 ** 20,
      },
      maxStreams: config.max_streams,
      thumbnailLimitBytes: config.pictures_mb * 2 ** 20,
      ...(config.snapshots === undefined ? {} : { snapshots: config.snapshots }),
      policy: { mediaRoots: config.media_roots, allowedHosts: config.source_hosts },
      onWarning: (message) => {
        log.warn({}, message);
      },
    },
    (share) => {
      progress.show(share);
    },
  );
  progress.end();
  try {
    for (const definition of definitions) {
      if (stop.aborted) break;
      const missing = missingFile(definition);
      if (missing !== null) log.warn({ stream: definition.name }, missing);
      await createStream(live, definition);
    }
    if (!stop.aborted) {
      const server = await startServer(live, { ...options, maxOutputTokens: live.engine.bundle.maxAnswerTokens });
      const close = async (): Promise<void> => {
        await server.close();
        await live.close();
      };
      return { live, server, close };
    }
  } catch (error) {
    await live.close();
    throw error;
  }
  await live.close();
  return null;
}

/** Throws the stream's error with its name, and that of its snapshot. */
async function createStream(live: Streams, definition: StreamDefinition): Promise<void> {
  try {
    await live.create(definition, 'operator');
  } catch (error) {
    const { code, param, detail, cause = error } = YocoError.from(error);
    const { name, restore } = definition;
    const which = `Stream ${name}${restore === undefined ? '' : `, snapshot ${restore}`}`;
    const details = { detail: detail === '' ? `${which}.` : `${which}: ${detail}`, cause };
    throw new YocoError(code, param === null ? details : { ...details, param });
  }
}

/** An error of the server's options, which are named as the settings are but for their case, by the setting. */
function ofSetting(error: unknown, config: Config): unknown {
  if (!(error instanceof YocoError) || error.code !== 'config_invalid' || error.param === null) return error;
  const key = error.param.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return wrongSetting(key, error.detail.replace(/\.$/, ''), config.variables, error.cause);
}

async function readCertificate(files: {
  readonly key: string;
  readonly cert: string;
}): Promise<{ key: Buffer; cert: Buffer }> {
  const read = async (name: 'key' | 'cert'): Promise<Buffer> => {
    try {
      return await readFile(files[name]);
    } catch (cause) {
      throw new YocoError('config_invalid', {
        param: `tls.${name}`,
        detail: `"${files[name]}" cannot be read.`,
        cause,
      });
    }
  };
  return { key: await read('key'), cert: await read('cert') };
}
