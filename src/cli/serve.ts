import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { pino } from 'pino';
import { type Config, type ConfigInput, engineConfig, readConfig } from '../config.ts';
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
import { ProgressLine, untilStopped } from './terminal.ts';

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
      const { config: file, ...flags } = options;
      const config = await readConfig(flags, process.env, file);
      const log = pino({ level: config.log_level }, pino.destination(2));
      const service = await startService(config, await readDefinitions(config.streams), log);
      const stopped = untilStopped(); // who reads "listening" may stop it at once
      log.info({ address: service.server.address, streams: service.live.list().length }, 'listening');
      await stopped;
      log.info({}, 'stopping');
      await service.close();
    });
}

export interface RunningService {
  readonly live: Streams;
  readonly server: RunningServer;
  readonly close: () => Promise<void>;
}

/** Loads the model, starts these streams, and listens. */
export async function startService(
  config: Config,
  definitions: readonly StreamDefinition[],
  log: ServerLog,
): Promise<RunningService> {
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
    for (const definition of definitions) await live.create(definition, 'operator');
    const server = await startServer(live, { ...options, maxOutputTokens: live.engine.bundle.maxAnswerTokens });
    const close = async (): Promise<void> => {
      await server.close();
      await live.close();
    };
    return { live, server, close };
  } catch (error) {
    await live.close();
    throw error;
  }
}

async function readCertificate(files: {
  readonly key: string;
  readonly cert: string;
}): Promise<{ key: Buffer; cert: Buffer }> {
  const read = async (name: 'key' | 'cert'): Promise<Buffer> => {
    try {
      return await readFile(files[name]);
    } catch (cause) {
      throw new YocoError('config_invalid', { param: `tls.${name}`, detail: `${files[name]} cannot be read.`, cause });
    }
  };
  return { key: await read('key'), cert: await read('cert') };
}
